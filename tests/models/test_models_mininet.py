"""MiniNet: its counts, its recursion, and what is cut out of it."""

import dataclasses
import functools
import math

import keras
import numpy as np
import pytest

from mtdepth.models import mininet
from mtdepth.models.counting import describe_mininet
from mtdepth.models.normalisation import MININET_INPUT, STUDENT_INPUT
from mtdepth.models.student import copy_weights
from mtdepth.records import rebuilt
from mtdepth.specs.mininet import MODULES, OUTPUT_STRIDE, MiniNetSpec

SIZE = (32, 64)
ORIGINAL = MiniNetSpec()
SMALL = MiniNetSpec(variant="small")
MEDIUM = MiniNetSpec(variant="medium")


@pytest.fixture(scope="module")
def small_graph():
    keras.utils.set_random_seed(3)
    return mininet.build_training_graph(SMALL, input_size=SIZE)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, *SIZE, 3)).astype(np.float32)


_build = functools.cache(mininet.build_training_graph)


@pytest.fixture
def _built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of several outputs are of one graph."""
    monkeypatch.setattr(mininet, "build_training_graph", _build)


# params and 2 x MACs with the output head at 640x192: the fit to the paper's Table 2 and 5.
@pytest.mark.usefixtures("_built_once")
@pytest.mark.parametrize(
    ("spec", "output", "params", "params_inference", "giga_operations"),
    [
        (ORIGINAL, "F", 217_788, 215_673, 7.709),
        (ORIGINAL, "H", 208_188, 206_073, 6.155),
        (ORIGINAL, "Q", 193_852, 191_737, 5.480),
        (ORIGINAL, "E", 179_516, 177_401, 5.311),
        (MEDIUM, "F", 110_996, 108_881, 3.773),
        (MEDIUM, "E", 72_724, 70_609, 1.376),
        (SMALL, "F", 91_276, 89_161, 3.416),
        (SMALL, "E", 53_004, 50_889, 1.018),
        (MiniNetSpec(reuse=False), "F", 656_484, 654_369, 7.709),
        (MiniNetSpec(dense_decoder=True), "F", 667_068, 665_337, 23.493),
    ],
)
def test_counts_are_the_papers(spec, output, params, params_inference, giga_operations) -> None:
    _, counts = describe_mininet(spec, output=output, input_size=(192, 640))
    assert counts["params"] == counts["trainable_params"] == params
    assert counts["params_inference"] == params_inference
    assert 2e-9 * counts["macs"] == pytest.approx(giga_operations, rel=5e-4)
    stride = OUTPUT_STRIDE[output]
    assert counts["outputs"] == {"depth_code": (192 // stride, 640 // stride, 1)}


# Table 2 at 512x256: the paper's own column, which also counts element-wise work
@pytest.mark.usefixtures("_built_once")
@pytest.mark.parametrize(("output", "papers"), [("F", 8.235), ("E", 5.740)])
def test_operations_at_the_other_size(output, papers) -> None:
    _, counts = describe_mininet(ORIGINAL, output=output, input_size=(256, 512))
    assert 2e-9 * counts["macs"] == pytest.approx(papers, rel=0.02)


def test_the_training_graph_counts_all_heads_once() -> None:
    _, counts = describe_mininet(SMALL, output="F", input_size=SIZE, graph="training")
    assert counts["params"] == 91_276
    assert counts["params_inference"] == 89_161
    assert {name: shape[0] for name, shape in counts["outputs"].items()} == {
        "depth_code_F": 32,
        "depth_code_H": 16,
        "depth_code_Q": 8,
        "depth_code_E": 4,
    }


def test_the_four_passes_are_one_module(small_graph) -> None:
    names = [layer.name for layer in small_graph.layers]
    assert len(set(names)) == len(names)
    calls = {
        name: sum(
            node.operation.name == name
            for nodes in small_graph._nodes_by_depth.values()
            for node in nodes
        )
        for name in ("stem", "module_block_1_expand", "module_block_1_se_excite")
    }
    assert calls == {"stem": 1, "module_block_1_expand": 4, "module_block_1_se_excite": 4}


def test_without_reuse_every_pass_has_its_own_weights(image) -> None:
    spec = dataclasses.replace(SMALL, reuse=False)
    graph = mininet.build_training_graph(spec, input_size=SIZE)
    before = np.asarray(graph(image)["depth_code_F"])
    names = [f"module_{number}_block_1_project" for number in (1, 2, 3, 4)]
    kernels = [graph.get_layer(name).get_weights()[0] for name in names]
    assert not np.allclose(kernels[0], kernels[1])
    graph.get_layer(names[3]).set_weights([kernels[3] * 2])
    assert not np.allclose(before, np.asarray(graph(image)["depth_code_F"]))


@pytest.mark.parametrize("output", list(OUTPUT_STRIDE))
def test_what_is_cut_out_equals_the_training_graph(small_graph, image, output) -> None:
    network = mininet.detach(small_graph, SMALL, output=output)
    assert network.name == f"mininet_{output.lower()}"
    assert network.inputs[0].name == "image"
    cut = np.asarray(network(image)["depth_code"])
    np.testing.assert_array_equal(cut, np.asarray(small_graph(image)[f"depth_code_{output}"]))
    stride = OUTPUT_STRIDE[output]
    assert cut.shape == (2, SIZE[0] // stride, SIZE[1] // stride, 1)
    assert cut.std() > 0


def test_cutting_out_shares_the_weights(small_graph) -> None:
    network = mininet.detach(small_graph, SMALL, output="E")
    assert network.get_layer("stem") is small_graph.get_layer("stem")
    names = {layer.name for layer in network.layers}
    assert not any(name.startswith(("up_4", "up_2", "up_1_", "depth_code_Q")) for name in names)


def test_another_size_keeps_the_weights(small_graph) -> None:
    wide = mininet.build_training_graph(SMALL, input_size=(32, 96))
    copy_weights(source=small_graph, target=wide)
    for weight, value in zip(wide.weights, small_graph.get_weights(), strict=True):
        np.testing.assert_array_equal(np.asarray(weight), value)


def test_upsampling_repeats_the_nearest_pixel(small_graph, image) -> None:
    tensors = {
        name: small_graph.get_layer(f"up_8_{name}").output for name in ("low_relu", "nearest")
    }
    found = keras.Model(small_graph.inputs[0], tensors)(image)
    low = np.asarray(found["low_relu"])
    np.testing.assert_array_equal(found["nearest"], low.repeat(2, axis=1).repeat(2, axis=2))


def test_a_stride_of_two_pads_one_pixel_on_every_side(small_graph) -> None:
    stem = keras.Model(small_graph.inputs[0], small_graph.get_layer("stem").output)
    picture = np.zeros((1, *SIZE, 3), np.float32)
    bias = np.asarray(stem(picture))
    picture[0, 0, 0] = 1.0  # the middle of the first output's window
    kernel = small_graph.get_layer("stem").get_weights()[0]
    expected = kernel[1, 1].sum(axis=0)
    np.testing.assert_allclose((np.asarray(stem(picture)) - bias)[0, 0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("variant", list(MODULES))
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_our_start_keeps_the_signal_and_the_stock_one_loses_it(variant, seed) -> None:
    spec = MiniNetSpec(variant=variant)
    ours = mininet.signal_stds(spec, input_size=(64, 128), seed=seed)
    assert list(ours) == [2, 4, 8, 16, 32]
    assert ours[2] / 10 < ours[32] < ours[2] * 10
    stock = mininet.signal_stds(spec.stock_start(), input_size=(64, 128), seed=seed)
    assert stock[32] < 1e-5 * stock[2]


def test_disparity_starts_in_the_middle() -> None:
    keras.utils.set_random_seed(0)
    graph = mininet.build_training_graph(ORIGINAL, input_size=SIZE)
    noise = np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3)).astype(np.float32)
    for name, code in graph(MININET_INPUT(noise)).items():
        assert np.abs(np.asarray(code)).mean() < 0.5, name


def test_every_weight_of_the_training_graph_gets_a_gradient(small_graph, image) -> None:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = sum(tf.reduce_sum(tf.sin(code)) for code in small_graph(image).values())
    gradients = tape.gradient(loss, small_graph.trainable_variables)
    dead = [
        variable.path
        for variable, gradient in zip(small_graph.trainable_variables, gradients, strict=True)
        if gradient is None or not np.any(gradient)
    ]
    assert not dead


def test_outputs_are_float32_under_mixed_precision() -> None:
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        graph = mininet.build_training_graph(SMALL, input_size=SIZE)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert {code.dtype for code in graph.output.values()} == {"float32"}
    assert graph.get_layer("stem").compute_dtype == "float16"


def test_illegal_sizes_are_named() -> None:
    with pytest.raises(ValueError, match=r"height 100 \(nearest: 96 or 128\)"):
        mininet.build_training_graph(SMALL, input_size=(100, 64))


def test_an_unknown_output_is_named(small_graph) -> None:
    with pytest.raises(ValueError, match="output must be one of F, H, Q, E, got 'L'"):
        mininet.detach(small_graph, SMALL, output="L")


def test_a_spec_survives_json() -> None:
    spec = MiniNetSpec(variant="medium", reuse=False, initial_gain=1.2)
    assert rebuilt(MiniNetSpec, dataclasses.asdict(spec)) == spec
    assert rebuilt(MiniNetSpec, {}) == ORIGINAL
    with pytest.raises(ValueError, match="MiniNetSpec has no field 'alpha'"):
        rebuilt(MiniNetSpec, {"alpha": 1})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("variant", "tiny"),
        ("reuse", "no"),
        ("initial_gain", 0.0),
        ("head_gain", math.nan),
        ("depthwise_fans", "all"),
    ],
)
def test_illegal_fields_are_named(field, value) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be"):
        rebuilt(MiniNetSpec, {field: value})


def test_normalisations() -> None:
    values = np.array([0, 255], np.float32)
    np.testing.assert_allclose(STUDENT_INPUT(values), [-1, 1], atol=1e-6)
    np.testing.assert_allclose(MININET_INPUT(values), [-2, 0.55 / 0.225], atol=1e-6)
    assert MININET_INPUT(values).dtype == np.float32
