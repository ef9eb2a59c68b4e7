"""Where results go: files of a folder, lines for a robot; `export.device.video` has the video."""

import contextlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from export.device.obstacles import rule_in_words
from export.device.point_cloud import points_of, write_ply
from export.device.result import Result
from mtdepth.files import atomic_path, write_png
from mtdepth.kitti.label_store import write_depth_png, write_train_id_png


class Writer(Protocol):
    """Takes one result after the other."""

    def write(self, result: Result) -> None:
        """Takes one; raises OSError where it cannot be stored."""

    def close(self, *, is_kept: bool = True) -> None:
        """Takes no more; `is_kept` is False where an error ended the run."""


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


class ObstacleWriter:
    """Writes the nearest obstacles of each result as one line of JSON, at once.

    Args:
      target: A file, appended to as results come, or `-` for the standard output.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._file: BinaryIO | None = None
        if target != "-":
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            # Until `close`. Unbuffered: a robot reads a line now, not when a buffer is full.
            self._file = Path(target).open("wb", buffering=0)  # noqa: SIM115

    def write(self, result: Result) -> None:
        """Writes one line, whole or not at all."""
        line = json.dumps(obstacle_line(result)) + "\n"
        if self._file is None:
            _print(line)
            return
        rest = memoryview(line.encode())
        written_bytes = 0
        try:
            # A disk that is nearly full takes a part of a line, and refuses only the next.
            while written_bytes < len(rest):
                written_bytes += self._file.write(rest[written_bytes:])
        except OSError as error:
            with contextlib.suppress(OSError):  # a device or a pipe has no end to be cut
                self._file.seek(-written_bytes, os.SEEK_CUR)
                self._file.truncate()
            raise OSError(error.errno, error.strerror, self._target) from error

    def close(self, *, is_kept: bool = True) -> None:
        """Closes the file; its lines are whole, however the run ended."""
        del is_kept
        if self._file is not None:
            self._file.close()


def _print(line: str) -> None:
    try:
        sys.stdout.write(line)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Else Python complains once more, when it empties its buffer at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OSError(error.errno, "nobody reads the standard output any more") from error


def obstacle_line(result: Result) -> dict[str, Any]:
    """The nearest obstacles of a result, as JSON holds them."""
    has_classes = result.prediction.train_id is not None
    return {
        "name": result.name,
        "number": result.number,
        "time_s": round(result.time_s, 3),
        "unit": result.unit,
        "rule": rule_in_words(has_classes=has_classes, camera=result.camera, rule=result.rule),
        "columns": [obstacle.to_dict() for obstacle in result.obstacles],
    }
