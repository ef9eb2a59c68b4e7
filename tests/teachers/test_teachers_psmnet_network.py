"""The whole network against PyTorch: arrays of an independent run, and an oracle of our own."""

import functools
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import torch
from oracles.psmnet_torch import PsmnetOracle, random_state

from teachers.psmnet.loss import disparity_loss, smooth_l1
from teachers.psmnet.network import (
    NUM_PARAMETERS,
    build_psmnet,
    compiled,
)
from teachers.psmnet.weights import assign_weights, parameter_shapes, tensors_of

Floats = npt.NDArray[np.float32]
ROOT = Path(__file__).parents[2]


@functools.cache
def weights() -> dict[str, Floats]:
    return {name: value.numpy() for name, value in random_state(seed=11).items()}


def pair(height: int, width: int, *, seed: int = 0, batch: int = 1) -> tuple[Floats, Floats]:
    noise = np.random.default_rng(seed).standard_normal((batch, height, width + 9, 3))
    noise = noise.astype(np.float32)
    return noise[:, :, :-9], noise[:, :, 9:]


def oracle_px(left: Floats, right: Floats, *, all_outputs: bool = False, **settings: Any) -> Any:
    oracle = PsmnetOracle(**settings).eval()
    oracle.load_state_dict({name: torch.from_numpy(value) for name, value in weights().items()})
    views = [torch.from_numpy(np.ascontiguousarray(np.moveaxis(v, -1, 1))) for v in (left, right)]
    with torch.inference_mode():
        return oracle(*views, all_outputs=all_outputs)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """For a search of 16 pixels, with `weights()`."""
    network = build_psmnet(max_disparity_px=16, align_corners=True)
    assign_weights(network, weights())
    return network


@pytest.fixture(scope="module")
def of_three_outputs() -> keras.Model:
    return build_psmnet(max_disparity_px=16, align_corners=False, outputs="all")


def test_the_paper_has_as_many_parameters(network: keras.Model) -> None:
    assert sum(int(np.prod(w.shape)) for w in network.trainable_weights) == NUM_PARAMETERS
    assert NUM_PARAMETERS == 5_224_768  # of the authors' network, as the issue counts them


def test_names_and_shapes_are_those_of_the_oracle() -> None:
    theirs = PsmnetOracle(max_disparity_px=16, align_corners=True).state_dict()
    expected = {
        name: tuple(value.shape)
        for name, value in theirs.items()
        if not name.endswith("num_batches_tracked")
    }
    assert parameter_shapes() == expected


def test_names_and_shapes_are_those_of_the_release(reference: Path) -> None:
    released = json.loads((reference / "psmnet_state_dict_shapes.json").read_text())
    expected = {
        name: tuple(shape)
        for name, shape in released.items()
        if not name.endswith("num_batches_tracked")
    }
    assert parameter_shapes() == expected


def checkpoint_rule(reference: Path) -> Callable[..., Floats]:
    spec = importlib.util.spec_from_file_location(
        "psmnet_checkpoint_rule", reference / "psmnet_checkpoint_rule.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.tensor


@pytest.mark.parametrize(
    "is_folded",
    [pytest.param(False, marks=pytest.mark.slow), True],
    ids=["as trained", "folded"],
)
@pytest.mark.parametrize(
    "name", ["psmnet_align", pytest.param("psmnet_noalign", marks=pytest.mark.slow)]
)
def test_an_independent_run_is_matched(name: str, is_folded: bool, reference: Path) -> None:
    expected = np.load(reference / f"{name}.npz")
    rule = checkpoint_rule(reference)
    network = build_psmnet(
        max_disparity_px=int(expected["max_disparity"]),
        align_corners=bool(expected["align_corners"]),
        is_folded=is_folded,
    )
    salt = int(expected["salt"])
    assign_weights(network, {n: rule(n, s, salt) for n, s in parameter_shapes().items()})
    left, right = (expected[side].astype(np.float32)[None] for side in ("left", "right"))
    disparity_px = compiled(network)(left, right)[0]
    np.testing.assert_allclose(disparity_px, expected["disparity"], atol=1e-3)
    features = network.get_layer("feature_extraction")(left)
    largest = np.abs(expected["left_feature"]).max()
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(features)[0], expected["left_feature"], atol=1e-4 * largest
    )


