"""Which camera or network stream a name is.

A further kind is a file with an opener and one entry of `KINDS`.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2

from export.device import picamera, streams, v4l
from export.device.live import Grabber, LiveSource, Request

_FATAL_ONLY = 1  # of OpenCV's log levels


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of camera or stream.

    Attributes:
      is_name: Whether a text names one.
      opener: From that text and what is asked for to what opens it, again and again.
      called: What it is called in messages and on the page.
    """

    is_name: Callable[[str], bool]
    opener: Callable[[str, Request], Callable[[], Grabber]]
    called: Callable[[str], str] = "camera {}".format


KINDS = (
    Kind(
        is_name=streams.is_address,
        opener=lambda text, _: partial(streams.open_stream, text),
        called=streams.without_secrets,
    ),
    Kind(
        is_name=picamera.is_name,
        opener=lambda text, request: partial(picamera.open_picamera2, text, request),
    ),
    Kind(is_name=v4l.is_name, opener=lambda text, request: v4l.V4l2Camera(text, request).open),
)


def is_live_name(text: str) -> bool:
    """Whether a source's name is that of a camera or of a network stream; UserError if nearly."""
    streams.check_is_no_address("" if streams.is_address(text) else text)
    return any(kind.is_name(text) for kind in KINDS)


def open_live(text: str, *, request: Request, max_retries: int | None = None) -> LiveSource:
    """Opens a camera or a network stream by a name that `is_live_name`.

    When it is lost, it is opened again with `max_retries` attempts in a row; None: without end.

    Raises:
      OSError: If it cannot be opened.
      ImportError: If picamera2 is missing.
      UserError: If it is an address that is none.
    """
    # A source that is gone is told of once, by us, not by OpenCV at each attempt.
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # 4, 5
    set_level(_FATAL_ONLY)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    kind = next(kind for kind in KINDS if kind.is_name(text))
    opener = kind.opener(text, request)
    return LiveSource(kind.called(text), opener, max_retries=max_retries)
