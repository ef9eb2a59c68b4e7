"""Batch-norm statistics as a plain average over training batches.

A moving average still holds its initial values after a short training (momentum 0.999 forgets them
in thousands of steps), and evaluation with such statistics is ruined without a warning.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from mtdepth.trained import graph_function


class BatchStatistics:
    """Re-estimates the batch-norm statistics of one graph.

    Args:
      graph: The graph; the models inside it count, too.
      forward: Runs `graph` in training mode on one batch; traced here, never called elsewhere.
    """

    def __init__(self, graph: keras.Model, forward: Callable[[Any], Any]) -> None:
        self._norms = norm_layers(graph)
        self._forward = graph_function(forward)

    def estimate(self, batches: Iterable[Any]) -> None:
        """Replaces each layer's moving mean and variance by those of `batches`.

        Every layer sees its inputs normalised as in training. The variance is that of all pixels of
        all batches about their common mean: the mean of the batches' variances and the variance of
        their means, in float64. A layer that a step runs twice, on the left and the right view,
        counts the second.

        Args:
          batches: What `forward` takes, of one size, at least one.

        Raises:
          ValueError: If there is no batch.
        """
        means: list[list[Any]] = [[] for _ in self._norms]
        variances: list[list[Any]] = [[] for _ in self._norms]
        with _without_memory(self._norms):
            for batch in batches:
                self._forward(batch)
                for i, norm in enumerate(self._norms):
                    means[i].append(np.asarray(norm.moving_mean, np.float64))
                    variances[i].append(np.asarray(norm.moving_variance, np.float64))
        for norm, of_means, of_variances in zip(self._norms, means, variances, strict=True):
            if not of_means:
                raise ValueError("batch-norm statistics need at least one batch")
            norm.moving_mean.assign(np.mean(of_means, axis=0))
            norm.moving_variance.assign(np.mean(of_variances, axis=0) + np.var(of_means, axis=0))


def norm_layers(graph: Any) -> list[keras.layers.BatchNormalization]:
    """The batch normalisations of a graph and of all models inside it, each once."""
    found: dict[int, keras.layers.BatchNormalization] = {}
    for layer in graph.layers:
        inner = norm_layers(layer) if hasattr(layer, "layers") else [layer]
        found |= {id(each): each for each in inner}
    return [each for each in found.values() if isinstance(each, keras.layers.BatchNormalization)]


@contextlib.contextmanager
def _without_memory(norms: list[keras.layers.BatchNormalization]) -> Iterator[None]:
    """Makes the "moving" statistics those of the last batch; read when a function is traced."""
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
