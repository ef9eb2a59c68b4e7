"""Saving a run so that it can be killed at any moment and go on."""

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtdepth.files import DataError, UserError, atomic_path, is_there, parse_json, read_npz
from mtdepth.records import rebuilt

_SMALL_BYTES = 2**17  # of a run's small files and logs


@dataclasses.dataclass
class Progress:
    """How far a run has come.

    Attributes:
      step: Steps taken.
      num_ended_epochs: Epochs whose scores and weights are written.
      epoch_loss_sum: Sum of the losses of this epoch's steps so far.
      best_score: Lowest score so far (the highest, negated, where higher is better); None before
        the first.
      best_step: When it was reached.
    """

    step: int = 0
    num_ended_epochs: int = 0
    epoch_loss_sum: float = 0.0
    best_score: float | None = None
    best_step: int = 0


class TrainingState:
    """What a run must not lose: weights, optimiser and progress, which always belong together.

    Args:
      path: The file that holds all of it.
      network: A model of Keras 3 or `tf_keras`.
      optimizer: Its optimiser.
      average: The variables of the weights' average; none without one.

    Attributes:
      progress: How far the run has come.
    """

    def __init__(
        self, path: Path, network: Any, optimizer: Any, average: Sequence[Any] = ()
    ) -> None:
        self.path, self.network, self.optimizer = path, network, optimizer
        self._average = list(average)
        self.progress = Progress()

    def check_room(self) -> None:
        """Checks that the disk can hold what a run writes, before it takes a step.

        Raises:
          UserError: If it cannot.
        """
        network, rest = (
            sum(int(np.prod(each.shape)) * 4 for each in variables)
            for variables in (self.network.variables, [*self.optimizer.variables, *self._average])
        )
        # A file is written beside the one that it replaces; best and last weights, then the logs.
        again = network + rest + _SMALL_BYTES
        needed = again if is_there(self.path) else 2 * again + 2 * network
        if (free := shutil.disk_usage(self.path.parent).free) < needed:
            raise UserError(
                f"{self.path.parent}: {free / 1e6:.1f} MB free, this run needs {needed / 1e6:.1f} "
                "MB; make room and give the same command again"
            )

    def save(self) -> None:
        """Writes the file, atomically."""
        arrays: dict[str, Any] = {
            f"{part}/{number}": np.asarray(variable)
            for part, variables in self._parts()
            for number, variable in enumerate(variables)
        }
        progress = np.array(json.dumps(dataclasses.asdict(self.progress)))
        with atomic_path(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, progress=progress, **arrays)

    def restore(self) -> bool:
        """Reads the file; whether there is one.

        Raises:
          DataError: If it is damaged, or of another network.
        """
        if not is_there(self.path):
            return False
        arrays = read_npz(self.path)
        try:
            progress = parse_json(self.path, str(arrays["progress"]))
            self.progress = rebuilt(Progress, progress)
            for part, variables in self._parts():
                num_stored = sum(name.startswith(f"{part}/") for name in arrays)
                if num_stored != len(variables):
                    raise ValueError(f"{num_stored} {part} variables, need {len(variables)}")
                for number, variable in enumerate(variables):
                    value, now = arrays[f"{part}/{number}"], np.asarray(variable)
                    if (value.shape, value.dtype) != (now.shape, now.dtype):
                        raise ValueError(
                            f"{part}/{number} is {value.shape} of {value.dtype}, need {now.shape} "
                            f"of {now.dtype}"
                        )
                    variable.assign(value)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                self.path, f"not a usable state ({error}); delete it to begin this run anew"
            ) from error
        return True

    def _parts(self) -> tuple[tuple[str, list[Any]], ...]:
        return (
            ("graph", list(self.network.variables)),
            ("optimizer", list(self.optimizer.variables)),
            ("average", self._average),
        )
