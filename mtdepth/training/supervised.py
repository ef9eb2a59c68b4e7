"""One training step of the student on labels."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from mtdepth.data.features import DEPTH_M, IMAGE, TRAIN_ID
from mtdepth.losses.total import total_loss
from mtdepth.recipes.base import TrainRecipe

Tensors = dict[str, Any]


def network_input(image: Any) -> Any:
    """Scales uint8 RGB to [-1, 1], the range that MobileNetV2 was trained on."""
    return tf.cast(image, tf.float32) / 127.5 - 1.0


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


class SupervisedStep:
    """Takes training steps on a graph, refusing those that would poison its weights.

    Args:
      graph: The training graph (`mtdepth.models.student.build_training_graph`).
      recipe: Losses, tasks, clipping.
      optimizer: Applied to the graph's trainable weights.
    """

    def __init__(
        self, graph: keras.Model, recipe: TrainRecipe, optimizer: keras.optimizers.Optimizer
    ) -> None:
        self._graph = graph
        self._recipe = recipe
        self._optimizer = optimizer
        optimizer.build(graph.trainable_variables)
        # XLA makes this graph several times slower on CPU, so it is not left to a default.
        self._step = tf.function(self._traced_step, jit_compile=False)
        self._losses = tf.function(self._traced_losses, jit_compile=False)

    def take(self, batch: Tensors, *, rate: float) -> StepResult:
        """Takes one step.

        Args:
          batch: See `mtdepth.data.features`.
          rate: Learning rate.
        """
        self._optimizer.learning_rate.assign(rate)
        losses, norm, is_finite = self._step(batch[IMAGE], batch[DEPTH_M], batch[TRAIN_ID])
        return StepResult(
            losses={name: float(value) for name, value in losses.items()},
            gradient_norm=float(norm),
            is_finite=bool(is_finite),
        )

    def evaluate(self, batch: Tensors) -> tuple[dict[str, float], dict[str, Any]]:
        """Returns losses and outputs with the stored batch-norm statistics; changes nothing."""
        losses, outputs = self._losses(batch[IMAGE], batch[DEPTH_M], batch[TRAIN_ID])
        return {name: float(value) for name, value in losses.items()}, outputs

    def _loss(self, outputs: Tensors, depth_m: Any, train_id: Any) -> Tensors:
        recipe = self._recipe
        total, parts = total_loss(
            outputs,
            depth_m,
            train_id if "segmentation" in recipe.tasks else None,
            codec=recipe.codec,
            depth_weight=recipe.depth_weight,
            segmentation_weight=recipe.segmentation_weight,
            rule=recipe.depth_target,
        )
        return {"total": total, **parts}

    def _traced_losses(self, image: Any, depth_m: Any, train_id: Any) -> tuple[Tensors, Tensors]:
        outputs = self._graph(network_input(image), training=False)
        return self._loss(outputs, depth_m, train_id), outputs

    def _traced_step(self, image: Any, depth_m: Any, train_id: Any) -> tuple[Tensors, Any, Any]:
        statistics = self._graph.non_trainable_variables
        before = [tf.identity(variable.value) for variable in statistics]
        weights = self._graph.trainable_variables
        with tf.GradientTape() as tape:
            outputs = self._graph(network_input(image), training=True)
            losses = self._loss(outputs, depth_m, train_id)
        gradients = tape.gradient(losses["total"], [weight.value for weight in weights])
        norm = tf.linalg.global_norm(gradients)
        is_finite = tf.math.is_finite(norm) & tf.math.is_finite(losses["total"])
        if self._recipe.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._recipe.clip_norm, norm)

        def apply() -> Any:
            self._optimizer.apply(gradients, weights)
            return tf.constant(True)

        def undo() -> Any:
            for variable, value in zip(statistics, before, strict=True):
                variable.assign(value)
            return tf.constant(False)

        return losses, norm, tf.cond(is_finite, apply, undo)
