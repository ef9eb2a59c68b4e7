"""The folder of one training run: what stands where, and how it is read."""

import contextlib
import dataclasses
import errno
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from absl import logging

from mtdepth.contract import DECODERS, MININET, STUDENT
from mtdepth.datasets.plausible import camera_problem
from mtdepth.files import DataError, UserError, is_there, read_json_lines, read_record, write_json
from mtdepth.geometry.camera import Intrinsics
from mtdepth.recipes.base import Recipe, TrainRecipe
from mtdepth.recipes.schedule import TrainingSchedule
from mtdepth.recipes.video import VideoRecipe

Checkpoint = Literal["best", "last"]


class _Inside:
    """A file or folder of a run, as an attribute of its workdir."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, workdir: "Workdir", _: object = None) -> Path:
        return workdir.path / self._name


@dataclasses.dataclass(frozen=True)
class Workdir:
    """One run's folder.

    | file | content |
    | --- | --- |
    | `recipe.json` | the resolved recipe |
    | `run.json` | labels and their digest, training camera, versions |
    | `best.weights.h5`, `last.weights.h5` | weights of the training graph |
    | `best.pose.weights.h5`, `last.pose.weights.h5` | of the pose network; video only |
    | `scale.json` | metres of depth 1; video only, written by `mtdepth.metric_scale` |
    | `checkpoints.json` | step and score of both |
    | `resume.npz` | everything needed to go on where the run stopped |
    | `history.jsonl` | one line of losses and scores an epoch |
    | `preview.png`, `samples/` | what is learned from, and some pictures of it; video only |
    | `training_mean.npz` | mean label per pixel: the baseline that a model must beat |
    | `logs/` | TensorBoard |
    | `results/` | what `evaluate` wrote |
    """

    path: Path

    recipe_path = _Inside("recipe.json")
    run_path = _Inside("run.json")
    resume_path = _Inside("resume.npz")
    history_path = _Inside("history.jsonl")
    training_mean_path = _Inside("training_mean.npz")
    scale_path = _Inside("scale.json")
    logs_path = _Inside("logs")
    results_path = _Inside("results")
    checkpoints_path = _Inside("checkpoints.json")
    samples_path = _Inside("samples")

    def weights_path(self, checkpoint: Checkpoint) -> Path:
        """Where the weights of a checkpoint stand."""
        return self.path / f"{checkpoint}.weights.h5"

    def pose_weights_path(self, checkpoint: Checkpoint) -> Path:
        """Where the weights of a checkpoint's pose network stand."""
        return self.path / f"{checkpoint}.pose.weights.h5"

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return is_there(self.recipe_path)

    def recipe(self) -> TrainRecipe | VideoRecipe:
        """The run's recipe: a student's, or that of a MiniNet, which learns from video.

        Raises:
          FileNotFoundError: If no run was begun here.
          DataError: If the recipe cannot be read.
        """
        if not self.exists():
            raise FileNotFoundError(
                f"{self.path} is no workdir: it has no recipe.json. "
                f"`python -m mtdepth.train --workdir {self.path}` makes one"
            )
        is_video = read_record(self.recipe_path).get("network") == MININET
        return self._recipe_as(VideoRecipe) if is_video else self._recipe_as(TrainRecipe)

    def student_recipe(self) -> TrainRecipe:
        """The recipe of a run that holds a student.

        Raises:
          FileNotFoundError: If no run was begun here.
          DataError: If the recipe cannot be read.
          UserError: If it holds another network.
        """
        recipe = self.recipe()
        if not isinstance(recipe, TrainRecipe):
            raise UserError(f"{self.path} holds a MiniNet; a student is needed here")
        return recipe

    def _recipe_as(self, kind: type[Recipe]) -> Recipe:
        try:
            return kind.from_dict(read_record(self.recipe_path))
        except UserError as error:
            raise DataError(self.recipe_path, str(error)) from error

    def steps(self) -> tuple[int, int] | None:
        """Steps that were done until weights were last written, and all; None before that.

        Raises:
          DataError: If a file of the run cannot be read.
        """
        if not self.checkpoints_path.is_file():
            return None
        last = read_record(self.checkpoints_path).get("last")
        done = last.get("step") if isinstance(last, dict) else None
        if type(done) is not int or done < 0:
            raise DataError(self.checkpoints_path, f"tells no last step, but {str(last)[:60]}")
        return done, self.recipe().num_steps

    def history(self) -> list[dict[str, Any]]:
        """An entry an epoch, `epoch` and `step` in each; none before the first has ended.

        Raises:
          DataError: If a line is no such entry.
        """
        path = self.history_path
        entries = read_json_lines(path) if is_there(path) else []
        for number, entry in enumerate(entries, start=1):
            if not type(entry.get("epoch")) is type(entry.get("step")) is int:
                why = f"line {number} lacks its epoch or step; delete the file to go on without it"
                raise DataError(path, why)
        return entries

    def decoders(self) -> tuple[str, ...]:
        """The decoder sizes that the run's network can be cut to, the largest first."""
        recipe = self.recipe()
        if isinstance(recipe, TrainRecipe):
            sizes = DECODERS[STUDENT]
            return sizes[sizes.index(recipe.decoder) :]
        return DECODERS[MININET]

    def checked_size(self, size: str | None) -> str:
        """The decoder size that was asked for, or the one that was trained.

        Raises:
          UserError: If the run's network cannot be cut to it.
        """
        recipe = self.recipe()
        trained = recipe.decoder if isinstance(recipe, TrainRecipe) else recipe.output
        known = self.decoders()
        if size not in (None, *known):
            raise UserError(
                f"{self.path} was trained with decoder {trained}, which does not contain decoder "
                f"{size}; it can be cut to {', '.join(known)}"
            )
        return size or trained

    def run(self) -> dict[str, Any]:
        """What the run was made from: see `begin`.

        Raises:
          FileNotFoundError: If there is no such run.
          DataError: If it is no record, or names labels by anything but text.
        """
        run = read_record(self.run_path)
        for name in ("labels", "val_labels", "kitti_root", "scale_source"):
            value = run.get(name) or ""
            names = value if isinstance(value, list) else [value]
            if not all(isinstance(each, str) for each in names):
                raise DataError(self.run_path, f"{name} must be text, found {str(value)[:60]}")
        return run

    def training_camera(self) -> Intrinsics:
        """The camera that depths are metric for, at the network's input size."""
        try:
            camera = Intrinsics.from_dict(self.run()["training_camera"])
        except (KeyError, TypeError, UserError) as error:
            raise DataError(self.run_path, f"no training_camera ({error})") from error
        if why := camera_problem(camera, is_stretched=True):
            raise DataError(self.run_path, f"its training_camera has {why}; train again")
        return camera

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

    def training_camera_or_none(self) -> Intrinsics | None:
        """The training camera; None where a network learned from video of unlike ones."""
        return None if self.run().get("training_camera") is None else self.training_camera()

    def check(self, recipe: TrainingSchedule, run: dict[str, Any]) -> None:
        """Checks that a run in this folder, if there is one, is the same as the one asked for.

        Args:
          recipe: The resolved recipe.
          run: See `begin`.

        Raises:
          UserError: If another recipe or other labels were used here before.
        """
        if not self.exists():
            return
        way_out = "Give the same to go on, or another --workdir to begin anew"
        try:
            before_it = self._recipe_as(type(recipe)).to_dict()
        except DataError as error:
            raise UserError(
                f"{self.path} holds another kind of run ({error}). {way_out}"
            ) from error
        if changes := _differences(before_it, recipe.to_dict()):
            raise UserError(
                f"{self.path} holds a run of another recipe ({'; '.join(changes)}). {way_out}"
            )
        is_video = recipe.to_dict().get("network") == MININET
        for name, video in (("labels", "video"), ("val_labels", "held-out video")):
            what = video if is_video else name
            before, now = self.run().get(f"{name}_digest"), run[f"{name}_digest"]
            if before and now and before != now and not before.startswith("content:"):
                logging.warning(
                    "%s: an older version noted the sizes of its %s only, so nobody can tell "
                    "whether they are the same as before",
                    self.path,
                    what,
                )
            elif before != now:
                raise UserError(
                    f"{self.path} holds a run with other {what}: there {self.run().get(name)}, now "
                    f"{run[name]}, or its files have changed since. {way_out}"
                )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training here meanwhile; a killed one leaves no lock.

        Raises:
          UserError: If another process trains here.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"{self.path}: another process trains there; wait for it, or give another "
                    "--workdir"
                ) from error
            except OSError as error:
                # A network drive without locks.
                if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
                    raise
            yield

    def begin(self, recipe: TrainingSchedule, run: dict[str, Any]) -> None:
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
