import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.metrics.depth import (
    ErrorSums,
    abs_rel_sum,
    all_pixels_abs_rel,
    distance_sums,
    error_sums,
    group_sums,
    per_image_mean,
)

NONE = np.zeros(0)
DEPTHS_M = st.lists(st.tuples(st.floats(0.5, 80), st.floats(0.5, 80)), min_size=2, max_size=30)


def test_the_seven_errors_of_two_pixels_by_hand() -> None:
    # pixel 1: truth 10, predicted 12: error 2; ratio 1.2
    # pixel 2: truth 20, predicted 10: error 10; ratio 2
    errors = error_sums(np.array([10.0, 20.0]), np.array([12.0, 10.0])).errors()
    assert errors.abs_rel == pytest.approx((0.2 + 0.5) / 2)
    assert errors.sq_rel == pytest.approx((0.4 + 5.0) / 2)  # 4/10 and 100/20
    assert errors.rmse == pytest.approx(math.sqrt((4 + 100) / 2))
    # Natural logarithms: log10 would give 0.23 times this.
    assert errors.rmse_log == pytest.approx(math.sqrt((math.log(1.2) ** 2 + math.log(2) ** 2) / 2))
    assert errors.d1 == 0.5  # 1.2 < 1.25, 2 is not
    assert errors.d2 == 0.5  # 2 > 1.5625
    assert errors.d3 == 0.5  # 2 > 1.953125


def test_the_thresholds_are_powers_of_1_25_and_exclusive() -> None:
    truth = np.ones(5)
    errors = error_sums(truth, np.array([1.25, 1.5, 1.9, 1 / 1.5, 1.2])).errors()
    assert (errors.d1, errors.d2, errors.d3) == (0.2, 0.8, 1.0)


def test_abs_rel_divides_by_the_truth_not_by_the_prediction() -> None:
    assert error_sums(np.array([10.0]), np.array([20.0])).errors().abs_rel == 1.0
    assert error_sums(np.array([20.0]), np.array([10.0])).errors().abs_rel == 0.5


def test_the_mean_over_images_differs_from_the_mean_over_pixels() -> None:
    small = error_sums(np.array([10.0]), np.array([13.0]))
    large = error_sums(np.full(3, 10.0), np.full(3, 11.0))
    assert per_image_mean([small, large]).rmse == pytest.approx((3 + 1) / 2)
    assert (small + large).errors().rmse == pytest.approx(math.sqrt((9 + 3 * 1) / 4))


@given(pairs=DEPTHS_M, cut=st.integers(1, 29))
def test_sums_of_parts_are_the_sums_of_the_whole(
    pairs: list[tuple[float, float]], cut: int
) -> None:
    truth, predicted = np.array(pairs).T
    cut = min(cut, len(pairs) - 1)
    whole = error_sums(truth, predicted)
    parts = error_sums(truth[:cut], predicted[:cut]) + error_sums(truth[cut:], predicted[cut:])
    # a few float64 roundings in another order
    np.testing.assert_allclose(parts.totals, whole.totals, rtol=1e-12)
    assert parts.num_pixels == whole.num_pixels
    first, second, together = (
        distance_sums(truth[part], predicted[part], max_depth_m=50)
        for part in (slice(cut), slice(cut, None), slice(None))
    )
    np.testing.assert_allclose((first + second).totals, together.totals, atol=1e-9)


@given(pairs=DEPTHS_M, factor=st.floats(0.1, 10))
def test_a_common_factor_leaves_the_relative_errors_and_scales_the_metric_ones(
    pairs: list[tuple[float, float]], factor: float
) -> None:
    truth, predicted = np.array(pairs).T
    plain = error_sums(truth, predicted).errors()
    scaled = error_sums(truth * factor, predicted * factor).errors()
    assert scaled.abs_rel == pytest.approx(plain.abs_rel, rel=1e-9)
    assert scaled.rmse_log == pytest.approx(plain.rmse_log, rel=1e-6, abs=1e-12)
    assert scaled.rmse == pytest.approx(plain.rmse * factor, rel=1e-9)
    assert scaled.sq_rel == pytest.approx(plain.sq_rel * factor, rel=1e-9)


