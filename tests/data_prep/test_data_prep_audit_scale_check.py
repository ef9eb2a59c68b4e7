"""The self-test's judgement: a wrong scale, a shift, noise, and nothing to see are told apart."""

import numpy as np
import pytest
from fakes.lidar_points import FOCAL_BASELINE_PX_M, lidar_points
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.audit.findings import LidarPoints
from data_prep.audit.scale_check import judge_by_agreement, judge_by_lidar, ratio_statistics


def points_of_teacher(
    *,
    scale: float = 1.0,
    shift_px: float = 0.0,
    noise: float = 0.03,
    outliers: float = 0.05,
    num_points: int = 3000,
    seed: int = 0,
) -> LidarPoints:
    """Four frames of a teacher like KITTI's: its disparity is a line, noise and some outliers."""
    rng = np.random.default_rng(seed)
    lidar_m = np.exp(rng.uniform(np.log(5), np.log(70), num_points))
    lidar_px = FOCAL_BASELINE_PX_M / lidar_m
    teacher_px = (scale * lidar_px + shift_px) * np.exp(rng.normal(0, noise, num_points))
    is_wrong = rng.random(num_points) < outliers
    teacher_px = np.where(is_wrong, rng.uniform(3, 90, num_points), np.maximum(teacher_px, 0.5))
    frame = rng.integers(0, 4, num_points)
    return lidar_points(lidar_m, FOCAL_BASELINE_PX_M / teacher_px, frame=frame)


def test_a_right_teacher_is_right() -> None:
    verdict = judge_by_lidar(points_of_teacher(scale=1.01, shift_px=-0.6))
    assert verdict.cause == "right"
    assert verdict.is_good
    assert verdict.statistics is not None
    # Three digits are printed; 3 % noise on 250 points a bin leaves less than 1 % of the slope.
    assert verdict.statistics.scale == pytest.approx(1.01, abs=0.01)
    assert verdict.statistics.shift_px == pytest.approx(-0.6, abs=0.15)


def test_a_checkpoint_run_the_wrong_way_is_named() -> None:
    verdict = judge_by_lidar(points_of_teacher(scale=1 / 1.17))
    assert verdict.cause == "align_corners"
    assert not verdict.is_good
    assert verdict.sentence.startswith(
        "disparities are about 1.17 times too small: align_corners of the checkpoint is set the "
        "wrong way"
    )
    assert "1.17 times too large" in judge_by_lidar(points_of_teacher(scale=1.17)).sentence


@pytest.mark.parametrize("scale", [0.125, 0.5, 0.92, 1.08, 2.0])
def test_another_constant_ratio_is_a_wrong_rig(scale: float) -> None:
    verdict = judge_by_lidar(points_of_teacher(scale=scale))
    assert verdict.cause == "scaled"
    assert "focal length or baseline is wrong" in verdict.sentence


@pytest.mark.parametrize(
    ("scale", "question"),
    [(1 / 16, "pixels times 16"), (0.25, "pixels times 64"), (0.256, "in millimetres"),
     (1 / 256, "whole pixels"), (2.56, "in centimetres")],
)  # fmt: skip
def test_numbers_in_another_unit_are_named(scale: float, question: str) -> None:
    lidar_m = points_of_teacher().lidar_m
    noise = np.exp(np.random.default_rng(2).normal(0, 0.03, len(lidar_m)))
    verdict = judge_by_lidar(lidar_points(lidar_m, lidar_m * noise / scale))
    assert verdict.cause == "scaled"
    assert question in verdict.sentence


def test_a_shift_is_told_from_a_scale() -> None:
    verdict = judge_by_lidar(points_of_teacher(shift_px=4.0))
    assert verdict.cause == "shifted"
    assert "+4.0 px at all distances" in verdict.sentence


def test_shuffled_and_constant_disparities_are_noise() -> None:
    points = points_of_teacher()
    shuffled = np.random.default_rng(1).permutation(points.predicted_m)
    assert judge_by_lidar(lidar_points(points.lidar_m, shuffled)).cause == "noise"
    assert judge_by_lidar(lidar_points(points.lidar_m, 20.0)).cause == "noise"


def test_relative_depth_has_a_scale_in_each_frame() -> None:
    points = points_of_teacher()
    own_scale = np.array([0.8, 0.95, 1.1, 1.25])[points.frame]
    verdict = judge_by_lidar(
        lidar_points(points.lidar_m, points.predicted_m * own_scale, frame=points.frame)
    )
    assert verdict.cause == "unsteady"
    assert "relative, not metric" in verdict.sentence


def test_depth_in_other_units_than_said_bends_the_ratio() -> None:
    # Square roots of depth, brought to the right size at 20 m.
    lidar_m = np.linspace(4, 80, 3000)
    verdict = judge_by_lidar(lidar_points(lidar_m, np.sqrt(lidar_m) * np.sqrt(20)))
    assert verdict.cause == "bent"


def test_hardly_any_depth_and_hardly_any_point_are_said() -> None:
    points = points_of_teacher()
    kept = np.where(np.arange(3000) % 10 == 0, points.predicted_m, 0)
    verdict = judge_by_lidar(lidar_points(points.lidar_m, kept))
    assert verdict.cause == "sparse"
    assert "only 10% of the LiDAR points" in verdict.sentence
    verdict = judge_by_lidar(points_of_teacher(num_points=299))
    assert (verdict.cause, verdict.is_good) == ("too few points", False)
    assert judge_by_lidar(points.of(points.lidar_m < 0)).cause == "too few points"


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(0.4, 2.5), shift_px=st.floats(-1, 1), seed=st.integers(0, 100))
def test_the_line_is_found_through_a_tenth_of_rubbish(
    scale: float, shift_px: float, seed: int
) -> None:
    points = points_of_teacher(scale=scale, shift_px=shift_px, outliers=0.1, seed=seed)
    found = ratio_statistics(points)
    # Outliers are of 3 to 90 px: they push all bins' medians towards the middle of that, each by
    # about a tenth of its 3 % of noise, the far bins of a few pixels by more.
    assert found.scale == pytest.approx(scale, rel=0.04)
    assert found.shift_px == pytest.approx(shift_px, abs=0.4 * (1 + scale))


def test_a_wall_at_one_distance_has_a_scale_and_no_shift() -> None:
    found = ratio_statistics(lidar_points(np.full(600, 10.0), np.full(600, 11.7)))
    assert found.scale == pytest.approx(1 / 1.17, rel=1e-5)  # float32
    assert found.shift_px == 0


def test_without_lidar_the_two_views_must_agree() -> None:
    # Thresholds are 0.25, 0.5, 1, 2, 3 px: 1 px is the third.
    verdict = judge_by_agreement((0.1, 0.5, 0.82, 0.9, 0.9))
    assert verdict.is_good
    assert "no LiDAR" in verdict.sentence
    assert "82%" in verdict.sentence
    assert "a wrong scale passes this check" in verdict.sentence
    assert judge_by_agreement((0.0, 0.05, 0.1, 0.2, 0.3)).cause == "views disagree"
    with pytest.raises(ValueError, match="nothing to judge by"):
        judge_by_agreement(None)
