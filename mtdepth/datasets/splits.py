"""Which frames are for training, which for testing."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from mtdepth.datasets.eigen_test_table import EIGEN_TEST_TABLE
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.recordings import Recordings
from mtdepth.datasets.rig_folder import RigFolder
from mtdepth.files import DataError

Frame = TypeVar("Frame")

SPLIT_NAMES = ("eigen_test", "eigen_train", "all")
RIG_SPLIT_NAMES = ("train", "val", "all")
_KITTI_LINE = "2011_09_26/2011_09_26_drive_0001_sync 0000000005 l"
_RIG_LINE = "garden_1 0000000005 l"
_RIG_VAL_SHARE = 0.2  # ours: of the drives, since neighbouring frames of one drive look alike

# Every synchronised drive that KITTI publishes (raw_data_downloader.sh of its web page).
_DRIVE_NUMBERS = {
    "2011_09_26": """
        1 2 5 9 11 13 14 15 17 18 19 20 22 23 27 28 29 32 35 36 39 46 48 51 52 56 57 59 60 61 64 70
        79 84 86 87 91 93 95 96 101 104 106 113 117 119""",
    "2011_09_28": """
        1 2 16 21 34 35 37 38 39 43 45 47 53 54 57 65 66 68 70 71 75 77 78 80 82 86 87 89 90 94 95
        96 98 100 102 103 104 106 108 110 113 117 119 121 122 125 126 128 132 134 135 136 138 141
        143 145 146 149 153 154 155 156 160 161 162 165 166 167 168 171 174 177 179 183 184 185 186
        187 191 192 195 198 199 201 204 205 208 209 214 216 220 222 225""",
    "2011_09_29": "4 26 71 108",
    "2011_09_30": "16 18 20 27 28 33 34 72",
    "2011_10_03": "27 34 42 47 58",
}


def _drive(date: str, number: int) -> str:
    return f"{date}_drive_{number:04d}_sync"


KITTI_DRIVES: frozenset[str] = frozenset(
    _drive(date, int(number))
    for date, numbers in _DRIVE_NUMBERS.items()
    for number in numbers.split()
)
"""The 156 drives that exist. A drive of another number is somebody's own."""

CALIBRATION_DRIVES: frozenset[str] = frozenset(
    (
        "2011_09_26_drive_0119_sync",
        "2011_09_28_drive_0225_sync",
        "2011_09_29_drive_0108_sync",
        "2011_09_30_drive_0072_sync",
        "2011_10_03_drive_0058_sync",
    )
)
"""Recordings of checkerboards in a hall, without laser scans, one in each date."""


def eigen_test_frames() -> list[FrameId]:
    """Returns the 697 test frames of Eigen et al. 2014, in the published order."""
    frames = []
    drive = ""
    for word in EIGEN_TEST_TABLE.split():
        if word.isdigit():
            frames.append(FrameId(drive, int(word), "l"))
        else:
            drive = word
    return frames


EIGEN_TEST_DRIVES: frozenset[str] = frozenset(frame.drive for frame in eigen_test_frames())
"""The 28 drives whose other frames look like the test frames, so none of them may be trained on."""


def eigen_train_frames(raw: Recordings) -> list[FrameId]:
    """Returns the Eigen training side of what is on disk: both cameras, sorted.

    KITTI's own drives without the 28 test drives and without the checkerboard recordings. A drive
    whose number KITTI does not have is left out, since it may be a test drive under another name.
    (Eigen's own side is the 33 of these of the categories city, residential and road; drives of
    the categories campus and person take part if they were downloaded.)
    """
    is_training = KITTI_DRIVES - EIGEN_TEST_DRIVES - CALIBRATION_DRIVES
    return _frames_of(raw, [drive for drive in raw.drives() if drive in is_training])


def all_frames(raw: Recordings) -> list[FrameId]:
    """Returns every frame on disk, whatever its drive's number: both cameras, sorted."""
    return _frames_of(raw, raw.drives())


def read_frame_list(path: Path) -> list[FrameId]:
    """Reads a list file, one frame a line as `FrameId.parse` takes it, in the file's order.

    Blank lines and what follows a `#` are skipped.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If a line has another form; names the line.
    """
    return [_parsed(path, number, text) for number, text in lines_of_list(path)]