def test_bins_hold_the_truths_distance_with_sign_and_count() -> None:
    # truth 5 -> 6: +1; truth 9 -> 6: -3; truth 10 -> 12: +2 (10 belongs to the second bin)
    sums = distance_sums(
        np.array([5.0, 9.0, 10.0, 99.0]),
        np.array([6.0, 6.0, 12.0, 1.0]),
        max_depth_m=30,
    )
    first, second, third = sums.rows()
    assert (first["from_m"], first["to_m"], first["num_pixels"]) == (0.0, 10.0, 2)
    assert first["mean_error_m"] == -1.0
    assert first["mean_abs_error_m"] == 2.0
    assert first["mean_abs_rel"] == pytest.approx((1 / 5 + 3 / 9) / 2)
    assert (second["num_pixels"], second["mean_error_m"]) == (1, 2.0)
    assert third["num_pixels"] == 0
    assert third["mean_error_m"] is None


def test_the_last_bin_ends_at_the_limit() -> None:
    for limit_m, ends in ((25, [10, 20, 25]), (20, [10, 20])):
        rows = distance_sums(np.ones(1), np.ones(1), max_depth_m=limit_m).rows()
        assert [each["to_m"] for each in rows] == ends


def test_groups_hold_their_pixels_and_no_one_elses() -> None:
    groups = [{"class": "road"}, {"class": "car"}, {"class": "pole"}]
    sums = group_sums(
        np.array([10.0, 20.0, 5.0, 7.0]),
        np.array([11.0, 18.0, 5.0, 70.0]),
        np.array([1, 1, 0, 255]),
        groups,
    )
    road, car, pole = sums.rows()
    assert (road["class"], road["num_pixels"], road["mean_abs_error_m"]) == ("road", 1, 0.0)
    assert (car["num_pixels"], car["mean_error_m"], car["mean_abs_error_m"]) == (2, -0.5, 1.5)
    assert car["mean_abs_rel"] == pytest.approx(0.1)
    assert (pole["num_pixels"], pole["mean_abs_rel"]) == (0, None)


def test_no_pixel_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(ValueError, match="no pixel"):
        ErrorSums.zero().errors()
    with pytest.raises(ValueError, match="no image"):
        per_image_mean([])


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_depth_that_no_protocol_let_through_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        error_sums(np.array([10.0, 10.0]), np.array([10.0, bad]))


def test_abs_rel_of_all_pixels_by_hand() -> None:
    # Image 1: |12 - 10| / 10 = 0.2, |10 - 20| / 20 = 0.5; 90 m is too far and 0 unmeasured.
    first = abs_rel_sum(
        np.array([[10.0, 20.0], [90.0, 0.0]]), np.array([[12.0, 10.0], [1.0, 1.0]]), far_m=80.0
    )
    # Image 2: |5 - 4| / 4 = 0.25 at the far limit itself. Image 3 measures nothing.
    second = abs_rel_sum(np.array([[4.0, 0.0]]), np.array([[5.0, 1.0]]), far_m=4.0)
    third = abs_rel_sum(np.array([[90.0, 0.0]]), np.array([[5.0, 1.0]]), far_m=80.0)
    assert first == (pytest.approx(0.7), 2)
    assert second == (0.25, 1)
    assert third == (0.0, 0)
    assert all_pixels_abs_rel([first, second, third]) == pytest.approx(0.95 / 3)
    with pytest.raises(ValueError, match="no pixel was measured"):
        all_pixels_abs_rel([third])


def test_abs_rel_is_the_first_of_the_seven_errors_and_forgets_a_unit_on_demand() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.uniform(1, 80, (2, 6, 8))
    sums = abs_rel_sum(truth, predicted, far_m=80.0)
    errors = error_sums(truth.ravel(), predicted.ravel()).errors()
    assert all_pixels_abs_rel([sums]) == pytest.approx(errors.abs_rel)
    assert math.isnan(abs_rel_sum(truth, predicted * np.nan, far_m=80.0)[0])
    relative = abs_rel_sum(truth, 7 * truth, far_m=80.0, match_median=True)
    assert relative == (pytest.approx(0, abs=1e-12), 48)
