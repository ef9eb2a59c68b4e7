"""Where pictures come from: files of all kinds; `export.device.live` has cameras and networks."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.files import DataError, UserError
from mtdepth.pictures import PICTURE_SUFFIXES, is_picture, pictures_in, read_rgb

Image = npt.NDArray[np.uint8]

# Cameras and files that do not say their rate.
ASSUMED_FPS = 25.0
# Who says more knows nothing: some streams tell the 90,000 ticks a second of their clock.
_MAX_FPS = 240


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
      name: Of the picture.
      image_rgb: `[height, width, 3]`.
      time_s: When it came, by the monotonic clock.
    """

    name: str
    image_rgb: Image
    time_s: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Unreadable:
    """One picture that could not be had, and why."""

    name: str
    why: str


Frames = Iterator[Picture | Unreadable]


class Source(Protocol):
    """Something that gives pictures."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def is_live(self) -> bool:
        """Whether it goes on whether anybody looks or not, so that old frames are worthless."""

    @property
    def fps(self) -> float | None:
        """Pictures a second; None for pictures that stand for themselves."""

    @property
    def status(self) -> str:
        """In words, for whoever watches."""

    def frames(self) -> Frames:
        """Gives pictures until the end, which a live source has not."""

    def close(self) -> None:
        """Ends `frames` soon, from any thread."""


@dataclass(frozen=True)
class PictureFiles:
    """Picture files, in order, each with a name of its own."""

    paths: tuple[Path, ...]
    is_live = False
    fps = None
    status = "files"

    @property
    def name(self) -> str:
        """The file, or the folder of several."""
        return str(self.paths[0] if len(self.paths) == 1 else self.paths[0].parent)

    def frames(self) -> Frames:
        """Reads them one by one."""
        names = _distinct_names(self.paths)
        for name, path in zip(names, self.paths, strict=True):
            try:
                yield Picture(name, read_rgb(path))
            except (DataError, OSError) as error:
                yield Unreadable(name, str(error))

    def close(self) -> None:
        """Nothing is left open."""


@dataclass(frozen=True)
class VideoFile:
    """A video file, which is opened anew each time it is read."""

    path: Path
    fps: float
    is_live = False
    status = "file"

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def frames(self) -> Frames:
        """Reads until the end."""
        capture = _open_video(self.path)
        # The count in a file's header may be off by one, or -1.
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) - 1
        number = 0
        try:
            while True:
                is_read, image_bgr = capture.read()
                if not is_read:
                    break
                yield Picture(f"{number:06d}", rgb_of(image_bgr))
                number += 1
        finally:
            capture.release()
        if number == 0:
            yield Unreadable(self.name, "gave no picture")
        elif number < promised:
            yield Unreadable(self.name, f"ended after {number} of {promised + 1} pictures")

    def close(self) -> None:
        """Nothing waits."""


@dataclass(frozen=True)
class Repeated:
    """A source of files, from the start again whenever it ends."""

    source: Source
    is_live = False
    status = "repeated"

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    @property
    def fps(self) -> float | None:
        """The source's."""
        return self.source.fps

    def frames(self) -> Frames:
        """Reads it again and again, each picture under its old name; ends where none is given."""
        has_pictures = True
        while has_pictures:
            has_pictures = False
            for item in self.source.frames():
                has_pictures = has_pictures or isinstance(item, Picture)
                yield item

    def close(self) -> None:
        """Nothing waits."""


def open_files(text: str) -> PictureFiles | VideoFile:
    """Opens files that the user named.

    Args:
      text: A folder of pictures, a picture or a video file.

    Raises:
      FileNotFoundError: If there is no such file or folder.
      UserError: If a folder holds no picture.
      DataError: If a video cannot be opened.
    """
    path = Path(text)
    if path.is_dir():
        found = pictures_in(path)
        if not found:
            raise UserError(f"{path} holds no picture ({', '.join(PICTURE_SUFFIXES)})")
        return PictureFiles(tuple(found))
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such source; give a folder, a picture, a video file, a camera's number, "
            "/dev/videoN, /dev/v4l/by-id/NAME, picamera2, or an rtsp:// or http:// address"
        )
    if is_picture(path):
        return PictureFiles((path,))
    capture = _open_video(path)
    fps = capture.get(cv2.CAP_PROP_FPS) or ASSUMED_FPS
    capture.release()
    return VideoFile(path, fps)


class CaptureGrabber:
    """A camera or stream that OpenCV opened."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= _MAX_FPS else ASSUMED_FPS

    def read(self) -> Image | None:
        """The next picture, None where nothing comes any more."""
        try:
            is_read, image_bgr = self._capture.read()
            return rgb_of(image_bgr) if is_read else None
        except cv2.error as error:  # a picture that came broken
            raise OSError(str(error)) from error

    def release(self) -> None:
        """Frees the device."""
        self._capture.release()


def rgb_of(image_bgr: Image) -> Image:
    """OpenCV's order of channels, turned round."""
    return np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _open_video(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise DataError(path, "cannot be opened as a video")
    return capture


def _distinct_names(paths: tuple[Path, ...]) -> list[str]:
    """Stems, or whole file names where two pictures share a stem."""
    stems = [path.stem for path in paths]
    return [path.stem if stems.count(path.stem) == 1 else path.name for path in paths]
