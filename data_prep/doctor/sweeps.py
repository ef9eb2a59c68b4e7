"""Whether laser scans are whole, in metres, and in front of the camera."""

from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.doctor.findings import Check, Finding

UNREADABLE_SWEEP = Check(
    name="unreadable_sweep",
    severity="error",
    fault="a sweep is empty or cut short",
    remedy="copy or unzip it again; a sweep is float32 x, y, z, reflectance, 16 bytes a point",
)
SWEEP_VALUES = Check(
    name="sweep_values",
    severity="error",
    fault="a sweep's numbers are no metres around a scanner",
    remedy="write float32 x, y, z in metres and reflectance; KITTI's axes are x forward, y left, "
    "z up",
)
SWEEP_COVERAGE = Check(
    name="sweep_coverage",
    severity="error",
    fault="a sweep misses a part of the camera's view",
    remedy="check the LiDAR's calibration (calib_velo_to_cam.txt, T_lidar_to_camera), and that "
    "the sweep was not cut to a sector",
)
CHECKS = (UNREADABLE_SWEEP, SWEEP_VALUES, SWEEP_COVERAGE)

# ours: road scanners see some 120 to 250 m; millimetres or other bytes read as floats give more.
_MAX_RANGE_M = 300.0
_MAX_FAR_SHARE = 0.01
_MEDIAN_RANGE_M = (0.5, 100.0)
# ours: scanners on roofs look from about 45 degrees down to 45 up; other axes give all angles.
_MAX_ELEVATION_RAD = np.deg2rad(55.0)
_MAX_STEEP_SHARE = 0.2
# ours: a sector of a sweep or a turned calibration leaves many of the bands empty.
_NUM_BANDS = 16
_MIN_COVERED = 0.75


def value_findings(
    points: npt.NDArray[np.floating[Any]], where: str, *, z_is_up: bool
) -> list[Finding]:
    """Looks at a sweep's numbers.

    Args:
      points: `[points, 4]`, metres, the scanner's frame.
      where: The file.
      z_is_up: Whether the third axis points up, as KITTI's does.
    """
    reason = _wrong_values(points[:, :3].astype(np.float64), z_is_up=z_is_up)
    return [Finding(SWEEP_VALUES, where, reason)] if reason else []


def _wrong_values(xyz_m: npt.NDArray[np.float64], *, z_is_up: bool) -> str:
    """What is wrong, empty for nothing."""
    is_finite = np.isfinite(xyz_m).all(axis=1)
    if not is_finite.all():
        return f"{np.count_nonzero(~is_finite)} of {len(xyz_m)} points are not finite"
    range_m = np.linalg.norm(xyz_m, axis=1)
    median_m = float(np.median(range_m))
    if not _MEDIAN_RANGE_M[0] <= median_m <= _MEDIAN_RANGE_M[1]:
        return f"the median distance is {median_m:.4g} m"
    far_share = float(np.mean(range_m > _MAX_RANGE_M))
    if far_share > _MAX_FAR_SHARE:
        return f"{far_share:.0%} of the points are beyond {_MAX_RANGE_M:.0f} m"
    sine = np.abs(xyz_m[:, 2]) / np.maximum(range_m, 1e-6)
    steep_share = float(np.mean(sine > np.sin(_MAX_ELEVATION_RAD)))
    if z_is_up and steep_share > _MAX_STEEP_SHARE:
        return f"{steep_share:.0%} of the points are steeply above or below: is z up?"
    return ""


def coverage_findings(depth_m: npt.NDArray[np.floating[Any]], where: str) -> list[Finding]:
    """Looks at a sweep as the camera sees it.

    Args:
      depth_m: `[height, width]`, 0 where no point falls.
      where: The file.
    """
    bands = np.array_split(depth_m > 0, min(_NUM_BANDS, depth_m.shape[1]), axis=1)
    covered = float(np.mean([band.any() for band in bands]))
    why = f"points in {covered:.0%} of the width, at least {_MIN_COVERED:.0%} expected"
    return [Finding(SWEEP_COVERAGE, where, why)] if covered < _MIN_COVERED else []
