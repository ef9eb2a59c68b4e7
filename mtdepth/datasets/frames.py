"""Names of frames, and the files of a folder that are named by a frame number."""

import dataclasses
import re
from pathlib import Path
from typing import cast

from mtdepth.datasets.calibration import Side, check_side
from mtdepth.files import DataError, UserError
from mtdepth.pictures import PICTURE_SUFFIXES

# The first that exists is taken: png is what KITTI publishes, jpg what people shrink it to.
CAMERA_OF_SIDE: dict[Side, str] = {"l": "image_02", "r": "image_03"}

_DRIVE = re.compile(r"\d{4}_\d{2}_\d{2}_drive_\d{4}_sync")
# Folders of other rigs. A bare number is an odometry list's sequence, and what begins like one of
# KITTI's drives is one misspelt.
_OTHER_DRIVE = re.compile(r"(?!\d+$)(?!\d{4}_\d{2}_\d{2}_drive)[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FORM = "a frame is written by its drive, its number and l or r"


@dataclasses.dataclass(frozen=True, order=True)
class FrameId:
    """One picture of one camera of a drive. Sorted by drive, index, then side.

    Attributes:
      drive: `2011_09_26_drive_0001_sync`, or the folder of another rig's drive: letters, digits,
        `_`, `-` and `.`, not a bare number.
      index: Frame number, from 0.
      side: `l` (left, KITTI's image_02) or `r` (right, image_03).

    Raises:
      UserError: If one of them has another form.
    """

    drive: str
    index: int
    side: Side = "l"

    def __post_init__(self) -> None:
        """Rejects a name that no tree could hold."""
        check_drive(self.drive)
        if self.index < 0 or (self.date and self.index >= 10**10):
            raise UserError(f"a frame number has at most ten digits, got {self.index}")
        check_side(self.side)

    @property
    def date(self) -> str:
        """The recording date of one of KITTI's drives, `2011_09_26`; empty for another rig's."""
        return self.drive[:10] if is_kitti_drive(self.drive) else ""

    @property
    def folder(self) -> str:
        """The drive as lists name it and as KITTI lays it out: `<date>/<drive>`, else `<drive>`."""
        return f"{self.date}/{self.drive}" if self.date else self.drive

    @property
    def camera(self) -> str:
        """The camera as KITTI, label stores and predictions call it: `image_02` or `image_03`."""
        return CAMERA_OF_SIDE[self.side]

    @property
    def name(self) -> str:
        """The frame number with ten digits, as KITTI's files and ours spell it: `0000000005`."""
        return f"{self.index:010d}"

    @property
    def other_side(self) -> "FrameId":
        """The same moment seen by the other camera, present or not."""
        return dataclasses.replace(self, side="r" if self.side == "l" else "l")

    def __str__(self) -> str:
        """The frame as a line of a list file: `<date>/<drive> 0000000005 l`."""
        return f"{self.folder} {self.name} {self.side}"

    @classmethod
    def parse(cls, line: str) -> "FrameId":
        """Reads a line of a list file, `2011_09_26/2011_09_26_drive_0001_sync 5 l`.

        The frame number may have leading zeros. A drive of another rig stands without a date:
        `garden_1 5 l`.

        Raises:
          UserError: If the line has another form.
        """
        words = line.split()
        if len(words) != 3 or not re.fullmatch(r"[0-9]+", words[1]):
            raise UserError(f"{_FORM}, got {line.strip()!r}")
        try:
            frame = cls(words[0].rpartition("/")[2], int(words[1]), cast(Side, words[2]))
        except ValueError as error:
            raise UserError(f"{_FORM}, got {line.strip()!r}: {error}") from error
        if frame.folder != words[0]:
            why = f"this drive is written {frame.folder}"
            raise UserError(f"{_FORM}, got {line.strip()!r}: {why}")
        return frame


def is_kitti_drive(drive: str) -> bool:
    """Whether a name has the form of KITTI's synchronised, rectified drives."""
    return _DRIVE.fullmatch(drive) is not None


def check_drive(drive: str) -> str:
    """Returns `drive`.

    Raises:
      UserError: If no drive is named so.
    """
    if not (is_kitti_drive(drive) or _OTHER_DRIVE.fullmatch(drive)):
        raise UserError(
            "a drive is named like 2011_09_26_drive_0001_sync, or, of another rig, by letters, "
            f"digits, '_', '-' and '.' that are not all digits; got {drive!r}"
        )
    return drive


def numbered_files(
    folder: Path, suffixes: tuple[str, ...], *, num_digits: int | None = None
) -> dict[int, Path]:
    """Finds the files of a folder that are named by a frame number, in the numbers' order.

    Args:
      folder: May be absent.
      suffixes: Of the files looked for, in small letters, which stand for large ones too; of two
        with one name the earlier suffix wins. Other files and hidden ones are passed over.
      num_digits: Of every name: files of other names are passed over as well. None for any, as
        long as each file has a number of its own.

    Raises:
      DataError: If `num_digits` is None and such a file is not named by a number, or two different
        names give one number.
    """
    found: dict[int, Path] = {}
    paths = folder.iterdir() if folder.is_dir() else ()
    ranks = {suffix: rank for rank, suffix in enumerate(suffixes)}
    shown = (path for path in paths if not path.name.startswith("."))
    wanted = [(ranks[path.suffix.lower()], path) for path in shown if path.suffix.lower() in ranks]
    for _, path in sorted(wanted):
        is_number = re.fullmatch(r"[0-9]+", path.stem) is not None
        if num_digits is not None:
            if is_number and len(path.stem) == num_digits:
                found.setdefault(int(path.stem), path)
            continue
        if not is_number:
            raise DataError(path, f"frames are named by their number, 000005{path.suffix}")
        known = found.setdefault(int(path.stem), path)
        if known.stem != path.stem:
            raise DataError(path, f"is frame {int(path.stem)}, and so is {known.name}; remove one")
    return dict(sorted(found.items()))


def find_image(folder: Path, stem: str, *, what: str, remedy: str) -> Path:
    """Finds a picture whose suffix is not known; png wins over jpg.

    Args:
      folder: Where it lies.
      stem: Its name without suffix.
      what: What it is, for the message.
      remedy: What to do when it is missing, for the message.

    Raises:
      FileNotFoundError: If there is none.
    """
    for suffix in PICTURE_SUFFIXES:
        for name in (f"{stem}{suffix}", f"{stem}{suffix.upper()}"):
            if (folder / name).is_file():
                return folder / name
    names = ", ".join(f"{stem}{suffix}" for suffix in PICTURE_SUFFIXES)
    raise FileNotFoundError(f"no {what}: none of {names} is in {folder}; {remedy}")
