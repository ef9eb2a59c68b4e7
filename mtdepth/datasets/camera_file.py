"""The file of one camera, such as `camera.json`: six numbers, and the distortion of its lens.

{"fx_px": 610.2, "fy_px": 609.8, "cx_px": 319.5, "cy_px": 239.5, "width_px": 640, "height_px": 480,
 "distortion": [-0.31, 0.11, 0.0, 0.0, -0.02], "distortion_model": "radtan"}

`distortion` may be absent: a pinhole. The model is `radtan` (OpenCV's k1 k2 p1 p2 k3 ...) unless it
says `fisheye` (of `cv2.fisheye`: k1 k2 k3 k4).
"""

import difflib
from pathlib import Path

from mtdepth.datasets.plausible import camera_problem
from mtdepth.files import DataError, UserError, read_json, write_json
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.lens import KnownCamera, Lens
from mtdepth.geometry.presets import PRESETS

_DISTORTION, _MODEL = "distortion", "distortion_model"


def open_camera(name: Path | str) -> KnownCamera:
    """A camera by its file, or by the name of a preset such as `pi-v2`.

    Raises:
      UserError: If it is neither.
      DataError: As `read_camera_file`.
    """
    path = Path(name)
    if str(name) in PRESETS and not path.exists():
        return PRESETS[str(name)]
    if not path.exists() and path.suffix != ".json":
        near = difflib.get_close_matches(str(name), PRESETS, n=1)
        meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(PRESETS)}"
        raise UserError(f"{name}: neither a camera file nor a known camera; {meant}")
    return read_camera_file(path)


def read_camera_file(path: Path) -> Lens:
    """Reads a camera file.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is no JSON, lacks a number, or is of a camera that cannot be.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(path, "a camera file is one JSON object")
    distortion, model = content.pop(_DISTORTION, []), content.pop(_MODEL, "radtan")
    if not isinstance(distortion, list) or not all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in distortion
    ):
        raise DataError(
            path, f"{_DISTORTION} must be a list of numbers, got {str(distortion)[:40]}"
        )
    try:
        camera = Intrinsics.from_dict(content)
        lens = Lens(camera=camera, distortion=tuple(map(float, distortion)), model=model)
        problem = camera_problem(camera)
        if not (problem or lens.is_straight):
            lens.straightened()  # refuses what folds the picture
    except (ValueError, OverflowError) as error:
        raise DataError(path, str(error)) from error
    if problem:
        raise DataError(path, problem)
    return lens


def write_camera_file(path: Path, lens: Lens) -> None:
    """Writes what `read_camera_file` reads, atomically."""
    content: dict[str, object] = dict(lens.camera.to_dict())
    if not lens.is_straight:
        content |= {_DISTORTION: list(lens.distortion), _MODEL: lens.model}
    write_json(path, content)
