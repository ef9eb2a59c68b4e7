"""What the training of DeepLab minimises."""

from typing import Any

from keras import ops

from mtdepth.datasets.label_map import IGNORE_ID


def cross_entropy(train_id: Any, logits: Any) -> Any:
    """What training minimises: the mean cross entropy over the pixels that have a class.

    Args:
      train_id: `[b, h, w]` integers, 0..num_classes-1, or 255 = not counted.
      logits: `[b, h, w, num_classes]`.

    Returns:
      A scalar, nats a pixel: the sum over the counted pixels of the whole batch divided by their
      number; 0 where there is none.
    """
    num_classes = logits.shape[-1]
    counted = ops.not_equal(train_id, IGNORE_ID)
    # A class that exists stands in before the look-up: masking afterwards would leave NaN.
    target = ops.where(counted, ops.cast(train_id, "int32"), 0)
    nats = ops.sparse_categorical_crossentropy(
        ops.reshape(target, (-1,)), ops.reshape(logits, (-1, num_classes)), from_logits=True
    )
    weight = ops.cast(ops.reshape(counted, (-1,)), nats.dtype)
    return ops.sum(nats * weight) / ops.maximum(ops.sum(weight), 1.0)
