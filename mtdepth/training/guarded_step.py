"""Training steps that refuse what would poison the weights, for a network of any kind."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

Tensors = dict[str, Any]


class NonFiniteLossError(Exception):
    """The loss or its gradient is no number any more; the weights before it are kept."""


@dataclasses.dataclass(frozen=True)
class StepResult:
    """What a step found.

    Attributes:
      losses: `total` and each part, scalars.
      gradient_norm: Norm of the whole gradient before clipping.
      is_finite: Whether the step was taken; False leaves every variable as it was.
    """

    losses: dict[str, float]
    gradient_norm: float
    is_finite: bool


class GuardedStep:
    """Takes training steps on a graph, refusing those whose loss or gradient is no number.

    Args:
      graph: Its trainable weights are learned.
      losses: From the tensors of a batch to scalars, `total` among them; runs `graph` in training
        mode.
      optimizer: Applied to the graph's trainable weights.
      clip_norm: Largest norm of the whole gradient; 0 leaves it alone.
    """

    def __init__(
        self,
        graph: keras.Model,
        losses: Callable[..., Tensors],
        optimizer: keras.optimizers.Optimizer,
        *,
        clip_norm: float,
    ) -> None:
        self._graph = graph
        self._losses = losses
        self._optimizer = optimizer
        self._clip_norm = clip_norm
        optimizer.build(graph.trainable_variables)
        # XLA makes such graphs several times slower on CPU, so it is not left to a default.
        self._step = tf.function(self._traced_step, jit_compile=False)

    def take(self, *batch: Any, rate: float) -> StepResult:
        """Takes one step.

        Args:
          *batch: What the losses take.
          rate: Learning rate.
        """
        self._optimizer.learning_rate.assign(rate)
        losses, norm, is_finite = self._step(*batch)
        return StepResult(
            losses={name: float(value) for name, value in losses.items()},
            gradient_norm=float(norm),
            is_finite=bool(is_finite),
        )

    def _traced_step(self, *batch: Any) -> tuple[Tensors, Any, Any]:
        statistics = self._graph.non_trainable_variables
        before = [tf.identity(variable.value) for variable in statistics]
        weights = self._graph.trainable_variables
        with tf.GradientTape() as tape:
            losses = self._losses(*batch)
        gradients = tape.gradient(losses["total"], [weight.value for weight in weights])
        norm = tf.linalg.global_norm(gradients)
        is_finite = tf.math.is_finite(norm) & tf.math.is_finite(losses["total"])
        if self._clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm, norm)

        def apply() -> Any:
            self._optimizer.apply(gradients, weights)
            return tf.constant(True)

        def undo() -> Any:
            for variable, value in zip(statistics, before, strict=True):
                variable.assign(value)
            return tf.constant(False)

        return losses, norm, tf.cond(is_finite, apply, undo)
