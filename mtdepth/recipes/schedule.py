"""What the recipes of all networks share: how long and fast they learn, and their way to JSON."""

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any, Literal, Self

from mtdepth.files import UserError
from mtdepth.records import rebuilt

RateRule = Literal["exponential", "cosine"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSchedule:
    """Batches, epochs, Adam and its rate.

    Attributes:
      batch_size: Examples of a step.
      num_epochs: How often the network is judged and saved.
      steps_per_epoch: Steps from one time to the next; 0, where a recipe allows it, is one pass
        over the data.
      learning_rate: Adam's rate after the warm-up.
      schedule: `exponential` multiplies the rate by `epoch_decay` after each epoch, `cosine` falls
        to zero at the end.
      epoch_decay: See `schedule`.
      warmup_steps: Steps in which the rate rises linearly from zero.
      adam_beta_1, adam_beta_2: Memory of Adam's two averages.
      weight_decay: Times the rate, the share of each weight that a step takes off (AdamW,
        Loshchilov and Hutter 2019); biases and batch-norm scales are left alone. 0 for Adam.
      clip_norm: Largest norm of the whole gradient; 0 leaves it alone.
      seed: Of the weights, the order of the examples, and their variation.
    """

    batch_size: int
    num_epochs: int
    steps_per_epoch: int
    learning_rate: float
    schedule: RateRule
    epoch_decay: float = 1.0
    warmup_steps: int = 0
    adam_beta_1: float = 0.9  # Kingma and Ba 2015, as every paper followed here
    adam_beta_2: float = 0.999  # likewise
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Rejects a schedule that would fail hours into a run."""
        require_at_least(self, 1, "batch_size", "num_epochs")
        require_at_least(self, 0, "steps_per_epoch", "warmup_steps", "clip_norm")
        if not 0 < self.epoch_decay <= 1:
            raise UserError(f"epoch_decay must be in (0, 1], got {self.epoch_decay}")
        if not 0 <= self.weight_decay < 1:
            raise UserError(f"weight_decay must be in [0, 1), got {self.weight_decay}")
        for name in ("learning_rate", "adam_beta_1", "adam_beta_2"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"{name} must be in (0, 1), got {getattr(self, name)}")

    def to_dict(self) -> dict[str, Any]:
        """Returns what `from_dict` takes, ready for JSON."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Rebuilds a recipe.

        Raises:
          UserError: If a field is missing, unknown or out of range.
        """
        return rebuilt(cls, content)

    @property
    def num_steps(self) -> int:
        """Length of the whole training."""
        return self.num_epochs * self.steps_per_epoch

    def rate(self, step: int) -> float:
        """The learning rate of step `step`, counted from 0.

        Linear warm-up, then either `learning_rate * epoch_decay**epoch` or half a cosine that ends
        at zero with the training.
        """
        warmup = min(1.0, (step + 1) / (self.warmup_steps + 1))
        if self.schedule == "exponential":
            epoch = step // self.steps_per_epoch
            return warmup * self.learning_rate * self.epoch_decay**epoch
        past_warmup = max(step - self.warmup_steps, 0)
        share = min(past_warmup / max(self.num_steps - self.warmup_steps, 1), 1.0)
        return warmup * self.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def require_input_size(size_px: Sequence[int]) -> None:
    """Checks a network input's (height, width).

    Raises:
      UserError: If a side is no multiple of 32.
    """
    if len(size_px) != 2 or any(side_px < 32 or side_px % 32 for side_px in size_px):
        raise UserError(f"input_size_px must be (height, width) in multiples of 32, got {size_px}")


def require_at_least(recipe: Any, least: float, *names: str) -> None:
    """Checks finite numbers of a recipe against their lower limit.

    Raises:
      UserError: If one is below it; names it.
    """
    for name in names:
        if not least <= getattr(recipe, name) < math.inf:
            raise UserError(f"{name} must be at least {least}, got {getattr(recipe, name)}")
