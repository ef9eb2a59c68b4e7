"""The weights' average over a training's steps, which is judged and saved in their place."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

# A short training would still hold much of its first weights: after n averaged steps no more than
# the last ninth or so counts (TensorFlow's `ExponentialMovingAverage`, `num_updates`).
_EARLY_STEPS = 9


class WeightAverage:
    """An exponential moving average of the trainable weights (Polyak and Juditsky 1992).

    After step n, counted from 0: `average = d * average + (1 - d) * weight` with
    `d = min(decay, n / (n + 9))`, so that it begins as the weights after the first step.

    Args:
      network: Its trainable weights are averaged.
      decay: Of the average, in (0, 1).

    Attributes:
      variables: What a run must not lose: the averages, and the number of steps.
    """

    def __init__(self, network: keras.Model, decay: float) -> None:
        self._weights, self._decay = network.trainable_variables, decay
        self._averages = [
            keras.Variable(np.zeros(weight.shape), trainable=False, dtype=weight.dtype)
            for weight in self._weights
        ]
        self._num_steps = keras.Variable(0, trainable=False, dtype="int64")
        self.variables: list[Any] = [*self._averages, self._num_steps]

    def update(self) -> None:
        """Counts the weights as they are; to be traced with a step."""
        steps = keras.ops.cast(self._num_steps, "float32")
        decay = keras.ops.minimum(self._decay, steps / (steps + _EARLY_STEPS))
        for average, weight in zip(self._averages, self._weights, strict=True):
            average.assign(decay * average + (1 - decay) * weight)
        self._num_steps.assign_add(1)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Puts the averages in the network; afterwards it learns on from where it was.

        Before the first step the weights stay. Batch-norm statistics are not averaged: they must be
        estimated anew inside.
        """
        if not int(self._num_steps):
            yield
            return
        learned = [np.asarray(weight).copy() for weight in self._weights]
        self._assign(self._averages)
        try:
            yield
        finally:
            self._assign(learned)

    def _assign(self, values: list[Any]) -> None:
        for weight, value in zip(self._weights, values, strict=True):
            weight.assign(value)
