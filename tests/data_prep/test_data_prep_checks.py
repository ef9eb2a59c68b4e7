"""The checks' arithmetic, by hand."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from data_prep.doctor.findings import Check, Finding, Report
from data_prep.doctor.presence import DriveListing, gap_findings, partner_findings
from data_prep.doctor.stereo_order import (
    Matches,
    agreement_findings,
    match_corners,
    order_findings,
    ratios_to_lidar,
)
from data_prep.doctor.sweeps import coverage_findings
from data_prep.doctor.times import drift_findings, sensor_findings
from mtdepth.datasets.kitti_raw import read_times
from mtdepth.files import DataError

ERROR = Check(name="broken", severity="error", fault="is broken", remedy="mend it")
NOTE = Check(name="odd", severity="note", fault="is odd", remedy="none")


def pair(shift_px: int, *, rows_px: int = 0) -> list[npt.NDArray[np.uint8]]:
    """Two views of a textured plane: a point of the left view lies `shift_px` further left."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (20, 60), np.uint8).repeat(6, axis=0).repeat(6, axis=1)
    left = np.stack([blocks] * 3, axis=-1)
    return [left, np.roll(left, (-rows_px, -shift_px), axis=(0, 1))]


@pytest.mark.parametrize(("shift_px", "rows_px"), [(12, 0), (-12, 0), (0, 0), (7, 3)])
def test_corners_are_found_where_they_moved_to(shift_px: int, rows_px: int) -> None:
    found = match_corners(*pair(shift_px, rows_px=rows_px))
    assert len(found.u) > 100
    assert np.median(found.shift_px) == shift_px
    row_shift_px = np.rint(found.row_shift_px)
    assert np.median(row_shift_px) == rows_px
    assert np.mean((found.shift_px == shift_px) & (row_shift_px == rows_px)) > 0.95


@pytest.mark.parametrize("shift_px", [3, 11, 40])
def test_exchanging_the_views_turns_the_verdict(shift_px: int) -> None:
    left, right = pair(shift_px)
    assert order_findings("d", [match_corners(left, right)]) == []
    (finding,) = order_findings("d", [match_corners(right, left)])
    assert finding.check.name == "stereo_order"


def matches(shift_px: list[int], *, row_shift_px: int = 0) -> Matches:
    number = len(shift_px)
    return Matches(
        u=np.arange(number) * 10 + 50,
        v=np.full(number, 20),
        shift_px=np.array(shift_px),
        row_shift_px=np.full(number, float(row_shift_px)),
        size=(375, 1242),
    )


def test_few_corners_and_far_ones_give_no_verdict() -> None:
    assert order_findings("d", [matches([-30] * 19)]) == []
    # At 1242 columns, what moves by two or less is too far away to tell.
    assert order_findings("d", [matches([-2] * 100)]) == []
    assert order_findings("d", [matches([-30] * 30 + [30] * 15)]) == []  # 67 % are no 70 %
    assert len(order_findings("d", [matches([-30] * 15), matches([-30] * 15)])) == 1


def test_a_pair_that_is_not_rectified_is_told_before_its_order() -> None:
    (finding,) = order_findings("d", [matches([-30] * 30, row_shift_px=2)])
    assert finding.check.name == "stereo_rows"
    assert "2 rows apart" in finding.why


def seen(change: Callable[..., Any]) -> Matches:
    """Corners of a pair whose rows differ by a law, found to half a pixel, one in ten falsely."""
    rng = np.random.default_rng(0)
    u, v, shift_px = rng.uniform([20, 20, 2], [1220, 355, 90], (300, 3)).T
    row_shift_px = change(u - 621, v - 187.5, shift_px) + rng.normal(0, 0.3, 300)
    row_shift_px[::10] = rng.uniform(-12, 12, 30)
    return Matches(
        u=u.astype(int),
        v=v.astype(int),
        shift_px=shift_px.astype(int),
        row_shift_px=row_shift_px,
        size=(375, 1242),
    )


def rolled(angle_deg: float) -> Callable[..., Any]:
    return lambda x, *_: np.tan(np.deg2rad(angle_deg)) * x - 0.15


def bent(k: float, *, both: bool) -> Callable[..., Any]:
    """Rows that radial distortion of one view or of both leaves, at radii per half width."""

    def difference(x: Any, y: Any, shift_px: Any) -> Any:
        squares = [(each**2 + y**2) / 621**2 for each in (x, x - shift_px)]
        return k * y * (squares[0] - squares[1] if both else squares[0])

    return difference


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (rolled(0.0), ""),
        (rolled(0.028), ""),  # KITTI's own: 0.3 px at the sides
        (rolled(1.0), r"rolled by (0\.9|1\.0)\d degrees .* 1[01]\.\d px"),
        (bent(-0.3, both=True), "both views bend as a lens does .* px towards the corners"),
        (bent(-0.03, both=False), "one view bends as a lens"),
    ],
)
def test_a_roll_and_a_lens_are_told_from_the_rows_of_matches(change: Any, why: str) -> None:
    found = order_findings("d", [seen(change)])
    assert [bool(re.search(why, finding.why)) for finding in found] == ([True] if why else [])


