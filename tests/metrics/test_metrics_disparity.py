"""KITTI's disparity errors, by hand."""

import numpy as np
import pytest

from mtdepth.metrics.disparity import DisparityErrors, disparity_errors


def test_an_outlier_is_wrong_by_three_pixels_and_by_five_percent() -> None:
    truth_px = np.array([[10.0, 10.0, 100.0, 100.0, 0.0]])
    # Wrong by 2, by 4 (40 %), by 4 (4 %: no outlier), by 6 (6 %), and nothing measured.
    predicted_px = np.array([[12.0, 14.0, 96.0, 106.0, 50.0]])
    errors = disparity_errors(truth_px, predicted_px)
    assert errors == DisparityErrors(error_sum_px=16.0, num_outliers=2, num_measured=4)
    assert errors.end_point_error_px() == 4.0
    assert errors.outlier_share() == 0.5


def test_a_prediction_that_is_no_number_is_an_outlier() -> None:
    errors = disparity_errors(np.full((1, 2), 10.0), np.array([[np.nan, 10.0]]))
    assert errors.num_outliers == 1
    assert np.isnan(errors.end_point_error_px())


def test_images_add_up_by_their_pixels() -> None:
    one = disparity_errors(np.full((1, 3), 10.0), np.full((1, 3), 11.0))
    other = disparity_errors(np.full((1, 1), 10.0), np.full((1, 1), 15.0))
    # (3 * 1 + 1 * 5) / 4, one of four pixels an outlier
    assert (one + other).end_point_error_px() == 2.0
    assert (one + other).outlier_share() == 0.25


def test_nothing_measured_has_no_error() -> None:
    with pytest.raises(ValueError, match="no pixel"):
        disparity_errors(np.zeros((2, 2)), np.ones((2, 2))).end_point_error_px()
    with pytest.raises(ValueError, match=r"\(2, 2\) and prediction \(2, 3\)"):
        disparity_errors(np.zeros((2, 2)), np.ones((2, 3)))
