"""Errors in groups, by hand."""

import numpy as np
import pytest
from fakes.lidar_points import lidar_points

from data_prep.audit.errors import (
    errors_by_class,
    errors_by_distance,
    errors_by_frame,
    errors_by_mask,
    errors_by_region,
    errors_of,
    is_disparity_outlier,
)
from data_prep.audit.findings import Findings, FrameFindings, joined_points, points_of
from mtdepth.datasets.frames import FrameId


def test_all_errors_of_four_points() -> None:
    # 10 -> 11, 20 -> 18, 75 -> 100 (capped at 80), 30 -> none.
    found = errors_of(lidar_points([10, 20, 75, 30], [11, 18, 100, 0]), name="all")
    assert (found.num_points, found.density) == (4, 0.75)
    # (1/10 + 2/20 + 5/75) / 3; sqrt((1 + 4 + 25) / 3); (1 - 2 + 5) / 3; median of 1, -2, 5;
    # median of 0.1, -0.1, 0.0667.
    assert found.abs_rel == pytest.approx(0.26667 / 3, rel=1e-4)
    assert found.rmse_m == pytest.approx(10**0.5, rel=1e-5)
    assert found.mean_error_m == pytest.approx(4 / 3, rel=1e-5)
    assert found.median_error_m == pytest.approx(1, rel=1e-5)
    assert found.median_error == pytest.approx(0.06667, rel=1e-3)
    # Disparities of 384 px m: 38.4 -> 34.9 (3.5 px, 9 %) is wrong; 19.2 -> 21.3 (2.1 px) is not;
    # 5.12 -> 3.84 (1.3 px) is not.
    assert found.d1 == pytest.approx(1 / 3)
    assert found.ratio_outliers == 0


def test_an_outlier_is_off_by_three_pixels_and_five_percent() -> None:
    lidar_px = np.array([100, 100, 20, 20, 20])
    teacher_px = np.array([104, 106, 22.9, 23.1, np.inf])
    points = lidar_points(384 / lidar_px, 384 / teacher_px)
    np.testing.assert_array_equal(is_disparity_outlier(points), [False, True, False, True, False])


def test_a_group_without_teacher_depth_has_no_error_but_a_density() -> None:
    found = errors_of(lidar_points([10, 20], [0, 0]), name="none")
    assert (found.num_points, found.density, found.abs_rel, found.d1) == (2, 0.0, None, None)
    empty = errors_of(lidar_points([], []), name="empty")
    assert (empty.num_points, empty.density) == (0, None)


def test_distance_is_lidars_or_the_teachers() -> None:
    points = lidar_points([12, 12, 12], [13, 17, 0])
    by_lidar = {row.name: row.num_points for row in errors_by_distance(points, index="lidar")}
    assert (by_lidar["10-15"], by_lidar["15-20"]) == (3, 0)
    rows = {row.name: row for row in errors_by_distance(points, index="predicted")}
    # What has no depth is at no distance.
    assert (rows["10-15"].num_points, rows["15-20"].num_points) == (1, 1)
    assert sum(row.num_points for row in rows.values()) == 2


def test_classes_frames_and_cells_hold_their_own_points() -> None:
    points = lidar_points(
        [10, 10, 10],
        [10, 11, 12],
        train_id=[0, 13, 255],
        frame=[0, 1, 1],
        row=[0.0, 0.99, 0.5],
        column=[0.99, 0.0, 0.5],
    )
    classes = {row.name: row.abs_rel for row in errors_by_class(points)}
    assert classes == {"road": 0.0, "car": pytest.approx(0.1)}
    frames = errors_by_frame(points, ["first", "second"])
    assert [row.abs_rel for row in frames] == [0.0, pytest.approx(0.15)]
    cells = errors_by_region(points)
    # 6 rows from the top, 12 columns from the left.
    assert (len(cells), len(cells[0])) == (6, 12)
    counts = np.array([[cell.num_points for cell in row] for row in cells])
    assert np.argwhere(counts).tolist() == [[0, 11], [3, 6], [5, 0]]
    assert cells[0][11].abs_rel == 0.0


def frame_findings(index: int, *, difference_px: list[float] | None) -> FrameFindings:
    return FrameFindings(
        frame=FrameId("2011_09_26_drive_0001_sync", index),
        size_px=(10, 20),
        density=0.8,
        agreement=None if difference_px is None else (0.1, 0.2, 0.3, 0.4, 0.5),
        points=lidar_points([10, 10, 10, 10], [10, 11, 13, 0], difference_px=difference_px),
    )


def test_a_mask_costs_density_and_gains_accuracy() -> None:
    found = [frame_findings(0, difference_px=[0.1, 0.7, 9.0, np.inf])]
    findings = Findings(frames=found, points=joined_points(found), left_out=[])
    rows = errors_by_mask(findings)
    assert [row.threshold_px for row in rows] == [None, 3, 2, 1, 0.5, 0.25]
    assert [row.pixel_share for row in rows] == [0.8, 0.5, 0.4, 0.3, 0.2, 0.1]
    assert [row.errors.density for row in rows] == [0.75, 0.5, 0.5, 0.5, 0.25, 0.25]
    # 10 -> 10, 11, 13: (0 + 0.1 + 0.3) / 3; without the last, 0.05; the first alone, 0.
    expected = [0.4 / 3, 0.05, 0.05, 0.05, 0, 0]
    assert [row.errors.abs_rel for row in rows] == pytest.approx(expected, abs=1e-6)


def test_without_a_second_view_there_is_no_mask() -> None:
    found = [frame_findings(0, difference_px=None)]
    assert not errors_by_mask(Findings(frames=found, points=joined_points(found), left_out=[]))


def test_points_know_their_frame_and_place() -> None:
    lidar_m = np.zeros((4, 10), np.float32)
    lidar_m[1, 5], lidar_m[3, 2] = 8, 9
    depth_m = np.full((4, 10), 7, np.float32)
    points = points_of(lidar_m, depth_m, focal_baseline_px_m=56.0)
    assert points.lidar_m.tolist() == [8, 9]
    assert points.row.tolist() == [0.25, 0.75]
    assert points.column.tolist() == [0.5, pytest.approx(0.2)]
    assert points.predicted_px.tolist() == [8, 8]  # 56 / 7
    assert points.lidar_px.tolist() == [7, pytest.approx(56 / 9)]
    found = [frame_findings(number, difference_px=None) for number in (3, 4)]
    joined = joined_points(found)
    assert joined is not None
    assert joined.frame.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_the_evidence_of_a_table_is_the_pairs_with_their_drives() -> None:
    found = [frame_findings(0, difference_px=None)]
    drives = ["2011_09_26_drive_0009_sync", "2011_09_26_drive_0001_sync"]
    found = [
        FrameFindings(
            frame=FrameId(drive, 0), size_px=(1, 1), density=1, agreement=None, points=f.points
        )
        for drive in drives
        for f in found
    ]
    findings = Findings(frames=found, points=joined_points(found), left_out=[])
    evidence = findings.bias_evidence()
    assert evidence.drive.tolist() == [1, 1, 1, 0, 0, 0]
    assert evidence.predicted_m.tolist() == [10, 11, 13] * 2
    assert (evidence.num_drives, evidence.num_frames) == (2, 2)
