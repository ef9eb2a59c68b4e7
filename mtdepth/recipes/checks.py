"""Checks that the recipes of all networks share."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

Record = TypeVar("Record", bound=Any)


def rebuilt(
    kind: type[Record], content: Mapping[str, Any], **readers: Callable[[Any], Any]
) -> Record:
    """Makes a dataclass out of what was written of it as JSON.

    Args:
      kind: The dataclass.
      content: Its fields.
      readers: How fields are read that are no plain values, by name.

    Raises:
      ValueError: If a field is missing, unknown or out of range.
    """
    known = {field.name for field in dataclasses.fields(kind)}
    if unknown := sorted(set(content) - known):
        raise ValueError(
            f"no recipe field {', '.join(unknown)}; the fields are {', '.join(sorted(known))}"
        )
    try:
        values = {
            name: readers[name](value) if name in readers else value
            for name, value in content.items()
        }
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"incomplete recipe: {error}") from error


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
