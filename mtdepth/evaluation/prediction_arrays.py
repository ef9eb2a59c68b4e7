"""Predictions of other projects: one array of a whole split, as their evaluation writes it.

`.npy` or `.npz`, `[frames, height, width]`, in the order of the split, at any size: Monodepth2's
`disps_eigen_split.npy`, for instance, which holds inverse depth without a unit.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.contract import NO_SCALE
from mtdepth.datasets.frames import FrameId
from mtdepth.evaluation.predictors import Row, Scene
from mtdepth.files import DataError, UserError, read_npy, read_npz
from mtdepth.runtime.pipeline import Prediction

ArrayHolds = Literal["depth", "inverse_depth"]
ARRAY_HOLDS: tuple[ArrayHolds, ...] = ("depth", "inverse_depth")
SUFFIXES = (".npy", ".npz")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrayMeaning:
    """What the numbers of an array are.

    Attributes:
      holds: `depth`, or `inverse_depth`, which is resized as such before it is inverted, as in the
        published evaluations.
      scale: Metres of the depth's unit; None where it has none.
    """

    holds: ArrayHolds
    scale: float | None = None


def array_row(
    path: Path, frames: Sequence[FrameId], meaning: ArrayMeaning
) -> tuple[Row, dict[str, Any]]:
    """Opens an array of predictions.

    Args:
      path: The `.npy` or `.npz` file.
      frames: Whose predictions these are, in the array's order: the whole split.
      meaning: What the numbers are.

    Returns:
      Its row, and its identity for the results.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is damaged, not `[frames, height, width]`, or of another number of frames.
    """
    values = _read(path, num_frames=len(frames))
    index_of = {frame: index for index, frame in enumerate(frames)}

    def predict(scene: Scene) -> Prediction:
        index = index_of[scene.frame]
        height_px, width_px = scene.image.shape[:2]
        resized = cv2.resize(np.asarray(values[index], np.float32), (width_px, height_px))
        if not (resized > 0).all():
            raise UserError(f"{path}: row {index} holds {meaning.holds} of 0 or less")
        depth = 1 / resized if meaning.holds == "inverse_depth" else resized
        return Prediction(depth * np.float32(meaning.scale or 1), None)

    of = f"{meaning.holds}, " + (f"x {meaning.scale:g}" if meaning.scale else "no unit")
    identity = {"kind": "array", "path": str(path), **dataclasses.asdict(meaning)}
    if meaning.scale is None:
        identity["scale_source"] = NO_SCALE
    return Row(title=f"{path.name} ({of})", predict=predict), identity


def _read(path: Path, *, num_frames: int) -> npt.NDArray[Any]:
    if path.suffix == ".npy":
        values = read_npy(path)
    else:
        arrays = read_npz(path)
        if len(arrays) != 1:
            found = ", ".join(arrays) or "none"
            raise DataError(path, f"holds not one array, but {found}; save that of the depth alone")
        (values,) = arrays.values()
    if values.ndim == 4 and 1 in (values.shape[1], values.shape[3]):
        values = values.squeeze(1 if values.shape[1] == 1 else 3)
    if values.ndim != 3 or values.dtype.kind != "f" or 0 in values.shape:
        raise DataError(
            path,
            f"is {list(values.shape)} of {values.dtype}, not [frames, height, width] of floats",
        )
    if len(values) != num_frames:
        raise DataError(
            path,
            f"holds predictions of {len(values)} frames, the split {num_frames}: give the split "
            "that they were made for, in its order",
        )
    return values
