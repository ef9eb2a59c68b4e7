"""Monocular video as training sees it: shots of numbered frames, each with its camera.

Wherever a video comes from (KITTI, a folder, a film), it ends as a `Shot`: picture files by frame
number, taken one after the other by one camera. Two frames are neighbours where their numbers are.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import resized_camera
from mtdepth.files import DataError, UserError, content_digest
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import read_rgb


@dataclasses.dataclass(frozen=True, eq=False)
class Shot:
    """Frames that one camera took without interruption, or with gaps in their numbers.

    Attributes:
      name: Says which, `2011_09_26_drive_0001_sync l`.
      files: The picture of each frame number, ascending; a jump of the numbers is a gap in time.
      titles: What each frame is called in messages and batches.
      camera: The intrinsics, at the size of the calibration.
      calibration: The file that they come from, for messages.
      targets: The frames that may be learned from; others serve as neighbours.
    """

    name: str
    files: Mapping[int, Path]
    titles: Mapping[int, str]
    camera: Intrinsics
    calibration: Path
    targets: tuple[int, ...]

    def read(self, number: int) -> npt.NDArray[np.uint8]:
        """Reads a frame as `[height, width, 3]` RGB.

        Raises:
          FileNotFoundError: If the picture is missing.
          DataError: If it is damaged.
        """
        return read_rgb(self.files[number])

    def camera_at(self, size: tuple[int, int]) -> Intrinsics:
        """Returns the camera of a picture of this shot that has been resized since.

        Args:
          size: (height, width) of the picture.

        Raises:
          DataError: If the picture's aspect ratio is not the calibration's.
        """
        try:
            return resized_camera(self.camera, size=size)
        except UserError as error:
            raise DataError(self.calibration, str(error)) from error

    @functools.cached_property
    def size(self) -> tuple[int, int]:
        """(height, width) of its first picture that can be read; all should be like it.

        Raises:
          DataError: If no picture can be read.
        """
        fault: Exception | None = None
        for number in self.files:
            try:
                height_px, width_px = self.read(number).shape[:2]
            except (DataError, FileNotFoundError) as error:
                fault = fault or error
            else:
                return height_px, width_px
        path = next(iter(self.files.values()))
        raise DataError(path.parent, f"no picture of {self.name} can be read: {fault}")

    @functools.cached_property
    def digest(self) -> str:
        """`content_digest` of its pictures, by their numbers."""
        return content_digest(
            (str(number), path if path.is_file() else None) for number, path in self.files.items()
        )


@dataclasses.dataclass(frozen=True, eq=False)
class VideoSource:
    """What one `--video` stands for.

    Attributes:
      label: As the user wrote it, with its split.
      shots: Never empty.
      missing: Frames of a list that have no picture.
      kitti_root: Of KITTI's or another rig's recordings; None for other video.
    """

    label: str
    shots: tuple[Shot, ...]
    missing: tuple[str, ...] = ()
    kitti_root: Path | None = None

    @property
    def num_frames(self) -> int:
        """Frames on disk that may be learned from."""
        return sum(len(shot.targets) for shot in self.shots)


def source_of(
    label: str,
    shots: Sequence[Shot],
    missing: Iterable[str] = (),
    *,
    kitti_root: Path | None = None,
) -> VideoSource:
    """Makes a source of shots; see `VideoSource`.

    Raises:
      UserError: If no frame has a picture.
    """
    missing = tuple(missing)
    if not any(shot.targets for shot in shots):
        first = f": {missing[0]}, ..." if missing else ""
        raise UserError(f"{label}: none of its {len(missing)} frames has a picture there{first}")
    return VideoSource(label=label, shots=tuple(shots), missing=missing, kitti_root=kitti_root)
