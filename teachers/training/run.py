"""A whole training run of a teacher in a workdir: begun, gone on with, and finished.

The workdir is laid out like a student's (`mtdepth.workdir`); the weights are `best` and `last`, in
the file format that the teacher loads.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import keras
import numpy as np
import tqdm
from absl import logging

from mtdepth.data.supervised import frame_position
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.training.checkpoints import Progress
from mtdepth.training.loop import TrainingLoop, restored
from mtdepth.training.step import NonFiniteLossError, StepResult, Tensors, TrainingStep
from mtdepth.versions import package_versions
from mtdepth.workdir import Checkpoint, Workdir
from teachers.training.batch_statistics import BatchStatistics
from teachers.training.batches import Batch, stream_batches
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

    def floor(self, train: Sequence[TaskFiles], held_out: Sequence[TaskFiles]) -> dict[str, float]:
        """The same scores for the best constant answer, which a network must beat."""

    def save(self, path: Path, *, origin: str) -> None:
        """Writes the weights as the teacher loads them; `origin` says how they came about."""


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What changes how long a run takes, never what it learns.

    Attributes:
      checkpoint_seconds: Longest time that a kill can cost.
    """

    checkpoint_seconds: float = 120.0


class TeacherRun(TrainingLoop, Generic[Files]):
    """Trains a teacher in a workdir; the same arguments again go on where it stopped.

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

    def __init__(
        self,
        workdir: Workdir,
        recipe: TeacherRecipe,
        labels: LabelledSet[Files],
        open_task: Callable[[], TeacherTask[Files]],
        *,
        options: RunOptions | None = None,
    ) -> None:
        self._workdir, self._recipe, self._labels = workdir, recipe, labels
        run = _describe(labels)
        workdir.check(recipe, run)
        keras.utils.set_random_seed(recipe.seed)
        self._task = open_task()
        self._optimizer = keras.optimizers.Adam(
            recipe.learning_rate, beta_1=recipe.adam_beta_1, beta_2=recipe.adam_beta_2
        )
        self._step = TrainingStep(
            self._task.graph, self._task.losses, self._optimizer, clip_norm=recipe.clip_norm
        )
        self._statistics = BatchStatistics(self._task.graph, self._task.losses)
        # A set of another size or kind must be found out before a run is left behind.
        self._item(0)
        progress = restored(workdir, recipe, self._task.graph, self._optimizer) or Progress()
        if not workdir.exists() and labels.val:
            train = evenly_spaced(labels.train, number=MAX_VAL_FRAMES)
            run["floor"] = self._task.floor(train, self._held_out())
            logging.info("a constant answer scores %s on what is held out", _text(run["floor"]))
        workdir.begin(recipe, run)
        super().__init__(
            workdir,
            recipe,
            graph=self._task.graph,
            optimizer=self._optimizer,
            step=self._step,
            progress=progress,
            checkpoint_seconds=(options or RunOptions()).checkpoint_seconds,
        )

    def weights_path(self, checkpoint: Checkpoint) -> Path:
        """Where the weights of a checkpoint stand."""
        return self._workdir.path / f"{checkpoint}{self._task.weights_suffix}"

    def _files_of(self, item: int) -> Files:
        train = self._labels.train
        return train[frame_position(item, num_frames=len(train), seed=self._recipe.seed)]

    def _held_out(self) -> list[Files]:
        return evenly_spaced(self._labels.val, number=MAX_VAL_FRAMES)

    def _item(self, item: int) -> Batch:
        files = self._files_of(item)
        rng = np.random.default_rng([self._recipe.seed, 2, item])
        try:
            return self._task.example(files, rng)
        except ValueError as error:
            raise ValueError(f"{files.name}: {error}") from error

    def _stream(self, step: int) -> Iterator[Batch]:
        return stream_batches(self._item, first_step=step, batch_size=self._recipe.batch_size)

    def _estimate_statistics(self) -> None:
        num_batches = self._recipe.statistics_batches
        first = max(0, self._progress.step - num_batches)
        self._statistics.estimate(itertools.islice(self._stream(first), num_batches))

    def _end_epoch(self) -> None:
        recipe, progress = self._recipe, self._progress
        self._estimate_statistics()
        scores = {"train_loss": progress.epoch_loss_sum / recipe.steps_per_epoch}
        if self._labels.val:
            scores |= self._task.scores(self._held_out())
        epoch = progress.num_ended_epochs + 1
        self._journal.scalars(progress.step, {f"epoch/{k}": v for k, v in scores.items()})
        self._journal.epoch({"epoch": epoch, "step": progress.step, **scores})
        tqdm.tqdm.write(f"epoch {epoch}/{recipe.num_epochs}: {_text(scores)}")
        name, sign = self._chooser()
        self._save_checkpoints(name, scores[name], sign=sign)

    def _chooser(self) -> tuple[str, int]:
        """The score that chooses, and the sign that makes lower better."""
        if not self._labels.val:
            return "train_loss", 1
        return self._task.score_name, 1 if self._task.is_lower_better else -1

    def _save_weights(self, checkpoint: Checkpoint, result: str) -> None:
        recipe, labels = self._recipe, self._labels
        start = f"from {Path(recipe.start_from).name}" if recipe.start_from else "from scratch"
        origin = (
            f"teachers.train, recipe {recipe.name}, {start}, {self._progress.step} steps on "
            f"{len(labels.train)} frames of {labels.name}; {result}"
        )
        self._task.save(self.weights_path(checkpoint), origin=origin)

    def _stop_at(self, batch: Batch, result: StepResult) -> NoReturn:
        del batch  # has arrays, no names
        step, batch_size = self._progress.step, self._recipe.batch_size
        self._save_resume()
        items = range(step * batch_size, (step + 1) * batch_size)
        bad = [name for name, value in result.losses.items() if not np.isfinite(value)]
        raise NonFiniteLossError(
            f"step {step}: {', '.join(bad) or 'the gradient'} is not finite (gradient norm "
            f"{result.gradient_norm}). The batch was: "
            f"{', '.join(self._files_of(item).name for item in items)}. The state from before this "
            f"step is in {self._workdir.resume_path}. Look at these frames' labels, or train anew "
            "in another --workdir with --override learning_rate=... lower or "
            "--override clip_norm=5.0"
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


def _text(scores: dict[str, float]) -> str:
    # One figure a class would fill the screen; the history has them all.
    shown = ((name, value) for name, value in scores.items() if "/" not in name)
    return ", ".join(f"{name} {value:.4f}" for name, value in shown)
