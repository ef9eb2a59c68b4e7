"""Making a label store's folder ours: of these settings, by one run a shard, free of leftovers."""

import contextlib
import dataclasses
import errno
import fcntl
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from absl import logging

from data_prep.audit.bias_report import FIGURE_NAME, TABLE_NAME
from data_prep.jobs.resume import label_paths
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import (
    MANIFEST,
    Manifest,
    read_manifest,
    read_records,
    records_path,
    write_manifest,
)
from mtdepth.files import DataError, visible_files

# `atomic_path` names what it writes `.<stem>-<8 characters of mkstemp><suffixes>`.
_TEMPORARY = re.compile(r"\.(?P<stem>.+)-[a-z0-9_]{8}(?P<suffixes>\.[^/]*)")
# Shards share the manifest and the table; one of another shard's may be half written just now.
SHARED_WRITE_SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Shard:
    """Part `index` of `number` of a job."""

    index: int
    number: int

    def __str__(self) -> str:
        """As files of the store are named: `0-of-4`."""
        return f"{self.index}-of-{self.number}"


@contextlib.contextmanager
def one_run_at_a_time(output: Path, shard: Shard) -> Iterator[None]:
    """Holds a store's shard for the time of a run; a killed run lets go of it.

    Raises:
      ValueError: If another run holds it, or one that divides the work into another number of
        shards holds its own; or the folder is somebody else's.
    """
    if not (output / MANIFEST).is_file():
        _refuse_others_files(output)
    output.mkdir(parents=True, exist_ok=True)
    with (output / f".lock-{shard}").open("w") as lock:
        if not _is_locked(lock, fcntl.LOCK_EX):
            raise ValueError(
                f"{output}: another run is making these labels; wait for it, or share the work by "
                "--shard_index and --num_shards"
            )
        others = [part for part in _parts_at_work(output, shard) if part.number != shard.number]
        if others:
            raise ValueError(
                f"{output}: another run makes part {others[0]} of these labels, which overlaps "
                f"part {shard}; wait for it, or give its --num_shards {others[0].number}"
            )
        yield


def claim(output: Path, manifest: Manifest, shard: Shard, *, overwrite: bool) -> None:
    """Makes sure that what lies in `output` was made with these settings, or that nothing does.

    Args:
      output: The store.
      manifest: Says the settings.
      shard: Of this run, which holds it.
      overwrite: Whether labels of other settings are removed.

    Raises:
      ValueError: If it holds labels of other settings that may not be removed, or that another run
        is making just now; or it is somebody else's folder.
      DataError: If its manifest is damaged and may not be removed.
    """
    if (output / MANIFEST).is_file():
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
            raise ValueError(
                f"{output}: holds labels of other settings: {details}. Give another --output, or "
                "--overwrite to replace them"
            )
        if others := _parts_at_work(output, shard):
            raise ValueError(
                f"{output}: another run makes part {others[0]} of it with other settings: "
                f"{details}. Wait for it, or give another --output"
            )
        logging.info("%s: begun anew, since it was made with other settings: %s", output, details)
        _remove_store(output)
    _refuse_others_files(output)
    write_manifest(output, manifest)


def remove_leftovers(
    output: Path, frames: Sequence[FrameId], shard: Shard, *, has_train_ids: bool
) -> None:
    """Removes the temporary files that killed runs of this shard left in a store.

    Another shard's may be at work on theirs: those are not touched.

    Args:
      output: The store.
      frames: Of this shard.
      shard: Of this run.
      has_train_ids: Whether the store has train ids beside depth.
    """
    ours = {path for frame in frames for path in label_paths(output, frame, has_train_ids)}
    ours.add(records_path(output, shard_index=shard.index, num_shards=shard.number))
    shared = {output / name for name in (MANIFEST, TABLE_NAME, FIGURE_NAME)}
    youngest_s = 0 if shard.number == 1 else SHARED_WRITE_SECONDS
    for folder in sorted({path.parent for path in ours | shared}):
        for path in folder.glob(".*") if folder.is_dir() else ():
            target = _target_of(path)
            is_old = target in shared and time.time() - path.stat().st_mtime >= youngest_s
            if target in ours or is_old:
                path.unlink(missing_ok=True)


def _target_of(path: Path) -> Path | None:
    """What a temporary file would have become; None if it is none."""
    match = _TEMPORARY.fullmatch(path.name)
    return path.with_name(match["stem"] + match["suffixes"]) if match else None


def _is_locked(lock: IO[str], operation: int) -> bool:
    """Whether this process got the lock of an open file; true where there are no locks."""
    try:
        fcntl.flock(lock, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
            raise
        logging.warning("%s: no locks here; see that one run at a time makes it", lock.name)
    return True


def _parts_at_work(output: Path, shard: Shard) -> list[Shard]:
    """Shards of any division, but for this one, that other runs hold."""
    parts = []
    for path in sorted(output.glob(".lock-*-of-*")):
        index, _, number = path.name.removeprefix(".lock-").partition("-of-")
        part = Shard(int(index), int(number))
        with path.open() as lock:
            if part != shard and not _is_locked(lock, fcntl.LOCK_SH):
                parts.append(part)
    return parts


def _differences(*, wanted: Manifest, found: Manifest) -> str:
    """What differs but the date; empty for nothing."""
    names = [field.name for field in dataclasses.fields(Manifest) if field.name != "created"]
    pairs = [(name, getattr(found, name), getattr(wanted, name)) for name in names]
    return "; ".join(f"{name} is {old!r}, not {new!r}" for name, old, new in pairs if old != new)


def _refuse_others_files(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output}: is a file; --output names a folder")
    if visible_files(output):
        raise ValueError(f"{output}: not empty and no label store; give another --output")


def _has_labels(output: Path) -> bool:
    # A killed run has labels that no list names yet.
    is_listed = any(record.status == "finished" for record in read_records(output))
    return is_listed or bool(visible_files(output / "depth", "**/*.png"))


def _remove_store(output: Path) -> None:
    # The lists first and the manifest last, so that a kill in between leaves no false claim.
    for path in (*output.glob("frames*.jsonl"), output / TABLE_NAME, output / FIGURE_NAME):
        path.unlink(missing_ok=True)
    for folder in (output / "depth", output / "train_id", *output.glob("raw_depth-*")):
        shutil.rmtree(folder, ignore_errors=True)
    (output / MANIFEST).unlink()
