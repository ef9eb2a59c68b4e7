"""Labels at coarser sizes, against loops."""

import numpy as np
import pytest

from mtdepth.losses.targets import depth_target, train_id_target


def _depth() -> np.ndarray:
    rng = np.random.default_rng(0)
    depth_m = rng.uniform(1, 80, (2, 8, 12, 1)).astype(np.float32)
    depth_m[rng.random(depth_m.shape) < 0.5] = 0
    depth_m[0, :4, 4:8] = 0  # a whole block at factor 4
    return depth_m


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_nearest_is_the_pixel_below_right_of_the_blocks_centre(factor: int) -> None:
    depth_m = _depth()
    target = np.asarray(depth_target(depth_m, factor=factor, rule="nearest"))
    assert target.shape == (2, 8 // factor, 12 // factor, 1)
    for batch, row, column, _ in np.ndindex(target.shape):
        picked = depth_m[batch, row * factor + factor // 2, column * factor + factor // 2, 0]
        assert target[batch, row, column, 0] == picked


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_valid_mean_averages_the_measured_metres_of_a_block(factor: int) -> None:
    depth_m = _depth()
    target = np.asarray(depth_target(depth_m, factor=factor, rule="valid_mean"))
    assert target.shape == (2, 8 // factor, 12 // factor, 1)
    for batch, row, column, _ in np.ndindex(target.shape):
        block = depth_m[
            batch, row * factor : (row + 1) * factor, column * factor : (column + 1) * factor
        ].astype(np.float64)
        measured = block[block > 0]
        expected = measured.mean() if measured.size else 0.0
        assert target[batch, row, column, 0] == pytest.approx(expected, rel=1e-6)
    if factor == 4:
        assert target[0, 0, 1, 0] == 0


@pytest.mark.parametrize("wild", [np.nan, np.inf, -3.0])
def test_valid_mean_leaves_out_what_is_no_measurement(wild: float) -> None:
    depth_m = np.array([[2.0, wild], [4.0, 0.0]], np.float32).reshape(1, 2, 2, 1)
    assert np.asarray(depth_target(depth_m, factor=2, rule="valid_mean")).item() == 3.0


def test_class_ids_are_picked_and_keep_their_type() -> None:
    train_id = np.arange(96, dtype=np.uint8).reshape(1, 8, 12, 1)
    target = np.asarray(train_id_target(train_id, factor=4))
    assert target.dtype == np.uint8
    np.testing.assert_array_equal(target[0, :, :, 0], [[26, 30, 34], [74, 78, 82]])


def test_illegal_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="divide height 8 and width 12, got 3"):
        depth_target(_depth(), factor=3, rule="nearest")
    with pytest.raises(ValueError, match="divide"):
        train_id_target(_depth(), factor=8)
    with pytest.raises(ValueError, match="nearest or valid_mean, got 'mean'"):
        depth_target(_depth(), factor=2, rule="mean")
