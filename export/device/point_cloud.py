"""Coloured point clouds, as binary PLY: opened by MeshLab, CloudCompare, Open3D and rviz."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from export.device.result import Result
from export.device.sources import Image
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.files import UserError, atomic_path
from mtdepth.geometry.camera import Intrinsics
from mtdepth.runtime.pipeline import Prediction

Points = npt.NDArray[np.void]

_SKY = CLASS_NAMES.index("sky")
_POSITION = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
_COLOR = [("red", "u1"), ("green", "u1"), ("blue", "u1")]
_PLY_TYPES = {"<f4": "float", "u1": "uchar"}


def points_of(image_rgb: Image, prediction: Prediction, camera: Intrinsics) -> Points:
    """The measured pixels of a picture in space, without the sky, which is at no distance.

    Args:
      image_rgb: `[height, width, 3]`.
      prediction: At that size.
      camera: At that size.

    Returns:
      `[n]` records: x, y, z (camera frame: right, down, forward), red, green, blue, and `class`
      (train id, 255 = ignored) where there are classes.
    """
    is_kept = prediction.depth_m > 0
    train_id = prediction.train_id
    if train_id is not None:
        is_kept &= train_id != _SKY
    fields = _POSITION + _COLOR + ([] if train_id is None else [("class", "u1")])
    points = np.empty(int(is_kept.sum()), fields)
    positions = camera.unproject(prediction.depth_m)[is_kept]
    colors = image_rgb[is_kept]
    for axis, (name, _) in enumerate(_POSITION):
        points[name] = positions[:, axis]
    for channel, (name, _) in enumerate(_COLOR):
        points[name] = colors[:, channel]
    if train_id is not None:
        points["class"] = train_id[is_kept]
    return points


def write_cloud(stem: Path, result: Result) -> None:
    """`<name>.ply`: every measured pixel but the sky's.

    Raises:
      UserError: If the camera is not known.
    """
    if result.camera is None:
        raise UserError("--write ply: a point cloud needs --focal_px or --camera")
    points = points_of(result.image_rgb, result.prediction, result.camera)
    write_ply(stem.with_name(f"{stem.name}.ply"), points, unit=result.unit)


def write_ply(path: Path, points: Points, *, unit: str) -> None:
    """Writes records of `points_of` as little-endian binary PLY, atomically.

    Args:
      path: The file.
      points: `[n]`, float32 and uint8 fields.
      unit: Of the coordinates, for the header.
    """
    lines = ["ply", "format binary_little_endian 1.0", f"comment unit {unit}"]
    lines += ["comment camera frame: x right, y down, z forward"]
    names = points.dtype.names or ()
    if "class" in names:
        lines += [f"comment class {index} {name}" for index, name in enumerate(CLASS_NAMES)]
        lines += ["comment class 255 unknown"]
    lines += [f"element vertex {len(points)}"]
    for name in names:
        kind = points.dtype[name]
        lines.append(f"property {_PLY_TYPES['u1' if kind.itemsize == 1 else '<f4']} {name}")
    header = "\n".join([*lines, "end_header", ""])
    with atomic_path(path) as temporary:
        temporary.write_bytes(header.encode("ascii") + points.tobytes())
