"""The loop of every training run: steps, epochs, checkpoints, stopping and going on."""

import abc
import dataclasses
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, Protocol

import keras
import tqdm
from absl import logging

from mtdepth.files import write_json
from mtdepth.recipes.schedule import TrainingSchedule
from mtdepth.training.checkpoints import Progress, load_resume, save_resume
from mtdepth.training.journal import Journal
from mtdepth.training.memory import keep_freed_memory
from mtdepth.training.step import NonFiniteLossError, StepResult
from mtdepth.workdir import Checkpoint, Workdir

SCALARS_EVERY_STEPS = 10
STOPPED_STATUS = 130  # as a shell says of a program that Ctrl-C ended


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What changes how long a run takes, never what it learns.

    Attributes:
      cache_bytes: Memory for decoded frames.
      checkpoint_seconds: Longest time that a kill can cost.
    """

    cache_bytes: int = 2 * 10**9
    checkpoint_seconds: float = 120.0


class Step(Protocol):
    """Takes one training step; see `mtdepth.training.step.TrainingStep`."""

    def take(self, batch: dict[str, Any], *, rate: float) -> StepResult:
        """Takes one step."""


class TrainingLoop(abc.ABC):
    """Takes a network from where it is to the end of its recipe's last epoch.

    Args:
      workdir: The run's folder, begun.
      pace: How long and how fast to learn.
      graph: The network; its state is saved.
      optimizer: Its state is saved, too.
      step: Takes the steps.
      progress: How far the run has come.
      checkpoint_seconds: Longest time that a kill can cost.
    """

    def __init__(
        self,
        workdir: Workdir,
        pace: TrainingSchedule,
        *,
        graph: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        step: Step,
        progress: Progress,
        checkpoint_seconds: float,
    ) -> None:
        self._workdir, self._pace = workdir, pace
        self._state = (graph, optimizer)
        self._step_taker = step
        self._progress = progress
        self._checkpoint_seconds = checkpoint_seconds
        self._journal = Journal(workdir, first_step=progress.step)
        self._saved_at = time.monotonic()
        self._is_asked_to_stop = False
        self._waited_s = 0.0

    def run(self) -> bool:
        """Trains to the end of the recipe's last epoch, or until it is asked to stop.

        Returns:
          Whether the training is finished; if not, its state is saved.

        Raises:
          NonFiniteLossError: If a loss is no number; names the step and the frames.
          DataError: If a file of a frame is damaged.
          ValueError: If a frame does not suit the recipe.
        """
        pace, progress = self._pace, self._progress
        if self._is_finished():
            logging.info("%s is finished: %d steps", self._workdir.path, progress.step)
            return True
        stream = self._stream(progress.step)
        with tqdm.tqdm(
            total=pace.num_steps, initial=progress.step, unit="step", mininterval=2.0
        ) as bar:
            while not self._is_finished():
                if self._is_asked_to_stop:
                    self._save_resume()
                    logging.warning(
                        "stopped at step %d; the same command goes on from there", progress.step
                    )
                    return False
                if progress.step >= (progress.num_ended_epochs + 1) * pace.steps_per_epoch:
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

    @abc.abstractmethod
    def weights_path(self, checkpoint: Checkpoint) -> Path:
        """Where the weights of a checkpoint stand."""

    @abc.abstractmethod
    def _stream(self, step: int) -> Iterator[dict[str, Any]]:
        """The batches from a step on, without end."""

    @abc.abstractmethod
    def _end_epoch(self) -> None:
        """Judges the network and calls `_save_checkpoints`."""

    @abc.abstractmethod
    def _save_weights(self, checkpoint: Checkpoint, result: str) -> None:
        """Writes the weights of a checkpoint; `result` is its score in words."""

    @abc.abstractmethod
    def _stop_at(self, batch: dict[str, Any], result: StepResult) -> NoReturn:
        """Keeps the weights from before a step that cannot be taken, and raises."""

    def _timed(self, batches: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Passes batches on, adding up how long they kept the training waiting."""
        while True:
            begun = time.monotonic()
            batch = next(batches)
            self._waited_s += time.monotonic() - begun
            yield batch

    def _report_epoch(self, scores: dict[str, float]) -> None:
        """Tells the user, TensorBoard and the history of an epoch's scores."""
        progress = self._progress
        self._journal.scalars(progress.step, {f"epoch/{k}": v for k, v in scores.items()})
        epoch = progress.num_ended_epochs + 1
        self._journal.epoch(
            {"epoch": epoch, "step": progress.step, **scores, "data_wait_s": self._waited_s}
        )
        self._waited_s = 0.0
        tqdm.tqdm.write(
            f"epoch {epoch}/{self._pace.num_epochs}: "
            + ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
        )

    def _is_finished(self) -> bool:
        return self._progress.num_ended_epochs >= self._pace.num_epochs

    def _take_step(self, batch: dict[str, Any], bar: Any) -> None:
        progress = self._progress
        rate = self._pace.rate(progress.step)
        result = self._step_taker.take(batch, rate=rate)
        if not result.is_finite:
            self._stop_at(batch, result)
        progress.step += 1
        progress.epoch_loss_sum += result.losses["total"]
        bar.update()
        if progress.step % SCALARS_EVERY_STEPS == 0:
            bar.set_postfix(loss=f"{result.losses['total']:.3f}")
            values = {f"train/{name}": value for name, value in result.losses.items()}
            values |= {"train/rate": rate, "train/gradient_norm": result.gradient_norm}
            self._journal.scalars(progress.step, values)
        if time.monotonic() - self._saved_at > self._checkpoint_seconds:
            self._save_resume()

    def _save_checkpoints(self, name: str, score: float, *, sign: int = 1) -> None:
        """Writes the last weights, and the best where they are; ends the epoch.

        Args:
          name: Of the score that chooses.
          score: This epoch's.
          sign: 1 where lower is better, -1 where higher is.
        """
        progress = self._progress
        result = f"{name} {score:.4f}"
        self._save_weights("last", result)
        if progress.best_score is None or sign * score < progress.best_score:
            progress.best_score, progress.best_step = sign * score, progress.step
            self._save_weights("best", result)
        write_json(
            self._workdir.checkpoints_path,
            {
                "score": name,
                "last": {"step": progress.step, name: score},
                "best": {"step": progress.best_step, name: sign * progress.best_score},
            },
        )
        progress.num_ended_epochs += 1
        progress.epoch_loss_sum = 0.0
        self._save_resume()

    def _save_resume(self) -> None:
        save_resume(self._workdir.resume_path, *self._state, self._progress)
        self._saved_at = time.monotonic()


def restored(
    workdir: Workdir,
    pace: TrainingSchedule,
    graph: keras.Model,
    optimizer: keras.optimizers.Optimizer,
) -> Progress | None:
    """Restores the state that a run before this one left; None where there is none.

    Raises:
      DataError: If it is damaged, or of another network.
    """
    if not workdir.resume_path.is_file():
        return None
    progress = load_resume(workdir.resume_path, graph, optimizer)
    logging.info("going on at step %d of %d", progress.step, pace.num_steps)
    return progress


def run_as_program(run: TrainingLoop) -> int:
    """Runs a training until it is finished or a signal stops it; returns the exit status."""
    keep_freed_memory()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: run.ask_to_stop())
    try:
        return 0 if run.run() else STOPPED_STATUS
    except NonFiniteLossError as error:
        logging.error("%s", error)
        return 1
