"""Opens cameras and network streams: V4L2, RTSP and HTTP through OpenCV, and picamera2.

Streams were tried with real RTSP (H.264, Motion JPEG) and HTTP servers. No camera was at hand: V4L2
was tried only where there is none, picamera2 was written from its manual and source.
"""

import importlib
import logging
import os
import re
import socket
import sys
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from export.device.live import Grabber, LiveSource, Retries
from export.device.sources import ASSUMED_FPS, Image, rgb_of

_LOG = logging.getLogger(__name__)

# A network stream that is silent for so long is lost; a reachable one answers within it.
NETWORK_TIMEOUT_S = 5.0
# The first picture of a camera may take a second; one that gives none for so long is lost.
CAMERA_TIMEOUT_S = 5.0
# Above this, USB cameras reach their frame rate only by Motion JPEG.
_UNCOMPRESSED_PIXELS = 640 * 480
_DEFAULT_SIZE = (480, 640)
_FATAL_ONLY = 1  # of OpenCV's log levels
_PORTS = {"rtsp": 554, "http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a camera is asked for; it may give something else.

    Attributes:
      size: (height, width); None: as the camera likes.
      fps: Pictures a second; None likewise.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None


class CaptureGrabber:
    """A camera or stream that OpenCV opened."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture
        self.fps = capture.get(cv2.CAP_PROP_FPS) or ASSUMED_FPS

    def read(self) -> Image | None:
        """The next picture, None where nothing comes any more."""
        is_read, image_bgr = self._capture.read()
        return rgb_of(image_bgr) if is_read else None

    def release(self) -> None:
        """Frees the device."""
        self._capture.release()


class PicameraGrabber:
    """A Raspberry Pi camera.

    Args:
      camera: A `picamera2.Picamera2` that was started with format BGR888, whose bytes are in the
        order R, G, B (picamera2 manual, appendix A).
      fps: That it was asked for.
    """

    def __init__(self, camera: Any, *, fps: float) -> None:
        self._camera = camera
        self.fps = fps

    def read(self) -> Image | None:
        """The next picture; None where none came for five seconds."""
        is_done = threading.Event()
        # With a signal function the call returns a job at once; only newer releases take a
        # timeout themselves.
        job = self._camera.capture_array("main", signal_function=lambda _: is_done.set())
        if not is_done.wait(CAMERA_TIMEOUT_S):
            return None
        return np.asarray(self._camera.wait(job), np.uint8)

    def release(self) -> None:
        """Stops the camera and frees it."""
        self._camera.stop()
        self._camera.close()


def open_live(text: str, *, request: Request, max_retries: int | None = None) -> LiveSource:
    """Opens a camera or a network stream.

    Args:
      text: A camera's number, `/dev/videoN`, `picamera2`, `picamera2:1`, or an address.
      request: What a camera is asked for.
      max_retries: Attempts in a row to open it again when it is lost; None: without end.

    Raises:
      OSError: If it cannot be opened.
      ImportError: If picamera2 is missing.
    """
    _silence_opencv()
    if text.startswith("picamera2"):
        number = int(text.partition(":")[2] or 0)
        name, opener = f"camera {text}", partial(_open_picamera2, number, request)
        return LiveSource(name, opener, Retries(max_retries=max_retries))
    if "://" in text:
        stream = partial(_open_stream, text)
        return LiveSource(without_password(text), stream, Retries(max_retries=max_retries))
    camera = partial(_open_v4l2, text, request)
    return LiveSource(f"camera {text}", camera, Retries(max_retries=max_retries))


def without_password(url: str) -> str:
    """An address as it may be logged."""
    return re.sub(r"//([^/@:]*):[^/@]*@", r"//\1:***@", url)


def _silence_opencv() -> None:
    """A source that is gone is told of once, by us, not by OpenCV at each attempt."""
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # 4, 5
    set_level(_FATAL_ONLY)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


def _open_v4l2(text: str, request: Request) -> Grabber:
    if text.startswith("/dev") and not Path(text).exists():
        raise OSError(f"camera {text} cannot be opened: there is no such device{_devices()}")
    api = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    capture = cv2.VideoCapture(int(text) if text.isdecimal() else text, api)
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
    found = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f" (found: {', '.join(found)})" if found else " (there is no /dev/video*)"


def _open_stream(url: str) -> Grabber:
    name = without_password(url)
    _check_reachable(url)
    timeout_ms = int(NETWORK_TIMEOUT_S * 1e3)
    parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms]
    parameters += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, parameters)
    if not capture.isOpened():
        capture.release()
        raise OSError(
            f"{name} answers, but gives no video within {NETWORK_TIMEOUT_S:g} s: are path, user "
            "and password right? `ffplay ADDRESS` says more"
        )
    return CaptureGrabber(capture)


def _check_reachable(url: str) -> None:
    """Says in words what OpenCV would only answer by "not opened"."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme.lower())
    is_by_proxy = parts.scheme.lower() != "rtsp" and "http_proxy" in os.environ
    if parts.hostname is None or port is None or is_by_proxy:
        return
    try:
        socket.create_connection((parts.hostname, port), timeout=NETWORK_TIMEOUT_S).close()
    except OSError as error:
        raise OSError(
            f"{without_password(url)} cannot be reached ({error}): is {parts.hostname} right and "
            f"on, and does something listen on port {port}?"
        ) from error


def _open_picamera2(number: int, request: Request) -> Grabber:
    try:
        picamera2 = importlib.import_module("picamera2")
    except ImportError as error:
        raise ImportError(
            f"--source picamera2 needs the package of that name, which cannot be imported "
            f"({error}): sudo apt install python3-picamera2, and make the virtual environment by "
            "`python3 -m venv --system-site-packages`"
        ) from error
    height_px, width_px = request.size or _DEFAULT_SIZE
    fps = request.fps or ASSUMED_FPS
    try:
        camera = picamera2.Picamera2(number)
        camera.configure(
            camera.create_video_configuration(
                main={"size": (width_px, height_px), "format": "BGR888"},
                controls={"FrameRate": fps},
            )
        )
        camera.start()
    except (RuntimeError, IndexError) as error:
        raise OSError(
            f"picamera2 cannot open camera {number} ({error}): `rpicam-hello --list-cameras` "
            "lists those that are plugged in; another program may hold it"
        ) from error
    return PicameraGrabber(camera, fps=fps)
