"""Which program wrote a calibration, and the file of this project that comes of it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from data_prep.rig.calibration import Calibration
from data_prep.rig.kalibr_files import read_kalibr
from data_prep.rig.kitti_files import CAM_TO_CAM, read_kitti
from data_prep.rig.opencv_files import read_opencv
from data_prep.rig.ros_files import KEYS as ROS_KEYS
from data_prep.rig.ros_files import read_ros
from mtdepth.files import DataError, UserError, read_text

KNOWN = (
    "OpenCV's YAML or XML (K1 D1 K2 D2 R T, or P1 P2), ROS's camera_info (two files, "
    "with a comma), Kalibr's camchain, KITTI's calib_cam_to_cam.txt or calib.txt"
)


def read_calibration(
    paths: Sequence[Path],
    *,
    size: tuple[int, int] | None = None,
    unit_m: float = 1.0,
    is_fisheye: bool = False,
) -> Calibration:
    """Reads a calibration, whichever program wrote it: the content tells.

    Args:
      paths: One file, or two: left and right camera_info, or OpenCV's intrinsics and extrinsics.
      size: (height, width) of the pictures, where the file does not say it.
      unit_m: Of the file's way between the cameras, in metres: what the board was measured in.
      is_fisheye: Whether `cv2.fisheye` calibrated it, where OpenCV's file does not say so.

    Raises:
      FileNotFoundError: If a file is missing.
      DataError: If it is of no known kind, damaged, or lacks something.
      UserError: If there are too many.
    """
    calibration = _read(paths, size=size, is_fisheye=is_fisheye)
    if calibration.baseline_m is None:
        return calibration
    return dataclasses.replace(calibration, baseline_m=calibration.baseline_m * unit_m)


def _read(paths: Sequence[Path], *, size: tuple[int, int] | None, is_fisheye: bool) -> Calibration:
    if len(paths) > 2:
        raise UserError(f"--calibration takes one file or two, got {len(paths)}")
    first = paths[0]
    if first.is_dir() and not (first / CAM_TO_CAM).is_file():
        raise UserError(f"{first}: is a folder without {CAM_TO_CAM}; name the file. Known: {KNOWN}")
    if first.is_dir():
        return read_kitti(first, size=size)
    text = read_text(first)
    if text.startswith(("%YAML", "<?xml", "{")) or "opencv-matrix" in text:
        return read_opencv(paths, size=size, is_fisheye=is_fisheye)
    if "P_rect_02:" in text or "\nP2:" in text:
        return read_kitti(first, size=size)
    if all(key in text for key in ROS_KEYS):
        return read_ros(*paths)
    if "cam0" in text:
        return read_kalibr(first)
    raise DataError(first, f"is no calibration of a known kind. Known: {KNOWN}")
