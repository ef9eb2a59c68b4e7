"""The fine-tuning of a `tf_keras` network: what it is taught by, and its hundreds of steps."""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from export.fine_tune.pictures import HeldOut
from export.fine_tune.tf_keras_copy import kernel_layers, weight_variables
from export.graph import NetworkGraph
from mtdepth.data.features import DEPTH_M, IMAGE, TRAIN_ID
from mtdepth.files import UserError, is_there, read_json, write_json
from mtdepth.losses.total import total_loss
from mtdepth.models.normalisation import InputNormalisation
from mtdepth.recipes.base import TrainRecipe
from mtdepth.recipes.schedule import TrainingSchedule
from mtdepth.trained import InferenceNetwork, graph_function
from mtdepth.training.adam import OneKernelAdam
from mtdepth.training.checkpoints import TrainingState
from mtdepth.training.loop import Learner, TrainingLoop, run_as_program
from mtdepth.training.step import Tensors, TrainingStep
from mtdepth.training.student_objective import loss_weights
from mtdepth.workdir import Workdir

SCORE_BATCH = 8
SAVE_SECONDS = 60.0
ABS_REL = "val_abs_rel"


class Adam(OneKernelAdam, tf_keras.optimizers.Adam):
    """Adam of `tf_keras`."""

    def _get_variable_index(self, variable: Any) -> int:
        return self._index_dict[self._var_key(variable)]


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class FineTuneSchedule(TrainingSchedule):
    """How long and how fast; an epoch goes from one score on held-out pictures to the next.

    The last may be shorter than the others. Before `first_score` no state is scored, or kept.
    """

    total_steps: int
    first_score: int = 0

    @property
    def num_steps(self) -> int:
        """Length of the whole training."""
        return self.total_steps


@dataclasses.dataclass(kw_only=True)
class FineTuning:
    """Tunes one network.

    Attributes:
      model: Of `build_copy` or one of its wrapped forms.
      graph: What it was built from.
      normalisation: Input normalisation that the network is fed through.
      objective: The loss; holds the float network.
      schedule: How long and how fast.
      identity: Everything that changes the result, as JSON; a state of another is refused.
      held_out: Scores the network; None keeps the last state.
      masks: Entry name to an array of ones and zeros: weights that stay zero.
      before_score: Called before each score, and at the end.
    """

    model: Any
    graph: NetworkGraph
    normalisation: InputNormalisation
    objective: Objective
    schedule: FineTuneSchedule
    identity: dict[str, Any]
    held_out: HeldOut | None
    masks: dict[str, Any] = dataclasses.field(default_factory=dict)
    before_score: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        """Compiles what runs the network."""
        self._infer = graph_function(
            lambda image: self.model(self.normalisation(tf.cast(image, tf.float32)), training=False)
        )

    def run(
        self, batches: Callable[[int], Iterator[dict[str, Any]]], folder: Path
    ) -> list[tuple[int, float]]:
        """Takes the steps that are left; the network then holds the best state that was scored.

        Args:
          batches: The endless stream from a step on.
          folder: What a killed run goes on from; gone when the run has ended.

        Returns:
          (step, held-out Abs Rel) of every score.

        Raises:
          SystemExit: If a loss is no number, or a signal stopped the run; its state is saved then.
          DataError: If the state is damaged.
          UserError: If it is of another fine-tuning.
        """
        workdir = Workdir(folder)
        self._check_identity(folder / "identity.json")
        optimizer = Adam(beta_1=self.schedule.adam_beta_1, beta_2=self.schedule.adam_beta_2)
        step = TrainingStep(
            self.model,
            self._losses,
            optimizer,
            change_gradients=self._tied_rule(),
            after=self._mask_rule(),
        )
        state = TrainingState(workdir.resume_path, self.model, optimizer)
        best = TrainingState(folder / "best.npz", self.model, optimizer)

        def judge(*_: object) -> dict[str, float]:
            if self.held_out is None or state.progress.step < self.schedule.first_score:
                return {}
            self.before_score()
            return {ABS_REL: self.held_out.abs_rel(self.depth_m(self.held_out.images))}

        loop = TrainingLoop(
            workdir=workdir,
            schedule=self.schedule,
            learner=Learner(step, state),
            stream=batches,
            judge=judge,
            judges_start=True,
            save_weights=lambda checkpoint, _: best.save() if checkpoint == "best" else None,
            weights_path=best.path,
            chooser=ABS_REL,
            remedy="Try a lower --learning_rate",
            checkpoint_seconds=SAVE_SECONDS,
        )
        if status := run_as_program(loop):
            raise SystemExit(status)
        best.restore()
        self.before_score()
        history = workdir.history()
        shutil.rmtree(folder)
        return [(entry["step"], entry[ABS_REL]) for entry in history if ABS_REL in entry]

    def depth_m(self, images: Any) -> Any:
        """The depth of pictures `[number, height, width, 3]`, as an array."""
        found = [
            np.asarray(self._infer(images[first : first + SCORE_BATCH])["depth_code"])[..., 0]
            for first in range(0, len(images), SCORE_BATCH)
        ]
        return np.asarray(
            self.objective.float_network.codec.decode(np.concatenate(found)), np.float32
        )

    def _check_identity(self, path: Path) -> None:
        if is_there(path) and read_json(path) != self.identity:
            raise UserError(
                f"{path.parent} holds the state of another fine-tuning. Give the same flags to go "
                "on with it, delete it to begin anew, or choose another --output"
            )
        write_json(path, self.identity)

    def _losses(self, batch: Tensors) -> Tensors:
        image = tf.cast(batch[IMAGE], tf.float32)
        network = self.objective.float_network
        taught = network.network(network.normalisation(image), training=False)
        teacher = {name: tf.stop_gradient(value) for name, value in taught.items()}
        outputs = self.model(self.normalisation(image), training=True)
        return {"total": self.objective(outputs, teacher, batch)}

    def _tied_rule(self) -> Callable[[list[Any]], list[Any]]:
        """Gives weights that are copies of one another the sum of their gradients.

        Copies that begin equal and get the same gradient stay equal under Adam.
        """
        places = {weight.ref(): i for i, weight in enumerate(self.model.trainable_variables)}
        variables = self._variables()
        groups = [
            [places[variables[name][which].ref()] for name in group]
            for group in self.graph.tied()
            for which in range(len(variables[group[0]]))
        ]

        def tied(gradients: list[Any]) -> list[Any]:
            found = list(gradients)
            for group in groups:
                common = tf.add_n([gradients[place] for place in group])
                for place in group:
                    found[place] = common
            return found

        return tied

    def _mask_rule(self) -> Callable[[], None]:
        """Keeps masked weights zero."""
        variables = self._variables() if self.masks else {}
        masked = [(variables[name][0], mask) for name, mask in self.masks.items()]

        def after() -> None:
            for kernel, mask in masked:
                kernel.assign(kernel * mask)

        return after

    def _variables(self) -> dict[str, list[Any]]:
        layers = kernel_layers(self.model, self.graph)
        return {entry.name: weight_variables(layer, entry) for entry, layer in layers}
