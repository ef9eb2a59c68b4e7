"""One training step, which refuses what would poison the weights."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from mtdepth.recipes.schedule import TrainingSchedule
from mtdepth.trained import graph_function, require_tensorflow
from mtdepth.training.adam import Adam

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


class TrainingStep:
    """Takes training steps, refusing those whose loss or gradient is no number.

    Args:
      network: A model of Keras 3 or `tf_keras`; its trainable weights are learned.
      losses: From a batch of tensors to scalars, `total` among them; runs `network` in training
        mode.
      optimizer: Of the same Keras.
      clip_norm: Largest norm of the whole gradient; 0 leaves it alone.
      change_gradients: From the gradients of the trainable weights, in their order and clipped, to
        those that are applied.
      after: Called, and traced, when the weights have changed.

    Raises:
      UserError: If Keras runs on another back end than TensorFlow.
    """

    def __init__(
        self,
        network: Any,
        losses: Callable[[Tensors], Tensors],
        optimizer: Any,
        *,
        clip_norm: float = 0.0,
        change_gradients: Callable[[list[Any]], list[Any]] = lambda gradients: gradients,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        require_tensorflow()
        self._network, self._losses, self._optimizer = network, losses, optimizer
        self._clip_norm = clip_norm
        self._change_gradients, self._after = change_gradients, after
        optimizer.build(network.trainable_variables)
        self._step = graph_function(self._traced)

    def take(self, batch: Tensors, *, rate: float) -> StepResult:
        """Takes one step.

        Args:
          batch: What the losses take; arrays or tensors.
          rate: Learning rate.
        """
        self._optimizer.learning_rate.assign(rate)
        losses, norm, is_finite = self._step(batch)
        return StepResult(
            losses={name: float(value) for name, value in losses.items()},
            gradient_norm=float(norm),
            is_finite=bool(is_finite),
        )

    def _traced(self, batch: Tensors) -> tuple[Tensors, Any, Any]:
        weights = self._network.trainable_variables
        statistics = self._network.non_trainable_variables
        before = [tf.identity(_variable(each)) for each in statistics]
        with tf.GradientTape() as tape:
            losses = self._losses(batch)
        gradients = tape.gradient(losses["total"], [_variable(weight) for weight in weights])
        norm = tf.linalg.global_norm(gradients)
        is_finite = tf.math.is_finite(norm) & tf.math.is_finite(losses["total"])
        if self._clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm, norm)

        def apply() -> Any:
            # Made tensors of this branch: tf_keras sums them over replicas, and takes no mixture.
            here = [None if each is None else tf.identity(each) for each in gradients]
            changed = self._change_gradients(here)
            self._optimizer.apply_gradients(list(zip(changed, weights, strict=True)))
            self._after()
            return tf.constant(True)

        def undo() -> Any:
            for variable, value in zip(statistics, before, strict=True):
                variable.assign(value)
            return tf.constant(False)

        return losses, norm, tf.cond(is_finite, apply, undo)


def adam(schedule: TrainingSchedule) -> keras.optimizers.Adam:
    """The optimiser of every training: Adam, or AdamW where weights decay."""
    optimizer = Adam(
        schedule.learning_rate,
        beta_1=schedule.adam_beta_1,
        beta_2=schedule.adam_beta_2,
        weight_decay=schedule.weight_decay or None,
    )
    # Looked for in the names that Keras gives the weights of its layers.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def holding(
    network: Any, optimizer: Any, held_weights: Sequence[Any], *, num_steps: int
) -> Callable[[list[Any]], list[Any]]:
    """What `TrainingStep` does to gradients so that some weights wait until the others have begun.

    Args:
      network: Whose trainable weights the gradients are of.
      optimizer: Of its steps; Adam takes none where no gradient ever was.
      held_weights: Those that wait.
      num_steps: So many steps; 0 for none.
    """
    if not num_steps:
        return list
    is_held = [any(each is held for held in held_weights) for each in network.trainable_variables]

    def changed(gradients: list[Any]) -> list[Any]:
        share = tf.cast(tf.convert_to_tensor(optimizer.iterations) >= num_steps, tf.float32)
        return [
            share * gradient if held and gradient is not None else gradient
            for gradient, held in zip(gradients, is_held, strict=True)
        ]

    return changed


def _variable(variable: Any) -> Any:
    return variable if isinstance(variable, tf.Variable) else variable.value
