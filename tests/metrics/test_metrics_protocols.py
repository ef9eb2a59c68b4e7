import math
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.files import UserError
from mtdepth.metrics.depth import ERROR_NAMES, per_image_mean
from mtdepth.metrics.protocols import (
    PROTOCOLS,
    Crop,
    Protocol,
    crop_region,
    protocol_named,
    score_image,
)

REFERENCE = Path(
    os.environ.get(
        "MTDEPTH_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference"
    )
)
FULL = Protocol(name="test", truth="labels", crop="none", max_depth_m=80.0)


def image(*rows: list[float]) -> npt.NDArray[np.float32]:
    return np.array(rows, np.float32)


@pytest.mark.skipif(
    not (REFERENCE / "metrics.npz").is_file(),
    reason="needs ../shared/reference/metrics.npz or $MTDEPTH_REFERENCE",
)
@pytest.mark.parametrize("frame", [0, 1])
@pytest.mark.parametrize("cap_m", [80, 50])
@pytest.mark.parametrize("median", [0, 1])
@pytest.mark.parametrize("crop", ["garg", "none"])
def test_errors_match_an_independent_implementation(
    frame: int, cap_m: int, median: int, crop: Crop
) -> None:
    with np.load(REFERENCE / "metrics.npz") as data:
        truth_m = np.zeros(tuple(data[f"shape_{frame}"]), np.float32)
        truth_m[tuple(data[f"gt_yx_{frame}"].T)] = data[f"gt_value_m_{frame}"]
        predicted_m = data[f"pred_m_{frame}"].astype(np.float32)
        expected = data[f"errors_{frame}_cap{cap_m}_median{median}_{crop}"]
    protocol = Protocol(
        name="x",
        truth="lidar_eigen",
        crop=crop,
        max_depth_m=float(cap_m),
        median_scaling=bool(median),
    )
    errors = per_image_mean([score_image(truth_m, predicted_m, protocol).sums])
    np.testing.assert_allclose([getattr(errors, name) for name in ERROR_NAMES], expected, rtol=1e-6)


def test_the_crops_of_a_kitti_image_by_hand() -> None:
    # Garg: 0.40810811 * 375 = 153.04, 0.99189189 * 375 = 371.96,
    #       0.03594771 * 1242 = 44.65, 0.96405229 * 1242 = 1197.35
    assert crop_region("garg", size=(375, 1242)) == (slice(153, 371), slice(44, 1197))
    # Eigen: 0.3324324 * 375 = 124.66, 0.91351351 * 375 = 342.57
    assert crop_region("eigen", size=(375, 1242)) == (slice(124, 342), slice(44, 1197))
    assert crop_region("none", size=(375, 1242)) == (slice(0, 375), slice(0, 1242))


def test_limits_leave_out_truth_on_them_and_clamp_predictions_to_them() -> None:
    truth = image([80.0, 79.0, 0.0, 0.001])
    score = score_image(truth, image([1.0, 500.0, 3.0, 3.0]), FULL)
    assert score.num_valid == 1
    assert score.sums.errors().abs_rel == pytest.approx(1 / 79)  # 500 counts as 80


def test_a_pixel_without_a_prediction_lowers_the_coverage_and_enters_no_error() -> None:
    score = score_image(image([10.0, 10.0, 10.0, 0.0]), image([0.0, 12.0, 12.0, 0.0]), FULL)
    assert score.coverage == pytest.approx(2 / 3)
    assert score.sums.errors().abs_rel == pytest.approx(0.2)


@pytest.mark.parametrize("broken", [math.nan, -5.0, math.inf, -math.inf])
def test_a_broken_prediction_is_refused_where_it_counts(broken: float) -> None:
    with pytest.raises(UserError, match="1 of 2 pixels are NaN, infinite or negative"):
        score_image(image([10.0, 10.0, 0.0]), image([broken, 10.0, 10.0]), FULL)
    assert score_image(image([10.0, 0.0]), image([10.0, broken]), FULL).coverage == 1.0


@given(
    depths=st.lists(st.floats(1, 70), min_size=3, max_size=20),
    factor=st.floats(0.1, 10),
)
def test_median_scaling_forgives_a_common_factor(depths: list[float], factor: float) -> None:
    scaled = Protocol(name="s", truth="labels", crop="none", max_depth_m=80.0, median_scaling=True)
    truth = np.array([depths])
    score = score_image(truth, truth * factor, scaled)
    assert score.sums.errors().abs_rel == pytest.approx(0, abs=1e-12)
    assert score.scale == pytest.approx(1 / factor)


def test_median_scaling_uses_only_the_pixels_that_count() -> None:
    scaled = Protocol(name="s", truth="labels", crop="none", max_depth_m=50.0, median_scaling=True)
    # 60 m is beyond the limit: medians are 10 and 5 of the first three.
    score = score_image(image([10.0, 10.0, 10.0, 60.0]), image([5.0, 5.0, 5.0, 500.0]), scaled)
    assert score.scale == 2.0


def test_errors_do_not_depend_on_pixels_outside_the_mask() -> None:
    protocol = protocol_named("eigen_garg_80m")
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.5, 100, (40, 90)).astype(np.float32)
    predicted = rng.uniform(0.5, 100, (40, 90)).astype(np.float32)
    disturbed = np.where(protocol.counts(truth), predicted, np.float32(np.nan))
    before, after = (score_image(truth, each, protocol) for each in (predicted, disturbed))
    assert before.sums.errors() == after.sums.errors()


def test_the_bins_hold_the_pixels_of_the_errors() -> None:
    score = score_image(image([5.0, 15.0, 75.0]), image([6.0, 15.0, 0.0]), FULL)
    assert score.by_distance.counts.sum() == score.sums.num_pixels == 2


def test_a_prediction_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"resize the prediction"):
        score_image(np.ones((3, 4)), np.ones((4, 3)), FULL)


def test_a_truth_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="unmeasured pixels are 0"):
        score_image(image([math.nan]), image([1.0]), FULL)


def test_an_unknown_protocol_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"(?s)no protocol is called 'eigen'.*eigen_garg_80m"):
        protocol_named("eigen")


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_every_protocols_name_and_sentence_tell_its_settings(name: str) -> None:
    protocol = protocol_named(name)
    assert protocol.name == name
    assert f"{protocol.max_depth_m:g}m" in name
    assert name.endswith("_median") == protocol.median_scaling
    assert ("garg" in name) == (protocol.crop == "garg")
    assert f"{protocol.max_depth_m:g} m" in protocol.description
    assert protocol.description.endswith(".")
