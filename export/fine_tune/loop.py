"""The loop of a fine-tuning: a `tf_keras` network learns for some hundred steps."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
import tqdm
from absl import logging

from export.fine_tune.objective import Objective
from export.fine_tune.pictures import HeldOut
from export.fine_tune.state import load_state, save_state
from export.fine_tune.tf_keras_copy import kernel_layers, weight_variables
from export.graph import NetworkGraph
from mtdepth.data.features import IMAGE
from mtdepth.files import UserError
from mtdepth.models.normalisation import InputNormalisation

SCORE_BATCH = 8
SAVE_SECONDS = 60.0


class FineTuningError(Exception):
    """A fine-tuning that cannot go on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How long and how fast.

    Attributes:
      num_steps: Length.
      learning_rate: Adam's at the start; it falls to zero as half a cosine.
      score_every: Steps from one score on held-out pictures to the next.
      first_score: No earlier state is scored, and so none is kept.
      identity: Everything that changes the result, as JSON; a state of another is refused.
    """

    num_steps: int
    learning_rate: float
    score_every: int
    first_score: int = 0
    identity: dict[str, Any]


class FineTuning:
    """Tunes one network.

    Args:
      model: Of `build_copy` or one of its wrapped forms.
      graph: What it was built from.
      law: Normalisation that the network is fed through.
      objective: The loss; holds the float network.
      settings: See `Settings`.
      held_out: Scores the network; None keeps the last state.
      masks: Entry name to an array of ones and zeros: weights that stay zero.
      before_score: Called before each score, and at the end.
    """

    def __init__(
        self,
        model: Any,
        graph: NetworkGraph,
        *,
        law: InputNormalisation,
        objective: Objective,
        settings: Settings,
        held_out: HeldOut | None,
        masks: dict[str, Any] | None = None,
        before_score: Callable[[], None] = lambda: None,
    ) -> None:
        self._model, self._law, self._objective = model, law, objective
        self._settings, self._held_out = settings, held_out
        self._before_score = before_score
        self._weights = model.trainable_variables
        self._optimizer = tf_keras.optimizers.Adam(settings.learning_rate)
        self._optimizer.build(self._weights)
        variables = {
            entry.name: weight_variables(layer, entry)
            for entry, layer in kernel_layers(model, graph)
        }
        self._groups = [
            [variables[name][place] for name in group]
            for group in graph.tied()
            for place in range(len(variables[group[0]]))
        ]
        self._masked = [(variables[name][0], mask) for name, mask in (masks or {}).items()]
        # XLA makes such graphs several times slower on CPU, so it is not left to a default.
        self._step = tf.function(self._traced_step, jit_compile=False, autograph=False)
        self._infer = tf.function(
            lambda image: model(law(tf.cast(image, tf.float32)), training=False),
            jit_compile=False,
            autograph=False,
        )
        self.best_score: float | None = None
        self.scores: list[tuple[int, float]] = []
        self._best: list[Any] | None = None

    def run(self, batches: Callable[[int], Iterator[dict[str, Any]]], state_path: Path) -> None:
        """Takes the steps that are left; the network then holds the best state that was scored.

        Args:
          batches: The endless stream from a step on.
          state_path: File that a killed run goes on from; gone when the run has ended.

        Raises:
          FineTuningError: If the loss is no number.
          DataError: If the state is damaged.
          UserError: If it is of another fine-tuning.
        """
        settings = self._settings
        step = self._resume(state_path)
        if step == 0:
            self._score(0)
        saved_at = time.monotonic()
        stream = batches(step)
        with tqdm.tqdm(total=settings.num_steps, initial=step, unit="step", mininterval=2.0) as bar:
            while step < settings.num_steps:
                loss = self._take(step, next(stream))
                step += 1
                bar.update()
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                if step % settings.score_every == 0 or step == settings.num_steps:
                    self._score(step)
                if time.monotonic() - saved_at > SAVE_SECONDS:
                    self._save(state_path, step)
                    saved_at = time.monotonic()
        if self._best is not None:
            self._assign(self._best)
        self._before_score()
        state_path.unlink(missing_ok=True)

    def depth_m(self, images: Any) -> Any:
        """The depth of pictures `[number, height, width, 3]`, as an array."""
        found = [
            np.asarray(self._infer(images[first : first + SCORE_BATCH])["depth_code"])[..., 0]
            for first in range(0, len(images), SCORE_BATCH)
        ]
        return np.asarray(self._objective.subject.codec.decode(np.concatenate(found)), np.float32)

    def _take(self, step: int, batch: dict[str, Any]) -> float:
        share = step / self._settings.num_steps
        rate = self._settings.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
        self._optimizer.learning_rate.assign(rate)
        loss = float(self._step({name: value for name, value in batch.items() if name != "frame"}))
        if not math.isfinite(loss):
            raise FineTuningError(
                f"step {step}: the loss is no number any more; try a lower --learning_rate"
            )
        return loss

    def _traced_step(self, batch: dict[str, Any]) -> Any:
        image = tf.cast(batch[IMAGE], tf.float32)
        subject = self._objective.subject
        teacher = subject.network(subject.normalisation(image), training=False)
        with tf.GradientTape() as tape:
            outputs = self._model(self._law(image), training=True)
            loss = self._objective(outputs, teacher, batch)
        found = tape.gradient(loss, self._weights)
        gradients = {
            weight.ref(): gradient for weight, gradient in zip(self._weights, found, strict=True)
        }
        for group in self._groups:
            # Copies that begin equal and get the same gradient stay equal under Adam.
            common = tf.add_n([gradients[weight.ref()] for weight in group])
            gradients |= {weight.ref(): common for weight in group}
        self._optimizer.apply_gradients(
            [(gradients[weight.ref()], weight) for weight in self._weights]
        )
        for kernel, mask in self._masked:
            kernel.assign(kernel * mask)
        return loss

    def _score(self, step: int) -> None:
        if self._held_out is None or step < self._settings.first_score:
            return
        self._before_score()
        score = self._held_out.abs_rel(self.depth_m(self._held_out.images))
        self.scores.append((step, score))
        tqdm.tqdm.write(f"step {step}: held-out Abs Rel {score:.4f}")
        if self.best_score is None or score < self.best_score:
            self.best_score = score
            self._best = self._values()

    def _values(self) -> list[Any]:
        return [np.asarray(variable) for variable in self._model.variables]

    def _assign(self, values: list[Any]) -> None:
        for variable, value in zip(self._model.variables, values, strict=True):
            variable.assign(value)

    def _save(self, path: Path, step: int) -> None:
        arrays = {
            "model": self._values(),
            "optimizer": [np.asarray(variable) for variable in self._optimizer.variables],
        }
        if self._best is not None:
            arrays["best"] = self._best
        progress = {
            "step": step,
            "best_score": self.best_score,
            "scores": self.scores,
            "identity": self._settings.identity,
        }
        save_state(path, arrays, progress)

    def _resume(self, path: Path) -> int:
        if not path.is_file():
            return 0
        arrays, progress = load_state(path)
        if progress["identity"] != self._settings.identity:
            raise UserError(
                f"{path} is the state of another fine-tuning. Give the same flags to go on with "
                "it, delete it to begin anew, or choose another --output"
            )
        self._assign(arrays["model"])
        for variable, value in zip(self._optimizer.variables, arrays["optimizer"], strict=True):
            variable.assign(value)
        self._best = arrays.get("best")
        self.best_score = progress["best_score"]
        self.scores = [tuple(score) for score in progress["scores"]]
        logging.info("going on at step %d of %d", progress["step"], self._settings.num_steps)
        return int(progress["step"])
