"""What a run tells while it runs: history file, TensorBoard scalars and pictures."""

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from mtdepth.datasets.label_map import colorize
from mtdepth.files import disk_errors_named, write_text
from mtdepth.recipes.base import TrainRecipe
from mtdepth.runtime.colors import depth_colors
from mtdepth.workdir import Workdir

if TYPE_CHECKING:
    from mtdepth.training.validation import Picture


class Journal:
    """Writes a run's `history.jsonl` and TensorBoard logs.

    Args:
      workdir: The run.
      first_step: Where it goes on; history of later steps, left by a killed run, is dropped.
    """

    def __init__(self, workdir: Workdir, *, first_step: int) -> None:
        self._path, self._logs = workdir.history_path, workdir.logs_path
        self._entries = [entry for entry in workdir.history() if entry["step"] <= first_step]
        self._writer = tf.summary.create_file_writer(str(workdir.logs_path))

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Adds curves."""
        with self._writing(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def epoch(self, entry: dict[str, Any]) -> None:
        """Adds a line to the history, atomically.

        Args:
          entry: JSON values; `epoch` and `step` among them.
        """
        # JSON has no NaN.
        entry = {k: None if v != v or abs(v) == np.inf else v for k, v in entry.items()}
        # A run that was killed while an epoch ended ends it again.
        self._entries = [old for old in self._entries if old["epoch"] != entry["epoch"]] + [entry]
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in self._entries))
        with self._writing(entry["step"]):
            self._writer.flush()

    def pictures(
        self, step: int, pictures: "list[Picture]", recipe: TrainRecipe, *, title: str
    ) -> None:
        """Adds a sheet of frames: picture, depth wanted and given, classes likewise."""
        sheet = np.concatenate([_row(picture, recipe) for picture in pictures])
        self.sheet(step, sheet, title=f"{title}: image, label, prediction")

    def sheet(self, step: int, sheet: npt.NDArray[np.uint8], *, title: str) -> None:
        """Adds a picture `[height, width, 3]`, RGB."""
        with self._writing(step):
            tf.summary.image(title, sheet[None])
            self._writer.flush()

    @contextlib.contextmanager
    def _writing(self, step: int) -> Iterator[None]:
        with disk_errors_named(self._logs), self._writer.as_default(step=step):
            yield


def _row(picture: "Picture", recipe: TrainRecipe) -> npt.NDArray[np.uint8]:
    def colored(depth_m: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        return depth_colors(depth_m, near_m=recipe.near_m, far_m=recipe.far_m)

    panels = [picture.image, colored(picture.depth_m), colored(picture.predicted_depth_m)]
    if picture.predicted_train_id is not None:
        panels += [colorize(picture.train_id), colorize(picture.predicted_train_id)]
    return np.concatenate(panels, axis=1)
