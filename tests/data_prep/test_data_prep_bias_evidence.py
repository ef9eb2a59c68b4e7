"""The bias report: whole drives are left out, and what it prints is what it says."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.audit.bias_evidence import BiasEvidence, check_no_test_drive, frames_with_lidar
from data_prep.audit.bias_report import distance_table, fit_and_report
from data_prep.bias_table import BiasTable
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw


def evidence(biases: list[float], *, points: int = 10_000) -> BiasEvidence:
    """Drives whose teacher is off by a constant each."""
    rng = np.random.default_rng(0)
    lidar_m = rng.uniform(10, 60, points * len(biases))
    drive = np.repeat(np.arange(len(biases)), points)
    return BiasEvidence(
        predicted_m=lidar_m + np.asarray(biases)[drive],
        lidar_m=lidar_m,
        drive=drive,
        num_drives=len(biases),
        num_frames=2 * len(biases),
    )


def test_a_drive_is_corrected_by_the_other_drives_alone() -> None:
    # Drive 0 is 3 m too far, drive 1 exact: each is corrected by what the other one needs.
    found = evidence([3.0, 0.0])
    error_m = found.held_out_m(statistic="median", index="predicted") - found.lidar_m
    inner = (found.lidar_m > 15) & (found.lidar_m < 55)
    # Single precision, and the ends of the bins' range.
    np.testing.assert_allclose(error_m[inner & (found.drive == 0)], 3.0, atol=1e-4)
    np.testing.assert_allclose(error_m[inner & (found.drive == 1)], -3.0, atol=1e-4)


def test_seven_drives_make_five_folds_that_cover_every_pair() -> None:
    found = evidence([1.0] * 7, points=3000)
    corrected_m = found.held_out_m(statistic="mean", index="lidar")
    np.testing.assert_allclose(corrected_m, found.lidar_m, atol=0.2)  # lowest bins: proportional
    assert found.errors(corrected_m).abs_rel < 0.1 * found.errors(found.predicted_m).abs_rel


def test_one_drive_is_reported_as_not_left_out() -> None:
    assert "none could be left out" in evidence([1.0]).whose_errors
    assert "drives that were left out (3 drives)" in evidence([1.0] * 3).whose_errors


def test_the_distance_table_holds_hand_computed_errors() -> None:
    # Two points in 10-15 m, off by +1 and +2; one at 70-80 m predicted beyond the cap.
    found = BiasEvidence(
        predicted_m=np.array([11.0, 14.0, 300.0]),
        lidar_m=np.array([10.0, 12.0, 75.0]),
        drive=np.zeros(3, np.int64),
        num_drives=1,
        num_frames=1,
    )
    lines = distance_table(found, found.lidar_m, title="T").splitlines()
    # mean 1.5, median 1.5, Abs Rel (1/10 + 2/12) / 2 = 0.1333; after: no error.
    row = next(line.split() for line in lines if line.split()[0] == "10-15")
    assert row == ["10-15", "2", "1.50", "0.00", "1.50", "0.00", "0.1333", "0.0000"]
    row = next(line.split() for line in lines if line.split()[0] == "70-80")
    assert row[1:3] == ["1", "5.00"]  # capped at 80 m
    row = next(line.split() for line in lines if line.split()[0] == "20-30")
    assert row == ["20-30", "0"]
    # Abs Rel over all: (0.1 + 0.16667 + 5/75) / 3 = 0.1111
    assert lines[-1].startswith("Abs Rel 0.1111 -> 0.0000, RMSE 3.162 -> 0.000")


def test_the_report_leaves_a_table_and_a_figure(tmp_path: Path) -> None:
    found = evidence([2.0, 2.0, 2.0])
    table = fit_and_report(found, tmp_path, statistic="mean", index="predicted")
    assert BiasTable.load(tmp_path / "bias_table.json").to_dict() == table.to_dict()
    figure = cv2.imread(str(tmp_path / "bias_error_by_distance.png"))
    assert min(figure.shape[:2]) > 500
    # Both colours were drawn: #d95f02 before, #1f4e9c after (BGR here).
    for color in ((0x02, 0x5F, 0xD9), (0x9C, 0x4E, 0x1F)):
        assert (np.abs(figure.astype(int) - color).max(axis=2) < 10).sum() > 200


def test_frames_with_lidar_are_spread_over_the_list(tmp_path: Path) -> None:
    drive = "2011_09_26_drive_0001_sync"
    (tmp_path / "2011_09_26" / drive / "velodyne_points" / "data").mkdir(parents=True)
    raw = KittiRaw(tmp_path)
    frames = [FrameId(drive, index) for index in range(100)]
    for frame in frames[10:]:
        raw.velodyne_path(frame).touch()
    chosen = [frame.index for frame in frames_with_lidar(raw, frames, at_most=10)]
    assert chosen == [14, 23, 32, 41, 50, 59, 68, 77, 86, 95]  # the middles of ten parts
    assert len(frames_with_lidar(raw, frames, at_most=200)) == 90
    with pytest.raises(ValueError, match="at least 1"):
        frames_with_lidar(raw, frames, at_most=0)


def test_test_drives_are_refused_by_name_but_not_in_a_demo_world(tmp_path: Path) -> None:
    train, test = (FrameId(f"2011_09_26_drive_{number}_sync", 0) for number in ("0001", "0002"))
    check_no_test_drive(tmp_path, [train], remedy="")
    with pytest.raises(ValueError, match=r"drives, 2011_09_26_drive_0002.*; do this"):
        check_no_test_drive(tmp_path, [train, test], remedy="do this")
    (tmp_path / "demo_world.json").touch()
    check_no_test_drive(tmp_path, [train, test], remedy="")
