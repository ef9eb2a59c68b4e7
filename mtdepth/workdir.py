"""The folder of one training run: what stands where, and how it is read."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from mtdepth.files import DataError, read_json, write_json
from mtdepth.geometry.camera import Intrinsics
from mtdepth.recipes.base import Recipe, Storable, TrainRecipe

Checkpoint = Literal["best", "last"]


@dataclasses.dataclass(frozen=True)
class Workdir:
    """One run's folder.

    | file | content |
    | --- | --- |
    | `recipe.json` | the resolved recipe |
    | `run.json` | labels and their digest, training camera, versions |
    | `best.weights.h5`, `last.weights.h5` | weights of the training graph |
    | `checkpoints.json` | step and score of both |
    | `resume.npz` | everything needed to go on where the run stopped |
    | `history.jsonl` | one line of losses and scores an epoch |
    | `training_mean.npz` | mean label per pixel: the floor that a model must beat |
    | `logs/` | TensorBoard |
    | `results/` | what `evaluate` wrote |
    """

    path: Path

    @property
    def recipe_path(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.json"

    @property
    def run_path(self) -> Path:
        """What the run was made from."""
        return self.path / "run.json"

    @property
    def resume_path(self) -> Path:
        """The state to go on from."""
        return self.path / "resume.npz"

    @property
    def history_path(self) -> Path:
        """One line an epoch."""
        return self.path / "history.jsonl"

    @property
    def training_mean_path(self) -> Path:
        """The per-pixel mean of the training labels."""
        return self.path / "training_mean.npz"

    @property
    def logs_path(self) -> Path:
        """TensorBoard's folder."""
        return self.path / "logs"

    @property
    def results_path(self) -> Path:
        """Scores of this run's model."""
        return self.path / "results"

    @property
    def checkpoints_path(self) -> Path:
        """Step and score of the best and the last weights."""
        return self.path / "checkpoints.json"

    def weights_path(self, checkpoint: Checkpoint) -> Path:
        """Where the weights of a checkpoint stand."""
        return self.path / f"{checkpoint}.weights.h5"

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return self.recipe_path.is_file()

    def recipe(self) -> TrainRecipe:
        """The run's recipe.

        Raises:
          FileNotFoundError: If no run was begun here.
          DataError: If the recipe cannot be read.
        """
        if not self.exists():
            raise FileNotFoundError(
                f"{self.path} is no workdir: it has no recipe.json. "
                f"`python -m mtdepth.train --workdir {self.path}` makes one"
            )
        return self._recipe_as(TrainRecipe)

    def _recipe_as(self, kind: type[Recipe]) -> Recipe:
        try:
            return kind.from_dict(read_json(self.recipe_path))
        except (ValueError, TypeError) as error:
            raise DataError(self.recipe_path, str(error)) from error

    def run(self) -> dict[str, Any]:
        """What the run was made from: see `begin`."""
        return read_json(self.run_path)

    def training_camera(self) -> Intrinsics:
        """The camera that depths are metric for, at the network's input size."""
        try:
            return Intrinsics.from_dict(self.run()["training_camera"])
        except (KeyError, TypeError) as error:
            raise DataError(self.run_path, f"no training_camera ({error})") from error

    def weights(self, checkpoint: Checkpoint = "best") -> Path:
        """An existing weight file.

        Raises:
          FileNotFoundError: If it was not written yet.
        """
        path = self.weights_path(checkpoint)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is not there yet: the first is written at the end of the first epoch. "
                f"Run `python -m mtdepth.train --workdir {self.path}` again to go on"
            )
        return path

    def check(self, recipe: Storable, run: dict[str, Any]) -> None:
        """Checks that a run in this folder, if there is one, is the same as the one asked for.

        Args:
          recipe: The resolved recipe.
          run: See `begin`.

        Raises:
          ValueError: If another recipe or other labels were used here before.
        """
        if not self.exists():
            return
        way_out = "Give the same to go on, or another --workdir to begin anew"
        if changes := _differences(self._recipe_as(type(recipe)).to_dict(), recipe.to_dict()):
            raise ValueError(
                f"{self.path} holds a run of another recipe ({'; '.join(changes)}). {way_out}"
            )
        for name in ("labels", "val_labels"):
            before, now = self.run().get(f"{name}_digest"), run[f"{name}_digest"]
            if before != now:
                raise ValueError(
                    f"{self.path} holds a run with other {name}: there {self.run().get(name)}, now "
                    f"{run[name]}, or its files have changed since. {way_out}"
                )

    def begin(self, recipe: Storable, run: dict[str, Any]) -> None:
        """Writes `recipe.json` and `run.json` where there are none yet.

        Args:
          recipe: The resolved recipe.
          run: `labels`, `labels_digest`, `val_labels`, `val_labels_digest`, `kitti_root`,
            `num_frames`, `scale_source`, `training_camera`, `versions`.
        """
        if not self.exists():
            write_json(self.run_path, run)
            write_json(self.recipe_path, recipe.to_dict())


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += _differences(before, after, f"{prefix}{key}.")
        elif _as_json(before) != _as_json(after):
            lines.append(f"{prefix}{key}: there {before}, now {after}")
    return lines


def _as_json(value: Any) -> Any:
    """Tuples become lists on the way through a file, which is no difference."""
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    return value
