"""Names of frames, and the files that belong to them in KITTI's raw layout."""

import dataclasses
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import DOWNLOAD_PAGE, Side, StereoRig, check_side, read_rig
from mtdepth.defaults import RIG_FILE
from mtdepth.files import DataError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import PICTURE_SUFFIXES, read_rgb

# The first that exists is taken: png is what KITTI publishes, jpg what people shrink it to.
CAMERA_OF_SIDE: dict[Side, str] = {"l": "image_02", "r": "image_03"}

_DATE = re.compile(r"\d{4}_\d{2}_\d{2}")
_DRIVE = re.compile(r"\d{4}_\d{2}_\d{2}_drive_\d{4}_sync")
# Folders of other rigs. A bare number is an odometry list's sequence, and what begins like one of
# KITTI's drives is one misspelt.
_OTHER_DRIVE = re.compile(r"(?!\d+$)(?!\d{4}_\d{2}_\d{2}_drive)[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FORM = "a frame is written `2011_09_26/2011_09_26_drive_0001_sync 0000000005 l`"
_LAYOUT = "<root>/2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png"


@dataclasses.dataclass(frozen=True, order=True)
class FrameId:
    """One picture of one camera of a drive. Sorted by drive, index, then side.

    Attributes:
      drive: `2011_09_26_drive_0001_sync`, or the folder of another rig's drive: letters, digits,
        `_`, `-` and `.`, not a bare number.
      index: Frame number, from 0.
      side: `l` (left, KITTI's image_02) or `r` (right, image_03).

    Raises:
      ValueError: If one of them has another form.
    """

    drive: str
    index: int
    side: Side = "l"

    def __post_init__(self) -> None:
        """Rejects a name that no tree could hold."""
        check_drive(self.drive)
        if self.index < 0 or (self.date and self.index >= 10**10):
            raise ValueError(f"a frame number has at most ten digits, got {self.index}")
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
          ValueError: If the line has another form.
        """
        words = line.split()
        if len(words) != 3 or not re.fullmatch(r"[0-9]+", words[1]):
            raise ValueError(f"{_FORM}, got {line.strip()!r}")
        try:
            frame = cls(words[0].rpartition("/")[2], int(words[1]), cast(Side, words[2]))
        except ValueError as error:
            raise ValueError(f"{_FORM}, got {line.strip()!r}: {error}") from error
        if frame.folder != words[0]:
            why = f"this drive is written {frame.folder}"
            raise ValueError(f"{_FORM}, got {line.strip()!r}: {why}")
        return frame


def is_kitti_drive(drive: str) -> bool:
    """Whether a name has the form of KITTI's synchronised, rectified drives."""
    return _DRIVE.fullmatch(drive) is not None


def check_drive(drive: str) -> str:
    """Returns `drive`.

    Raises:
      ValueError: If no drive is named so.
    """
    if not (is_kitti_drive(drive) or _OTHER_DRIVE.fullmatch(drive)):
        raise ValueError(
            "a drive is named like 2011_09_26_drive_0001_sync, or, of another rig, by letters, "
            f"digits, '_', '-' and '.' that are not all digits; got {drive!r}"
        )
    return drive


class KittiRaw:
    """A folder in KITTI's raw layout, `<root>/<date>/<drive>/image_02/data/0000000000.png`.

    Raises:
      FileNotFoundError: If the folder is missing or holds no date folder.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._rig_of_date: dict[str, StereoRig] = {}
        if not self.root.is_dir():
            raise FileNotFoundError(
                f"{self.root}: no such folder; it should be the root of KITTI raw recordings, "
                f"laid out as {_LAYOUT} ({DOWNLOAD_PAGE}), or of another rig's, with its {RIG_FILE}"
            )
        if not self._dates():
            raise FileNotFoundError(
                f"{self.root}: holds no date folder such as 2011_09_26, so it is not the root of "
                f"KITTI raw recordings, which are laid out as {_LAYOUT}; is it one folder up or "
                f"down? Recordings of another rig have a {RIG_FILE} there"
            )

    def drive_dir(self, drive: str) -> Path:
        """Returns the folder of a drive, present or not."""
        return self.root / (drive[:10] if is_kitti_drive(drive) else "") / drive

    def image_path(self, frame: FrameId) -> Path:
        """Finds the picture of a frame, as png or jpg.

        Raises:
          FileNotFoundError: If there is none; names the paths tried.
        """
        folder = self._data_dir(frame, frame.camera)
        remedy = f"{frame.drive}.zip holds both cameras: download it again from {DOWNLOAD_PAGE}"
        if not frame.date:
            remedy = f"this is no drive of KITTI's; the root of another rig has a {RIG_FILE}"
        elif not self.drive_dir(frame.drive).is_dir():
            remedy = f"the whole drive is missing: download {frame.drive}.zip from {DOWNLOAD_PAGE}"
        eye = "left" if frame.side == "l" else "right"
        return find_image(folder, frame.name, what=f"{eye} image of frame {frame}", remedy=remedy)

    def velodyne_path(self, frame: FrameId) -> Path:
        """Returns where the frame's laser scan lies; the file may be absent."""
        return self._data_dir(frame, "velodyne_points") / f"{frame.name}.bin"

    def oxts_path(self, frame: FrameId) -> Path:
        """Returns where the frame's GPS/IMU packet lies; the file may be absent."""
        return self._data_dir(frame, "oxts") / f"{frame.name}.txt"

    def drives(self) -> list[str]:
        """Returns every drive on disk, whatever its number, sorted."""
        return sorted(
            folder.name
            for date in self._dates()
            for folder in date.iterdir()
            if _DRIVE.fullmatch(folder.name)
            and folder.name.startswith(date.name)
            and folder.is_dir()
        )

    def frames_of(self, drive: str, side: Side = "l") -> list[FrameId]:
        """Returns the frames of one camera of a drive that have a picture, sorted.

        Raises:
          FileNotFoundError: If the drive is not on disk.
        """
        if not self.drive_dir(drive).is_dir():
            raise FileNotFoundError(
                f"{self.drive_dir(drive)}: no such drive; download {drive}.zip from {DOWNLOAD_PAGE}"
            )
        folder = self.drive_dir(drive) / CAMERA_OF_SIDE[check_side(side)] / "data"
        return [FrameId(drive, index, side) for index in image_indices(folder, num_digits=10)]

    def neighbour(self, frame: FrameId, offset: int) -> FrameId | None:
        """Returns the frame `offset` frames later (earlier if negative) where it has a picture."""
        if frame.index + offset < 0:
            return None
        other = dataclasses.replace(frame, index=frame.index + offset)
        folder = self._data_dir(other, other.camera)
        return other if _existing_image(image_candidates(folder, other.name)) else None

    def read_image(self, frame: FrameId) -> npt.NDArray[np.uint8]:
        """Reads a picture as `[height, width, 3]` RGB.

        Raises:
          FileNotFoundError: If there is none.
          DataError: If it is damaged.
        """
        return read_rgb(self.image_path(frame))

    def calibration(self, date: str) -> StereoRig:
        """Returns the rig of a recording date; read once.

        Raises:
          FileNotFoundError: If a calibration file is missing.
          DataError: If one is damaged.
        """
        if date not in self._rig_of_date:
            self._rig_of_date[date] = read_rig(self.root / date)
        return self._rig_of_date[date]

    def rig(self, frame: FrameId) -> StereoRig:
        """Returns the rig that took a frame: that of its date.

        Raises:
          FileNotFoundError: If a calibration file is missing.
          DataError: If one is damaged.
        """
        return self.calibration(frame.date)

    def camera(self, frame: FrameId, *, size: tuple[int, int]) -> Intrinsics:
        """Returns the rectified camera of a frame's picture, which may have been shrunk.

        Args:
          frame: The frame.
          size: (height, width) of its picture.

        Raises:
          FileNotFoundError: If a calibration file is missing.
          DataError: If one is damaged, or the picture is a cropped one.
        """
        return picture_camera(self.rig(frame), frame, size=size, path=self.image_path)

    def _dates(self) -> list[Path]:
        return sorted(
            folder
            for folder in self.root.iterdir()
            if _DATE.fullmatch(folder.name) and folder.is_dir()
        )

    def _data_dir(self, frame: FrameId, sensor: str) -> Path:
        return self.drive_dir(frame.drive) / sensor / "data"


def picture_camera(
    rig: StereoRig,
    frame: FrameId,
    *,
    size: tuple[int, int],
    path: Callable[[FrameId], Path],
) -> Intrinsics:
    """Returns `StereoRig.camera` of a frame's picture.

    Args:
      rig: What took it.
      frame: The frame.
      size: (height, width) of its picture.
      path: Finds the picture, for the message.

    Raises:
      DataError: If the picture is a cropped one; names it.
    """
    try:
        return rig.camera(frame.side, size=size)
    except ValueError as error:
        raise DataError(path(frame), str(error)) from error


def image_candidates(folder: Path, stem: str) -> list[Path]:
    """Returns the paths a picture may have, in the order they are tried."""
    return [folder / f"{stem}{suffix}" for suffix in PICTURE_SUFFIXES]


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
    candidates = image_candidates(folder, stem)
    path = _existing_image(candidates)
    if path is None:
        names = ", ".join(candidate.name for candidate in candidates)
        raise FileNotFoundError(f"no {what}: none of {names} is in {folder}; {remedy}")
    return path


def image_indices(folder: Path, *, num_digits: int) -> list[int]:
    """Returns the frame numbers that have a picture in a folder, sorted; none if it is absent."""
    if not folder.is_dir():
        return []
    pattern = re.compile(rf"([0-9]{{{num_digits}}})({'|'.join(map(re.escape, PICTURE_SUFFIXES))})")
    matches = (pattern.fullmatch(path.name) for path in folder.iterdir())
    return sorted({int(match.group(1)) for match in matches if match})


def _existing_image(candidates: Iterable[Path]) -> Path | None:
    return next((path for path in candidates if path.is_file()), None)
