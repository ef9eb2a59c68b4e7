"""Whether calibrations are there and describe a rig that could exist."""

from pathlib import Path

from data_prep.doctor.findings import Check, Finding
from mtdepth.datasets.calibration import DOWNLOAD_PAGE, StereoRig, read_rig
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.recordings import Recordings
from mtdepth.files import DataError

CALIBRATION_MISSING = Check(
    name="calibration_missing",
    severity="error",
    fault="a calibration file is missing",
    remedy=f"download the calibration of this date from {DOWNLOAD_PAGE}: a zip of its own; for "
    "another rig make its rig.json (python -m data_prep.rig)",
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
    return rig, missing


def drive_findings(raw: Recordings, drive: str) -> tuple[StereoRig | None, list[Finding]]:
    """Looks at the rig of a drive: the rig, None where it is wrong, and the findings."""
    try:
        return raw.rig(FrameId(drive, 0)), []
    except DataError as error:
        where = str(error.path.relative_to(raw.root))
        return None, [Finding(CALIBRATION_VALUES, where, error.why)]
