"""Opens cameras and network streams, and cameras by V4L2 through OpenCV.

No camera was at hand: V4L2 was tried only where there is none, and how a camera is found again only
on made-up trees of `/sys`.
"""

import logging
import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from export.device import v4l
from export.device.live import Grabber, LiveSource, Retries
from export.device.sources import LINKS, CaptureGrabber
from export.device.streams import open_stream, without_secrets

_LOG = logging.getLogger(__name__)

# Above this, USB cameras reach their frame rate only by Motion JPEG.
_UNCOMPRESSED_PIXELS = 640 * 480
_FATAL_ONLY = 1  # of OpenCV's log levels


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a camera is asked for; it may give something else.

    Attributes:
      size: (height, width); None: as the camera likes.
      fps: Pictures a second; None likewise.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None


def open_live(text: str, *, request: Request, max_retries: int | None = None) -> LiveSource:
    """Opens a camera or a network stream.

    Args:
      text: A camera's number, `/dev/videoN`, a name of it in `/dev/v4l`, `picamera2`,
        `picamera2:1`, or an address.
      request: What a camera is asked for.
      max_retries: Attempts in a row to open it again when it is lost; None: without end.

    Raises:
      OSError: If it cannot be opened.
      ImportError: If picamera2 is missing.
    """
    _silence_opencv()
    if text.startswith("picamera2"):
        # Here, since only a Raspberry Pi needs it.
        from export.device.picamera import open_picamera2

        number = int(text.partition(":")[2] or 0)
        module = partial(open_picamera2, number, size=request.size, fps=request.fps)
        return LiveSource(f"camera {text}", module, Retries(max_retries=max_retries))
    if "://" in text:
        stream = partial(open_stream, text)
        return LiveSource(without_secrets(text), stream, Retries(max_retries=max_retries))
    camera = V4l2Camera(text, request)
    return LiveSource(f"camera {text}", camera.open, Retries(max_retries=max_retries))


class V4l2Camera:
    """A camera that is found again when it comes back under another number.

    Args:
      text: As the user named it.
      request: What it is asked for.
      root: Of the file system that says which camera is which.
    """

    def __init__(self, text: str, request: Request, root: Path = v4l.ROOT) -> None:
        self._text = text
        self._request = request
        self._root = root
        name = f"dev/video{text}" if text.isdecimal() else text.removeprefix("/")
        self._node = root / name
        self._identity: v4l.Identity | None = None
        self._beside: list[v4l.Identity] = []

    def open(self) -> Grabber:
        """Opens it.

        Raises:
          OSError: If it is not there, or not free.
        """
        if sys.platform != "linux":
            return _open_capture(self._text, self._text, cv2.CAP_ANY, self._request)
        node = self._where()
        if not os.access(node, os.R_OK | os.W_OK):
            raise PermissionError(
                f"camera {self._text} may not be used by this user: sudo usermod -aG video $USER, "
                "then log in again"
            )
        grabber = _open_capture(self._text, str(node), cv2.CAP_V4L2, self._request)
        if not self._is_link:
            if self._identity is not None and node != self._node:
                _LOG.warning("camera %s is %s now", self._text, node)
            found = v4l.present(self._root)
            self._node = node
            self._identity = found.pop(node, None)
            self._beside = list(found.values())
        return grabber

    @property
    def _is_link(self) -> bool:
        """Whether the system itself lets its name follow the camera."""
        return self._text.startswith(LINKS)

    def _where(self) -> Path:
        now = v4l.identity_of(self._node, self._root)
        if self._node.exists() and (self._identity is None or self._identity == now):
            return self._node.resolve() if self._is_link else self._node
        found = None
        if self._identity is not None:
            found = v4l.find(self._identity, self._beside, self._root)
        if found is None:
            raise OSError(
                f"camera {self._text} cannot be opened: there is no such device{_devices()}"
            )
        return found


def _silence_opencv() -> None:
    """A source that is gone is told of once, by us, not by OpenCV at each attempt."""
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # 4, 5
    set_level(_FATAL_ONLY)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


def _open_capture(text: str, node: str, api: int, request: Request) -> Grabber:
    try:
        capture = cv2.VideoCapture(int(node) if node.isdecimal() else node, api)
    except cv2.error as error:
        raise OSError(f"camera {text} cannot be opened ({error})") from error
    if not capture.isOpened():
        capture.release()
        raise OSError(
            f"camera {text} cannot be opened; is it plugged in, and free{_devices()}? "
            "A Raspberry Pi camera module is --source picamera2"
        )
    if request.size is not None:
        height_px, width_px = request.size
        if height_px * width_px > _UNCOMPRESSED_PIXELS:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width_px)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height_px)
    if request.fps is not None:
        capture.set(cv2.CAP_PROP_FPS, request.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # older frames are of no use
    _LOG.info(
        "camera %s gives %dx%d (width x height) at %g frames/s",
        text,
        capture.get(cv2.CAP_PROP_FRAME_WIDTH),
        capture.get(cv2.CAP_PROP_FRAME_HEIGHT),
        capture.get(cv2.CAP_PROP_FPS),
    )
    return CaptureGrabber(capture)


def _devices() -> str:
    found = v4l.names_of()
    return f" (found: {', '.join(found)})" if found else " (there is no /dev/video*)"