def test_what_a_pixel_is_in_large_pictures_is_a_part_of_one_in_small_ones() -> None:
    large = seen(bent(-0.1, both=True))
    small = Matches(
        u=large.u // 3,
        v=large.v // 3,
        shift_px=large.shift_px // 3,
        row_shift_px=large.row_shift_px / 3,
        size=(125, 414),
    )
    for each in (large, small):
        (found,) = order_findings("d", [each])
        assert "both views bend" in found.why


def test_stereo_is_compared_with_the_lidar_beside_a_corner() -> None:
    lidar_m = np.zeros((40, 400), np.float32)
    lidar_m[21, 51] = 20.0  # beside corner 0 at (50, 20)
    lidar_m[20, 60] = 10.0  # on corner 1
    lidar_m[20, 70], lidar_m[19, 70] = 10.0, 30.0  # an edge of depth at corner 2
    lidar_m[20, 80] = 10.0  # corner 3, too far for whole pixels
    # 400 px * 0.5 m / 10 px = 20 m; / 16 px = 12.5 m against 10 m.
    found = ratios_to_lidar(matches([10, 16, 16, 7, 16]), lidar_m, focal_px=400.0, baseline_m=0.5)
    np.testing.assert_allclose(found, [1.0, 1.25])


@pytest.mark.parametrize(
    ("ratios", "why"),
    [
        ([1.04] * 30, ""),
        ([1.2] * 30, "1.20 times LiDAR's distance"),
        ([0.85] * 30, "0.85 times LiDAR's distance"),
        ([1.2] * 19, ""),
        ([1.0] * 15 + [0.5, 2.0] * 8, "only 48% of 31 corners"),
    ],
)
def test_a_drives_agreement_with_lidar(ratios: list[float], why: str) -> None:
    found = agreement_findings("d", [np.array(ratios[:9]), np.array(ratios[9:])])
    assert [why in finding.why for finding in found] == ([True] if why else [])


def test_a_jump_is_one_of_the_usual_step() -> None:
    times_s = np.array([0.0, 0.1, 0.2, 0.44, 0.70])  # steps 0.1, 0.1, 0.24, 0.26
    # The median step is (0.1 + 0.24) / 2 = 0.17 s; 2.5 times that is 0.425 s: no jump.
    assert sensor_findings(times_s, "t", num_frames=5, present=range(5)) == []
    times_s = np.array([0.0, 0.1, 0.2, 0.3, 0.56])
    (finding,) = sensor_findings(times_s, "t", num_frames=5, present=range(5))
    assert "0.260 s from frame 3 to 4, usually 0.100 s" in finding.why


def test_drift_is_half_a_step_at_the_worst_frame() -> None:
    left_s = np.array([0.0, 0.1, 0.2, 0.3])
    near = {"image_02": left_s, "image_03": left_s + np.array([0, 0.049, 0, -0.049])}
    assert drift_findings(near, "d") == []
    (finding,) = drift_findings(near | {"oxts": left_s + np.array([0, 0, 0.051, 0])}, "d")
    assert finding.why == "oxts is 0.051 s from image_02 at frame 2"


def test_times_are_read_to_the_microsecond_and_a_lost_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "timestamps.txt"
    path.write_text("2011-09-26 13:02:25.964389445\n2011-09-26 13:02:26\n")
    times_s = read_times(path)
    assert times_s[1] - times_s[0] == pytest.approx(0.035610555, abs=1e-6)  # float64 of 1.3e9 s
    # As KITTI has it for a sweep that was lost, with Windows' ends of lines.
    path.write_text("2011-09-26 13:02:25.964389445\r\n\r\n2011-09-26 13:02:26\r\n")
    assert np.isnan(read_times(path)).tolist() == [False, True, False]
    for line in ("2011-13-26 13:02:25", "nan"):
        path.write_text(f"2011-09-26 13:02:25.964389445\n{line}\n")
        with pytest.raises(DataError, match=f"line 2 is '{line}'"):
            read_times(path)


def test_coverage_counts_bands_of_columns() -> None:
    depth_m = np.zeros((4, 160), np.float32)
    depth_m[2, 0:120:10] = 5.0  # 12 of 16 bands of ten columns
    assert coverage_findings(depth_m, "s") == []
    depth_m[2, 0] = 0.0
    (finding,) = coverage_findings(depth_m, "s")
    assert "69% of the width" in finding.why


def test_partners_and_gaps_of_a_listing() -> None:
    listing = DriveListing(drive="d", left=[3, 4, 9], right=[3, 5, 9], sweeps=[], has_lidar=False)
    assert [(f.where, f.why) for f in partner_findings(listing)] == [
        ("d 0000000005", "no left picture"),
        ("d 0000000004", "no right picture"),
    ]
    assert [f.why for f in gap_findings(listing)] == ["no frame from 6 to 8"]


def test_only_an_error_makes_a_data_set_unhealthy() -> None:
    report = Report([ERROR, NOTE])
    report.add([Finding(NOTE, "here", "odd")])
    assert report.is_healthy
    report.looked(ERROR, number=3)
    report.add([Finding(ERROR, f"file {number:02d}", "cut") for number in range(12)])
    assert not report.is_healthy
    assert "file 09" in report.offenders()
    assert "file 10" not in report.offenders()
    assert [line.split()[:3] for line in report.table().splitlines()[1:]] == [
        ["broken", "3", "12"],
        ["odd", "-", "1"],
    ]
