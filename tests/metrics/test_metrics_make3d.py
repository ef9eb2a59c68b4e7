"""Make3D's errors, by hand."""

import numpy as np
import pytest

from mtdepth.metrics.make3d import make3d_errors, mean_errors


def test_errors_by_hand() -> None:
    truth_m = np.array([[10.0, 40.0, 80.0, 0.0]])  # the third is too far, the fourth unmeasured
    found = make3d_errors(truth_m, np.array([[20.0, 20.0, 1.0, 1.0]]), median_scaling=False)
    np.testing.assert_allclose(found.abs_rel, (1.0 + 0.5) / 2)
    np.testing.assert_allclose(found.sq_rel, (100 / 10 + 400 / 40) / 2)
    np.testing.assert_allclose(found.rmse, np.sqrt((100 + 400) / 2))
    np.testing.assert_allclose(found.rmse_log10, np.log10(2))  # both are off by a factor of two
    np.testing.assert_allclose(found.rmse_ln, np.log(2))


def test_median_scaling_makes_scale_irrelevant() -> None:
    rng = np.random.default_rng(0)
    truth_m = rng.uniform(2, 60, (21, 305))
    predicted = truth_m * rng.uniform(0.8, 1.25, truth_m.shape)
    once = make3d_errors(truth_m, predicted, median_scaling=True)
    again = make3d_errors(truth_m, predicted * 0.037, median_scaling=True)
    np.testing.assert_allclose(again.abs_rel, once.abs_rel, rtol=1e-9)
    assert 0.05 < once.abs_rel < 0.2


def test_far_predictions_count_as_seventy_metres() -> None:
    found = make3d_errors(np.array([[35.0]]), np.array([[900.0]]), median_scaling=False)
    np.testing.assert_allclose(found.abs_rel, 1.0)


def test_broken_predictions_count_and_nothing_to_score_is_said() -> None:
    truth_m = np.array([[10.0, 10.0]])
    found = make3d_errors(truth_m, np.array([[np.nan, 10.0]]), median_scaling=False)
    np.testing.assert_allclose(found.abs_rel, 0.5, atol=1e-3)
    with pytest.raises(ValueError, match="no laser depth below 70 m"):
        make3d_errors(np.array([[90.0]]), np.array([[1.0]]), median_scaling=True)
    with pytest.raises(ValueError, match=r"truth is \(1, 2\)"):
        make3d_errors(truth_m, np.ones((2, 2)), median_scaling=True)


def test_each_picture_counts_the_same() -> None:
    truth_m = np.full((1, 4), 10.0)
    good = make3d_errors(truth_m, truth_m, median_scaling=False)
    bad = make3d_errors(truth_m[:, :1], np.array([[20.0]]), median_scaling=False)
    np.testing.assert_allclose(mean_errors([good, bad]).abs_rel, 0.5)
    with pytest.raises(ValueError, match="no picture"):
        mean_errors([])
