"""Teachers that read labels which another program made: folders of PNG files.

A frame's file is looked for, below the folder that is given, as

    <date>/<drive>/<camera>/data/<0000000005>.png   KITTI raw
    <date>/<drive>/<camera>/<0000000005>.png
    <drive>/<camera>/<0000000005>.png               a label store's own `depth` and `train_id`
    <date>/<drive>/<0000000005>.png                 left frames only: the camera is not named
    <drive>/<0000000005>.png                        left frames only

with `<camera>` being `image_02` (left) or `image_03` (right). The first that exists is taken.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import below_ceiling, read_depth_png, read_train_id_png
from mtdepth.files import DataError, UserError
from teachers.interface import Floats, Setting, StereoSample, Teacher, TeacherEntry

Label = TypeVar("Label", bound=npt.NDArray[Any])


class PrecomputedDisparity(Teacher[Floats]):
    """Depth from disparity PNGs: uint16, pixels * 256 at the picture's size, 0 or 65535 = none."""

    name = "precomputed"

    def __init__(self, folder: Path) -> None:
        self._labels = _LabelFolder(folder, flag="--disparity_dir")
        self.version = f"disparity in {self._labels.folder}"
        self.source = f"stereo baseline (disparity in {self._labels.folder})"

    def predict(self, sample: StereoSample) -> Floats:
        """Depth of the labelled view, `[height, width]` metres, 0 = none."""
        return sample.depth_m(self._labels.read(sample, _read_256ths))


class PrecomputedDepth(Teacher[Floats]):
    """Depth from depth PNGs: uint16, metres * 256 at the picture's size, 0 or 65535 = none.

    Args:
      folder: Of the files.
      factor: What their depth is multiplied by.

    Raises:
      UserError: If the factor is not positive.
    """

    name = "precomputed"

    def __init__(self, folder: Path, factor: float | None = None) -> None:
        if factor is not None and not 0 < factor < math.inf:
            raise UserError(f"--depth_factor must be positive, got {factor}")
        self._labels = _LabelFolder(folder, flag="--depth_dir")
        self._factor = np.float32(1 if factor is None else factor)
        times = "" if factor is None else f" times {factor:g}"
        self.version = f"depth in {self._labels.folder}{times}"
        self.source = f"metres as given by {self._labels.folder}{times}"

    def predict(self, sample: StereoSample) -> Floats:
        """Depth of the labelled view, `[height, width]` metres, 0 = none."""
        return self._factor * self._labels.read(sample, _read_256ths)


def _read_256ths(path: Path) -> Floats:
    """`[height, width]` pixels or metres, 0 = none."""
    return below_ceiling(read_depth_png(path))


class PrecomputedTrainIds(Teacher[npt.NDArray[np.uint8]]):
    """Classes from train id PNGs: uint8, 0..18, 255 = ignore, at the picture's size."""

    name = "precomputed"

    def __init__(self, folder: Path) -> None:
        self._labels = _LabelFolder(folder, flag="--train_id_dir")
        self.version = f"train ids in {self._labels.folder}"

    def predict(self, sample: StereoSample) -> npt.NDArray[np.uint8]:
        """Train ids of the labelled view, `[height, width]`."""
        return self._labels.read(sample, read_train_id_png)


class _LabelFolder:
    """A folder of PNG files, one a frame, and the flag that named it."""

    def __init__(self, folder: Path, *, flag: str) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder; {flag} names a folder of PNG files")
        self.folder = folder.resolve()
        self._flag = flag

    def read(self, sample: StereoSample, reader: Callable[[Path], Label]) -> Label:
        """Reads a frame's file, which must be of the picture's size."""
        path = _find(self.folder, sample.frame, flag=self._flag)
        label = reader(path)
        if label.shape != sample.size_px:
            raise DataError(
                path,
                f"is {label.shape[0]}x{label.shape[1]} (height x width) but the picture of frame "
                f"{sample.frame} is {sample.size_px[0]}x{sample.size_px[1]}: make it at the "
                "picture's size",
            )
        return label


def _find(folder: Path, frame: FrameId, *, flag: str) -> Path:
    name = f"{frame.name}.png"
    candidates = [
        folder / frame.folder / frame.camera / "data" / name,
        folder / frame.folder / frame.camera / name,
        folder / frame.drive / frame.camera / name,
    ]
    if frame.side == "l":
        candidates += [folder / frame.folder / name, folder / frame.drive / name]
    candidates = list(dict.fromkeys(candidates))
    for candidate in candidates:
        for path in (candidate, candidate.with_suffix(".PNG")):
            if path.is_file():
                return path
    tried = ", ".join(str(path.relative_to(folder)) for path in candidates)
    raise FileNotFoundError(
        f"{folder}: {flag} has no file for frame {frame}; tried {tried}. "
        "Make it, or leave the frame out of the split"
    )


DEPTH_ENTRY = TeacherEntry(
    name="precomputed",
    help="PNG files of disparity or depth",
    make=lambda disparity_dir=None, depth_dir=None, depth_factor=None: (
        PrecomputedDisparity(disparity_dir)
        if disparity_dir
        else PrecomputedDepth(depth_dir, depth_factor)
    ),
    settings=(
        Setting(
            name="disparity_dir",
            kind="path",
            help="Precomputed disparity: uint16 PNG, pixels * 256, 0 = none.",
        ),
        Setting(
            name="depth_dir",
            kind="path",
            help="Precomputed depth: uint16 PNG, metres * 256, 0 = none.",
        ),
        Setting(
            name="depth_factor",
            kind="float",
            help="What the depth of --depth_dir is multiplied by, if its unit is no metre.",
        ),
    ),
    needs_one_of=("disparity_dir", "depth_dir"),
)
SEG_ENTRY = TeacherEntry(
    name="precomputed",
    help="PNG files of train ids",
    make=lambda train_id_dir: PrecomputedTrainIds(train_id_dir),
    settings=(
        Setting(
            name="train_id_dir",
            kind="path",
            help="Precomputed train ids: uint8 PNG, 255 = ignore.",
        ),
    ),
    needs_one_of=("train_id_dir",),
)
