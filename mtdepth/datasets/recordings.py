"""Recordings, whatever their layout: what every program reads frames through.

A reader (`kitti_raw.py`, `rig_folder.py`) says where its layout keeps things; how frames are found,
ordered and read is written here once.
"""

import abc
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import Side, StereoRig, check_side
from mtdepth.datasets.frames import FrameId, numbered_files
from mtdepth.datasets.lidar import read_velodyne
from mtdepth.files import DataError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import PICTURE_SUFFIXES, read_rgb

ROOT_VARIABLE = "MTDEPTH_KITTI_ROOT"  # the environment's: where recordings are, of any layout
LIDAR_SUFFIX = ".bin"
SIDES: tuple[Side, ...] = ("l", "r")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """What one kind of recordings calls things, and where it keeps them.

    Attributes:
      title: Whose recordings these are, for messages: "KITTI's drives".
      example: Where a picture lies, for messages.
      list_line: A line of a list file, for messages.
      camera_folders: Of the pictures of each side, below a drive.
      lidar_folder: Of the sweeps, below a drive.
      split_names: What `Recordings.split` takes.
      default_splits: The split that programs take unasked, of the parts `train` and `val`.
      num_digits: Of the frame number in a file's name, other names being passed over; None for
        any number of digits, other names being refused.
      lidar_z_is_up: Whether the scanner's axes are known to be x forward, y left, z up.
      has_dates: Whether drives lie in folders of their date, which hold the calibration.
      timed_sensors: Folders of a drive that hold a `timestamps.txt`.
    """

    title: str
    example: str
    list_line: str
    camera_folders: Mapping[Side, str]
    lidar_folder: str
    split_names: tuple[str, ...]
    default_splits: Mapping[str, str]
    num_digits: int | None = None
    lidar_z_is_up: bool = False
    has_dates: bool = False
    timed_sensors: tuple[str, ...] = ()


class Recordings(abc.ABC):
    """A tree of drives of one rectified rig, or of one rig a date.

    Folders are listed once, so a reader sees the files that were there when it first looked.

    Attributes:
      layout: What it calls things.
      root: The tree.
    """

    layout: ClassVar[Layout]

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._files: dict[tuple[str, str], dict[int, Path]] = {}

    @classmethod
    @abc.abstractmethod
    def is_root(cls, root: Path) -> bool:
        """Whether a folder is the root of such recordings."""

    @abc.abstractmethod
    def drives(self) -> list[str]:
        """Every drive on disk, sorted."""

    @abc.abstractmethod
    def drive_dir(self, drive: str) -> Path:
        """The folder of a drive, present or not."""

    @abc.abstractmethod
    def rig(self, frame: FrameId) -> StereoRig:
        """The rig that took a frame; read once.

        Raises:
          FileNotFoundError: If a calibration file is missing.
          DataError: If one is damaged.
        """

    @abc.abstractmethod
    def calibration_files(self, drive: str) -> list[Path]:
        """The files that `rig` needs for a drive's frames, present or not."""

    @abc.abstractmethod
    def split(self, name: str) -> list[FrameId]:
        """The frames of one of the layout's own splits.

        Raises:
          ValueError: If it has no frame here.
        """

    @abc.abstractmethod
    def _remedy(self, drive: str) -> str:
        """What to do where a drive, or a picture of it, is missing."""

    def frames_of(self, drive: str, side: Side = "l") -> list[FrameId]:
        """The frames of one camera of a drive that have a picture, sorted.

        Raises:
          FileNotFoundError: If the drive is not on disk.
          DataError: If the layout refuses the name of a picture.
        """
        if not self.drive_dir(drive).is_dir():
            raise FileNotFoundError(f"{self.drive_dir(drive)}: no such drive{self._remedy(drive)}")
        return [FrameId(drive, index, side) for index in self._pictures(drive, side)]

    def all_frames(self, drives: Iterable[str] | None = None) -> list[FrameId]:
        """Every frame of some drives, by default of all: both cameras, sorted."""
        drives = self.drives() if drives is None else drives
        return sorted(
            frame for drive in drives for side in SIDES for frame in self.frames_of(drive, side)
        )

    def image_path(self, frame: FrameId) -> Path:
        """The picture of a frame; png wins over jpg.

        Raises:
          FileNotFoundError: If there is none.
          DataError: If the layout refuses the name of a picture.
        """
        path = self._pictures(frame.drive, frame.side).get(frame.index)
        if path is None or not path.is_file():  # a broken link, or a folder
            folder = self.drive_dir(frame.drive) / self.layout.camera_folders[frame.side]
            number = f"{frame.index:0{self.layout.num_digits or 0}d}"
            eye = "left" if frame.side == "l" else "right"
            raise FileNotFoundError(
                f"no {eye} image of frame {frame}: {folder} has no number {number} "
                f"({', '.join(PICTURE_SUFFIXES)}){self._remedy(frame.drive)}"
            )
        return path

    def read_image(self, frame: FrameId) -> npt.NDArray[np.uint8]:
        """The picture of a frame, `[height, width, 3]` RGB.

        Raises:
          FileNotFoundError: If there is none.
          DataError: If it is damaged.
        """
        return read_rgb(self.image_path(frame))

    def velodyne_path(self, frame: FrameId) -> Path:
        """Where the frame's laser scan lies; the file may be absent.

        Raises:
          DataError: If the layout refuses the name of a sweep.
        """
        folder = self.layout.lidar_folder
        sweeps = self._numbered(frame.drive, folder, (LIDAR_SUFFIX,))
        absent = self.drive_dir(frame.drive) / folder / f"{frame.name}{LIDAR_SUFFIX}"
        return sweeps.get(frame.index, absent)

    def read_sweep(self, frame: FrameId) -> npt.NDArray[np.float32]:
        """The frame's laser scan, `[points, 4]`; raises as `read_velodyne`."""
        return read_velodyne(self.velodyne_path(frame), z_is_up=self.layout.lidar_z_is_up)

    def oxts_path(self, frame: FrameId) -> Path | None:
        """Where the frame's GPS/IMU packet lies, present or not; None where a layout has none."""
        del frame
        return None

    def camera(self, frame: FrameId, *, size: tuple[int, int]) -> Intrinsics:
        """The rectified camera of a frame's picture, which may have been shrunk.

        Args:
          frame: The frame.
          size: (height, width) of its picture.

        Raises:
          FileNotFoundError: If a calibration file is missing.
          DataError: If one is damaged, or the picture is a cropped one.
        """
        rig = self.rig(frame)
        try:
            return rig.camera(frame.side, size=size)
        except ValueError as error:
            raise DataError(self.image_path(frame), str(error)) from error

    def _pictures(self, drive: str, side: Side) -> Mapping[int, Path]:
        folder = self.layout.camera_folders[check_side(side)]
        return self._numbered(drive, folder, PICTURE_SUFFIXES)

    def _numbered(self, drive: str, folder: str, suffixes: Sequence[str]) -> Mapping[int, Path]:
        if (drive, folder) not in self._files:
            self._files[drive, folder] = numbered_files(
                self.drive_dir(drive) / folder, tuple(suffixes), num_digits=self.layout.num_digits
            )
        return self._files[drive, folder]
