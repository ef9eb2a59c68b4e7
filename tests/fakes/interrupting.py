"""Something that happens in the middle of a training."""

from collections.abc import Callable
from typing import Any

import pytest


def during_step(
    monkeypatch: pytest.MonkeyPatch, step: Any, *, number: int, act: Callable[[], object]
) -> list[None]:
    """Acts once, before a run takes its `number`-th step.

    Args:
      monkeypatch: Of the test.
      step: Has `take`, which the run calls.
      number: 1 is the first.
      act: Asks the run to stop, or raises what stands for a kill.

    Returns:
      A list that grows by one with each step that is taken.
    """
    take = step.take
    taken: list[None] = []

    def watched(*args: object, **kwargs: object) -> object:
        taken.append(None)
        if len(taken) == number:
            act()
        return take(*args, **kwargs)

    monkeypatch.setattr(step, "take", watched)
    return taken
