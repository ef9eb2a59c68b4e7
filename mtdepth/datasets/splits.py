"""Which frames are for training, which for testing."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.readers import READERS
from mtdepth.datasets.recordings import Recordings
from mtdepth.files import DataError, UserError, read_text

Frame = TypeVar("Frame")
Line = TypeVar("Line")


def resolve_split(raw: Recordings, split: str) -> list[FrameId]:
    """Returns the frames that a name or a list file stands for.

    Args:
      raw: The recordings.
      split: One of their layout's own (`Recordings.split`), `all` (what is on disk), or the path
        of a list file; a relative path is tried as given, then below the root of the recordings.
        Frames of a list need not be on disk; one named twice is taken once.

    Raises:
      FileNotFoundError: If it is neither a name nor a file.
      DataError: If the list has a line of another form.
      ValueError: If the split has no frame, or is one of another layout.
    """
    layout = raw.layout
    names = (*layout.split_names, "all")
    paths = (Path(split), raw.root / split)
    if split in layout.split_names:
        frames, source = raw.split(split), f"{split} below {raw.root}"
    elif split == "all":
        frames, source = raw.all_frames(), f"all below {raw.root}"
    elif found := [path for path in paths if path.is_file()]:
        # A dictionary keeps the list's order.
        try:
            frames, source = list(dict.fromkeys(read_frame_list(found[0]))), str(found[0])
        except DataError as error:
            raise DataError(error.path, f"{error.why}; here `{layout.list_line}`") from error
    else:
        for reader in READERS:
            if split in reader.layout.split_names:
                raise UserError(
                    f"{split} is of {reader.layout.title}; for {raw.root} take {', '.join(names)} "
                    "or a list file"
                )
        tried = " and ".join(map(str, dict.fromkeys(paths)))
        raise FileNotFoundError(
            f"no split {split!r}: it is neither one of {', '.join(names)} nor a list file "
            f"(tried {tried})"
        )
    if not frames:
        hint = f"no drive there has a picture in {' or '.join(layout.camera_folders.values())}"
        if split not in names:
            hint = f"write one frame a line, `{layout.list_line}`"
        raise UserError(f"the split {source} has no frame; {hint}")
    return frames


def read_frame_list(path: Path) -> list[FrameId]:
    """Reads a list file, one frame a line as `FrameId.parse` takes it, in the file's order.

    Blank lines and what follows a `#` are skipped.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If a line has another form; names the line.
    """
    return read_list(path, FrameId.parse)


def read_list(path: Path, parse: Callable[[str], Line]) -> list[Line]:
    """Reads a list file, one thing a line; blank lines and what follows a `#` are skipped.

    Args:
      path: The file.
      parse: From a line to what it stands for; raises ValueError on another form.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is not text, or a line has another form; names the line.
    """
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if text := line.partition("#")[0].strip():
            try:
                found.append(parse(text))
            except ValueError as error:
                raise DataError(path, f"line {number}: {error}") from error
    return found


def evenly_spaced(frames: Sequence[Frame], *, number: int) -> list[Frame]:
    """Picks at most `number` different frames, spread over the list in its order."""
    number = min(number, len(frames))
    return [frames[(2 * index + 1) * len(frames) // (2 * number)] for index in range(number)]
