"""Sources that can be lost and come back: cameras and network streams."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from export.device.sources import Frames, Image, Picture, Unreadable

_LOG = logging.getLogger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
# A source that gave nothing for so long may be lost: the driver has not said so yet.
SILENT_S = 2.0
_MAX_WHY = 300


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a camera is asked for, (height, width) and pictures a second; None: as it likes."""

    size: tuple[int, int] | None = None
    fps: float | None = None


class Grabber(Protocol):
    """An open camera or stream; OSError is how it says that it is lost."""

    @property
    def fps(self) -> float:
        """Pictures a second, as it says."""

    def read(self) -> Image | None:
        """The next picture, `[height, width, 3]` RGB; None where nothing comes any more."""

    def release(self) -> None:
        """Frees the device; a TimeoutError where that is never going to end."""


def wait_s(attempt: int) -> float:
    """How long to wait before attempt 0, 1, ...: doubled each time, ten seconds at most."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt, 10))


class LiveSource:
    """A camera or a stream that is opened again whenever it is lost.

    Args:
      name: What it is called in messages.
      opener: Opens it.
      max_retries: Attempts in a row before it is given up; None: never.
      wait: Waits so many seconds; returns whether the program is to stop instead.
      clock: Seconds.

    Raises:
      OSError: From `opener`, if it cannot be opened the first time: a wrong name is told at once.
    """

    is_live = True

    def __init__(
        self,
        name: str,
        opener: Callable[[], Grabber],
        *,
        max_retries: int | None = None,
        wait: Callable[[float], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._opener, self._max_retries, self._clock = opener, max_retries, clock
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._lost_at_s: float | None = None
        self._attempts = 0
        self._why = ""
        self._grabber: Grabber | None = opener()
        self.fps = self._grabber.fps
        self._last_s = self._clock()

    @property
    def status(self) -> str:
        """`live`, or since when nothing came."""
        now_s = self._clock()
        if self._lost_at_s is not None:
            gone_s = now_s - self._lost_at_s
            return f"lost {gone_s:.0f} s ago, attempts: {self._attempts}{self._why}"
        silent_s = now_s - self._last_s
        return "live" if silent_s < SILENT_S else f"no picture for {silent_s:.0f} s"

    def frames(self) -> Frames:
        """Reads until `close`, or until it was tried in vain as often as allowed."""
        number = 0
        try:
            while not self._stopping.is_set():
                image = self._read()
                if image is not None:
                    self._found()
                    yield Picture(f"{number:06d}", image)
                    number += 1
                elif not self._stopping.is_set() and not self._lost():
                    if not self._stopping.is_set():
                        yield Unreadable(self.name, f"lost, and {self._attempts} attempts failed")
                    return
        finally:
            # At the end a driver that hangs is left behind.
            with contextlib.suppress(TimeoutError):
                self._release()

    def close(self) -> None:
        """Ends `frames` after the picture that it waits for."""
        self._stopping.set()

    def _read(self) -> Image | None:
        try:
            return None if self._grabber is None else self._grabber.read()
        except OSError as error:
            self._why = _in_brackets(error)
            return None

    def _found(self) -> None:
        self._last_s = self._clock()
        if self._lost_at_s is not None:
            gone_s = self._last_s - self._lost_at_s
            _LOG.warning("%s is back after %.1f s", self.name, gone_s)
        self._lost_at_s = None
        self._attempts = 0
        self._why = ""

    def _lost(self) -> bool:
        """Waits, then tries to open it; returns whether to go on."""
        self._release()
        if self._lost_at_s is None:
            self._lost_at_s = self._clock()
            _LOG.warning(
                "%s gives no picture any more%s: trying again until it does", self.name, self._why
            )
        limit = self._max_retries
        if limit is not None and self._attempts >= limit:
            return False
        if self._wait(wait_s(self._attempts)):
            return False
        self._attempts += 1
        try:
            self._grabber = self._opener()
        except OSError as error:
            # Said once above; the rest is for whoever looks for the reason.
            _LOG.debug("%s: %s", self.name, error)
            self._why = _in_brackets(error)
        return True

    def _release(self) -> None:
        grabber, self._grabber = self._grabber, None
        try:
            if grabber is not None:
                grabber.release()
        except TimeoutError:
            # Only the end of this program frees it, and whoever starts it again.
            raise
        except OSError as error:
            _LOG.debug("%s: %s", self.name, error)


def _in_brackets(error: OSError) -> str:
    """For a line of a log or of the page; OpenCV's own errors have several lines."""
    return f" ({' '.join(str(error).split())[:_MAX_WHY]})"
