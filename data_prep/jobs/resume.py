"""What a label store already holds of a job, and so which frames are missing.

One law: a frame is done when its label files are there and either a list of the store names it as
finished or the files can be read. The lists are asked first, all at once; the files of a frame
that no list names (the run that made them was killed) are read by the worker that meets it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import (
    FrameRecord,
    depth_path,
    read_depth_png,
    read_train_id_png,
    train_id_path,
)
from mtdepth.files import DataError


def missing_frames(
    frames: Sequence[FrameId],
    listed: Mapping[FrameId, FrameRecord],
    output: Path,
    *,
    has_train_ids: bool,
) -> list[FrameId]:
    """The frames that no list of the store calls finished, or whose label files are gone.

    Args:
      frames: Of the job.
      listed: What the store's lists say.
      output: The store.
      has_train_ids: Whether a frame has train ids beside depth.
    """

    def is_done(frame: FrameId) -> bool:
        record = listed.get(frame)
        return (
            record is not None
            and record.status == "finished"
            and all(path.is_file() for path in label_paths(output, frame, has_train_ids))
        )

    return [frame for frame in frames if not is_done(frame)]


def record_of_files(output: Path, frame: FrameId, *, has_train_ids: bool) -> FrameRecord | None:
    """The record of a frame by its label files alone; None where one is missing or damaged."""
    try:
        depth_m = read_depth_png(depth_path(output, frame))
        if has_train_ids:
            read_train_id_png(train_id_path(output, frame))
    except (FileNotFoundError, DataError):
        return None
    return finished(frame, depth_m)


def finished(frame: FrameId, depth_m: npt.NDArray[np.float32]) -> FrameRecord:
    """The record of a frame with this depth, `[height, width]`, 0 = none."""
    return FrameRecord(
        frame=frame,
        status="finished",
        size_px=(depth_m.shape[0], depth_m.shape[1]),
        labelled_fraction=round(float(np.mean(depth_m > 0)), 4),
    )


def label_paths(output: Path, frame: FrameId, has_train_ids: bool) -> list[Path]:
    """The files that a store holds of a frame."""
    train_ids = [train_id_path(output, frame)] if has_train_ids else []
    return [*train_ids, depth_path(output, frame)]
