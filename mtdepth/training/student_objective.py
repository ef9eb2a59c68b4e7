"""What the student learns: its losses on labels."""

from typing import Any

import keras
import tensorflow as tf

from mtdepth.data.features import DEPTH_M, IMAGE, TRAIN_ID
from mtdepth.losses.total import StudentLossWeights, total_loss
from mtdepth.models.normalisation import STUDENT_INPUT
from mtdepth.recipes.base import TrainRecipe
from mtdepth.trained import graph_function
from mtdepth.training.step import Tensors


def network_input(image: Any) -> Any:
    """Brings uint8 RGB to what the student is fed with."""
    return STUDENT_INPUT(tf.cast(image, tf.float32))


def loss_weights(recipe: TrainRecipe) -> StudentLossWeights:
    """What a recipe says of the loss's terms."""
    return StudentLossWeights(
        depth=recipe.depth_weight,
        segmentation=recipe.segmentation_weight,
        rule=recipe.depth_target,
        near=recipe.near_weight,
        scale_invariant=recipe.scale_invariant_weight,
        gradient=recipe.gradient_weight,
        hard_share=recipe.hard_share,
        class_weights=recipe.class_weights,
    )


class StudentObjective:
    """The losses of a training graph on labelled batches (see `mtdepth.data.features`).

    Args:
      graph: The training graph (`mtdepth.models.student.build_training_graph`).
      recipe: Losses and tasks.
    """

    def __init__(self, graph: keras.Model, recipe: TrainRecipe) -> None:
        self._graph, self._recipe = graph, recipe
        self._evaluation = graph_function(self._losses_and_outputs)

    def losses(self, batch: Tensors) -> Tensors:
        """Runs the graph in training mode; returns `total` and its parts, scalars."""
        return self._losses_and_outputs(batch, training=True)[0]

    def run(self, batch: Tensors) -> Tensors:
        """Runs the graph in training mode; returns its outputs."""
        return self._graph(network_input(batch[IMAGE]), training=True)

    def evaluate(self, batch: Tensors) -> tuple[dict[str, float], Tensors]:
        """Returns losses and outputs with the stored batch-norm statistics; changes nothing."""
        losses, outputs = self._evaluation(batch)
        return {name: float(value) for name, value in losses.items()}, outputs

    def _losses_and_outputs(
        self, batch: Tensors, *, training: bool = False
    ) -> tuple[Tensors, Tensors]:
        recipe = self._recipe
        outputs = self._graph(network_input(batch[IMAGE]), training=training)
        total, parts = total_loss(
            outputs,
            batch[DEPTH_M],
            batch[TRAIN_ID] if "segmentation" in recipe.tasks else None,
            codec=recipe.codec,
            weights=loss_weights(recipe),
        )
        return {"total": total, **parts}, outputs
