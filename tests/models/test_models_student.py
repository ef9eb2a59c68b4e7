"""The student's graphs: shapes, encoder equality, detaching, weights, gradients."""

import functools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from fakes.recipes import TINY_STUDENT

from mtdepth.models import student
from mtdepth.models.student import build_training_graph, copy_weights, detach
from mtdepth.specs.student import NUM_BLOCKS, StudentSpec

BOTH = ("depth", "segmentation")
SPEC = StudentSpec(tasks=BOTH)
# With all that the real one has, in a third of the layers.
SMALL = replace(
    TINY_STUDENT,
    tasks=BOTH,
    blocks=tuple(replace(block, num_bottlenecks=2) for block in TINY_STUDENT.blocks),
)
SIZE = (64, 96)
TAPS = {  # of keras.applications, by the layers that they end in
    "block_2": "block_2_add",
    "block_5": "block_5_add",
    "block_12": "block_12_add",
    "block_15": "block_15_add",
    "block_16": "block_16_project_BN",
}


def _images(count: int = 2, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(3).uniform(-1, 1, (count, *size, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def graph() -> keras.Model:
    return build_training_graph(SPEC, input_size=SIZE)


@functools.cache
def library(size: tuple[int, int]) -> keras.Model:
    """The encoder as Keras has it."""
    return keras.applications.MobileNetV2(
        input_shape=(*size, 3), alpha=0.35, weights=None, include_top=False
    )


def test_outputs_have_the_stated_shapes_and_types(graph) -> None:
    outputs = graph(_images())
    expected = {}
    for number, (height, width) in enumerate([(4, 6), (8, 12), (16, 24), (32, 48)], start=1):
        expected[f"depth_code_{number}"] = (2, height, width, 1)
        expected[f"class_scores_{number}"] = (2, height, width, 19)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == expected
    assert all(keras.backend.standardize_dtype(v.dtype) == "float32" for v in outputs.values())
    assert graph.name == "student"
    assert [tensor.name for tensor in graph.inputs] == ["image"]


@pytest.fixture(scope="module")
def small() -> keras.Model:
    return build_training_graph(SMALL, input_size=SIZE)


@pytest.fixture(scope="module")
def twin() -> keras.Model:
    return build_training_graph(SMALL, input_size=SIZE)


@pytest.mark.parametrize("size", [SIZE, pytest.param((224, 160), marks=pytest.mark.slow)])
def test_taps_equal_keras_applications(size, graph, randomise) -> None:
    theirs = library(size)
    randomise(theirs)
    ours = graph if size == SIZE else build_training_graph(StudentSpec(), input_size=size)
    encoder = keras.Model(
        ours.input, {name: ours.get_layer(layer).output for name, layer in TAPS.items()}
    )
    copy_weights(source=theirs, target=encoder)
    truth = keras.Model(
        theirs.input, {name: theirs.get_layer(layer).output for name, layer in TAPS.items()}
    )
    images = _images(1, size)
    expected = {name: np.asarray(value) for name, value in truth(images, training=False).items()}
    for name, features in encoder(images, training=False).items():
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(features, expected[name], atol=1e-5 * scale, err_msg=name)


def test_every_encoder_layer_has_the_librarys_name_and_class(graph) -> None:
    names = {
        (layer.name, type(layer).__name__)
        for layer in library(SIZE).layers[1:]
        if layer.name not in ("Conv_1", "Conv_1_bn", "out_relu")
    }
    assert names == {
        (layer.name, type(layer).__name__)
        for layer in graph.layers
        if student.is_encoder_layer(layer.name)
    }


def test_every_layer_and_output_is_named_alike_in_two_builds(small, twin) -> None:
    assert [layer.name for layer in twin.layers] == [layer.name for layer in small.layers]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((188, 621), r"188 \(nearest: 160 or 192\) and width 621 \(nearest: 608 or 640\)"),
        ((20, 64), r"20 \(nearest: 32\) and width 64 \(nearest: 64\)"),
        ((0, 64), r"0 \(nearest: 32\)"),
    ],
)
def test_illegal_sizes_name_the_nearest_legal_ones(size, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_training_graph(SPEC, input_size=size)


@pytest.fixture(scope="module", params=[0, 1])
def split_network(request, randomise):
    """A spec, its graph of random weights, and that graph's outputs."""
    spec = replace(SMALL, num_individual=request.param)
    graph = build_training_graph(spec, input_size=SIZE)
    randomise(graph)
    return spec, graph, graph(_images(), training=False)


@pytest.mark.parametrize("decoder", list(NUM_BLOCKS))
def test_detached_outputs_are_the_training_graphs(decoder, split_network) -> None:
    spec, graph, expected = split_network
    images = _images()
    number = NUM_BLOCKS[decoder]
    outputs = detach(graph, spec, decoder=decoder)(images, training=False)
    assert list(outputs) == ["depth_code", "class_scores"]
    for name, value in outputs.items():
        np.testing.assert_array_equal(value, expected[f"{name}_{number}"])
    alone = detach(graph, spec, decoder=decoder, tasks=("depth",))
    np.testing.assert_array_equal(
        alone(images, training=False)["depth_code"], expected[f"depth_code_{number}"]
    )
    assert not [layer.name for layer in alone.layers if "segmentation" in layer.name]


def test_detached_networks_share_layers_with_the_training_graph(small) -> None:
    detached = detach(small, SMALL, decoder="XS")
    own = {layer.name: layer for layer in small.layers}
    assert all(own[layer.name] is layer for layer in detached.layers if layer.weights)


def test_detaching_what_is_not_there_is_refused(small) -> None:
    spec = replace(SMALL, tasks=("depth",)).for_decoder("S")
    of_depth = build_training_graph(spec, input_size=SIZE)
    with pytest.raises(ValueError, match="this network has 2"):
        detach(of_depth, spec, decoder="M")
    with pytest.raises(ValueError, match="tasks must be some of depth"):
        detach(of_depth, spec, decoder="S", tasks=("segmentation",))
    with pytest.raises(ValueError, match="tasks must be some of"):
        detach(small, SMALL, decoder="S", tasks=())


def test_depth_branch_feeds_the_next_block(randomise) -> None:
    graph = build_training_graph(replace(SMALL, num_individual=1), input_size=SIZE)
    randomise(graph)
    images = _images(1)
    before = graph(images, training=False)
    layer = graph.get_layer("decoder_1_segmentation_bottleneck_2_project_BN")
    layer.set_weights([value + 0.25 for value in layer.get_weights()])
    after = graph(images, training=False)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"class_scores_1"}


def test_a_graph_of_another_size_takes_the_weights(small, twin, randomise) -> None:
    randomise(small)
    other = build_training_graph(SMALL, input_size=(96, 128))
    copy_weights(source=small, target=other)
    copy_weights(source=other, target=twin)
    images = _images()
    expected = small(images, training=False)
    for name, value in twin(images, training=False).items():
        np.testing.assert_array_equal(value, expected[name])


def test_copying_between_different_networks_is_refused(small) -> None:
    of_depth = build_training_graph(replace(SMALL, tasks=("depth",)), input_size=SIZE)
    with pytest.raises(ValueError, match="no layer 'class_scores_1'"):
        copy_weights(source=of_depth, target=small)
    wider = replace(SMALL, alpha=2 * SMALL.alpha)
    with pytest.raises(ValueError, match="has weights of shapes"):
        copy_weights(source=build_training_graph(wider, input_size=SIZE), target=small)


def test_saved_weights_load_into_an_equal_network(tmp_path, small, twin, randomise) -> None:
    randomise(small, seed=1)
    small.save_weights(tmp_path / "best.weights.h5")
    twin.load_weights(tmp_path / "best.weights.h5")
    images = _images()
    expected = small(images, training=False)
    for name, value in twin(images, training=False).items():
        np.testing.assert_array_equal(value, expected[name])


def test_a_saved_model_file_loads_where_the_package_alone_was_imported(tmp_path, small) -> None:
    small.save(tmp_path / "student.keras")
    np.save(tmp_path / "images.npy", _images(1))
    code = (
        "import keras, numpy, mtdepth.models\n"
        "model = keras.models.load_model('student.keras')\n"
        "numpy.save('code.npy', model(numpy.load('images.npy'))['depth_code_4'])\n"
    )
    # Keras's numpy runs it without TensorFlow, whose import takes seconds.
    root = str(Path(student.__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root, "KERAS_BACKEND": "numpy"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, check=True)
    expected = small(_images(1))["depth_code_4"]
    np.testing.assert_allclose(np.load(tmp_path / "code.npy"), expected, rtol=1e-4, atol=1e-4)


def test_heads_stay_float32_under_mixed_precision() -> None:
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = build_training_graph(SMALL, input_size=SIZE)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert mixed.get_layer("decoder_1_bottleneck_1_expand").compute_dtype == "bfloat16"
    outputs = mixed(_images(1))
    assert {value.dtype for value in outputs.values()} == {tf.float32}


@pytest.fixture(scope="module", params=[pytest.param(0, marks=pytest.mark.slow), 2])
def at_start(request) -> keras.Model:
    """A network before its first step, with `num_individual` bottlenecks to a task of its own."""
    keras.utils.set_random_seed(0)
    spec = StudentSpec(tasks=BOTH, num_individual=request.param)
    return build_training_graph(spec, input_size=SIZE)


def test_first_signal_neither_fades_nor_explodes(at_start: keras.Model) -> None:
    convolutions = [
        layer
        for layer in at_start.layers
        if type(layer).__name__ in ("Conv2D", "DepthwiseConv2D") and "_code_" not in layer.name
    ]
    probe = keras.Model(at_start.input, [layer.output for layer in convolutions])
    for layer, response in zip(convolutions, probe(_images(4), training=True), strict=True):
        variance = float(np.var(response))
        # Far above batch normalisation's epsilon of 1e-3, which would swallow it.
        assert 0.02 < variance < 20, f"{layer.name}: {variance}"


def test_gradient_reaches_every_trainable_weight(at_start: keras.Model) -> None:
    with tf.GradientTape() as tape:
        outputs = at_start(_images(), training=True)
        # A random direction per output, so that none cancels by symmetry.
        loss = sum(
            tf.reduce_sum(value * tf.random.stateless_normal(value.shape, (7, index)))
            for index, value in enumerate(outputs.values())
        )
    gradients = tape.gradient(loss, at_start.trainable_variables)
    for weight, gradient in zip(at_start.trainable_variables, gradients, strict=True):
        assert gradient is not None, weight.path
        size = float(tf.norm(gradient))
        assert np.isfinite(size) and size > 0, weight.path  # noqa: PT018
