"""What a fine-tuned network is taught by: labels, the float network, or both."""

import dataclasses
from typing import Any

import tensorflow as tf

from mtdepth.data.features import DEPTH_M, TRAIN_ID
from mtdepth.losses.total import total_loss
from mtdepth.recipes.base import TrainRecipe
from mtdepth.trained import InferenceNetwork
from mtdepth.training.student_objective import loss_weights

Tensors = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Objective:
    """The loss of a fine-tuning.

    Attributes:
      float_network: The float network, which teaches.
      recipe: Weights of the tasks, how labels are shrunk.
      label_weight: Of the loss that the network was trained by; 0 where there is none for its kind.
      teacher_weight: Of the deviation from the float network.
    """

    float_network: InferenceNetwork
    recipe: TrainRecipe
    label_weight: float
    teacher_weight: float

    def __call__(self, outputs: Tensors, teacher: Tensors, batch: Tensors) -> Any:
        """The loss of a batch, a scalar.

        Args:
          outputs: Of the network that is tuned.
          teacher: Of the float network, for the same pictures.
          batch: See `mtdepth.data.features`.
        """
        loss = self.teacher_weight * self._deviation(outputs, teacher)
        if not self.label_weight:
            return loss
        total, _ = total_loss(
            outputs,
            batch[DEPTH_M],
            batch[TRAIN_ID] if "class_scores" in outputs else None,
            codec=self.float_network.codec,  # type: ignore[arg-type]  # labels are for the log codec
            weights=loss_weights(self.recipe),
        )
        return loss + self.label_weight * total

    def _deviation(self, outputs: Tensors, teacher: Tensors) -> Any:
        """Mean absolute difference of the code, and cross entropy beyond the teacher's own."""
        gap = tf.reduce_mean(tf.abs(outputs["depth_code"] - teacher["depth_code"]))
        loss = self.recipe.depth_weight * gap
        if "class_scores" in outputs:
            wanted = tf.nn.softmax(teacher["class_scores"])
            excess = tf.nn.log_softmax(teacher["class_scores"]) - tf.nn.log_softmax(
                outputs["class_scores"]
            )
            divergence = tf.reduce_mean(tf.reduce_sum(wanted * excess, axis=-1))
            loss += self.recipe.segmentation_weight * divergence
        return loss
