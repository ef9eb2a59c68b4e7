"""Saving a run so that it can be killed at any moment and go on."""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mtdepth.files import DataError, atomic_path


@dataclasses.dataclass
class Progress:
    """How far a run has come.

    Attributes:
      step: Steps taken.
      num_ended_epochs: Epochs whose scores and weights are written.
      epoch_loss_sum: Sum of the losses of this epoch's steps so far.
      best_score: Lowest score so far; None before the first.
      best_step: When it was reached.
    """

    step: int = 0
    num_ended_epochs: int = 0
    epoch_loss_sum: float = 0.0
    best_score: float | None = None
    best_step: int = 0


def save_weights(graph: keras.Model, path: Path) -> None:
    """Writes a graph's weights (`*.weights.h5`), atomically."""
    with atomic_path(path) as temporary:
        graph.save_weights(temporary)


def save_resume(
    path: Path, graph: keras.Model, optimizer: keras.optimizers.Optimizer, progress: Progress
) -> None:
    """Writes weights, optimiser and progress as one file, so that they always belong together."""
    arrays: dict[str, Any] = {
        f"graph/{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(graph.variables)
    }
    arrays |= {
        f"optimizer/{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(optimizer.variables)
    }
    text = json.dumps(dataclasses.asdict(progress))
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, progress=np.array(text), **arrays)


def load_resume(path: Path, graph: keras.Model, optimizer: keras.optimizers.Optimizer) -> Progress:
    """Restores what `save_resume` wrote.

    Raises:
      DataError: If the file is damaged, or of another network.
    """
    try:
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            progress = Progress(**json.loads(str(arrays["progress"])))
            _assign(path, "graph", graph.variables, arrays)
            _assign(path, "optimizer", optimizer.variables, arrays)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            path, f"not a usable state ({error}); delete it to begin this run anew"
        ) from error
    return progress


def _assign(path: Path, part: str, variables: list[Any], arrays: Any) -> None:
    num_stored = sum(name.startswith(f"{part}/") for name in arrays.files)
    if num_stored != len(variables):
        raise DataError(path, f"holds {num_stored} {part} variables, need {len(variables)}")
    for index, variable in enumerate(variables):
        variable.assign(arrays[f"{part}/{index}"])
