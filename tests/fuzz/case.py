"""A reader under trial, and a right file for it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz import sane
from fuzz.mutate import Change

# Why a damaged file may be read as something else than the right one.
NO_CHECKSUM = "the format has no checksum: another value within its bounds is a right file"
RESEALED = "its parts were sealed anew by right checksums: a right file with other content"
NO_CHANGE = ""  # it may not: its checksum covers everything


@dataclasses.dataclass(frozen=True)
class Case:
    """A right file in a folder of its own.

    Attributes:
      file: What is damaged.
      read: Reads it, and whatever it needs beside it, which stays as it is.
    """

    file: Path
    read: Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Reader:
    """One reader, or one use of it.

    Attributes:
      name: In the table.
      prepare: Makes its case in a new folder.
      change: How its files are damaged.
      share: Of the inputs of a quick reader, for one that takes long.
      check: Asserts what every right result holds.
      other: Why what was read may differ from what the right file holds.
    """

    name: str
    prepare: Callable[[Path], Case]
    change: Change
    share: float = 1.0
    check: Callable[[Any], None] = sane.anything
    other: str = NO_CHECKSUM
