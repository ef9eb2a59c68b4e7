"""Segmentation scores from one confusion matrix."""

import dataclasses
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import IGNORE_ID, NUM_CLASSES
from mtdepth.files import UserError

Ids = npt.NDArray[np.integer[Any]]


@dataclasses.dataclass(frozen=True)
class Confusion:
    """How often each true class was predicted as each class; frames add up with `+`.

    Attributes:
      counts: `[19, 19]` int64, true train id by predicted train id.
      num_labelled: Pixels with a true class, predicted or not.
    """

    counts: npt.NDArray[np.int64]
    num_labelled: int

    @classmethod
    def zero(cls) -> Self:
        """Returns the matrix of no pixel."""
        return cls(np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64), 0)

    def __add__(self, other: Self) -> Self:
        return dataclasses.replace(
            self,
            counts=self.counts + other.counts,
            num_labelled=self.num_labelled + other.num_labelled,
        )

    @property
    def coverage(self) -> float:
        """Share of the labelled pixels that have a predicted class."""
        return int(self.counts.sum()) / max(self.num_labelled, 1)

    def pixel_accuracy(self) -> float:
        """Share of the compared pixels whose class is right.

        Raises:
          ValueError: If no pixel was compared.
        """
        total = self._total()
        return int(np.trace(self.counts)) / total

    def class_iou(self) -> npt.NDArray[np.float64]:
        """Intersection over union per class.

        Returns:
          `[19]`; NaN for a class in neither the truth nor the predictions.
        """
        hits = np.diagonal(self.counts)
        unions = self.counts.sum(axis=0) + self.counts.sum(axis=1) - hits
        # Substituted before the division: 0 / 0 would warn.
        return np.where(unions > 0, hits / np.maximum(unions, 1), np.nan)

    def mean_iou(self) -> float:
        """Mean IoU over the classes present in the truth or the predictions.

        Raises:
          ValueError: If no pixel was compared.
        """
        self._total()
        return float(np.nanmean(self.class_iou()))

    def _total(self) -> int:
        total = int(self.counts.sum())
        if not total:
            raise UserError("no pixel has both a true and a predicted class")
        return total


def confusion(truth_train_id: Ids, predicted_train_id: Ids) -> Confusion:
    """Counts one image.

    Args:
      truth_train_id: `[height, width]`, 0..18; 255 is ignored.
      predicted_train_id: `[height, width]`, 0..18; 255 is no prediction: it lowers the coverage.

    Raises:
      ValueError: If the sizes differ or an id is neither a class nor 255.
    """
    if truth_train_id.shape != predicted_train_id.shape:
        raise ValueError(
            f"truth is {truth_train_id.shape} and prediction {predicted_train_id.shape} "
            "(height, width); resize the prediction to its image first"
        )
    for what, ids in (("truth", truth_train_id), ("prediction", predicted_train_id)):
        strange = ids[(ids != IGNORE_ID) & ((ids < 0) | (ids >= NUM_CLASSES))]
        if strange.size:
            raise ValueError(
                f"the {what} holds the id {int(strange[0])}; train ids are 0..{NUM_CLASSES - 1} "
                f"and {IGNORE_ID} (a file of Cityscapes label ids must be converted first)"
            )
    labelled = truth_train_id != IGNORE_ID
    compared = labelled & (predicted_train_id != IGNORE_ID)
    # Widened before the product: 18 * 19 does not fit uint8.
    pairs = truth_train_id[compared].astype(np.int64) * NUM_CLASSES + predicted_train_id[compared]
    counts = np.bincount(pairs, minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES)
    return Confusion(counts.astype(np.int64), int(np.count_nonzero(labelled)))
