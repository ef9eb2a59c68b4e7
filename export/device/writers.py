"""Where results go: files of a folder; `export.device.lines` and `.video` have the rest."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from export.device.point_cloud import points_of, write_ply
from export.device.result import Result
from mtdepth.datasets.label_store import write_depth_png, write_train_id_png
from mtdepth.files import atomic_path
from mtdepth.pictures import write_png


class BusyError(Exception):
    """Whoever reads takes nothing now: this result is left out."""


class GoneError(OSError):
    """Whoever read will not come back."""


class Writer(Protocol):
    """Takes one result after the other."""

    def write(self, result: Result) -> None:
        """Takes one.

        Raises:
          ValueError: If this one cannot be stored.
          BusyError: If its reader takes nothing.
          OSError: If nothing can be stored now.
        """

    def close(self, *, is_kept: bool = True) -> None:
        """Ends what was begun; `write` begins anew. `is_kept` is False where an error ended it."""

    def abandon(self) -> None:
        """Lets a `write` that waits for a reader end, from another thread."""


def _write_overlay(stem: Path, result: Result) -> None:
    write_png(stem.with_name(f"{stem.name}_overlay.png"), result.overlay)


def _write_depth(stem: Path, result: Result) -> None:
    kind = "depth" if result.is_metric else "relative_depth"
    write_depth_png(stem.with_name(f"{stem.name}_{kind}.png"), result.prediction.depth_m)


def _write_npz(stem: Path, result: Result) -> None:
    arrays: dict[str, Any] = {
        "depth_m" if result.is_metric else "relative_depth": result.prediction.depth_m,
    }
    if result.prediction.train_id is not None:
        arrays["train_id"] = result.prediction.train_id
    if result.camera is not None:
        arrays["K"] = result.camera.K
    with atomic_path(stem.with_name(f"{stem.name}.npz")) as path:
        np.savez_compressed(path, **arrays)


def _write_classes(stem: Path, result: Result) -> None:
    if result.prediction.train_id is None:
        raise ValueError("--write classes: the model gives no classes")
    write_train_id_png(stem.with_name(f"{stem.name}_classes.png"), result.prediction.train_id)


def _write_ply(stem: Path, result: Result) -> None:
    if result.camera is None:
        raise ValueError("--write ply: a point cloud needs --focal_px or --camera")
    points = points_of(result.image_rgb, result.prediction, result.camera)
    write_ply(stem.with_name(f"{stem.name}.ply"), points, unit=result.unit)


FILE_KINDS: dict[str, Callable[[Path, Result], None]] = {
    "overlay": _write_overlay,
    "depth": _write_depth,
    "npz": _write_npz,
    "classes": _write_classes,
    "ply": _write_ply,
}
"""One file for each picture; `<name>_depth.png` is uint16, metres * 256, 0 = nothing."""


@dataclass(frozen=True)
class FileWriter:
    """Writes files of the stated kinds for each result."""

    folder: Path
    kinds: tuple[str, ...]

    def write(self, result: Result) -> None:
        """Writes one result, each of its files whole or not at all."""
        for kind in self.kinds:
            FILE_KINDS[kind](self.folder / result.name, result)

    def close(self, *, is_kept: bool = True) -> None:
        """Nothing is left open."""
        del is_kept

    def abandon(self) -> None:
        """Nobody is waited for."""
