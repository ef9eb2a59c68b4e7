"""The state of a fine-tuning on disk, so that a killed one goes on where it stopped."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.files import DataError, atomic_path

Arrays = list[npt.NDArray[Any]]


def save_state(path: Path, arrays: dict[str, Arrays], progress: dict[str, Any]) -> None:
    """Writes named lists of arrays and plain values as one file, atomically."""
    content: dict[str, Any] = {
        f"{name}/{number}": value
        for name, values in arrays.items()
        for number, value in enumerate(values)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, progress=np.array(json.dumps(progress)), **content)


def load_state(path: Path) -> tuple[dict[str, Arrays], dict[str, Any]]:
    """Reads what `save_state` wrote.

    Raises:
      DataError: If the file is damaged.
    """
    arrays: dict[str, Arrays] = {}
    try:
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            progress = json.loads(str(content["progress"]))
            for key in content.files:
                if key != "progress":
                    arrays.setdefault(key.split("/")[0], []).append(content[key])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(path, f"not a usable state ({error}); delete it to begin anew") from error
    return arrays, progress
