"""A Raspberry Pi's own camera, by picamera2: written from its manual and source, untried."""

import contextlib
import importlib
import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from export.device.live import Request
from export.device.sources import Image
from mtdepth.runtime.film import ASSUMED_FPS

# The first picture of a camera may take a second; one that gives none for so long is lost.
CAMERA_TIMEOUT_S = 5.0
# Closing one takes a moment; one that takes so long never ends.
CLOSE_TIMEOUT_S = 5.0
_DEFAULT_SIZE = (480, 640)
_NAME = re.compile(r"picamera2(:\d+)?")


class PicameraGrabber:
    """A Raspberry Pi camera: a `picamera2.Picamera2` that was started with format BGR888.

    Its bytes are in the order R, G, B (picamera2 manual, appendix A).
    """

    def __init__(self, camera: Any, *, fps: float) -> None:
        self._camera = camera
        self.fps = fps

    def read(self) -> Image | None:
        """The next picture; None where none came for five seconds."""
        is_done = threading.Event()
        with _as_os_error("cannot read"):
            # With a signal function the call returns a job at once; only newer releases take a
            # timeout themselves.
            job = self._camera.capture_array("main", signal_function=lambda _: is_done.set())
            if not is_done.wait(CAMERA_TIMEOUT_S):
                return None
            return np.asarray(self._camera.wait(job), np.uint8)

    def release(self) -> None:
        """Stops the camera and frees it; TimeoutError if its driver hangs."""
        errors: list[OSError] = []
        # Of a camera that gives nothing any more libcamera may wait for ever.
        thread = threading.Thread(target=self._close, args=(errors,), daemon=True)
        thread.start()
        thread.join(CLOSE_TIMEOUT_S)
        if thread.is_alive():
            raise TimeoutError(
                "the camera's driver hangs: is its cable in place? The camera is free again only "
                "when this program was started anew"
            )
        if errors:
            raise errors[0]

    def _close(self, errors: list[OSError]) -> None:
        try:
            with _as_os_error("cannot close"):
                # Newer releases only: a picture that was asked for and never came.
                getattr(self._camera, "cancel_all_and_flush", lambda: None)()
                # Not `stop` before, which would wait for that picture.
                self._camera.close()
        except OSError as error:
            errors.append(error)


@contextlib.contextmanager
def _as_os_error(what: str) -> Iterator[None]:
    """Of a lost camera picamera2 and libcamera tell by RuntimeError, TimeoutError and others."""
    try:
        yield
    # Whatever it is: the camera is opened again.
    except Exception as error:
        raise OSError(f"picamera2 {what}: {error or type(error).__name__}") from error


def is_name(text: str) -> bool:
    """Whether one is meant."""
    return _NAME.fullmatch(text) is not None


def open_picamera2(text: str, request: Request) -> PicameraGrabber:
    """Opens `picamera2`, or `picamera2:1` as `rpicam-hello --list-cameras` counts, and starts it.

    Raises:
      OSError: If that fails.
      ImportError: If picamera2 is missing.
    """
    try:
        picamera2 = importlib.import_module("picamera2")
    except ImportError as error:
        raise ImportError(
            f"--source picamera2 needs the package of that name, which cannot be imported "
            f"({error}): sudo apt install python3-picamera2, and make the virtual environment by "
            "`python3 -m venv --system-site-packages`"
        ) from error
    number = int(text.partition(":")[2] or 0)
    height_px, width_px = request.size or _DEFAULT_SIZE
    fps = request.fps or ASSUMED_FPS
    camera = None
    try:
        camera = picamera2.Picamera2(number)
        camera.configure(
            camera.create_video_configuration(
                main={"size": (width_px, height_px), "format": "BGR888"},
                controls={"FrameRate": fps},
            )
        )
        camera.start()
    # RuntimeError, IndexError of a camera that is not there, and what libcamera throws.
    except Exception as error:
        if camera is not None:
            # Else this program itself would hold it at the next attempt.
            with contextlib.suppress(OSError):
                PicameraGrabber(camera, fps=fps).release()
        raise OSError(
            f"picamera2 cannot open camera {number} ({error}): `rpicam-hello --list-cameras` "
            "lists those that are plugged in; another program may hold it"
        ) from error
    return PicameraGrabber(camera, fps=fps)
