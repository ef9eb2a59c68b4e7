"""The learning rate of a step."""

import math
from typing import Protocol

from mtdepth.recipes.base import Schedule


class Scheduled(Protocol):
    """The part of a recipe that says how fast to learn; see `TrainRecipe` for each number."""

    @property
    def learning_rate(self) -> float:
        """After the warm-up."""

    @property
    def schedule(self) -> Schedule:
        """How it falls."""

    @property
    def epoch_decay(self) -> float:
        """Factor of each epoch."""

    @property
    def warmup_steps(self) -> int:
        """Steps of the linear rise."""

    @property
    def steps_per_epoch(self) -> int:
        """Length of an epoch."""

    @property
    def num_steps(self) -> int:
        """Length of the whole training."""


def learning_rate(recipe: Scheduled, step: int) -> float:
    """Returns the rate of step `step`, counted from 0.

    Linear warm-up, then either `learning_rate * epoch_decay**epoch` or half a cosine that ends at
    zero with the training.

    Args:
      recipe: Gives the schedule and its numbers.
      step: 0 .. num_steps - 1.
    """
    warmup = min(1.0, (step + 1) / (recipe.warmup_steps + 1))
    if recipe.schedule == "exponential":
        return (
            warmup * recipe.learning_rate * recipe.epoch_decay ** (step // recipe.steps_per_epoch)
        )
    past_warmup = max(step - recipe.warmup_steps, 0)
    share = past_warmup / max(recipe.num_steps - recipe.warmup_steps, 1)
    return warmup * recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
