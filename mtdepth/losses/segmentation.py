"""Pixel-wise cross-entropy over the classes."""

from collections.abc import Sequence
from typing import Any

from keras import ops


def segmentation_loss(
    train_id: Any, scores: Any, *, hard_share: float = 1.0, class_weights: Sequence[float] = ()
) -> Any:
    """Mean cross-entropy `-ln softmax(scores)[train_id]` over the labelled pixels.

    A mean weighted by the true class where `class_weights` are given.

    Args:
      train_id: `[B, h, w, 1]` integers. A pixel outside `0 .. num_classes - 1` (255: ignored) has
        no label: whatever the scores there, NaN too, loss and gradient are unchanged.
      scores: `[B, h, w, num_classes]` logits.
      hard_share: Only this share of the batch's labelled pixels counts, those that cost most
        (bootstrapped cross-entropy, Wu et al. 2016; DeepLab's hard pixel mining); 1 for all. Where
        several cost as much as the last of them, all of these count.
      class_weights: Of each class, by train id; empty counts all alike.

    Returns:
      A float32 scalar; 0 with a zero gradient where nothing is labelled.

    Raises:
      ValueError: If the shapes do not belong together.
    """
    if tuple(train_id.shape[1:]) != (*tuple(scores.shape[1:3]), 1):
        raise ValueError(
            f"train_id must be [B, h, w, 1] with the height and width of scores, got "
            f"{tuple(train_id.shape)} and {tuple(scores.shape)}"
        )
    num_classes = int(scores.shape[-1])
    # One dimension of pixels: the torch back end takes no other for sparse classes.
    ids = ops.reshape(ops.cast(train_id, "int32"), (-1,))
    logits = ops.reshape(ops.cast(scores, "float32"), (-1, num_classes))
    is_labelled = ops.logical_and(ids >= 0, ids < num_classes)
    safe_logits = ops.where(is_labelled[:, None], logits, 0.0)
    safe_ids = ops.where(is_labelled, ids, 0)
    entropy = ops.sparse_categorical_crossentropy(safe_ids, safe_logits, from_logits=True)
    weights = ops.cast(is_labelled, "float32")
    if class_weights:
        weights = weights * ops.take(ops.convert_to_tensor(class_weights, "float32"), safe_ids)
    if hard_share < 1:
        cost = ops.stop_gradient(ops.where(is_labelled, entropy * weights, -1.0))
        weights = weights * ops.cast(cost >= _least_hard(cost, is_labelled, hard_share), "float32")
    total = ops.sum(weights)
    return ops.sum(entropy * weights) / ops.where(total > 0, total, 1.0)


def _least_hard(cost: Any, is_labelled: Any, share: float) -> Any:
    """What the cheapest of the hard pixels costs; -1 of pixels without a label."""
    count = ops.sum(ops.cast(is_labelled, "float32"))
    num_hard = ops.cast(ops.ceil(share * count), "int32")
    place = ops.shape(cost)[0] - ops.maximum(num_hard, 1)
    return ops.take(ops.sort(cost), place)
