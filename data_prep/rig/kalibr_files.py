"""Kalibr's `camchain.yaml`: cam0, cam1, ... each with its lens and the way from the one before."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import logging

from data_prep.rig.calibration import Calibration, of_one, of_pair
from data_prep.rig.entries import Entries, read_yaml
from mtdepth.files import DataError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.lens import DistortionModel, Lens

# Kalibr wiki, "Supported models".
_MODELS: dict[str, DistortionModel] = {
    "radtan": "radtan",
    "equidistant": "fisheye",
    "none": "radtan",
}
_WAY = "T_cn_cnm1"  # points of the camera before to this one


def read_kalibr(path: Path) -> Calibration:
    """Reads cam0 alone, or cam0 as the left and cam1 as the right camera.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is damaged or of other models.
    """
    chain = {key: value for key, value in read_yaml(path).items() if key.startswith("cam")}
    if "cam0" not in chain:
        raise DataError(path, f"no cam0; there are {', '.join(chain) or 'no cameras'}")
    if len(chain) > 2:
        logging.info("%s has %d cameras: cam0 is left, cam1 right", path, len(chain))
    left = _lens(_entries(path, "cam0", chain["cam0"]))
    if "cam1" not in chain:
        return of_one(path, left)
    right = _entries(path, "cam1", chain["cam1"])
    return of_pair(path, left, _lens(right), T_left_to_right=right.matrix(_WAY, (4, 4)))


def _entries(path: Path, name: str, values: Any) -> Entries:
    if not isinstance(values, Mapping):
        raise DataError(path, f"{name} must hold keys and values, found {str(values)[:60]!r}")
    return Entries(path, values)


def _lens(entries: Entries) -> Lens:
    if (kind := entries.text("camera_model")) != "pinhole":
        raise entries.error(
            "camera_model",
            f"is {kind or 'missing'}; only pinhole cameras can be rectified here: calibrate with "
            "--models pinhole-radtan, or pinhole-equi for a wide lens",
        )
    word = entries.text("distortion_model")
    if word not in _MODELS:
        raise entries.error("distortion_model", f"is {word}; known are {', '.join(_MODELS)}")
    fx_px, fy_px, cx_px, cy_px = entries.matrix("intrinsics", (4,)).tolist()
    width_px, height_px = (round(side) for side in entries.matrix("resolution", (2,)))
    distortion = () if word == "none" else tuple(entries.numbers("distortion_coeffs").tolist())
    try:
        camera = Intrinsics(
            fx_px=fx_px,
            fy_px=fy_px,
            cx_px=cx_px,
            cy_px=cy_px,
            width_px=width_px,
            height_px=height_px,
        )
        return Lens(camera=camera, distortion=distortion, model=_MODELS[word])
    except ValueError as error:
        raise entries.error("intrinsics", f": {error}") from error
