"""Training steps that refuse what would poison the weights, for a network of any kind."""

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

import keras

Tensors = dict[str, Any]


class NonFiniteLossError(Exception):
    """The loss or its gradient is no number any more; the weights before it are kept."""


@dataclasses.dataclass(frozen=True)
class StepResult:
    """What a step found.

    Attributes:
      losses: `total` and each part, scalars.
      gradient_norm: Norm of the whole gradient before clipping.
      is_finite: Whether the step was taken; False leaves every variable as it was.
    """

    losses: dict[str, float]
    gradient_norm: float
    is_finite: bool


class GuardedStep:
    """Takes training steps on a graph, refusing those whose loss or gradient is no number.

    Args:
      graph: Its trainable weights are learned.
      losses: From the tensors of a batch to scalars, `total` among them; runs `graph` in training
        mode. Written in `keras.ops` it runs on each of Keras's back ends.
      optimizer: Applied to the graph's trainable weights.
      clip_norm: Largest norm of the whole gradient; 0 leaves it alone.
    """

    def __init__(
        self,
        graph: keras.Model,
        losses: Callable[..., Tensors],
        optimizer: keras.optimizers.Optimizer,
        *,
        clip_norm: float,
    ) -> None:
        self._optimizer = optimizer
        optimizer.build(graph.trainable_variables)
        self._step = _backend().training_step(graph, losses, optimizer, clip_norm=clip_norm)

    def take(self, *batch: Any, rate: float) -> StepResult:
        """Takes one step.

        Args:
          *batch: What the losses take.
          rate: Learning rate.
        """
        self._optimizer.learning_rate.assign(rate)
        losses, norm, is_finite = self._step(*batch)
        return StepResult(
            losses={name: float(value) for name, value in losses.items()},
            gradient_norm=float(norm),
            is_finite=bool(is_finite),
        )


def compiled(graph: keras.Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function that runs `graph` without training it fast; it changes no variable.

    Args:
      graph: The function reads its variables.
      function: From the tensors of a batch to tensors in dicts and lists.
    """
    return _backend().evaluation(graph, function)


def _backend() -> Any:
    return importlib.import_module(f"mtdepth.training.step_{keras.backend.backend()}")
