"""Depth as colours: one law for the device's overlay, reports and notebooks."""

import math
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

# The darkest end of the palette is left out, so that far is not the black of "not measured".
_FAR_INDEX = 24


def depth_colors(
    depth_m: npt.NDArray[np.floating], *, near_m: float, far_m: float
) -> npt.NDArray[np.uint8]:
    """Paints depth in magma: near is bright, far is dark, equal ratios are equal steps.

    Args:
      depth_m: `[height, width]`; 0 is not measured.
      near_m: Everything nearer has the brightest colour.
      far_m: Everything farther has the darkest.

    Returns:
      `[height, width, 3]` RGB; black where not measured.

    Raises:
      ValueError: If not 0 < near_m < far_m.
    """
    if not 0 < near_m < far_m:
        raise ValueError(f"colours need 0 < near_m < far_m, got {near_m} and {far_m}")
    is_measured = depth_m > 0
    nearness = np.log(far_m / np.where(is_measured, depth_m, far_m)) / math.log(far_m / near_m)
    index = _FAR_INDEX + np.rint(np.clip(nearness, 0, 1) * (255 - _FAR_INDEX))
    return np.where(is_measured[..., None], _magma()[index.astype(np.uint8)], np.uint8(0))


@cache
def _magma() -> npt.NDArray[np.uint8]:
    ramp_bgr = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_MAGMA)
    return np.ascontiguousarray(ramp_bgr[:, 0, ::-1])
