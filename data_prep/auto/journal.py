"""Which steps of the way are finished, so that the same line again goes on where it stopped."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data_prep.auto.plan import Paths, Step
from mtdepth.files import (
    DataError,
    UserError,
    is_there,
    read_record,
    read_text,
    write_json,
    write_text,
)

FORMAT_VERSION = 1


class Journal:
    """Command lines that ended well, and how long they took.

    Args:
      output: Folder of the whole way, present or not.

    Raises:
      DataError: If the journal of an earlier run is damaged.
    """

    def __init__(self, output: Path) -> None:
        self._path = Paths(output).journal
        self._seconds = _seconds_of(self._path)

    def seconds(self, step: Step) -> float | None:
        """How long a step took; None where its very line has not ended well, or nothing is left."""
        is_left = step.makes is None or step.makes.exists()
        return self._seconds.get(step.line) if is_left else None

    def add(self, step: Step, seconds: float) -> None:
        """Notes that a step is finished."""
        self._seconds[step.line] = round(seconds, 1)
        self._write()

    def forget(self, steps: Iterable[Step]) -> None:
        """Notes that steps are to be done again."""
        for step in steps:
            self._seconds.pop(step.line, None)
        self._write()

    def _write(self) -> None:
        write_json(self._path, {"format_version": FORMAT_VERSION, "seconds": self._seconds})


def write_lists(lists: Mapping[Path, str]) -> None:
    """Writes list files, once and for all: what was held out stays so.

    Raises:
      UserError: If one is there and has other frames.
    """
    for path, text in lists.items():
        if is_there(path) and read_text(path) != text:
            raise UserError(
                f"{path} has other frames than it would get now: the recordings or --split have "
                f"changed since. Give another --output, or remove {path.parent}"
            )
    for path, text in lists.items():
        write_text(path, text)


def _seconds_of(path: Path) -> dict[str, float]:
    if not is_there(path):
        return {}
    found: Any = read_record(path).get("seconds")
    if not isinstance(found, dict) or not all(
        type(each) in (int, float) for each in found.values()
    ):
        raise DataError(path, "is no journal of `mtdepth auto`; remove it to begin anew")
    return dict(found)
