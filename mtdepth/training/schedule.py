"""The learning rate of a step."""

import math

from mtdepth.recipes.base import TrainRecipe


def learning_rate(recipe: TrainRecipe, step: int) -> float:
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
