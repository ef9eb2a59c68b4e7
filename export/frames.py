"""Which pictures an export looks at: those of a label store, of a folder, or of a run's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from absl import logging

from mtdepth.contract import Fit
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.readers import open_recordings
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import DataError, UserError
from mtdepth.pictures import PICTURE_SUFFIXES, pictures_in, read_rgb
from mtdepth.runtime.fitting import fit_image
from mtdepth.workdir import Workdir

NUM_CALIBRATION, NUM_PARITY_FRAMES = 64, 8

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pictures:
    """Pictures by name.

    Attributes:
      root: Where they stand, for messages.
      names: Of each: a frame of recordings, or a file.
      read: From name to RGB `[height, width, 3]`.
    """

    root: Path
    names: tuple[Any, ...]
    read: Callable[[Any], Image]

    def chosen(self, *, num_calibration: int) -> tuple[list[Any], list[Any]]:
        """Chooses the pictures that int8 is calibrated on, and those that a file is compared on.

        The latter are others, unless all are needed for calibration.
        """
        calibration = evenly_spaced(self.names, number=num_calibration)
        rest = [name for name in self.names if name not in set(calibration)]
        return calibration, evenly_spaced(rest or self.names, number=NUM_PARITY_FRAMES)

    def fitted(self, names: Sequence[Any], *, size: tuple[int, int], fit: Fit) -> list[Image]:
        """Reads pictures and fits them as the predictor does.

        One that cannot be read is reported and left out.

        Raises:
          DataError: If none can be read.
        """
        images = []
        for name in names:
            try:
                images.append(fit_image(self.read(name), size=size, fit=fit))
            except (DataError, FileNotFoundError) as error:
                logging.warning("left out: %s", error)
        if names and not images:
            raise DataError(self.root, f"none of {len(names)} pictures of it can be read")
        return images


def open_pictures(workdir: Workdir, *, labels: str | None, folder: str | None) -> Pictures:
    """Opens the pictures that the user named, or those that the run was trained on.

    Args:
      workdir: The run; a student's names its label store, one of video keeps samples.
      labels: A label store, or None.
      folder: A folder of pictures, or None.

    Raises:
      FileNotFoundError: If there is nothing there.
      DataError: If a label store is damaged.
      UserError: If both are named, or a folder holds no picture.
    """
    if labels and folder:
        raise UserError("give --labels or --pictures, not both")
    own = workdir.run().get("labels") if not folder else None
    if folder or (not labels and workdir.samples_path.is_dir()):
        return _of_folder(Path(folder or workdir.samples_path))
    if not labels and not own:
        raise FileNotFoundError(
            f"{workdir.path} names no label store and keeps no samples; give --pictures FOLDER"
        )
    return _of_store(LabelStore.open(Path(str(labels or own))))


def _of_folder(folder: Path) -> Pictures:
    paths = pictures_in(folder)
    if not paths:
        raise UserError(f"{folder} holds no picture ({', '.join(PICTURE_SUFFIXES)})")
    return Pictures(folder, tuple(paths), read_rgb)


def _of_store(store: LabelStore) -> Pictures:
    raw = open_recordings(store.kitti_root)
    return Pictures(store.kitti_root, tuple(store.frames), raw.read_image)
