"""The baseline that any model must beat: one answer for every image, the mean of the labels."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import IGNORE_ID, NUM_CLASSES
from mtdepth.files import UserError

Floats = npt.NDArray[np.floating[Any]]
Ids = npt.NDArray[np.integer[Any]]

# ours: of the width; wide enough that a few dozen sparse sweeps leave no visible points
SMOOTHING_FRACTION = 0.01
# ours: of a large store so many labels are read; more do not change the mean visibly
BASELINE_MAX_FRAMES = 500


class TrainingMean(NamedTuple):
    """What a predictor that never looks at the image says.

    Attributes:
      mean_depth_m: `[height, width]` float32, positive everywhere.
      majority_train_id: `[height, width]` uint8, 255 everywhere if there were no class labels.
    """

    mean_depth_m: npt.NDArray[np.float32]
    majority_train_id: npt.NDArray[np.uint8]

    def checked(self) -> "TrainingMean":
        """Itself, read from a file.

        Raises:
          UserError: If its arrays are no such pictures.
        """
        depth_m, ids = self
        is_depth = depth_m.ndim == 2 and depth_m.dtype == np.float32 and (depth_m > 0).all()
        is_known = ids.dtype == np.uint8 and ((ids < NUM_CLASSES) | (ids == IGNORE_ID)).all()
        if not (is_depth and is_known and ids.shape == depth_m.shape and depth_m.size):
            raise UserError("depths must be positive, classes 0..18 or 255, both of one size")
        return self


def training_mean(
    depths_m: Iterable[Floats],
    train_ids: Iterable[Ids] | None,
    *,
    size: tuple[int, int],
) -> TrainingMean:
    """Averages labels pixel by pixel.

    Depth is the mean of the logarithm over the images where the pixel is measured, smoothed by a
    Gaussian that leaves unmeasured pixels out; a pixel measured nowhere takes its nearest
    neighbour's value. The class is the most frequent one.

    Args:
      depths_m: `[h, w]` each, 0 where unmeasured; resized by nearest neighbour.
      train_ids: `[h, w]` each, 0..18 and 255; None where the labels have no classes.
      size: (height, width) of the result.

    Raises:
      UserError: If no depth pixel is measured.
    """
    log_sum, count = np.zeros(size), np.zeros(size)
    for depth_m in depths_m:
        depth = _nearest(depth_m, size=size)
        measured = depth > 0
        log_sum += np.log(np.where(measured, depth, 1.0))
        count += measured
    if not count.any():
        raise UserError("no label measures a single pixel, so there is no training mean")
    return TrainingMean(
        np.exp(_smoothed_mean(log_sum, count)).astype(np.float32),
        _majority(train_ids or (), size=size),
    )


def _nearest(image: npt.NDArray[Any], *, size: tuple[int, int]) -> npt.NDArray[Any]:
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)


def _smoothed_mean(log_sum: Floats, count: Floats) -> npt.NDArray[np.float64]:
    sigma_px = max(SMOOTHING_FRACTION * log_sum.shape[1], 0.5)
    radius_px = int(np.ceil(3 * sigma_px))
    window = (2 * radius_px + 1, 2 * radius_px + 1)

    def blurred(image: Floats) -> npt.NDArray[np.float64]:
        # Zeros beyond the border are pixels that measure nothing, so they weigh nothing.
        return cv2.GaussianBlur(image, window, sigma_px, borderType=cv2.BORDER_CONSTANT)

    weight = blurred(count)
    # Far from any measurement the weight is a rounding error, not a mean.
    known = weight > 1e-6
    mean = blurred(log_sum) / np.where(known, weight, 1.0)
    return np.asarray(mean[_nearest_known(known)], np.float64)


def _nearest_known(known: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], ...]:
    """Returns, for each pixel, the row and the column of the nearest known one."""
    _, marks = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Each known pixel carries its own mark; the others the mark of the nearest.
    at = np.zeros(int(marks.max()) + 1, np.intp)
    at[marks[known]] = np.flatnonzero(known)
    return np.unravel_index(at[marks], known.shape)


def _majority(train_ids: Iterable[Ids], *, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    votes = np.zeros((NUM_CLASSES, *size), np.int32)
    rows, columns = np.indices(size)
    for each in train_ids:
        ids = _nearest(each, size=size)
        voting = ids != IGNORE_ID
        votes[ids[voting], rows[voting], columns[voting]] += 1
    majority = votes.argmax(axis=0)
    return np.where(votes.any(axis=0), majority, IGNORE_ID).astype(np.uint8)
