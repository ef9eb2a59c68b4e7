"""Whether calibrations are there and describe a rig that could exist."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_prep.doctor.findings import Check, Finding
from mtdepth.datasets.calibration import DOWNLOAD_PAGE, Matrix, StereoRig, read_rig
from mtdepth.files import DataError

CALIBRATION_MISSING = Check(
    name="calibration_missing",
    severity="error",
    fault="a date's calibration file is missing",
    remedy=f"download the calibration of this date from {DOWNLOAD_PAGE}: a zip of its own",
)
CALIBRATION_VALUES = Check(
    name="calibration_values",
    severity="error",
    fault="a calibration is damaged or describes no rig that could exist",
    remedy="download it again, or mend the numbers: pixels, metres, rotations of length 1",
)
CHECKS = (CALIBRATION_MISSING, CALIBRATION_VALUES)

NEEDED_FILES = ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt")
IMU_FILE = "calib_imu_to_velo.txt"

# ours: bounds that every car, robot and hand-held rig keeps, and a wrong unit breaks.
_BASELINE_M = (0.02, 2.0)
_FOCAL_PER_WIDTH = (0.2, 5.0)
_PRINCIPAL_POINT = (0.2, 0.8)  # part of the width and height
_MAX_FOCAL_RATIO = 1.2  # fx to fy; a tree of shrunk pictures may have stretched them
_MAX_SHIFT_M = 5.0
_MAX_ROTATION_ERROR = 1e-3  # KITTI writes seven digits


def date_findings(date_dir: Path, *, needs_imu: bool) -> tuple[StereoRig | None, list[Finding]]:
    """Reads and looks at a date's calibration.

    Args:
      date_dir: Folder of the date.
      needs_imu: Whether a drive of the date has GPS/IMU packets.

    Returns:
      The rig, None where it is missing or wrong, and the findings.
    """
    names = [*NEEDED_FILES, *([IMU_FILE] if needs_imu else [])]
    missing = [
        Finding(CALIBRATION_MISSING, f"{date_dir.name}/{name}", "no such file")
        for name in names
        if not (date_dir / name).is_file()
    ]
    if any(not (date_dir / name).is_file() for name in NEEDED_FILES):
        return None, missing
    try:
        rig = read_rig(date_dir)
    except DataError as error:
        where = f"{date_dir.name}/{error.path.name}"
        return None, [*missing, Finding(CALIBRATION_VALUES, where, error.why)]
    findings = rig_findings(rig, date_dir.name)
    return (None if findings else rig), missing + findings


def rig_findings(rig: StereoRig, where: str) -> list[Finding]:
    """Looks at the numbers of a rig."""
    return [Finding(CALIBRATION_VALUES, where, why) for why in _wrong_values(rig)]


def _wrong_values(rig: StereoRig) -> Iterator[str]:
    camera = rig.intrinsics_left
    if rig.has_right and not _BASELINE_M[0] <= rig.baseline_m <= _BASELINE_M[1]:
        yield f"a baseline of {rig.baseline_m:.4g} m, from {_BASELINE_M[0]} to {_BASELINE_M[1]} m"
    if not _FOCAL_PER_WIDTH[0] <= camera.fx_px / camera.width_px <= _FOCAL_PER_WIDTH[1]:
        yield f"fx of {camera.fx_px:.4g} px for pictures {camera.width_px} px wide"
    # Pictures that were stretched on purpose carry it in both, e.g. a demo world of other shape.
    if not 1 / _MAX_FOCAL_RATIO <= camera.fx_px / camera.fy_px <= _MAX_FOCAL_RATIO:
        yield f"fx of {camera.fx_px:.4g} px but fy of {camera.fy_px:.4g} px"
    u, v = camera.cx_px / camera.width_px, camera.cy_px / camera.height_px
    if not all(_PRINCIPAL_POINT[0] <= part <= _PRINCIPAL_POINT[1] for part in (u, v)):
        yield (
            f"a principal point of ({camera.cx_px:.4g}, {camera.cy_px:.4g}) px in pictures of "
            f"{camera.width_px}x{camera.height_px} (width x height)"
        )
    yield from _wrong_rotation("R_rect_00", rig.R_rect_00)
    for name, transform in (
        ("LiDAR to camera", rig.T_velodyne_to_camera_0),
        ("IMU to LiDAR", rig.T_imu_to_velodyne),
    ):
        if transform is None:
            continue
        yield from _wrong_rotation(name, transform[:3, :3])
        shift_m = float(np.linalg.norm(transform[:3, 3]))
        if shift_m > _MAX_SHIFT_M:
            yield f"{name} is a shift of {shift_m:.4g} m, at most {_MAX_SHIFT_M} m on one rig"


def _wrong_rotation(name: str, rotation: Matrix) -> Iterator[str]:
    deviation = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if deviation > _MAX_ROTATION_ERROR:
        yield f"{name} is no rotation: R R' differs from 1 by {deviation:.2g}"
    elif np.linalg.det(rotation) < 0:
        yield f"{name} mirrors: its determinant is -1"
