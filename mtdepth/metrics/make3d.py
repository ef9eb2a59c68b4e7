"""Depth errors as they are published for Make3D."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

MAX_DEPTH_M = 70.0  # criterion C1 of Liu et al. 2014: farther truth is left out
MIN_DEPTH_M = 1e-3  # ours: keeps the logarithms finite


@dataclasses.dataclass(frozen=True, kw_only=True)
class Make3dErrors:
    """Errors of one picture, or their means over pictures.

    Attributes:
      abs_rel: Mean of |predicted - truth| / truth.
      sq_rel: Mean of (predicted - truth)^2 / truth, metres.
      rmse: Root of the mean squared error, metres.
      rmse_log10: Root of the mean squared difference of logarithms to base *10*, as Make3D's tables
        have it.
      rmse_ln: The same of natural logarithms; some published columns mix the two.
    """

    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log10: float
    rmse_ln: float


ERROR_NAMES = tuple(field.name for field in dataclasses.fields(Make3dErrors))


def make3d_errors(truth_m: Floats, predicted: Floats, *, median_scaling: bool) -> Make3dErrors:
    """Compares one picture's prediction with its laser depths.

    Args:
      truth_m: `[rows, columns]`; what is not between 0 and 70 m is left out.
      predicted: The same shape; of any scale with `median_scaling`, else metres.
      median_scaling: Whether the prediction is first multiplied by median(truth) / median(it).

    Raises:
      ValueError: If the shapes differ, or no truth is left.
    """
    if truth_m.shape != predicted.shape:
        raise ValueError(f"truth is {truth_m.shape}, prediction {predicted.shape}")
    counts = (truth_m > 0) & (truth_m < MAX_DEPTH_M)
    if not counts.any():
        raise ValueError(f"no laser depth below {MAX_DEPTH_M:g} m in the crop")
    truth, found = truth_m[counts].astype(np.float64), predicted[counts].astype(np.float64)
    found = np.maximum(np.nan_to_num(found, nan=MIN_DEPTH_M), MIN_DEPTH_M)
    if median_scaling:
        found = found * (np.median(truth) / np.median(found))
    found = np.clip(found, MIN_DEPTH_M, MAX_DEPTH_M)
    log_ratio = np.log(found / truth)
    rmse_ln = float(np.sqrt(np.mean(log_ratio**2)))
    return Make3dErrors(
        abs_rel=float(np.mean(np.abs(found - truth) / truth)),
        sq_rel=float(np.mean((found - truth) ** 2 / truth)),
        rmse=float(np.sqrt(np.mean((found - truth) ** 2))),
        rmse_log10=rmse_ln / float(np.log(10)),
        rmse_ln=rmse_ln,
    )


def mean_errors(errors: Sequence[Make3dErrors]) -> Make3dErrors:
    """Averages over pictures, each counting the same.

    Raises:
      ValueError: If there is none.
    """
    if not errors:
        raise ValueError("no picture was scored")
    return Make3dErrors(
        **{name: float(np.mean([getattr(each, name) for each in errors])) for name in ERROR_NAMES}
    )
