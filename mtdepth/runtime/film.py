"""Films: read front to back by whoever reads one, with what is missing of them and their rate.

Films cannot be relied on to seek to a frame, to know how many they have, nor to tell their rate.
"""

import contextlib
import functools
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.files import DataError, check_regular

_LOG = logging.getLogger(__name__)

Image = npt.NDArray[np.uint8]

ASSUMED_FPS = 25.0  # of cameras and films that do not say their rate
# Who says more knows nothing: some streams tell the 90,000 ticks a second of their clock.
MAX_FPS = 240
# Of so many pictures a film's own time stamps are held against the rate that it tells.
NUM_TIMED = 60
MAX_RATE_DEVIATION = 0.1
# ours: a decoder that gives nothing this often in a row is at the end, not at a damaged frame.
_MAX_MISSES = 30
MAX_BYTES = 2**42  # ours: weeks of film


class Frame(NamedTuple):
    """One frame: its number from 0, `[height, width, 3]`, and its time stamp."""

    number: int
    image_rgb: Image
    time_ms: float


class Film:
    """A film, read anew by every loop over its frames.

    Args:
      path: The file.

    Attributes:
      path: The file.
      num_told: Frames that it says it has; 0 or less where it does not know.
      num_given: Frames that the latest loop has got.

    Raises:
      FileNotFoundError: If there is no such file.
      DataError: If it is no film that can be opened.
    """

    def __init__(self, path: Path) -> None:
        check_regular(path, max_bytes=MAX_BYTES)
        self.path = path
        self.num_given = 0
        with self._opened() as capture:
            self.num_told = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def frames(self) -> Iterator[Frame]:
        """Every frame to the end; one that cannot be decoded is a gap in the numbers."""
        self.num_given = num_misses = 0
        with self._opened() as capture:
            for number in itertools.count():
                is_read, image = _read(capture)
                if is_read:
                    self.num_given += 1
                    yield Frame(number, rgb_of(image), capture.get(cv2.CAP_PROP_POS_MSEC))
                num_misses = 0 if is_read else num_misses + 1
                if num_misses == _MAX_MISSES:
                    return

    @property
    def shortage(self) -> str:
        """What the latest loop, which went to the end, did not get; empty where nothing lacks."""
        if not self.num_given:
            return f"holds no frame that can be decoded; {self._remedy}"
        if self.num_given < self.num_told - 1:  # counts are often off by one
            return f"gave {self.num_given} of {self.num_told} frames; was it cut short?"
        return ""

    @functools.cached_property
    def fps(self) -> float:
        """Frames a second: those that it tells, unless its own time stamps say something else."""
        times_ms: list[float] = []
        with self._opened() as capture:
            told = capture.get(cv2.CAP_PROP_FPS)
            while len(times_ms) < NUM_TIMED and capture.grab():
                times_ms.append(capture.get(cv2.CAP_PROP_POS_MSEC))
        is_told = 0 < told <= MAX_FPS
        steps_ms = [after - before for before, after in itertools.pairwise(times_ms)]
        if not steps_ms or min(steps_ms) <= 0:
            return told if is_told else ASSUMED_FPS
        stamped = 1e3 * len(steps_ms) / sum(steps_ms)
        if is_told and abs(stamped / told - 1) <= MAX_RATE_DEVIATION:
            return told
        if stamped > MAX_FPS:
            return ASSUMED_FPS
        _LOG.warning(
            "%s tells %g frames/s, its time stamps say %.4g: taken", self.path, told, stamped
        )
        return stamped

    @contextlib.contextmanager
    def _opened(self) -> Iterator[cv2.VideoCapture]:
        # Absolute: FFmpeg takes what stands before a colon for a protocol.
        capture = cv2.VideoCapture(str(self.path.absolute()))
        try:
            if not capture.isOpened():
                raise DataError(self.path, f"no film that OpenCV can open; {self._remedy}")
            yield capture
        finally:
            capture.release()

    @property
    def _remedy(self) -> str:
        return (
            "write its frames as pictures and give the folder instead, say by "
            f"`ffmpeg -i {self.path.absolute()} frames/%06d.jpg`"
        )


def rgb_of(image: npt.NDArray[np.uint8 | np.uint16]) -> Image:
    """OpenCV's order of channels, turned round; a grey camera's `[height, width]` three times."""
    if image.dtype == np.uint16:  # of a grey camera with more than 8 bits
        image = (image >> 8).astype(np.uint8)
    is_grey = image.ndim == 2 or image.shape[2] == 1
    code = cv2.COLOR_GRAY2RGB if is_grey else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def _read(capture: cv2.VideoCapture) -> tuple[bool, Any]:
    """The next frame; OpenCV's own reader of AVI raises where a frame's length cannot be."""
    try:
        return capture.read()
    except cv2.error:
        return False, None
