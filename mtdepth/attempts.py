"""One frame after the other: what may be wrong with one is its failure, and the others go on."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import cv2

from mtdepth.files import DataError, UserError, disk_error

Result = TypeVar("Result")

# What a frame's files can do wrong. Anything else is a fault of the program and ends it.
FRAME_ERRORS = (DataError, OSError, UserError, MemoryError, cv2.error)
FILE_ERRORS = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


@dataclasses.dataclass(frozen=True)
class Failed:
    """Why a frame has no result.

    Attributes:
      why: The reason, for people.
      may_pass: Whether the frame may be all right: a process died, or a disk or network failed.
    """

    why: str
    may_pass: bool = False


def attempt(function: Callable[..., Result], *arguments: Any) -> Result | Failed:
    """A frame's result, or why it has none.

    Raises:
      OSError: If the disk takes no more, which every later frame would meet as well.
    """
    try:
        return function(*arguments)
    except FRAME_ERRORS as error:
        if disk_error(error) is not None:
            raise
        may_pass = isinstance(error, OSError | MemoryError) and not isinstance(error, FILE_ERRORS)
        why = f"no memory left {error}".rstrip() if isinstance(error, MemoryError) else str(error)
        return Failed(why, may_pass=may_pass)
