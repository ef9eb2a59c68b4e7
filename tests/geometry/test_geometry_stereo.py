import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.geometry.stereo import depth_to_disparity, disparity_to_depth


def test_depth_by_hand() -> None:
    # 720 px * 0.5 m / 36 px = 10 m
    depth_m = disparity_to_depth(np.array([36.0, 72.0]), focal_px=720.0, baseline_m=0.5)
    np.testing.assert_array_equal(depth_m, [10.0, 5.0])


def test_what_is_unmatched_is_zero_both_ways() -> None:
    values = np.array([[0.0, -1.0, np.nan, -np.inf, 4.0]], np.float32)
    for convert in (disparity_to_depth, depth_to_disparity):
        converted = convert(values, focal_px=8.0, baseline_m=0.5)
        np.testing.assert_array_equal(converted, [[0, 0, 0, 0, 1]])
        assert converted.dtype == np.float32


def test_the_smallest_disparity_does_not_become_infinite() -> None:
    tiny = np.array([np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).tiny])
    depth_m = disparity_to_depth(tiny.astype(np.float32), focal_px=720.0, baseline_m=0.5)
    np.testing.assert_array_equal(depth_m, [0.0, 0.0])


@given(
    disparity_px=st.floats(0.05, 400.0),
    focal_px=st.floats(50.0, 2000.0),
    baseline_m=st.floats(0.01, 2.0),
)
def test_the_way_there_and_back_is_the_identity(
    disparity_px: float, focal_px: float, baseline_m: float
) -> None:
    there = disparity_to_depth(np.array(disparity_px), focal_px=focal_px, baseline_m=baseline_m)
    back = depth_to_disparity(there, focal_px=focal_px, baseline_m=baseline_m)
    assert back == pytest.approx(disparity_px, rel=1e-12)


@given(disparity_px=st.floats(0.5, 200), scale=st.floats(0.25, 4))
def test_resizing_the_pair_keeps_depth(disparity_px: float, scale: float) -> None:
    full_m = disparity_to_depth(np.array(disparity_px), focal_px=720, baseline_m=0.54)
    resized_m = disparity_to_depth(
        np.array(disparity_px * scale), focal_px=720 * scale, baseline_m=0.54
    )
    assert resized_m == pytest.approx(full_m, rel=1e-12)


def test_both_cameras_see_a_point_that_far_apart() -> None:
    focal_px, baseline_m, cx_px = 300.0, 0.25, 40.0
    x_m, z_m = 1.7, 6.0
    left_u = focal_px * x_m / z_m + cx_px
    right_u = focal_px * (x_m - baseline_m) / z_m + cx_px
    disparity_px = depth_to_disparity(np.array(z_m), focal_px=focal_px, baseline_m=baseline_m)
    assert disparity_px == pytest.approx(left_u - right_u)


@pytest.mark.parametrize(("focal_px", "baseline_m"), [(0.0, 0.5), (700.0, 0.0), (-1.0, -1.0)])
def test_a_rig_that_is_not_positive_is_refused(focal_px: float, baseline_m: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        disparity_to_depth(np.ones(1), focal_px=focal_px, baseline_m=baseline_m)
