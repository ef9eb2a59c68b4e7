"""ROS's `camera_info` as YAML (camera_calibration, camera_info_manager), and as messages of a bag.

`sensor_msgs/CameraInfo`: K and D of the pictures as they are taken, R the rectifying rotation, P
the projection afterwards, whose fourth column of the right camera is `-fx * baseline`.
"""

from pathlib import Path

import numpy as np

from data_prep.rig.calibration import Calibration, of_one, of_projections
from data_prep.rig.entries import Entries, read_yaml
from mtdepth.files import DataError
from mtdepth.geometry.lens import DistortionModel, Lens

_MODELS: dict[str, DistortionModel] = {
    "plumb_bob": "radtan",
    "rational_polynomial": "radtan",
    "equidistant": "fisheye",
    "": "radtan",
}
KEYS = ("camera_matrix", "projection_matrix")


def read_ros(left: Path, right: Path | None = None) -> Calibration:
    """Reads the YAML of one camera, or those of a pair.

    Raises:
      FileNotFoundError: If one is missing.
      DataError: If it is damaged, or they are of no rectified pair.
    """
    of_left = Entries(left, read_yaml(left))
    return from_entries(of_left, None if right is None else Entries(right, read_yaml(right)))


def from_entries(
    left: Entries, right: Entries | None, *, is_rectified: bool = False
) -> Calibration:
    """Reads the entries of one camera, or of a pair, named as in the YAML.

    Args:
      left: Of the left, or only, camera.
      right: Of the right one.
      is_rectified: Whether one camera's pictures are those of its projection already.
    """
    lens, size = _lens(left)
    if right is None and is_rectified:
        return of_projections(left.path, left.matrix("projection_matrix", (3, 4)), None, size=size)
    if right is None:
        return of_one(left.path, lens)
    lens_right, size_right = _lens(right)
    if size_right != size:
        raise DataError(
            right.path,
            f"is of pictures of {size_right[1]}x{size_right[0]} px, but {left.path} of "
            f"{size[1]}x{size[0]}: calibrate both at one size",
        )
    P_left, P_right = (each.matrix("projection_matrix", (3, 4)) for each in (left, right))
    if np.isclose(P_right[0, 3], P_left[0, 3]):
        raise DataError(
            right.path,
            "projection_matrix has no baseline in its fourth column (-fx * baseline): the two "
            "cameras were calibrated one by one; calibrate them as a pair, by ROS "
            "(cameracalibrator --approximate 0.05 right:=... left:=...) or by --calibrate",
        )
    return of_projections(
        right.path,
        P_left,
        P_right,
        size=size,
        lens=lens,
        lens_right=lens_right,
        R_left=left.matrix("rectification_matrix", (3, 3)),
        R_right=right.matrix("rectification_matrix", (3, 3)),
    )


def _lens(entries: Entries) -> tuple[Lens, tuple[int, int]]:
    size = (entries.whole("image_height"), entries.whole("image_width"))
    word = entries.text("distortion_model")
    if word not in _MODELS:
        raise entries.error(
            "distortion_model", f"is {word}; known are {', '.join(filter(None, _MODELS))}"
        )
    camera = entries.camera("camera_matrix", size=size)
    key = "distortion_coefficients"
    distortion = tuple(entries.numbers(key).tolist()) if key in entries else ()
    try:
        return Lens(camera=camera, distortion=distortion, model=_MODELS[word]), size
    except ValueError as error:
        raise entries.error(key, f": {error}") from error
