"""A calibration becomes the files of this project."""

from pathlib import Path

import numpy as np
from absl import logging

from data_prep.rig.calibration import Calibration, Matrix
from mtdepth.datasets.calibration import rigid_transform
from mtdepth.datasets.camera_file import write_camera_file
from mtdepth.datasets.rig_folder import write_rig_file
from mtdepth.files import DataError, read_json
from mtdepth.geometry.camera import field_deg

CAMERA_FILE = "camera.json"


def write_rig(path: Path, calibration: Calibration) -> None:
    """Writes `rig.json`, and of one camera `camera.json` beside it; says what rig it is.

    Raises:
      DataError: If no rig could have these numbers; names the file that they came from.
    """
    camera = calibration.camera
    try:
        rig = write_rig_file(
            path,
            camera,
            baseline_m=calibration.baseline_m,
            T_lidar_to_camera=calibration.T_lidar_to_camera,
        )
    except DataError as error:
        is_length = "baseline" in error.why and "exchanged" not in error.why
        remedy = "; say the unit, as in --unit_m 0.001 for millimetres" if is_length else ""
        raise DataError(calibration.path, f"{error.why}{remedy}") from error
    degrees = field_deg(camera.fx_px, width_px=camera.width_px)
    logging.info(
        "wrote %s: %dx%d px (width x height), focal length %.1f px (%.0f degrees across), %s, %s",
        *(path, camera.width_px, camera.height_px, camera.fx_px, degrees),
        f"baseline {rig.baseline_m:.4f} m" if rig.has_right else "one camera",
        "no LiDAR" if calibration.T_lidar_to_camera is None else "with LiDAR",
    )
    if not rig.has_right and calibration.lens is not None:
        beside = path.with_name(CAMERA_FILE)
        write_camera_file(beside, calibration.lens)
        logging.info("wrote %s, as it is, for `--camera` of the device", beside)


def read_pose(path: Path) -> Matrix:
    """Reads a `[4, 4]` transform in metres: a JSON list of 4 rows.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is anything else.
    """
    content = read_json(path)
    try:
        transform = np.array(content, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(path, f"must be 4 rows of 4 numbers: {error}") from error
    if transform.shape != (4, 4):
        raise DataError(path, f"must be 4 rows of 4 numbers, got shape {transform.shape}")
    return rigid_transform(path, "the pose of the LiDAR", transform)
