"""A window with the newest picture, where the machine has a screen."""

import cv2
import numpy as np
import numpy.typing as npt

_TITLE = "mtdepth (q: quit)"


class Window:
    """Shows pictures; `q` or Escape asks to stop.

    Raises:
      OSError: If there is no screen, or this OpenCV was built without windows.
    """

    def __init__(self) -> None:
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL)
        except cv2.error as error:
            raise OSError(
                f"no window can be opened ({error.err or error}); use --display none"
            ) from error

    def show(self, image_rgb: npt.NDArray[np.uint8]) -> bool:
        """Shows a picture; returns whether to go on."""
        cv2.imshow(_TITLE, cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF not in (ord("q"), 27)

    def close(self) -> None:
        """Closes the window."""
        cv2.destroyWindow(_TITLE)
