"""A whole training run of a teacher in a workdir: begun, gone on with, and finished.

The workdir is laid out like a student's (`mtdepth.workdir`); the weights are `best` and `last`, in
the file format that the teacher loads.
"""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import keras
import numpy as np
import tqdm
from absl import logging

from mtdepth.data.supervised import frame_position
from mtdepth.files import write_json
from mtdepth.kitti.splits import evenly_spaced
from mtdepth.training.checkpoints import Progress, load_resume, save_resume
from mtdepth.training.guarded_step import GuardedStep, NonFiniteLossError, StepResult, Tensors
from mtdepth.training.journal import Journal
from mtdepth.training.schedule import learning_rate
from mtdepth.versions import package_versions
from mtdepth.workdir import Checkpoint, Workdir
from teachers.training.batch_statistics import BatchStatistics
from teachers.training.batches import Batch, stream_batches
from teachers.training.labelled_sets import ClassFiles, Files, LabelledSet, PairFiles
from teachers.training.recipes import TeacherRecipe

TaskFiles = TypeVar("TaskFiles", bound=ClassFiles | PairFiles, contravariant=True)

SCALARS_EVERY_STEPS = 10
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


class TeacherRun(Generic[Files]):
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
        self._options = options or RunOptions()
        run = _describe(labels)
        workdir.check(recipe, run)
        keras.utils.set_random_seed(recipe.seed)
        self._task = open_task()
        self._optimizer = keras.optimizers.Adam(recipe.learning_rate)
        self._step = GuardedStep(
            self._task.graph, self._task.losses, self._optimizer, clip_norm=recipe.clip_norm
        )
        self._statistics = BatchStatistics(self._task.graph, self._task.losses)
        # A set of another size or kind must be found out before a run is left behind.
        self._item(0)
        self._progress = self._restored()
        if not workdir.exists() and labels.val:
            train = evenly_spaced(labels.train, number=MAX_VAL_FRAMES)
            run["floor"] = self._task.floor(train, self._held_out())
            logging.info("a constant answer scores %s on what is held out", _text(run["floor"]))
        workdir.begin(recipe, run)
        self._journal = Journal(workdir, first_step=self._progress.step)
        self._saved_at = time.monotonic()
        self._is_asked_to_stop = False

    def run(self) -> bool:
        """Trains to the end of the recipe's last epoch, or until it is asked to stop.

        Returns:
          Whether the training is finished; if not, its state is saved.

        Raises:
          NonFiniteLossError: If a loss is no number; names the step and the frames.
          DataError: If a file of a frame is damaged, or its picture smaller than the crop.
        """
        recipe, progress = self._recipe, self._progress
        if self._is_finished():
            logging.info("%s is finished: %d steps", self._workdir.path, progress.step)
            return True
        stream = self._batches_from(progress.step)
        with tqdm.tqdm(
            total=recipe.num_steps, initial=progress.step, unit="step", mininterval=2.0
        ) as bar:
            while not self._is_finished():
                if self._is_asked_to_stop:
                    self._save_resume()
                    logging.warning(
                        "stopped at step %d; the same command goes on from there", progress.step
                    )
                    return False
                if progress.step >= (progress.num_ended_epochs + 1) * recipe.steps_per_epoch:
                    # Saved first: the end of an epoch takes a while, and a kill must cost no step.
                    self._save_resume()
                    self._end_epoch()
                else:
                    self._take_step(next(stream), bar)
        logging.info("finished: weights in %s", self.weights_path("best"))
        return True

    def ask_to_stop(self) -> None:
        """Makes `run` save its state and return after the step it is at."""
        self._is_asked_to_stop = True

    def weights_path(self, checkpoint: Checkpoint) -> Path:
        """Where the weights of a checkpoint stand."""
        return self._workdir.path / f"{checkpoint}{self._task.weights_suffix}"

    def _is_finished(self) -> bool:
        return self._progress.num_ended_epochs >= self._recipe.num_epochs

    def _restored(self) -> Progress:
        path = self._workdir.resume_path
        if not path.is_file():
            return Progress()
        progress = load_resume(path, self._task.graph, self._optimizer)
        logging.info("going on at step %d of %d", progress.step, self._recipe.num_steps)
        return progress

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

    def _batches_from(self, step: int) -> Iterator[Batch]:
        return stream_batches(self._item, first_step=step, batch_size=self._recipe.batch_size)

    def _take_step(self, batch: Batch, bar: Any) -> None:
        progress = self._progress
        rate = learning_rate(self._recipe, progress.step)
        result = self._step.take(batch, rate=rate)
        if not result.is_finite:
            self._stop_at(result)
        progress.step += 1
        progress.epoch_loss_sum += result.losses["total"]
        bar.update()
        if progress.step % SCALARS_EVERY_STEPS == 0:
            bar.set_postfix(loss=f"{result.losses['total']:.3f}")
            values = {f"train/{name}": value for name, value in result.losses.items()}
            values |= {"train/rate": rate, "train/gradient_norm": result.gradient_norm}
            self._journal.scalars(progress.step, values)
        if time.monotonic() - self._saved_at > self._options.checkpoint_seconds:
            self._save_resume()

    def _estimate_statistics(self) -> None:
        num_batches = self._recipe.statistics_batches
        first = max(0, self._progress.step - num_batches)
        self._statistics.estimate(itertools.islice(self._batches_from(first), num_batches))

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
        self._save_checkpoints(scores)

    def _save_checkpoints(self, scores: dict[str, float]) -> None:
        progress = self._progress
        name, sign = self._chooser()
        self._save("last", f"{name} {scores[name]:.4f}")
        if progress.best_score is None or sign * scores[name] < progress.best_score:
            progress.best_score, progress.best_step = sign * scores[name], progress.step
            self._save("best", f"{name} {scores[name]:.4f}")
        write_json(
            self._workdir.checkpoints_path,
            {
                "score": name,
                "last": {"step": progress.step, name: scores[name]},
                "best": {"step": progress.best_step, name: sign * progress.best_score},
            },
        )
        progress.num_ended_epochs += 1
        progress.epoch_loss_sum = 0.0
        self._save_resume()

    def _chooser(self) -> tuple[str, int]:
        """The score that chooses, and the sign that makes lower better."""
        if not self._labels.val:
            return "train_loss", 1
        return self._task.score_name, 1 if self._task.is_lower_better else -1

    def _save(self, checkpoint: Checkpoint, result: str) -> None:
        recipe, labels = self._recipe, self._labels
        start = f"from {Path(recipe.start_from).name}" if recipe.start_from else "from scratch"
        origin = (
            f"teachers.train, recipe {recipe.name}, {start}, {self._progress.step} steps on "
            f"{len(labels.train)} frames of {labels.name}; {result}"
        )
        self._task.save(self.weights_path(checkpoint), origin=origin)

    def _save_resume(self) -> None:
        save_resume(self._workdir.resume_path, self._task.graph, self._optimizer, self._progress)
        self._saved_at = time.monotonic()

    def _stop_at(self, result: StepResult) -> None:
        """Keeps the weights from before a step that cannot be taken, and raises."""
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
