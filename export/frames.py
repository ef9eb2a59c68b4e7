"""Which frames of a label store an export looks at."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from absl import logging

from mtdepth.contract import Fit
from mtdepth.files import DataError
from mtdepth.kitti.frames import FrameId
from mtdepth.kitti.label_store import LabelStore
from mtdepth.kitti.recordings import open_recordings
from mtdepth.kitti.splits import evenly_spaced
from mtdepth.runtime.fitting import fit_image

NUM_PARITY_FRAMES = 8

Image = npt.NDArray[np.uint8]


def choose_frames(
    frames: Sequence[FrameId], *, num_calibration: int
) -> tuple[list[FrameId], list[FrameId]]:
    """Chooses the frames that int8 is calibrated on, and those that the file is compared on.

    The latter are others, unless all are needed for calibration.
    """
    calibration = evenly_spaced(frames, number=num_calibration)
    rest = [frame for frame in frames if frame not in set(calibration)]
    return calibration, evenly_spaced(rest or frames, number=NUM_PARITY_FRAMES)


def fitted_images(
    store: LabelStore, frames: Sequence[FrameId], *, size: tuple[int, int], fit: Fit
) -> list[Image]:
    """Reads frames' pictures and fits them as the predictor does.

    A picture that cannot be read is reported and left out.

    Raises:
      DataError: If none can be read.
    """
    raw = open_recordings(store.kitti_root)
    images = []
    for frame in frames:
        try:
            images.append(fit_image(raw.read_image(frame), size=size, fit=fit))
        except (DataError, FileNotFoundError) as error:
            logging.warning("left out: %s", error)
    if frames and not images:
        raise DataError(
            store.root, f"none of {len(frames)} pictures below {store.kitti_root} can be read"
        )
    return images
