"""The loop of every training: steps, epochs, checkpoints, stopping and going on.

It is composed of a step, a stream of batches and a judge. The student, MiniNet from video, the
teachers and the fine-tuning of networks for a device are trained by it.
"""

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import tqdm
from absl import logging

from mtdepth.data.features import FRAME
from mtdepth.files import remove_leftovers, write_json
from mtdepth.recipes.schedule import TrainingSchedule
from mtdepth.training.batch_statistics import BatchStatistics
from mtdepth.training.checkpoints import TrainingState
from mtdepth.training.journal import Journal
from mtdepth.training.process import STOPPED_STATUS, keep_freed_memory, stopped_by_signals
from mtdepth.training.step import (
    NonFiniteLossError,
    StepResult,
    Tensors,
    TrainingStep,
    adam,
    holding,
)
from mtdepth.training.weight_average import WeightAverage
from mtdepth.workdir import Checkpoint, Workdir

SCALARS_EVERY_STEPS = 10
TRAIN_LOSS = "train_loss"  # of an epoch's steps; chooses where nothing is held out

Batch = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What changes how long a run takes, never what it learns.

    Attributes:
      cache_bytes: Memory for decoded frames.
      checkpoint_seconds: Longest time that a kill can cost.
    """

    cache_bytes: int = 2 * 10**9
    checkpoint_seconds: float = 120.0


def _nothing(*_: Any) -> None:
    pass


@dataclasses.dataclass(frozen=True)
class Learner:
    """A network that learns.

    Attributes:
      step: Takes the steps.
      state: What is saved, and restored at the start.
      as_judged: In this context the network holds the weights that are judged and saved.
    """

    step: TrainingStep
    state: TrainingState
    as_judged: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext


def adam_learner(
    workdir: Workdir,
    recipe: TrainingSchedule,
    network: Any,
    losses: Callable[[Tensors], Tensors],
    *,
    ema_decay: float = 0.0,
    held_weights: Sequence[Any] = (),
    held_steps: int = 0,
) -> Learner:
    """A network that learns as in all trainings from a recipe: by Adam, with clipping.

    Args:
      workdir: The run's folder.
      recipe: How to learn.
      network: With the weights to begin with.
      losses: See `TrainingStep`.
      ema_decay: Of the weights' average, which is judged and saved in their place; 0 for none.
      held_weights: Of the network, that stay as they are at first.
      held_steps: For so many steps.
    """
    optimizer = adam(recipe)
    average = WeightAverage(network, ema_decay) if ema_decay else None
    step = TrainingStep(
        network,
        losses,
        optimizer,
        clip_norm=recipe.clip_norm,
        change_gradients=holding(network, optimizer, held_weights, num_steps=held_steps),
        after=average.update if average else _nothing,
    )
    averaged = average.variables if average else ()
    state = TrainingState(workdir.resume_path, network, optimizer, averaged)
    return Learner(step, state, average.in_place if average else contextlib.nullcontext)


@dataclasses.dataclass(kw_only=True)
class TrainingLoop:
    """Takes a network from where it is to the end of its recipe's last epoch.

    Attributes:
      workdir: The run's folder.
      schedule: How long and how fast to learn.
      learner: What learns.
      stream: The batches from a step on, without end; each holds `FRAME`, the frames' names.
      judge: Scores the network at the end of an epoch, after so many steps; may show pictures in
        the journal.
      save_weights: Writes the weights of a checkpoint; gets its score in words.
      weights_path: Where those of the best checkpoint stand, for the last message.
      remedy: What to do about a loss that is no number.
      chooser: The score that chooses the best weights.
      is_lower_better: Whether that score falls as the network improves.
      statistics: Re-estimated, from the batches of the last steps, before the network is judged or
        saved; None for a network without batch normalisation.
      num_statistics_batches: From so many.
      observe: Called with every batch and what its step found.
      judges_start: Whether the network is judged before the first step, too.
      checkpoint_seconds: Longest time that a kill can cost.
    """

    workdir: Workdir
    schedule: TrainingSchedule
    learner: Learner
    stream: Callable[[int], Iterator[Batch]]
    judge: Callable[[Journal, int], dict[str, float]]
    save_weights: Callable[[Checkpoint, str], object]
    weights_path: Path
    remedy: str = (
        "Look at these frames' labels, or train anew in another --workdir with --override "
        "learning_rate=... lower or --override clip_norm=5.0"
    )
    chooser: str = TRAIN_LOSS
    is_lower_better: bool = True
    statistics: BatchStatistics | None = None
    num_statistics_batches: int = 0
    observe: Callable[[Batch, StepResult], object] = _nothing
    judges_start: bool = False
    checkpoint_seconds: float = RunOptions.checkpoint_seconds

    def __post_init__(self) -> None:
        """Begins to count."""
        self._saved_at, self._waited_s = time.monotonic(), 0.0
        self._is_asked_to_stop = False
        self.state, self.step = self.learner.state, self.learner.step

    def ask_to_stop(self) -> None:
        """Makes `run` save its state and return after the step it is at."""
        self._is_asked_to_stop = True

    def run(self) -> bool:
        """Trains to the end of the recipe's last epoch, or until it is asked to stop.

        Returns:
          Whether the training is finished; if not, its state is saved.

        Raises:
          NonFiniteLossError: If a loss is no number; names the step and the frames.
          DataError: If the state, or a file of a frame, is damaged.
          UserError: If another process trains in this folder, or the disk has no room.
          ValueError: If a frame does not suit the recipe.
        """
        with self.workdir.locked():
            remove_leftovers(self.workdir.path)
            self.state.check_room()
            if self.state.restore():
                num_steps = self.schedule.num_steps
                logging.info("going on at step %d of %d", self.state.progress.step, num_steps)
            if self._is_finished():
                step = self.state.progress.step
                logging.info("%s is finished: %d steps", self.workdir.path, step)
                return True
            self._journal = Journal(self.workdir, first_step=self.state.progress.step)
            self._saved_at = time.monotonic()
            self._train()
        if not self._is_finished():
            step = self.state.progress.step
            logging.warning("stopped at step %d; the same command goes on from there", step)
            return False
        logging.info("finished: weights in %s", self.weights_path)
        return True

    def _train(self) -> None:
        schedule, progress = self.schedule, self.state.progress
        if self.judges_start and not progress.step:
            self._judge(epoch=0)
        stream = self.stream(progress.step)
        logging.info("before the first step TensorFlow builds the network: about a minute")
        with tqdm.tqdm(
            total=schedule.num_steps, initial=progress.step, unit="step", mininterval=2.0
        ) as bar:
            while not self._is_finished():
                if self._is_asked_to_stop:
                    self._save()
                    return
                end = (progress.num_ended_epochs + 1) * schedule.steps_per_epoch
                if progress.step < min(end, schedule.num_steps):
                    self._take_step(stream, bar)
                    continue
                # Saved first: the end of an epoch takes a while, and a kill must cost no step.
                self._save()
                self._judge(epoch=progress.num_ended_epochs + 1)
                progress.num_ended_epochs += 1
                progress.epoch_loss_sum = 0.0
                self._save()

    def _is_finished(self) -> bool:
        return self.state.progress.num_ended_epochs >= self.schedule.num_epochs

    def _take_step(self, stream: Iterator[Batch], bar: Any) -> None:
        progress = self.state.progress
        begun = time.monotonic()
        batch = next(stream)
        self._waited_s += time.monotonic() - begun
        rate = self.schedule.rate(progress.step)
        result = self.step.take(batch, rate=rate)
        self.observe(batch, result)
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
        if time.monotonic() - self._saved_at > self.checkpoint_seconds:
            self._save()

    def _judge(self, *, epoch: int) -> None:
        with self.learner.as_judged():
            self._estimate_statistics()
            found = self.judge(self._journal, self.state.progress.step)
            scores = self._note(found, epoch=epoch)
            if self.chooser in scores:
                self._save_checkpoints(scores[self.chooser])

    def _estimate_statistics(self) -> None:
        if self.statistics:
            number = self.num_statistics_batches
            first = max(0, self.state.progress.step - number)
            self.statistics.estimate(itertools.islice(self.stream(first), number))

    def _note(self, scores: dict[str, float], *, epoch: int) -> dict[str, float]:
        """Tells the user, TensorBoard and the history of scores; adds the training loss."""
        progress = self.state.progress
        num_steps = progress.step - progress.num_ended_epochs * self.schedule.steps_per_epoch
        if num_steps:
            scores = {TRAIN_LOSS: progress.epoch_loss_sum / num_steps, **scores}
        self._journal.scalars(progress.step, {f"epoch/{k}": v for k, v in scores.items()})
        entry = {"epoch": epoch, "step": progress.step, **scores, "data_wait_s": self._waited_s}
        self._journal.epoch(entry)
        self._waited_s = 0.0
        # One figure a class would fill the screen; the history has them all.
        shown = ", ".join(f"{k} {v:.4f}" for k, v in scores.items() if "/" not in k)
        tqdm.tqdm.write(f"epoch {epoch}/{self.schedule.num_epochs}: {shown}")
        return scores

    def _save_checkpoints(self, score: float) -> None:
        """Writes the last weights, and the best where they are."""
        progress, name = self.state.progress, self.chooser
        sign = 1 if self.is_lower_better else -1
        result = f"{progress.step} steps, {name} {score:.4f}"
        self.save_weights("last", result)
        if not np.isfinite(score):
            logging.error("%s is no number after %d steps: not the best", name, progress.step)
            return
        if progress.best_score is None or sign * score < progress.best_score:
            progress.best_score, progress.best_step = sign * score, progress.step
            self.save_weights("best", result)
        write_json(
            self.workdir.checkpoints_path,
            {
                "score": name,
                "last": {"step": progress.step, name: score},
                "best": {"step": progress.best_step, name: sign * progress.best_score},
            },
        )

    def _stop_at(self, batch: Batch, result: StepResult) -> NoReturn:
        """Keeps the weights from before a step that cannot be taken, and raises."""
        self._save()
        with self.learner.as_judged():
            self._estimate_statistics()
            self.save_weights("last", "before a loss that is no number")
        bad = [name for name, value in result.losses.items() if not np.isfinite(value)]
        frames = ", ".join(name.decode() for name in np.asarray(batch[FRAME]))
        raise NonFiniteLossError(
            f"step {self.state.progress.step}: {', '.join(bad) or 'the gradient'} is not finite "
            f"(gradient norm {result.gradient_norm}). The batch was: {frames}. The weights from "
            f"before this step are in {self.workdir.path}. {self.remedy}"
        )

    def _save(self) -> None:
        self.state.save()
        self._saved_at = time.monotonic()


def run_as_program(run: TrainingLoop) -> int:
    """Runs a training until it is finished or a signal stops it; returns the exit status."""
    keep_freed_memory()
    with stopped_by_signals(run.ask_to_stop):
        try:
            return 0 if run.run() else STOPPED_STATUS
        except NonFiniteLossError as error:
            logging.error("%s", error)
            return 1
