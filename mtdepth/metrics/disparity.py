"""Errors of disparities, as KITTI's stereo benchmark counts them."""

import dataclasses
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mtdepth.files import UserError

Floats = npt.NDArray[np.floating[Any]]

OUTLIER_PX, OUTLIER_SHARE = 3.0, 0.05  # Menze & Geiger 2015: wrong by 3 px and by 5 %


@dataclasses.dataclass(frozen=True)
class DisparityErrors:
    """Sums over measured pixels; frames add up with `+`.

    Attributes:
      error_sum_px: Sum of the absolute errors.
      num_outliers: Pixels wrong by more than 3 px and more than 5 % of the truth.
      num_measured: Pixels with a true disparity.
    """

    error_sum_px: float = 0.0
    num_outliers: int = 0
    num_measured: int = 0

    def __add__(self, other: Self) -> Self:
        return dataclasses.replace(
            self,
            error_sum_px=self.error_sum_px + other.error_sum_px,
            num_outliers=self.num_outliers + other.num_outliers,
            num_measured=self.num_measured + other.num_measured,
        )

    def end_point_error_px(self) -> float:
        """Mean absolute error (EPE).

        Raises:
          ValueError: If no pixel was measured.
        """
        return self.error_sum_px / self._count()

    def outlier_share(self) -> float:
        """Share of outliers (D1), 0..1.

        Raises:
          ValueError: If no pixel was measured.
        """
        return self.num_outliers / self._count()

    def _count(self) -> int:
        if not self.num_measured:
            raise UserError("no pixel has a true disparity")
        return self.num_measured


def disparity_errors(truth_px: Floats, predicted_px: Floats) -> DisparityErrors:
    """Counts one image.

    Args:
      truth_px: `[height, width]`; <= 0 is not measured.
      predicted_px: `[height, width]`, dense.

    Raises:
      ValueError: If the sizes differ.
    """
    if truth_px.shape != predicted_px.shape:
        raise ValueError(
            f"truth is {truth_px.shape} and prediction {predicted_px.shape} (height, width)"
        )
    measured = truth_px > 0
    truth = truth_px[measured].astype(np.float64)
    error_px = np.abs(predicted_px[measured] - truth)
    # Asked this way round, a prediction that is no number is an outlier.
    is_right = (error_px <= OUTLIER_PX) | (error_px <= OUTLIER_SHARE * truth)
    return DisparityErrors(float(error_px.sum()), int(np.count_nonzero(~is_right)), int(truth.size))
