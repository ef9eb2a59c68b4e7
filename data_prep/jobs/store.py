"""A label store as a job meets it: of these settings, free of leftovers, and so far complete.

A frame is done when its label files are there and either a list of the store names it as finished
or the files can be read. The lists are asked first, all at once; the files of a frame that no list
names (the run that made them was killed) are read by the worker that meets it.
"""

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from absl import logging

from data_prep.bias_table import FIGURE_NAME, TABLE_NAME
from data_prep.jobs.lock import Shard, other_runs
from mtdepth import files
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import (
    MANIFEST,
    FrameRecord,
    Manifest,
    depth_path,
    read_depth_png,
    read_manifest,
    read_records,
    read_train_id_png,
    train_id_path,
    write_manifest,
)
from mtdepth.files import DataError, UserError, is_there, visible_files


def make_folder(output: Path) -> None:
    """Makes a store's folder, unless it is one already.

    Raises:
      UserError: If it is somebody else's folder, or a file.
    """
    if not is_there(output / MANIFEST):
        _refuse_others_files(output)
    output.mkdir(parents=True, exist_ok=True)


def begin(output: Path, manifest: Manifest, shard: Shard, *, overwrite: bool) -> None:
    """Makes sure that what lies in `output` was made with these settings, or that nothing does.

    Args:
      output: The store.
      manifest: Says the settings.
      shard: Of this run, which holds it.
      overwrite: Whether labels of other settings are removed.

    Raises:
      UserError: If it holds labels of other settings that may not be removed, or that another run
        is making just now; or it is somebody else's folder.
      DataError: If its manifest is damaged and may not be removed.
    """
    if is_there(output / MANIFEST):
        try:
            details = _differences(wanted=manifest, found=read_manifest(output))
        except DataError as error:
            if not overwrite:
                raise
            details = str(error)
        if not details:
            logging.info("%s: going on with the labels of these settings", output)
            return
        if not overwrite and _has_labels(output):
            raise UserError(
                f"{output}: holds labels of other settings: {details}. Give another --output, or "
                "--overwrite to replace them"
            )
        logging.info("%s: begun anew, since it was made with other settings: %s", output, details)
        remove_labels(output, shard, why=f"with other settings: {details}")
        (output / MANIFEST).unlink()
    _refuse_others_files(output)
    write_manifest(output, manifest)


def _differences(*, wanted: Manifest, found: Manifest) -> str:
    """What differs but the date; empty for nothing."""
    names = [field.name for field in dataclasses.fields(Manifest) if field.name != "created"]
    pairs = [(name, getattr(found, name), getattr(wanted, name)) for name in names]
    return "; ".join(f"{name} is {old!r}, not {new!r}" for name, old, new in pairs if old != new)


def _refuse_others_files(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise UserError(f"{output}: is a file; --output names a folder")
    if visible_files(output):
        raise UserError(f"{output}: not empty and no label store; give another --output")


def _has_labels(output: Path) -> bool:
    # A killed run has labels that no list names yet.
    is_listed = any(record.status == "finished" for record in read_records(output))
    return is_listed or bool(visible_files(output / "depth", "**/*.png"))


def remove_labels(output: Path, shard: Shard, *, why: str) -> None:
    """Removes all labels of a store and the table that corrected them; the manifest stays.

    Args:
      output: The store.
      shard: Of this run.
      why: How they were made, for the message.

    Raises:
      UserError: If another run makes labels of it.
    """
    if others := other_runs(output, shard):
        raise UserError(
            f"{output}: another run makes part {others[0]} of it {why}. Wait for it, or give "
            "another --output"
        )
    # The lists first, so that a kill in between leaves no false promise.
    for path in (*output.glob("frames*.jsonl"), output / TABLE_NAME, output / FIGURE_NAME):
        path.unlink(missing_ok=True)
    for folder in (output / "depth", output / "train_id", *output.glob("raw_depth-*")):
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(output: Path, frames: Sequence[FrameId], *, has_train_ids: bool) -> None:
    """Removes the temporary files that killed runs left in a store; writers at work keep theirs.

    Args:
      output: The store.
      frames: Of this shard.
      has_train_ids: Whether the store has train ids beside depth.
    """
    paths = {path.parent for frame in frames for path in _label_paths(output, frame, has_train_ids)}
    for folder in {output, *paths, *output.glob("raw_depth-*")}:
        files.remove_leftovers(folder)


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
            and all(path.is_file() for path in _label_paths(output, frame, has_train_ids))
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


def _label_paths(output: Path, frame: FrameId, has_train_ids: bool) -> list[Path]:
    """The files that a store holds of a frame."""
    train_ids = [train_id_path(output, frame)] if has_train_ids else []
    return [*train_ids, depth_path(output, frame)]
