"""Whether laser scans can be read and cover the camera's view."""

from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.doctor.findings import Check, Finding

UNREADABLE_SWEEP = Check(
    name="unreadable_sweep",
    severity="error",
    fault="a sweep is damaged, or its numbers are no metres around a scanner",
    remedy="copy or unzip it again, or write it anew: float32 x, y, z in metres and reflectance; "
    "KITTI's axes are x forward, y left, z up",
)
SWEEP_COVERAGE = Check(
    name="sweep_coverage",
    severity="error",
    fault="a sweep misses a part of the camera's view",
    remedy="check the LiDAR's calibration (calib_velo_to_cam.txt, T_lidar_to_camera), and that "
    "the sweep was not cut to a sector",
)
CHECKS = (UNREADABLE_SWEEP, SWEEP_COVERAGE)

# ours: a sector of a sweep or a turned calibration leaves many of the bands empty.
_NUM_BANDS = 16
_MIN_COVERED = 0.75


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
