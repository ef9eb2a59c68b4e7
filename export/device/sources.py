"""Where pictures come from: a folder, one picture, a video file, a camera."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.files import DataError, read_rgb, visible_files

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
# Cameras and files that do not say their rate.
ASSUMED_FPS = 25.0


@dataclass(frozen=True)
class Picture:
    """One picture: `image_rgb` is `[height, width, 3]`."""

    name: str
    image_rgb: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Unreadable:
    """One picture that could not be had, and why."""

    name: str
    why: str


Frames = Iterator[Picture | Unreadable]


@dataclass(frozen=True)
class PictureFiles:
    """Picture files, in order, each with a name of its own."""

    paths: tuple[Path, ...]

    def frames(self) -> Frames:
        """Reads them one by one."""
        names = _distinct_names(self.paths)
        for name, path in zip(names, self.paths, strict=True):
            try:
                yield Picture(name, read_rgb(path))
            except (DataError, OSError) as error:
                yield Unreadable(name, str(error))


@dataclass(frozen=True)
class Stream:
    """A video file or a camera."""

    name: str
    capture: cv2.VideoCapture

    @property
    def fps(self) -> float:
        """Pictures a second, as the file or the camera says."""
        return self.capture.get(cv2.CAP_PROP_FPS) or ASSUMED_FPS

    def frames(self) -> Frames:
        """Reads until the end, or until the camera gives nothing more."""
        # Cameras say -1 or 0; the count in a file's header may be off by one.
        promised = int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT)) - 1
        number = 0
        try:
            while True:
                is_read, image_bgr = self.capture.read()
                if not is_read:
                    break
                yield Picture(f"{number:06d}", cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB))
                number += 1
            if number == 0:
                yield Unreadable(self.name, "gave no picture")
            elif number < promised:
                yield Unreadable(self.name, f"ended after {number} of {promised + 1} pictures")
        finally:
            self.capture.release()


def open_source(text: str) -> PictureFiles | Stream:
    """Opens what the user named.

    Args:
      text: A folder of pictures, a picture, a video file, or the number of a camera.

    Raises:
      FileNotFoundError: If there is no such file or folder.
      ValueError: If a folder holds no picture.
      DataError: If a video cannot be opened.
      OSError: If a camera cannot be opened.
    """
    path = Path(text)
    if text.isdecimal() and not path.exists():
        capture = cv2.VideoCapture(int(text))
        if not capture.isOpened():
            raise OSError(f"camera {text} cannot be opened; is it plugged in, and free?")
        return Stream(f"camera {text}", capture)
    if path.is_dir():
        found = [e for e in visible_files(path) if e.suffix.lower() in PICTURE_SUFFIXES]
        if not found:
            raise ValueError(f"{path} holds no picture ({', '.join(PICTURE_SUFFIXES)})")
        return PictureFiles(tuple(found))
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such source; give a folder, a picture, a video file or a camera's number"
        )
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return PictureFiles((path,))
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise DataError(path, "cannot be opened as a video")
    return Stream(path.name, capture)


def _distinct_names(paths: tuple[Path, ...]) -> list[str]:
    """Stems, or whole file names where two pictures share a stem."""
    stems = [path.stem for path in paths]
    return [path.stem if stems.count(path.stem) == 1 else path.name for path in paths]
