"""One training step of the student on labels."""

from typing import Any

import keras
import tensorflow as tf

from mtdepth.data.features import DEPTH_M, IMAGE, TRAIN_ID
from mtdepth.losses.total import total_loss
from mtdepth.models.input_law import STUDENT_INPUT
from mtdepth.recipes.base import TrainRecipe
from mtdepth.training.guarded_step import GuardedStep, StepResult, Tensors


def network_input(image: Any) -> Any:
    """Brings uint8 RGB to what the student is fed with."""
    return STUDENT_INPUT(tf.cast(image, tf.float32))


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
        self._step = GuardedStep(
            graph, self._training_losses, optimizer, clip_norm=recipe.clip_norm
        )
        # XLA makes this graph several times slower on CPU, so it is not left to a default.
        self._losses = tf.function(self._traced_losses, jit_compile=False)

    def take(self, batch: Tensors, *, rate: float) -> StepResult:
        """Takes one step.

        Args:
          batch: See `mtdepth.data.features`.
          rate: Learning rate.
        """
        return self._step.take(batch[IMAGE], batch[DEPTH_M], batch[TRAIN_ID], rate=rate)

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

    def _training_losses(self, image: Any, depth_m: Any, train_id: Any) -> Tensors:
        outputs = self._graph(network_input(image), training=True)
        return self._loss(outputs, depth_m, train_id)
