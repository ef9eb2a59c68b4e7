"""Sheets that show whether a training from video works: pictures rebuilt from their neighbours."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.geometry.depth_codec import SigmoidDisparityCodec
from mtdepth.losses.video import TARGET
from mtdepth.runtime.colors import depth_colors

Image = npt.NDArray[np.uint8]

PANELS = "target, rebuilt from t-1, rebuilt from t+1, depth, error"
_WORST_ERROR = 0.5  # brightest of the error's colours


def sheet(frames: npt.NDArray[Any], found: dict[str, npt.NDArray[Any]], *, number: int) -> Image:
    """One row per triplet: target, both rebuilt targets, depth, error, mask.

    Args:
      frames: `[B, 3, H, W, 3]`, RGB 0..255.
      found: See `VideoObjective.evaluate`.
      number: Triplets to show, at most.

    Returns:
      `[rows, columns, 3]` RGB. Depth spans each picture's own range; error is bright where large;
      with auto-masking pixels that do not count are black in the mask.
    """
    return np.concatenate([_row(frames, found, index) for index in range(min(number, len(frames)))])


def _row(frames: npt.NDArray[Any], found: dict[str, npt.NDArray[Any]], index: int) -> Image:
    panels = [
        _bytes(frames[index, TARGET]),
        _bytes(255 * found["warped_0"][index]),
        _bytes(255 * found["warped_1"][index]),
        _depth(found["unit_inverse_depth"][index]),
        _error(found["error"][index]),
    ]
    if "is_moving" in found:
        panels.append(np.repeat(_bytes(255 * found["is_moving"][index])[..., None], 3, axis=-1))
    return np.concatenate(panels, axis=1)


def _bytes(values: npt.NDArray[Any]) -> Image:
    return np.rint(np.clip(np.nan_to_num(values), 0, 255)).astype(np.uint8)


def _depth(unit_inverse_depth: npt.NDArray[Any]) -> Image:
    law = SigmoidDisparityCodec
    depth = np.nan_to_num(1 / (law.gain * unit_inverse_depth + law.bias), nan=0.0)
    near, far = np.percentile(depth, [2, 98])
    # A constant depth, as before the first step, has no range of its own.
    return depth_colors(depth, near_m=max(near, 1e-3) * 0.999, far_m=max(far, 1e-3) * 1.001)


def _error(error: npt.NDArray[Any]) -> Image:
    bgr = cv2.applyColorMap(_bytes(255 * error / _WORST_ERROR), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(bgr[..., ::-1])
