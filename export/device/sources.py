"""Where pictures come from: files of all kinds; `export.device.live` has cameras and networks."""

import logging
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
from mtdepth.runtime.film import (
    ASSUMED_FPS,
    MAX_FPS,
    MAX_RATE_DEVIATION,
    NUM_TIMED,
    Film,
    Frame,
    rgb_of,
)

_LOG = logging.getLogger(__name__)

Image = npt.NDArray[np.uint8]

# What a run writes beside its `latency.json`: never pictures of a camera.
RUN_NAME = "latency.json"
RESULT_ENDS = ("_overlay", "_depth", "_classes")


@dataclass(frozen=True)
class Picture:
    """One picture, `[height, width, 3]`, and when it came, by the monotonic clock."""

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


@dataclass
class Files:
    """Pictures or a video, which nobody has to wait for."""

    name: str
    status = "files"
    is_live = False

    def close(self) -> None:
        """Nothing waits."""


@dataclass
class PictureFiles(Files):
    """Picture files, in order, each with a name of its own."""

    paths: tuple[Path, ...]
    fps = None

    def frames(self) -> Frames:
        """Reads them one by one, by their stems, or whole names where two share a stem."""
        stems = [path.stem for path in self.paths]
        for path in self.paths:
            name = path.stem if stems.count(path.stem) == 1 else path.name
            try:
                yield Picture(name, read_rgb(path))
            except (DataError, OSError) as error:
                yield Unreadable(name, str(error))


@dataclass
class VideoFile(Files):
    """A video file, which is opened anew each time it is read."""

    film: Film
    _is_rate_said: bool = False

    @property
    def fps(self) -> float:
        """The film's."""
        return self.film.fps

    def frames(self) -> Frames:
        """Reads until the end."""
        first: Frame | None = None
        for frame in self.film.frames():
            first = first or frame
            yield Picture(f"{frame.number:06d}", frame.image_rgb)
        if first and frame.number > NUM_TIMED:
            self._check_rate(frame.number - first.number, frame.time_ms - first.time_ms)
        if self.film.shortage:
            yield Unreadable(self.name, self.film.shortage)

    def _check_rate(self, steps: int, ms: float) -> None:
        """Says where the whole film has another rate than its beginning."""
        rate = 1e3 * steps / ms if ms > 0 else self.fps
        if not self._is_rate_said and abs(rate / self.fps - 1) > MAX_RATE_DEVIATION:
            self._is_rate_said = True
            _LOG.warning(
                "%s has %.4g frames/s over its whole length, %.4g at its beginning, which a video "
                "is written with: --video %.4g gives it the film's length",
                *(self.film.path, rate, self.fps, rate),
            )


class Repeated(Files):
    """A source of files, from the start again whenever it ends."""

    status = "repeated"

    def __init__(self, source: PictureFiles | VideoFile) -> None:
        super().__init__(source.name)
        self._source, self.fps = source, source.fps

    def frames(self) -> Frames:
        """Reads it again and again, each picture under its old name; ends where none is given."""
        has_pictures = True
        while has_pictures:
            has_pictures = False
            for item in self._source.frames():
                has_pictures = has_pictures or isinstance(item, Picture)
                yield item


def open_files(text: str) -> PictureFiles | VideoFile:
    """Opens files that the user named: a folder of pictures, a picture or a video file.

    Raises:
      FileNotFoundError: If there is no such file or folder.
      UserError: If a folder holds no picture.
      DataError: If a video cannot be opened.
    """
    path = Path(text)
    if path.is_dir():
        return PictureFiles(str(path), _of_folder(path))
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such source; give a folder, a picture, a video file, a camera's number, "
            "/dev/videoN, /dev/v4l/by-id/NAME, picamera2, or an address: rtsp:// http:// srt:// "
            "udp://"
        )
    if is_picture(path):
        return PictureFiles(str(path), (path,))
    return VideoFile(path.name, Film(path))


def _of_folder(folder: Path) -> tuple[Path, ...]:
    """Its pictures, without what an earlier run wrote beside them."""
    found = pictures_in(folder)
    stems = {path.stem for path in found}
    is_of_run = (folder / RUN_NAME).is_file()
    kept = [path for path in found if not _is_result(path.stem, stems, is_of_run=is_of_run)]
    if not kept:
        why = "only results of an earlier run" if found else "no picture"
        raise UserError(f"{folder} holds {why} ({', '.join(PICTURE_SUFFIXES)}); give another")
    if len(kept) < len(found):
        num_results = len(found) - len(kept)
        _LOG.warning("%s: %d results of an earlier run are left out", folder, num_results)
    return tuple(kept)


def _is_result(stem: str, stems: set[str], *, is_of_run: bool) -> bool:
    made_of = next((stem.removesuffix(end) for end in RESULT_ENDS if stem.endswith(end)), None)
    return made_of is not None and (
        is_of_run or made_of in stems or made_of.removesuffix("_relative") in stems
    )


class CaptureGrabber:
    """A camera or stream that OpenCV opened."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= MAX_FPS else ASSUMED_FPS

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
