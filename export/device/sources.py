"""Where pictures come from: files of all kinds; `export.device.live` has cameras and networks."""

import itertools
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

_LOG = logging.getLogger(__name__)

Image = npt.NDArray[np.uint8]

# Cameras and files that do not say their rate.
ASSUMED_FPS = 25.0
# Who says more knows nothing: some streams tell the 90,000 ticks a second of their clock.
_MAX_FPS = 240
# Of so many pictures a film's own time stamps are held against the rate that it tells.
_NUM_TIMED = 60
_MAX_RATE_DEVIATION = 0.1
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

    path: Path
    fps: float
    _is_rate_said: bool = False

    def frames(self) -> Frames:
        """Reads until the end."""
        capture = _open_video(self.path)
        # The count in a file's header may be off by one, or -1.
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) - 1
        number, times_ms = 0, [0.0, 0.0]  # of the first picture and the latest
        try:
            while (found := capture.read())[0]:
                times_ms[int(number > 0)] = capture.get(cv2.CAP_PROP_POS_MSEC)
                yield Picture(f"{number:06d}", rgb_of(found[1]))
                number += 1
        finally:
            capture.release()
        if number == 0:
            yield Unreadable(self.name, "gave no picture")
        elif number > _NUM_TIMED:
            self._check_rate(number - 1, times_ms[1] - times_ms[0])
        if 0 < number < promised:
            yield Unreadable(self.name, f"ended after {number} of {promised + 1} pictures")

    def _check_rate(self, steps: int, ms: float) -> None:
        """Says where the whole film has another rate than its beginning."""
        rate = 1e3 * steps / ms if ms > 0 else self.fps
        if not self._is_rate_said and abs(rate / self.fps - 1) > _MAX_RATE_DEVIATION:
            self._is_rate_said = True
            _LOG.warning(
                "%s has %.4g frames/s over its whole length, %.4g at its beginning, which a video "
                "is written with: --video %.4g gives it the film's length",
                *(self.path, rate, self.fps, rate),
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
    return VideoFile(path.name, path, _rate_of(path))


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


def _rate_of(path: Path) -> float:
    """Frames a second: those that it tells, unless its own time stamps say something else."""
    capture = _open_video(path)
    told = capture.get(cv2.CAP_PROP_FPS)
    times_ms: list[float] = []
    while len(times_ms) < _NUM_TIMED and capture.grab():
        times_ms.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    capture.release()
    is_told = 0 < told <= _MAX_FPS
    steps_ms = [after - before for before, after in itertools.pairwise(times_ms)]
    if not steps_ms or min(steps_ms) <= 0:
        return told if is_told else ASSUMED_FPS
    stamped = 1e3 * len(steps_ms) / sum(steps_ms)
    if is_told and abs(stamped / told - 1) <= _MAX_RATE_DEVIATION:
        return told
    if stamped > _MAX_FPS:
        return ASSUMED_FPS
    _LOG.warning("%s tells %g frames/s, its time stamps say %.4g: taken", path, told, stamped)
    return stamped


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


def rgb_of(image: Image) -> Image:
    """OpenCV's order of channels, turned round; a grey camera's `[height, width]` three times."""
    if image.dtype == np.uint16:  # of a grey camera with more than 8 bits
        image = (image >> 8).astype(np.uint8)
    is_grey = image.ndim == 2 or image.shape[2] == 1
    code = cv2.COLOR_GRAY2RGB if is_grey else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def _open_video(path: Path) -> cv2.VideoCapture:
    # Absolute: FFmpeg takes what stands before a colon for a protocol.
    capture = cv2.VideoCapture(str(path.absolute()))
    if not capture.isOpened():
        raise DataError(path, "cannot be opened as a video")
    return capture
