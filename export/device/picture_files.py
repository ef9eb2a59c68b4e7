"""Files of each picture: what is seen, depth, classes, arrays."""

from pathlib import Path
from typing import Any

import numpy as np

from export.device.result import Result
from mtdepth.datasets.label_store import write_depth_png, write_train_id_png
from mtdepth.files import UserError, atomic_path
from mtdepth.pictures import write_png


def write_overlay(stem: Path, result: Result) -> None:
    """`<name>_overlay.png`: all panels."""
    write_png(stem.with_name(f"{stem.name}_overlay.png"), result.overlay)


def write_depth(stem: Path, result: Result) -> None:
    """`<name>_depth.png`: uint16, metres * 256, 0 = nothing; `_relative_depth` without a unit."""
    kind = "depth" if result.is_metric else "relative_depth"
    write_depth_png(stem.with_name(f"{stem.name}_{kind}.png"), result.prediction.depth_m)


def write_arrays(stem: Path, result: Result) -> None:
    """`<name>.npz`: `depth_m` (or `relative_depth`), `train_id`, `K`, as far as they are known."""
    arrays: dict[str, Any] = {
        "depth_m" if result.is_metric else "relative_depth": result.prediction.depth_m,
        "train_id": result.prediction.train_id,
        "K": None if result.camera is None else result.camera.K,
    }
    known = {name: array for name, array in arrays.items() if array is not None}
    with atomic_path(stem.with_name(f"{stem.name}.npz")) as path:
        np.savez_compressed(path, **known)


def write_classes(stem: Path, result: Result) -> None:
    """`<name>_classes.png`: uint8, train ids, 255 = ignored."""
    if result.prediction.train_id is None:
        raise UserError("--write classes: the model gives no classes")
    write_train_id_png(stem.with_name(f"{stem.name}_classes.png"), result.prediction.train_id)
