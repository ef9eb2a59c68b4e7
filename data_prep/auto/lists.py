"""The lists of frames that the way was planned with, kept for as long as it lasts."""

from collections.abc import Mapping
from pathlib import Path

from mtdepth.files import UserError, is_there, read_text, write_text


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
