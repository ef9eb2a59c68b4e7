"""Pixel-wise cross-entropy over the classes."""

from typing import Any

from keras import ops


def segmentation_loss(train_id: Any, scores: Any) -> Any:
    """Mean cross-entropy `-ln softmax(scores)[train_id]` over the labelled pixels.

    Args:
      train_id: `[B, h, w, 1]` integers. A pixel outside `0 .. num_classes - 1` (255: ignored) has
        no label: whatever the scores there, NaN too, loss and gradient are unchanged.
      scores: `[B, h, w, num_classes]` logits.

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
    return ops.sum(entropy * weights) / ops.maximum(ops.sum(weights), 1.0)
