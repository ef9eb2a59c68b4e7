"""The bias table brings a biased teacher back, and never harms the order of depths."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_prep.bias_table import (
    BiasTable,
    Index,
    Statistic,
    fit_bias_table,
)
from mtdepth.files import DataError, write_json

FOCAL_PX, BASELINE_M = 721.5377, 0.5327
CHOICES: list[tuple[Statistic, Index]] = [
    ("mean", "lidar"),
    ("mean", "predicted"),
    ("median", "lidar"),
    ("median", "predicted"),
]


def table(corrections: list[float], edges: list[float] | None = None) -> BiasTable:
    edges_m = np.arange(len(corrections) + 1.0) * 10 if edges is None else np.array(edges)
    return BiasTable(edges_m, np.array(corrections), np.full(len(corrections), 500))


def abs_rel(depth_m: npt.NDArray[np.floating], truth_m: npt.NDArray[np.floating]) -> float:
    return float(np.mean(np.abs(np.minimum(depth_m, 80) - truth_m) / truth_m))


@pytest.mark.parametrize(("statistic", "index"), CHOICES)
def test_disparities_that_are_117_percent_too_small_are_brought_back(
    statistic: Statistic, index: Index
) -> None:
    # What the released PSMNet weights give where align_corners defaults to False.
    rng = np.random.default_rng(0)
    truth_m = rng.uniform(3, 80, 80_000)
    disparity_px = FOCAL_PX * BASELINE_M / truth_m + rng.normal(0, 0.2, truth_m.shape)
    good_m = FOCAL_PX * BASELINE_M / disparity_px
    wrong_m = FOCAL_PX * BASELINE_M / (disparity_px / 1.17)
    fitted, held = slice(0, 40_000), slice(40_000, None)
    repaired_m = fit_bias_table(
        wrong_m[fitted], truth_m[fitted], statistic=statistic, index=index
    ).apply(wrong_m[held])
    before, after = abs_rel(wrong_m[held], truth_m[held]), abs_rel(repaired_m, truth_m[held])
    assert before > 0.11  # 0.17 below the cap of 80 m, less where the cap hides it
    if index == "predicted":
        # The noise's own error is what is left.
        assert after < 1.05 * abs_rel(good_m[held], truth_m[held])
    else:
        # Filled by LiDAR distance and applied by predicted distance, 17 % off: over-corrected.
        assert after < 0.4 * before


def test_an_unbiased_noisy_teacher_is_spoilt_by_means_over_lidar_distance() -> None:
    # Regression to the mean: the far bins of LiDAR distance hold the under-estimated points.
    rng = np.random.default_rng(1)
    truth_m = np.clip(rng.exponential(15, 200_000) + 3, 3, 79)
    noisy_m = np.clip(truth_m + rng.normal(0, 0.08, truth_m.shape) * truth_m, 1, 79.5)
    by_lidar = fit_bias_table(noisy_m, truth_m, statistic="mean", index="lidar")
    by_predicted = fit_bias_table(noisy_m, truth_m, statistic="mean", index="predicted")
    rmse = {
        name: float(np.sqrt(np.mean((depth_m - truth_m) ** 2)))
        for name, depth_m in {
            "before": noisy_m,
            "lidar": by_lidar.apply(noisy_m),
            "predicted": by_predicted.apply(noisy_m),
        }.items()
    }
    assert rmse["predicted"] < rmse["before"] < rmse["lidar"]


def test_a_bin_holds_the_middle_of_lidar_minus_teacher() -> None:
    # All in the bin [10, 20) of predicted distance: residuals 1, 1, 4; mean 2, median 1.
    predicted_m, lidar_m = np.array([12.0, 14.0, 16.0]), np.array([13.0, 15.0, 20.0])
    for statistic, expected in (("mean", 2.0), ("median", 1.0)):
        fitted = fit_bias_table(
            predicted_m,
            lidar_m,
            statistic=statistic,  # type: ignore[arg-type]
            index="predicted",
            bin_width_m=10,
            max_depth_m=40,
            min_points=3,
        )
        assert fitted.num_points.tolist() == [0, 3, 0, 0]
        # Before the bin in proportion to distance (5 of 15 m), behind it unchanged.
        np.testing.assert_allclose(
            fitted.correction_m, [expected / 3, expected, expected, expected]
        )


def test_the_index_decides_which_bin_a_pair_falls_into() -> None:
    predicted_m, lidar_m = np.array([9.0] * 3), np.array([11.0] * 3)
    counts = {
        index: fit_bias_table(
            predicted_m, lidar_m, index=index, bin_width_m=10, max_depth_m=30, min_points=1
        ).num_points.tolist()
        for index in ("lidar", "predicted")
    }
    assert counts == {"lidar": [0, 3, 0], "predicted": [3, 0, 0]}


def test_a_sparse_bin_takes_the_line_between_its_neighbours() -> None:
    predicted_m = np.array([15.0] * 10 + [25.0] * 2 + [35.0] * 10)
    lidar_m = predicted_m + np.array([1.0] * 10 + [-9.0] * 2 + [3.0] * 10)
    fitted = fit_bias_table(predicted_m, lidar_m, bin_width_m=10, max_depth_m=40, min_points=5)
    np.testing.assert_allclose(fitted.correction_m[1:], [1.0, 2.0, 3.0])


def test_the_correction_is_linear_between_centres_and_held_beyond() -> None:
    corrected_m = table([1.0, 3.0]).apply(np.array([0.0, 2.5, 5.0, 10.0, 15.0, 90.0], np.float32))
    # Centres 5 and 15 m: half of the first at 2.5 m, midway at 10 m, the last one at 90 m.
    np.testing.assert_allclose(corrected_m, [0.0, 3.0, 6.0, 12.0, 18.0, 93.0], rtol=1e-6)
    assert corrected_m.dtype == np.float32


def test_no_label_stays_no_label_and_nothing_becomes_one() -> None:
    depth_m = np.array([[0.0, 1e-3], [-1.0, 500.0]], np.float32)
    corrected_m = table([-4.0, -8.0]).apply(depth_m)
    np.testing.assert_array_equal(corrected_m > 0, [[False, True], [False, True]])


@given(
    residual_m=arrays(np.float64, 400, elements=st.floats(-30, 30)),
    index=st.sampled_from(["lidar", "predicted"]),
    statistic=st.sampled_from(["mean", "median"]),
)
def test_whatever_is_fitted_depth_stays_positive_and_in_order(
    residual_m: npt.NDArray[np.float64], index: Index, statistic: Statistic
) -> None:
    predicted_m = np.linspace(1, 60, 400)
    lidar_m = np.maximum(predicted_m + residual_m, 0.5)
    fitted = fit_bias_table(predicted_m, lidar_m, statistic=statistic, index=index, min_points=3)
    corrected_m = fitted.apply(np.linspace(0.01, 120, 5000, dtype=np.float32))
    assert (corrected_m > 0).all()
    # float32 holds 120 m to 8e-6.
    assert (np.diff(corrected_m) >= -2e-5).all()


def test_a_table_that_would_turn_the_order_round_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="never decrease"):
        table([0.0, -11.0])
    with pytest.raises(ValueError, match="positive"):
        table([-5.0, 0.0])


def test_too_few_points_are_an_error() -> None:
    with pytest.raises(ValueError, match="fit on more frames"):
        fit_bias_table(np.array([10.0]), np.array([11.0]))


def test_an_unknown_choice_is_an_error() -> None:
    with pytest.raises(ValueError, match="statistic is one of"):
        fit_bias_table(np.ones(3), np.ones(3), statistic="mode")  # type: ignore[arg-type]


def test_a_saved_table_is_the_same_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    predicted_m = rng.uniform(2, 70, 20_000)
    fitted = fit_bias_table(
        predicted_m, predicted_m * 0.9 + 0.3, statistic="mean", index="lidar", min_points=10
    )
    fitted.save(tmp_path / "bias_table.json")
    loaded = BiasTable.load(tmp_path / "bias_table.json")
    assert loaded.to_dict() == fitted.to_dict()
    assert (loaded.statistic, loaded.index) == ("mean", "lidar")


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bias_table.json"
    right = {"format_version": 1, "statistic": "mean", "index": "lidar", "num_points": [-1]}
    right |= {"bin_edges_m": [0, 5], "correction_m": [0.1]}
    for content in ({"format_version": 1, "statistic": "mean"}, right):
        write_json(path, content)
        with pytest.raises(DataError, match=re.escape(str(path)) + ".*fit_bias_table"):
            BiasTable.load(path)
