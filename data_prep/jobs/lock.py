"""Shards of a job, and one run at a time for each of them."""

import contextlib
import dataclasses
import errno
import fcntl
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from absl import logging

from data_prep.jobs.run import Frame
from mtdepth.files import UserError


@dataclasses.dataclass(frozen=True)
class Shard:
    """Part `index` of `number` of a job, so that machines can share it without talking."""

    index: int = 0
    number: int = 1

    def __post_init__(self) -> None:
        """Rejects a part that does not exist."""
        if not 0 <= self.index < self.number:
            raise UserError(
                "shard_index counts from 0 and is below num_shards, "
                f"got {self.index} of {self.number}"
            )

    def __str__(self) -> str:
        """As files are named: `0-of-4`."""
        return f"{self.index}-of-{self.number}"

    def of(self, frames: Sequence[Frame]) -> list[Frame]:
        """Every `number`-th frame, from the `index`-th on.

        The shards of one list are disjoint and together complete. Neighbouring frames fall into
        different shards, so all shards have work of the same kind.
        """
        return list(frames[self.index :: self.number])


@contextlib.contextmanager
def one_run_at_a_time(folder: Path, shard: Shard) -> Iterator[None]:
    """Holds a folder's shard for the time of a run; a killed run lets go of it.

    Args:
      folder: What the runs write; exists.
      shard: Of this run.

    Raises:
      UserError: If another run holds it, or one that divides the work into another number of shards
        holds its own.
    """
    with (folder / f".lock-{shard}").open("w") as lock:
        with _asking(folder):
            if not _is_locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                raise UserError(
                    f"{folder}: another run is making these labels; wait for it, or share the work "
                    "by --shard_index and --num_shards"
                )
            others = _shards_at_work(folder, shard)
        overlapping = [other for other in others if other.number != shard.number]
        if overlapping:
            raise UserError(
                f"{folder}: another run makes part {overlapping[0]} of these labels, which "
                f"overlaps part {shard}; wait for it, or give its --num_shards "
                f"{overlapping[0].number}"
            )
        yield


def other_runs(folder: Path, shard: Shard) -> list[Shard]:
    """Shards of any division, but for this one, that other runs hold."""
    with _asking(folder):
        return _shards_at_work(folder, shard)


@contextlib.contextmanager
def _asking(folder: Path) -> Iterator[None]:
    """One at a time takes its lock or asks who has one, since asking holds the other's lock."""
    with (folder / ".lock").open("w") as lock:
        _is_locked(lock, fcntl.LOCK_EX)
        yield


def _shards_at_work(folder: Path, shard: Shard) -> list[Shard]:
    shards = []
    for path in sorted(folder.glob(".lock-*-of-*")):
        match = re.fullmatch(r"\.lock-([0-9]{1,9})-of-([0-9]{1,9})", path.name)
        if match is None or int(match[1]) >= int(match[2]):
            continue  # nobody's of ours
        other = Shard(int(match[1]), int(match[2]))
        with path.open() as lock:
            if other != shard and not _is_locked(lock, fcntl.LOCK_SH | fcntl.LOCK_NB):
                shards.append(other)
    return shards


def _is_locked(lock: IO[str], operation: int) -> bool:
    """Whether this process got the lock of an open file; true where there are no locks."""
    try:
        fcntl.flock(lock, operation)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
            raise
        logging.warning("%s: no locks here; see that one run at a time makes it", lock.name)
    return True
