"""A whole training run of a teacher in a workdir: begun, gone on with, and finished.

The workdir is laid out like a student's (`mtdepth.workdir`); the weights are `best` and `last`, in
the file format that the teacher loads.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import keras
import numpy as np
from absl import logging

from mtdepth.data.features import FRAME
from mtdepth.data.loader import Batch, stream
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import UserError
from mtdepth.training.batch_statistics import BatchStatistics
from mtdepth.training.loop import TRAIN_LOSS, RunOptions, TrainingLoop, adam_learner
from mtdepth.training.step import Tensors
from mtdepth.versions import package_versions
from mtdepth.workdir import Checkpoint, Workdir
from teachers.training.labelled_sets import ClassFiles, Files, LabelledSet, PairFiles
from teachers.training.recipes import TeacherRecipe

TaskFiles = TypeVar("TaskFiles", bound=ClassFiles | PairFiles, contravariant=True)

MAX_VAL_FRAMES = 40  # enough to rank checkpoints, few enough to be scored often


class TeacherTask(Protocol[TaskFiles]):
    """What differs between the teachers."""

    @property
    def graph(self) -> keras.Model:
        """The network, with the weights that the training begins with."""

    @property
    def score_name(self) -> str:
        """Which held-out score chooses the best weights."""

    @property
    def is_lower_better(self) -> bool:
        """Whether that score falls as the network improves."""

    @property
    def weights_suffix(self) -> str:
        """Of the file that `save` writes."""

    def example(self, files: TaskFiles, rng: np.random.Generator) -> Batch:
        """One varied training example: arrays without the batch axis."""

    def losses(self, batch: Tensors) -> Tensors:
        """Runs the graph in training mode; scalars, `total` among them."""

    def scores(self, held_out: Sequence[TaskFiles]) -> dict[str, float]:
        """Judges the graph, with its stored batch-norm statistics, by held-out frames."""

    def baseline(
        self, train: Sequence[TaskFiles], held_out: Sequence[TaskFiles]
    ) -> dict[str, float]:
        """The same scores for the best constant answer, which a network must beat."""

    def save(self, path: Path, *, origin: str) -> None:
        """Writes the weights as the teacher loads them; `origin` says how they came about."""


def teacher_run(
    workdir: Workdir,
    recipe: TeacherRecipe,
    labels: LabelledSet[Files],
    open_task: Callable[[], TeacherTask[Files]],
    *,
    options: RunOptions | None = None,
) -> TrainingLoop:
    """Prepares the training of a teacher; the same arguments again go on where it stopped.

    Args:
      workdir: The run's folder.
      recipe: What to train.
      labels: What to learn from and be judged by.
      open_task: Builds the network and loads what the recipe starts from; called once, seeded.
      options: See `RunOptions`.

    Raises:
      ValueError: If the workdir holds another run, or the labels cannot serve the recipe.
      DataError: If the first frame, or a weight file, is damaged.
    """
    run = _describe(labels)
    workdir.check(recipe, run)
    keras.utils.set_random_seed(recipe.seed)
    task = open_task()
    held_out = evenly_spaced(labels.val, number=MAX_VAL_FRAMES)

    def item(files: Files, rng: np.random.Generator) -> Batch:
        try:
            example = task.example(files, rng)
        except UserError as error:
            raise UserError(f"{files.name}: {error}") from error
        return {**example, FRAME: np.array(str(files.name).encode())}

    # A set of another size or kind must be found out before a run is left behind.
    item(labels.train[0], np.random.default_rng(recipe.seed))
    if not workdir.exists() and held_out:
        train = evenly_spaced(labels.train, number=MAX_VAL_FRAMES)
        run["baseline"] = task.baseline(train, held_out)
        text = ", ".join(f"{name} {value:.4f}" for name, value in run["baseline"].items())
        logging.info("a constant answer scores %s on what is held out", text)
    workdir.begin(recipe, run)

    def weights_path(checkpoint: Checkpoint) -> Path:
        return workdir.path / f"{checkpoint}{task.weights_suffix}"

    def save(checkpoint: Checkpoint, result: str) -> None:
        start = f"from {Path(recipe.start_from).name}" if recipe.start_from else "from scratch"
        origin = (
            f"teachers.train, recipe {recipe.name}, {start}, on {len(labels.train)} "
            f"frames of {labels.name}; {result}"
        )
        task.save(weights_path(checkpoint), origin=origin)

    return TrainingLoop(
        workdir=workdir,
        schedule=recipe,
        learner=adam_learner(workdir, recipe, task.graph, task.losses),
        checkpoint_seconds=(options or RunOptions()).checkpoint_seconds,
        stream=stream(labels.train, item, batch_size=recipe.batch_size, seed=recipe.seed),
        judge=lambda *_: task.scores(held_out) if held_out else {},
        statistics=BatchStatistics(task.graph, task.losses),
        num_statistics_batches=recipe.statistics_batches,
        save_weights=save,
        weights_path=weights_path("best"),
        chooser=task.score_name if held_out else TRAIN_LOSS,
        is_lower_better=task.is_lower_better or not held_out,
    )


def _describe(labels: LabelledSet[Any]) -> dict[str, Any]:
    return {
        "set": labels.name,
        "labels": str(labels.root.resolve()),
        "labels_digest": labels.digest(labels.train),
        "val_labels": str(labels.root.resolve()),
        "val_labels_digest": labels.digest(labels.val),
        "num_frames": len(labels.train),
        "num_val_frames": len(labels.val),
        "versions": package_versions(),
    }
