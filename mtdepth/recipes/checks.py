"""Checks that the recipes of all networks share."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any


def require_fields(kind: type[Any], content: dict[str, Any]) -> None:
    """Checks that a dataclass has every field of `content`.

    Raises:
      ValueError: If it has not; names the fields that it has.
    """
    known = {field.name for field in dataclasses.fields(kind)}
    if unknown := sorted(set(content) - known):
        raise ValueError(
            f"no recipe field {', '.join(unknown)}; the fields are {', '.join(sorted(known))}"
        )


def require_input_size(size_px: Sequence[int]) -> None:
    """Checks a network input's (height, width).

    Raises:
      ValueError: If a side is no multiple of 32.
    """
    if len(size_px) != 2 or any(side_px < 32 or side_px % 32 for side_px in size_px):
        raise ValueError(f"input_size_px must be (height, width) in multiples of 32, got {size_px}")


def require_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Checks a value that must be one of a few.

    Raises:
      ValueError: If it is not; names them.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def require_at_least(recipe: Any, least: float, *names: str) -> None:
    """Checks finite numbers of a recipe against their lower limit.

    Raises:
      ValueError: If one is below it; names it.
    """
    for name in names:
        if not least <= getattr(recipe, name) < math.inf:
            raise ValueError(f"{name} must be at least {least}, got {getattr(recipe, name)}")
