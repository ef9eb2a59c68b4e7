"""Depth as colours: one law for the device's pictures, reports and notebooks."""

import math
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]

MAGMA = "magma"
# OpenCV's map, and the first index of it that is used: the black end of magma is left out, so that
# far is not "not measured".
_COLOR_MAPS: dict[str, tuple[int | None, int]] = {
    MAGMA: (cv2.COLORMAP_MAGMA, 24),
    "turbo": (cv2.COLORMAP_TURBO, 0),
    "viridis": (cv2.COLORMAP_VIRIDIS, 0),
    "inferno": (cv2.COLORMAP_INFERNO, 24),
    "gray": (None, 24),
}
PALETTES = tuple(_COLOR_MAPS)


def depth_colors(
    depth_m: npt.NDArray[np.floating], *, near_m: float, far_m: float, palette: str = MAGMA
) -> Rgb:
    """Paints depth: near is bright or warm, far dark or cold, equal ratios are equal steps.

    Args:
      depth_m: `[height, width]`; 0 is not measured.
      near_m: Everything nearer has the first colour.
      far_m: Everything farther has the last.
      palette: One of `PALETTES`.

    Returns:
      `[height, width, 3]` RGB; black where not measured.

    Raises:
      ValueError: For another palette, or if not 0 < near_m < far_m.
    """
    if palette not in PALETTES:
        raise ValueError(f"palette must be one of {', '.join(PALETTES)}, got {palette!r}")
    if not 0 < near_m < far_m:
        raise ValueError(f"colours need 0 < near_m < far_m, got {near_m} and {far_m}")
    ramp = _ramp(palette)
    is_measured = depth_m > 0
    nearness = np.log(far_m / np.where(is_measured, depth_m, far_m)) / math.log(far_m / near_m)
    index = np.rint(np.clip(nearness, 0, 1) * (len(ramp) - 1)).astype(np.uint8)
    return np.where(is_measured[..., None], ramp[index], np.uint8(0))


@cache
def _ramp(palette: str) -> Rgb:
    """The colours from far to near, `[n, 3]`."""
    color_map, first = _COLOR_MAPS[palette]
    values = np.arange(256, dtype=np.uint8)[:, None]
    if color_map is None:
        return np.repeat(values, 3, axis=1)[first:]
    ramp_bgr = cv2.applyColorMap(values, color_map)
    return np.ascontiguousarray(ramp_bgr[first:, 0, ::-1])
