"""Commands of a longer way, and which of them are finished, so that it goes on where it stopped."""

import dataclasses
import shlex
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mtdepth.files import DataError, is_there, read_record, write_json

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Step:
    """One program's part of the way.

    Attributes:
      name: One word or two, for people.
      words: Its command line after `mtdepth`.
      makes: What lies there once it is finished; None where it makes nothing.
      accepts: Exit statuses that end it well.
    """

    name: str
    words: tuple[str, ...]
    makes: Path | None = None
    accepts: tuple[int, ...] = (0,)

    @property
    def line(self) -> str:
        """The command as a shell takes it."""
        return shlex.join(("mtdepth", *self.words))


class Journal:
    """Command lines that ended well, and how long they took; several threads may share one.

    Args:
      path: Of its file, present or not.

    Raises:
      DataError: If it is there and damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds = _seconds_of(path)
        self._lock = threading.Lock()

    def seconds(self, step: Step) -> float | None:
        """How long a step took; None where its very line has not ended well, or nothing is left."""
        is_left = step.makes is None or step.makes.exists()
        return self._seconds.get(step.line) if is_left else None

    def add(self, step: Step, seconds: float) -> None:
        """Notes that a step is finished."""
        with self._lock:
            self._seconds[step.line] = round(seconds, 1)
            self._write()

    def forget(self, steps: Iterable[Step]) -> None:
        """Notes that steps are to be done again."""
        with self._lock:
            for step in steps:
                self._seconds.pop(step.line, None)
            self._write()

    def _write(self) -> None:
        write_json(self._path, {"format_version": FORMAT_VERSION, "seconds": self._seconds})


def _seconds_of(path: Path) -> dict[str, float]:
    if not is_there(path):
        return {}
    found: Any = read_record(path).get("seconds")
    if not isinstance(found, dict) or not all(
        type(each) in (int, float) for each in found.values()
    ):
        raise DataError(path, "is no journal of finished steps; remove it to begin anew")
    return dict(found)