# An odd size is compared in test_teachers_psmnet_teacher.py, where it costs one run less.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "max_disparity_px", "align_corners"),
    [((256, 304), 16, True), ((272, 256), 48, False), ((384, 1248), 192, True)],  # last: KITTI's
)
def test_three_sizes_and_ranges_match_the_oracle(
    size: tuple[int, int], max_disparity_px: int, align_corners: bool
) -> None:
    settings = {"max_disparity_px": max_disparity_px, "align_corners": align_corners}
    network = build_psmnet(**settings, is_folded=True)
    assign_weights(network, weights())
    views = pair(*size)
    found_px = compiled(network)(*views)
    expected_px = oracle_px(*views, **settings).numpy()
    assert expected_px.std() > 0.5  # a flat answer would prove nothing
    np.testing.assert_allclose(found_px, expected_px, atol=1e-3)


def test_the_three_training_outputs_match_the_oracle(of_three_outputs: keras.Model) -> None:
    settings = {"max_disparity_px": 16, "align_corners": False}
    network = of_three_outputs
    assign_weights(network, weights())
    views = pair(256, 256)
    found_px = network(list(views), training=False)
    expected_px = oracle_px(*views, all_outputs=True, **settings)
    assert len(found_px) == 3
    for found, expected in zip(found_px, expected_px, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected.numpy(), atol=1e-3)


def test_a_picture_smaller_than_the_largest_pool_runs_at_any_multiple_of_16(
    network: keras.Model,
) -> None:
    for size in ((16, 16), (48, 80)):
        disparity_px = keras.ops.convert_to_numpy(network(list(pair(*size)), training=False))
        assert disparity_px.shape == (1, *size)
        assert ((disparity_px >= 0) & (disparity_px <= 15)).all()


def test_weights_survive_the_way_out_and_back(network: keras.Model) -> None:
    for name, tensor in tensors_of(network).items():
        np.testing.assert_array_equal(tensor, weights()[name], err_msg=name)


@pytest.mark.parametrize("max_disparity_px", [0, -16, 24])
def test_a_range_that_the_hourglasses_cannot_halve_is_refused(max_disparity_px: int) -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        build_psmnet(max_disparity_px=max_disparity_px, align_corners=True)


def test_smooth_l1_by_hand() -> None:
    error = np.array([0.0, 0.5, -0.5, 1.0, -3.0], np.float32)
    # 0.5^2 / 2 = 0.125; 1 - 0.5; 3 - 0.5
    found = keras.ops.convert_to_numpy(smooth_l1(error))
    np.testing.assert_allclose(found, [0, 0.125, 0.125, 0.5, 2.5])


def test_the_loss_counts_measured_pixels_in_range_with_the_hourglasses_weights() -> None:
    truth = np.array([[[0.0, 10.0, 16.0, np.nan]]], np.float32)  # only 10 counts
    predicted = [np.full((1, 1, 4), value, np.float32) for value in (12.0, 10.5, 10.0)]
    loss = disparity_loss(truth, predicted, max_disparity_px=16)
    # 0.5 * (2 - 0.5) + 0.7 * 0.125 + 1.0 * 0 = 0.8375
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loss), 0.8375, rtol=1e-6)
    nothing = disparity_loss(truth * 0, predicted, max_disparity_px=16)
    assert float(keras.ops.convert_to_numpy(nothing)) == 0


def test_every_weight_has_a_gradient(of_three_outputs: keras.Model) -> None:
    import tensorflow as tf

    network = of_three_outputs
    assign_weights(network, weights())
    # One step below the pool's sides, so that normalisations see more than one value.
    views = pair(64, 80, batch=2)
    truth_px = np.full((2, 64, 80), 5.0, np.float32)
    with tf.GradientTape() as tape:
        loss = disparity_loss(truth_px, network(list(views), training=True), max_disparity_px=16)
    for weight, gradient in zip(
        network.trainable_weights, tape.gradient(loss, network.trainable_weights), strict=True
    ):
        values = gradient.numpy()
        assert np.isfinite(values).all(), weight.path
        assert np.abs(values).max() > 0, weight.path


_OTHER_BACKEND = """
import sys
import numpy as np
from teachers.psmnet.network import build_psmnet
from teachers.psmnet.network import compiled
from teachers.psmnet.weights import assign_weights
given = np.load(sys.argv[1])
network = build_psmnet(max_disparity_px=16, align_corners=True)
assign_weights(network, {name: given[name] for name in given.files})
np.save(sys.argv[2], compiled(network)(given["left view"], given["right view"]))
"""


@pytest.mark.slow
def test_the_torch_backend_gives_the_same_disparity(network: keras.Model, tmp_path: Path) -> None:
    left, right = pair(64, 96)
    views = {"left view": left, "right view": right}
    np.savez(tmp_path / "given.npz", **weights(), **views)
    done = subprocess.run(
        [sys.executable, "-c", _OTHER_BACKEND, "given.npz", "found.npy"],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        np.load(tmp_path / "found.npy"), compiled(network)(left, right), atol=1e-3
    )
