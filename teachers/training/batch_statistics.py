"""Batch-norm statistics as a plain average over training batches, for graphs with inner models.

The reason is that of `mtdepth.training.batch_statistics`, whose probe needs a flat graph: PSMNet
runs one inner model on two views and the segmentation networks hold theirs inside.
"""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def norm_layers(graph: keras.Model) -> list[keras.layers.BatchNormalization]:
    """The batch normalisations of a graph and of all models inside it."""
    return [
        layer
        for layer in graph._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


class BatchStatistics:
    """Re-estimates the batch-norm statistics of one graph.

    Args:
      graph: The graph.
      forward: Runs `graph` in training mode on one batch; traced here, never called elsewhere.
    """

    def __init__(self, graph: keras.Model, forward: Callable[[Any], Any]) -> None:
        self._norms = norm_layers(graph)
        # Traced while the momentum is 0: a graph keeps the momentum it was traced with.
        self._forward = tf.function(forward, jit_compile=False)

    def estimate(self, batches: Iterable[Any]) -> None:
        """Replaces each layer's moving mean and variance by those of `batches`.

        The variance is that about the common mean. A layer that a step runs twice, on the left and
        the right view, counts the second.

        Args:
          batches: What `forward` takes, at least one.

        Raises:
          ValueError: If there is no batch.
        """
        means: list[Any] = [0.0] * len(self._norms)
        squares: list[Any] = [0.0] * len(self._norms)
        num_batches = 0
        # Without memory, the "moving" statistics are those of the last batch.
        with _Momentum(self._norms, 0.0):
            for batch in batches:
                self._forward(batch)
                num_batches += 1
                for i, norm in enumerate(self._norms):
                    mean = np.asarray(norm.moving_mean, np.float64)
                    means[i] = means[i] + mean
                    squares[i] = squares[i] + np.asarray(norm.moving_variance) + mean**2
        if not num_batches:
            raise ValueError("batch-norm statistics need at least one batch")
        for norm, mean_sum, square_sum in zip(self._norms, means, squares, strict=True):
            mean = mean_sum / num_batches
            norm.moving_mean.assign(mean)
            norm.moving_variance.assign(np.maximum(square_sum / num_batches - mean**2, 0.0))


class _Momentum:
    """Sets the momentum of layers for a while; it is read when a function is traced."""

    def __init__(self, norms: list[keras.layers.BatchNormalization], value: float) -> None:
        self._norms = norms
        self._value = value
        self._before = [norm.momentum for norm in norms]

    def __enter__(self) -> None:
        for norm in self._norms:
            norm.momentum = self._value

    def __exit__(self, *_: object) -> None:
        for norm, before in zip(self._norms, self._before, strict=True):
            norm.momentum = before
