"""The intrinsics file of a video: six numbers in JSON, and checks that a person would make."""

import math
from pathlib import Path

from absl import logging

from mtdepth.datasets.camera_file import read_camera_file
from mtdepth.files import DataError, is_there
from mtdepth.geometry.camera import Intrinsics

INTRINSICS_FILE = "intrinsics.json"
EXAMPLE = (
    '{"width_px": 1280, "height_px": 720, "fx_px": 910.0, "fy_px": 910.0, '
    '"cx_px": 639.5, "cy_px": 359.5}'
)
# ours: lenses of robots and phones lie within; beyond, a number is more often wrong than true.
_PLAUSIBLE_VIEW_DEG = (25.0, 130.0)
_MAX_OFFSET = 0.15  # of the side, by which a principal point may lie off the centre
_MAX_PIXEL_ASPECT = 1.1


def find_intrinsics(source: Path, given: Path | None) -> Path:
    """Returns the intrinsics file of a folder of frames or a video file.

    Args:
      source: The folder or the file.
      given: What `--intrinsics` names, which then is taken.

    Raises:
      FileNotFoundError: If there is none; says what to write where.
    """
    folder = source if source.is_dir() else source.parent
    path = given or folder / INTRINSICS_FILE
    if not is_there(path):
        raise FileNotFoundError(
            f"{path}: no such file, so the camera of {source} is not known. Write its intrinsics "
            f"there, or name a file by --intrinsics: {EXAMPLE}, in pixels of the size of the "
            "calibration (pixel centres: the middle of 1280 columns is 639.5)"
        )
    return path


def read_intrinsics(path: Path) -> Intrinsics:
    """Reads an intrinsics file, and warns where its numbers are hardly a camera's.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is not a JSON object of the six numbers, or they are no camera's.
    """
    try:
        lens = read_camera_file(path)
    except DataError as error:
        raise DataError(path, f"{error.why}. The file looks like {EXAMPLE}") from error
    if not lens.is_straight:
        raise DataError(
            path,
            "its lens bends, and training takes frames of a pinhole: take the distortion out of "
            "them first (python -m data_prep.rig --rectify)",
        )
    for doubt in doubts(lens.camera):
        logging.warning("%s: %s", path, doubt)
    return lens.camera


def field_of_view_deg(camera: Intrinsics) -> tuple[float, float]:
    """Returns the horizontal and the vertical angle of view of a pinhole camera, in degrees."""
    return (
        math.degrees(2 * math.atan(camera.width_px / (2 * camera.fx_px))),
        math.degrees(2 * math.atan(camera.height_px / (2 * camera.fy_px))),
    )


def doubts(camera: Intrinsics) -> list[str]:
    """Returns what is unusual about a camera before any resizing, in words; often nothing."""
    found = []
    near_deg, far_deg = _PLAUSIBLE_VIEW_DEG
    view_deg, _ = field_of_view_deg(camera)
    if not near_deg <= view_deg <= far_deg:
        found.append(
            f"a horizontal field of view of {view_deg:.0f} degrees is unusual; is fx_px "
            f"{camera.fx_px:g} meant for pictures {camera.width_px} pixels wide?"
        )
    offset_u = abs(camera.cx_px + 0.5 - camera.width_px / 2) / camera.width_px
    offset_v = abs(camera.cy_px + 0.5 - camera.height_px / 2) / camera.height_px
    if max(offset_u, offset_v) > _MAX_OFFSET:
        found.append(
            f"the principal point ({camera.cx_px:g}, {camera.cy_px:g}) lies "
            f"{max(offset_u, offset_v):.0%} of the side off the centre of "
            f"{camera.width_px}x{camera.height_px}; are both of the same size?"
        )
    ratio = camera.fx_px / camera.fy_px
    if max(ratio, 1 / ratio) > _MAX_PIXEL_ASPECT:
        found.append(f"fx_px / fy_px is {ratio:.2f}; pixels are square unless it was squeezed")
    return found
