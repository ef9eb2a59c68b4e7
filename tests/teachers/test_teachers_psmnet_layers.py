"""PSMNet's own layers against PyTorch's upsampling, loops, and numbers by hand."""

import keras
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from teachers.psmnet.layers import (
    CostVolume,
    PyramidLevel,
    ResizeLike,
    SoftArgmin,
    interpolation_matrix,
)


@given(num_in=st.integers(1, 40), num_out=st.integers(1, 90), align_corners=st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_matrix_is_pytorchs_linear_interpolation(
    num_in: int, num_out: int, align_corners: bool
) -> None:
    signal = np.random.default_rng(num_in).standard_normal(num_in).astype(np.float32)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(signal)[None, None], num_out, mode="linear", align_corners=align_corners
    )
    ours = interpolation_matrix(num_out, num_in, align_corners=align_corners) @ signal
    # PyTorch finds positions in float32.
    np.testing.assert_allclose(ours, theirs[0, 0].numpy(), atol=2e-5)


def test_a_map_is_resized_to_anothers_size() -> None:
    ramp = np.arange(3, dtype=np.float32)[None, :, None, None] * np.ones((1, 3, 2, 1), np.float32)
    resized = ResizeLike(align_corners=True)([ramp, np.zeros((1, 5, 7, 2), np.float32)])
    expected = np.broadcast_to(np.array([0, 0.5, 1, 1.5, 2])[:, None], (5, 7))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(resized)[0, :, :, 0], expected, atol=1e-6)


def test_the_pool_leaves_out_what_does_not_fill_a_square_and_shrinks_to_a_small_map() -> None:
    features = np.arange(15, dtype=np.float32).reshape(1, 3, 5, 1)
    pooled = PyramidLevel(side=2)(features)
    # (0 + 1 + 5 + 6) / 4 = 3 and (2 + 3 + 7 + 8) / 4 = 5; row 2 and column 4 are left out.
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(pooled)[0, :, :, 0], [[3, 5]])
    whole = PyramidLevel(side=64)(features)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(whole)[0, :, :, 0], [[7]])


@pytest.mark.parametrize("num_disparities", [1, 4, 9])
def test_the_volume_pairs_each_column_with_the_one_the_disparity_left_of_it(
    num_disparities: int,
) -> None:
    rng = np.random.default_rng(3)
    left, right = rng.standard_normal((2, 2, 3, 7, 5)).astype(np.float32)
    volume = keras.ops.convert_to_numpy(CostVolume(num_disparities=num_disparities)([left, right]))
    expected = np.zeros((2, num_disparities, 3, 7, 10), np.float32)
    for disparity in range(num_disparities):
        for column in range(disparity, 7):
            expected[:, disparity, :, column, :5] = left[:, :, column]
            expected[:, disparity, :, column, 5:] = right[:, :, column - disparity]
    np.testing.assert_array_equal(volume, expected)


@pytest.mark.parametrize("align_corners", [True, False])
def test_soft_argmin_is_pytorchs_trilinear_upsampling_and_softmax(align_corners: bool) -> None:
    # 12 rows after upsampling are no multiple of the rows that run at once.
    scores = np.random.default_rng(5).standard_normal((2, 4, 3, 5, 1)).astype(np.float32) * 3
    ours = SoftArgmin(num_disparities=16, scale=4, align_corners=align_corners)(scores)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(scores).permute(0, 4, 1, 2, 3),
        (16, 12, 20),
        mode="trilinear",
        align_corners=align_corners,
    )[:, 0].softmax(1)
    expected = (theirs * torch.arange(16.0)[:, None, None]).sum(1).numpy()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours), expected, atol=1e-4)


def test_an_open_size_in_a_traced_graph_is_named() -> None:
    import tensorflow as tf

    layer = SoftArgmin(num_disparities=16, scale=4, align_corners=True)
    traced = tf.function(layer, autograph=False)
    with pytest.raises(ValueError, match="known height and width"):
        traced.get_concrete_function(tf.TensorSpec((1, 4, None, None, 1)))