def lines_of_list(path: Path) -> list[tuple[int, str]]:
    """Returns the lines of a list file that say something, with their numbers from 1.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is not text.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(path, f"a list of frames is a text file ({error})") from error
    lines = ((number, line.partition("#")[0].strip()) for number, line in _numbered(content))
    return [(number, text) for number, text in lines if text]


def rig_frames(raw: RigFolder, part: str) -> list[FrameId]:
    """Returns another rig's `train` or `val` side: both cameras, sorted.

    Whole drives are held out: of the drives in the order of their names the last fifth, at least
    one, is `val`.

    Raises:
      ValueError: If there is one drive only.
    """
    drives = raw.drives()
    if len(drives) < 2:
        raise ValueError(
            f"{raw.root} has one drive, {drives[0]}, so there is nothing to hold out: take `all`, "
            "put part of the recording into a drive of its own, or write two lists"
        )
    num_train = len(drives) - max(1, round(_RIG_VAL_SHARE * len(drives)))
    return _frames_of(raw, drives[:num_train] if part == "train" else drives[num_train:])


def resolve_split(raw: Recordings, split: str) -> list[FrameId]:
    """Returns the frames that a name or a list file stands for.

    Args:
      raw: The recordings.
      split: `eigen_test` (the published 697, on disk or not) and `eigen_train` of KITTI, `train`
        and `val` of another rig (`rig_frames`), `all` (what is on disk), or the path of a list
        file; a relative path is tried as given, then below the root of the recordings. Frames of
        a list need not be on disk; one named twice is taken once.

    Raises:
      FileNotFoundError: If it is neither a name nor a file.
      DataError: If the list has a line of another form.
      ValueError: If the split has no frame, or is one of another kind of recordings.
    """
    if split == "all":
        frames, source = all_frames(raw), f"all below {raw.root}"
    elif isinstance(raw, RigFolder) and split in RIG_SPLIT_NAMES:
        frames, source = rig_frames(raw, split), f"{split} below {raw.root}"
    elif isinstance(raw, RigFolder) and split in SPLIT_NAMES:
        raise ValueError(
            f"{split} is of KITTI's drives; for {raw.root} take {', '.join(RIG_SPLIT_NAMES)} or a "
            "list file"
        )
    elif split == "eigen_test":
        return eigen_test_frames()
    elif split == "eigen_train":
        frames, source = eigen_train_frames(raw), f"eigen_train below {raw.root}"
    else:
        path = _list_path(raw, split)
        # A dictionary keeps the list's order.
        frames, source = list(dict.fromkeys(read_frame_list(path))), str(path)
    if not frames:
        raise ValueError(f"the split {source} has no frame; {_hint(raw, split)}")
    return frames


def _names(raw: Recordings) -> tuple[str, ...]:
    return RIG_SPLIT_NAMES if isinstance(raw, RigFolder) else SPLIT_NAMES


def _hint(raw: Recordings, split: str) -> str:
    if split not in _names(raw):
        line = _RIG_LINE if isinstance(raw, RigFolder) else _KITTI_LINE
        return f"write one frame a line, `{line}`"
    if split == "eigen_train":
        return (
            f"of the drives there ({', '.join(raw.drives()[:5]) or 'none'}) none is a KITTI drive "
            "of the training side; for recordings of your own take `all` or a list file"
        )
    if isinstance(raw, RigFolder):
        return "its drives have no picture in left or right"
    return "no drive there has a picture in image_02/data or image_03/data"


def _list_path(raw: Recordings, split: str) -> Path:
    candidates = list(dict.fromkeys((Path(split), raw.root / split)))
    for path in candidates:
        if path.is_file():
            return path
    tried = " and ".join(str(path) for path in candidates)
    raise FileNotFoundError(
        f"no split {split!r}: it is neither one of {', '.join(_names(raw))} nor a list file "
        f"(tried {tried})"
    )


def _parsed(path: Path, number: int, text: str) -> FrameId:
    try:
        return FrameId.parse(text)
    except ValueError as error:
        raise DataError(path, f"line {number}: {error}") from error


def _numbered(content: str) -> Iterable[tuple[int, str]]:
    return enumerate(content.splitlines(), start=1)


def _frames_of(raw: Recordings, drives: Iterable[str]) -> list[FrameId]:
    return sorted(
        frame for drive in drives for side in ("l", "r") for frame in raw.frames_of(drive, side)
    )


def evenly_spaced(frames: Sequence[Frame], *, number: int) -> list[Frame]:
    """Picks at most `number` different frames, spread over the list in its order."""
    number = min(number, len(frames))
    return [frames[(2 * index + 1) * len(frames) // (2 * number)] for index in range(number)]
