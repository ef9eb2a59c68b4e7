"""Disparity of a rectified stereo pair and metric depth."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def disparity_to_depth(disparity_px: Floats, *, focal_px: float, baseline_m: float) -> Floats:
    """Converts rectified disparity to metric depth.

    `depth_m = focal_px * baseline_m / disparity_px`, the pinhole relation of a rectified
    pair (Szeliski 2011, eq. 11.1). Depth is camera-frame z, not ray length.

    Args:
      disparity_px: Any shape, at the size `focal_px` refers to; <= 0 or NaN is unmatched.
      focal_px: Horizontal focal length.
      baseline_m: Distance between the optical centres.

    Returns:
      The same shape, metres, 0 where unmatched.

    Raises:
      ValueError: If `focal_px` or `baseline_m` is not positive.
    """
    return _reciprocal(disparity_px, focal_px=focal_px, baseline_m=baseline_m)


def depth_to_disparity(depth_m: Floats, *, focal_px: float, baseline_m: float) -> Floats:
    """Converts metric depth to the disparity that a rectified pair sees; the inverse relation.

    Args:
      depth_m: Any shape, camera z; <= 0 or NaN is not measured.
      focal_px: Horizontal focal length at the wanted image size.
      baseline_m: Distance between the optical centres.

    Returns:
      The same shape, pixels, 0 where not measured.

    Raises:
      ValueError: If `focal_px` or `baseline_m` is not positive.
    """
    return _reciprocal(depth_m, focal_px=focal_px, baseline_m=baseline_m)


def _reciprocal(values: Floats, *, focal_px: float, baseline_m: float) -> Floats:
    if not (focal_px > 0 and baseline_m > 0):
        raise ValueError(
            f"focal_px and baseline_m must be positive, got {focal_px} px and {baseline_m} m"
        )
    values = np.asarray(values)
    is_known = values > 0
    dtype = np.result_type(values, np.float32)
    product = dtype.type(focal_px * baseline_m)
    # The smallest floats have no finite reciprocal; they are as good as unmatched.
    divisor = np.maximum(np.where(is_known, values, 1).astype(dtype), np.finfo(dtype).tiny)
    with np.errstate(over="ignore"):
        quotient = product / divisor
    return np.where(is_known & np.isfinite(quotient), quotient, dtype.type(0))
