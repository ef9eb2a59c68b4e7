"""Recordings, whatever their layout: what every program reads frames through."""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import Side, StereoRig
from mtdepth.datasets.frames import FrameId, KittiRaw
from mtdepth.datasets.rig_folder import RigFolder
from mtdepth.defaults import RIG_FILE
from mtdepth.geometry.camera import Intrinsics


class Recordings(Protocol):
    """A tree of drives of a rectified stereo rig; `KittiRaw` and `RigFolder` are such."""

    root: Path

    def drives(self) -> list[str]:
        """Every drive on disk, sorted."""

    def frames_of(self, drive: str, side: Side = "l") -> list[FrameId]:
        """The frames of one camera of a drive that have a picture, sorted.

        Raises:
          FileNotFoundError: If the drive is not on disk.
        """

    def image_path(self, frame: FrameId) -> Path:
        """The picture of a frame.

        Raises:
          FileNotFoundError: If there is none.
        """

    def velodyne_path(self, frame: FrameId) -> Path:
        """Where the frame's laser scan lies; the file may be absent."""

    def neighbour(self, frame: FrameId, offset: int) -> FrameId | None:
        """The frame `offset` numbers later (earlier if negative) where it has a picture."""

    def read_image(self, frame: FrameId) -> npt.NDArray[np.uint8]:
        """The picture as `[height, width, 3]` RGB.

        Raises:
          FileNotFoundError: If there is none.
          DataError: If it is damaged.
        """

    def rig(self, frame: FrameId) -> StereoRig:
        """The rig that took a frame.

        Raises:
          FileNotFoundError: If a calibration file is missing.
          DataError: If one is damaged.
        """

    def camera(self, frame: FrameId, *, size: tuple[int, int]) -> Intrinsics:
        """The rectified camera of a frame's picture of that (height, width).

        Raises:
          FileNotFoundError: If a calibration file is missing.
          DataError: If one is damaged, or the picture is a cropped one.
        """


def open_recordings(root: Path | str) -> KittiRaw | RigFolder:
    """Opens KITTI raw recordings, or those of another rig where the root holds `rig.json`.

    Raises:
      FileNotFoundError: If it is neither.
      DataError: If `rig.json` is damaged.
    """
    return RigFolder(root) if (Path(root) / RIG_FILE).is_file() else KittiRaw(root)
