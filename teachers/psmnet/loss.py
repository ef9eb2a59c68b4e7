"""What PSMNet's training minimises (Chang & Chen 2018)."""

from collections.abc import Sequence
from typing import Any

from keras import ops

HOURGLASS_WEIGHTS = (0.5, 0.7, 1.0)  # coarse to fine: section 4.1


def disparity_loss(truth_px: Any, predicted_px: Sequence[Any], *, max_disparity_px: int) -> Any:
    """Smooth L1 of each hourglass's disparity, averaged over the pixels with truth, weighted.

    The training loss of Chang & Chen 2018, section 3.5.

    Args:
      truth_px: `[b, h, w]`; only 0 < truth < max_disparity_px counts, 0 is not measured.
      predicted_px: The three outputs of `build_psmnet(outputs="all")`, `[b, h, w]`.
      max_disparity_px: The network's.

    Returns:
      A scalar, pixels; 0 where no pixel counts.
    """
    is_counted = ops.logical_and(truth_px > 0, truth_px < max_disparity_px)
    count = ops.maximum(ops.sum(ops.cast(is_counted, "float32")), 1.0)
    return sum(
        weight * ops.sum(smooth_l1(ops.where(is_counted, truth_px - disparity_px, 0.0))) / count
        for weight, disparity_px in zip(HOURGLASS_WEIGHTS, predicted_px, strict=True)
    )


def smooth_l1(error: Any) -> Any:
    """`error^2 / 2` up to 1, `|error| - 1/2` beyond, of any shape (Girshick 2015, eq. 3)."""
    size = ops.abs(error)
    return ops.where(size < 1.0, 0.5 * ops.square(error), size - 0.5)
