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
    """Pictures by name: a frame of recordings, or a file; `read` gives RGB `[height, width, 3]`."""

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
    """Opens the label store or folder that the user named, or what the run was trained on.

    A student's run names its label store, one of video keeps samples.

    Raises:
      FileNotFoundError: If there is nothing there.
      DataError: If a label store is damaged.
      UserError: If both are named, or a folder holds no picture.
    """
    if labels and folder:
        raise UserError("give --labels or --pictures, not both")
    own = workdir.run().get("labels") if not folder else None
    if folder or (not labels and workdir.samples_path.is_dir()):
        root = Path(folder or workdir.samples_path)
        if not (paths := pictures_in(root)):
            raise UserError(f"{root} holds no picture ({', '.join(PICTURE_SUFFIXES)})")
        return Pictures(root, tuple(paths), read_rgb)
    if not labels and not own:
        raise FileNotFoundError(
            f"{workdir.path} names no label store and keeps no samples; give --pictures FOLDER"
        )
    store = LabelStore.open(Path(str(labels or own)))
    raw = open_recordings(store.kitti_root)
    return Pictures(store.kitti_root, tuple(store.frames), raw.read_image)
