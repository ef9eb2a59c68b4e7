"""A window with the newest picture, where the machine has a screen."""

import os
import sys

import cv2
import numpy as np
import numpy.typing as npt

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
_TITLE = "mtdepth (q: quit)"


class Window:
    """Shows pictures; `q` or Escape asks to stop.

    Raises:
      OSError: If there is no screen, or this OpenCV was built without windows.
    """

    def __init__(self) -> None:
        # Qt ends the whole program where it finds no screen.
        if sys.platform == "linux" and not any(name in os.environ for name in _SCREENS):
            raise OSError(
                "no window can be opened: there is no screen (neither $DISPLAY nor "
                "$WAYLAND_DISPLAY is set); use --display none, or web"
            )
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL)
        except cv2.error as error:
            raise OSError(
                f"no window can be opened ({error.err or error}); use --display none, or web"
            ) from error

    def show(self, image_rgb: npt.NDArray[np.uint8] | None) -> bool:
        """Shows a picture, or lets the last one stand; returns whether to go on."""
        if image_rgb is not None:
            cv2.imshow(_TITLE, cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF not in (ord("q"), 27)

    def close(self) -> None:
        """Closes the window."""
        cv2.destroyWindow(_TITLE)
