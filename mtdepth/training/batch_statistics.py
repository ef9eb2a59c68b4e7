"""Batch-norm statistics as a plain average over training batches.

A moving average still holds its initial values after a short training (momentum 0.999 forgets them
in thousands of steps), and evaluation with such statistics is ruined without a warning.
"""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from mtdepth.data.features import IMAGE
from mtdepth.training.student_objective import network_input


class BatchStatistics:
    """Re-estimates the batch-norm statistics of one graph.

    Args:
      graph: The training graph.
    """

    def __init__(self, graph: keras.Model) -> None:
        self._norms = [
            layer for layer in graph.layers if isinstance(layer, keras.layers.BatchNormalization)
        ]
        self._probe = keras.Model(graph.input, [norm.input for norm in self._norms])
        self._moments = tf.function(self._traced_moments, jit_compile=False)

    def estimate(self, batches: Iterable[dict[str, Any]]) -> None:
        """Replaces each layer's moving mean and variance by those of `batches`.

        The network runs in training mode, so that every layer sees its inputs normalised as in
        training. The variance is that of all pixels of all batches about their common mean.

        Args:
          batches: Training batches (see `mtdepth.data.features`), at least one.

        Raises:
          ValueError: If there is no batch.
        """
        sums: list[Any] = []
        num_batches = 0
        for batch in batches:
            found = self._moments(batch[IMAGE])
            sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
            num_batches += 1
        if not num_batches:
            raise ValueError("batch-norm statistics need at least one batch")
        for norm, total in zip(self._norms, sums, strict=True):
            mean, square = tf.unstack(total / num_batches)
            norm.moving_mean.assign(mean)
            # Rounding can leave a tiny negative difference where a channel is constant.
            norm.moving_variance.assign(tf.maximum(square - tf.square(mean), 0.0))

    def _traced_moments(self, image: Any) -> list[Any]:
        """Per layer `[2, channels]`: the mean and the mean square of its input."""
        inputs = self._probe(network_input(image), training=True)
        axes = (0, 1, 2)
        return [
            tf.stack([tf.reduce_mean(x, axes), tf.reduce_mean(tf.square(x), axes)])
            for x in tf.nest.flatten(inputs)
        ]
