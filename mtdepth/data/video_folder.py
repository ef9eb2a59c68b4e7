"""Pictures in folders as shots: which number each frame has, told from the names.

Names that end in numbers are numbered by them, so that a lost frame is a gap. A constant step
(every fifth frame kept) and time stamps are understood: what follows after the usual step is the
next frame. Names without numbers, or with the same one, count in the order of a file manager.
"""

import itertools
import re
from pathlib import Path

import numpy as np
from absl import logging

from mtdepth.files import visible_files
from mtdepth.pictures import is_picture, pictures_in

# As robots' recorders name frames: `1305031102.175304`. The fraction alone is in no order.
_SECONDS = re.compile(r"([0-9]+)\.([0-9]{1,9})")


def picture_folders(root: Path) -> list[Path]:
    """Returns the folders at and below `root` that hold pictures, sorted; hidden ones not."""
    folders = {path.parent for path in visible_files(root, "**/*") if is_picture(path)}
    return sorted(
        folder
        for folder in folders
        if not any(part.startswith(".") for part in folder.relative_to(root).parts)
    )


def read_folder(folder: Path) -> dict[int, Path]:
    """Numbers the pictures of a folder in the order they were taken.

    Args:
      folder: Holds at least one picture.

    Returns:
      The picture of each number, ascending; a jump is a gap in time.
    """
    paths = sorted(pictures_in(folder), key=_natural_key)
    stamps = [_last_number(path.stem) for path in paths]
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) < len(paths) or len(set(known)) < len(paths):
        return dict(enumerate(paths))
    order = np.argsort(known, kind="stable")
    numbers, step = frame_numbers([known[place] for place in order])
    if step != 1:
        logging.info("%s: names %d apart are taken as neighbours in time", folder, step)
    return {number: paths[place] for number, place in zip(numbers, order, strict=True)}


def frame_numbers(stamps: list[int]) -> tuple[list[int], int]:
    """Turns the numbers of file names into frame numbers that are one apart in time.

    Args:
      stamps: Ascending and different: counts, every n-th count, or time stamps.

    Returns:
      The frame numbers, and the usual step between the stamps (1 for a single frame). Counts whose
      usual step is 1 stay as they are.
    """
    steps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
    usual = sorted(steps)[len(steps) // 2] if steps else 1
    if usual == 1:
        return stamps, 1
    numbers = [0]
    for step in steps:
        # In integers: time stamps in nanoseconds exceed what a float holds.
        numbers.append(numbers[-1] + max(1, (2 * step + usual) // (2 * usual)))
    return numbers, usual


def _last_number(stem: str) -> int | None:
    if seconds := _SECONDS.fullmatch(stem):
        return int(seconds[1] + seconds[2].ljust(9, "0"))  # nanoseconds
    match = re.search(r"([0-9]+)$", stem)
    return int(match[1]) if match else None


def _natural_key(path: Path) -> list[tuple[int, str]]:
    """Sorts `frame9` before `frame10`."""
    words = re.split(r"([0-9]+)", path.name)
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]
