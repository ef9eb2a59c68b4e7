"""Files of each picture: what is seen, depth, classes, arrays, and coloured point clouds.

Clouds are binary PLY, which MeshLab, CloudCompare, Open3D and rviz open.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.datasets.label_store import write_depth_png, write_train_id_png
from mtdepth.files import UserError, atomic_path
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import write_png
from mtdepth.runtime.pipeline import Prediction
from mtdepth.runtime.seen import Seen

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.void]

_SKY = CLASS_NAMES.index("sky")
_POSITION = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
_COLOR = [("red", "u1"), ("green", "u1"), ("blue", "u1")]


def write_overlay(stem: Path, result: Seen) -> None:
    """`<name>_overlay.png`: all panels."""
    write_png(stem.with_name(f"{stem.name}_overlay.png"), result.overlay)


def write_depth(stem: Path, result: Seen) -> None:
    """`<name>_depth.png`: uint16, metres * 256, 0 = nothing; `_relative_depth` without a unit."""
    kind = "depth" if result.is_metric else "relative_depth"
    write_depth_png(stem.with_name(f"{stem.name}_{kind}.png"), result.prediction.depth_m)


def write_arrays(stem: Path, result: Seen) -> None:
    """`<name>.npz`: `depth_m` (or `relative_depth`), `train_id`, `K`, as far as they are known."""
    arrays: dict[str, Any] = {
        "depth_m" if result.is_metric else "relative_depth": result.prediction.depth_m,
        "train_id": result.prediction.train_id,
        "K": None if result.camera is None else result.camera.K,
    }
    known = {name: array for name, array in arrays.items() if array is not None}
    with atomic_path(stem.with_name(f"{stem.name}.npz")) as path:
        np.savez_compressed(path, **known)


def write_classes(stem: Path, result: Seen) -> None:
    """`<name>_classes.png`: uint8, train ids, 255 = ignored."""
    if result.prediction.train_id is None:
        raise UserError("--write classes: the model gives no classes")
    write_train_id_png(stem.with_name(f"{stem.name}_classes.png"), result.prediction.train_id)


def write_cloud(stem: Path, result: Seen) -> None:
    """`<name>.ply`: every measured pixel but the sky's."""
    if result.camera is None:
        raise UserError("--write ply: a point cloud needs --focal_px, --fov_deg or --camera")
    points = points_of(result.image_rgb, result.prediction, result.camera)
    write_ply(stem.with_name(f"{stem.name}.ply"), points, unit=result.unit)


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
    positions, colors = camera.unproject(prediction.depth_m)[is_kept], image_rgb[is_kept]
    for axis in range(3):
        points[_POSITION[axis][0]], points[_COLOR[axis][0]] = positions[:, axis], colors[:, axis]
    if train_id is not None:
        points["class"] = train_id[is_kept]
    return points


def write_ply(path: Path, points: Points, *, unit: str) -> None:
    """Writes `[n]` records of `points_of`, in `unit`, as little-endian binary PLY, atomically."""
    lines = ["ply", "format binary_little_endian 1.0", f"comment unit {unit}"]
    lines += ["comment camera frame: x right, y down, z forward"]
    names = points.dtype.names or ()
    if "class" in names:
        lines += [f"comment class {index} {name}" for index, name in enumerate(CLASS_NAMES)]
        lines += ["comment class 255 unknown"]
    lines += [f"element vertex {len(points)}"]
    kinds = {1: "uchar", 4: "float"}
    lines += [f"property {kinds[points.dtype[name].itemsize]} {name}" for name in names]
    header = "\n".join([*lines, "end_header", ""])
    with atomic_path(path) as temporary:
        temporary.write_bytes(header.encode("ascii") + points.tobytes())


# The words that name them.
WRITERS = {
    "overlay": write_overlay,
    "depth": write_depth,
    "classes": write_classes,
    "npz": write_arrays,
    "ply": write_cloud,
}
