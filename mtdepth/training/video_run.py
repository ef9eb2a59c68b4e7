"""A whole training from video in a workdir: begun, gone on with, and finished."""

import collections
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import keras
import numpy as np
from absl import logging

from mtdepth.contract import NO_SCALE
from mtdepth.data.triplets import TripletSet
from mtdepth.data.video_batches import FRAMES, VideoBatches
from mtdepth.files import DataError, UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.recipes.video import VideoRecipe
from mtdepth.runtime.fitting import fitted_intrinsics
from mtdepth.training.checkpoints import Progress, save_weights
from mtdepth.training.loop import RunOptions, TrainingLoop, restored
from mtdepth.training.step import NonFiniteLossError, StepResult, TrainingStep
from mtdepth.training.video_guards import WatchedStep, named
from mtdepth.training.video_networks import VideoNetworks, build_networks
from mtdepth.training.video_objective import VideoObjective
from mtdepth.training.video_pictures import PANELS, sheet
from mtdepth.versions import package_versions
from mtdepth.workdir import Checkpoint, Workdir

MAX_VAL_TRIPLETS = 200  # enough to rank checkpoints, few enough to be judged often
NUM_PICTURES = 3
# ours: KITTI's five calibrations differ by 1 %, which no depth map shows.
MAX_FOCAL_DEVIATION = 0.03


class VideoRun(TrainingLoop):
    """Trains MiniNet and its pose network; the same arguments again go on where it stopped.

    Args:
      workdir: The run's folder.
      recipe: What to train.
      triplets: What to learn from.
      val_triplets: What chooses the best checkpoint, by its photometric error; None lets the
        training loss choose.
      options: See `RunOptions`.

    Raises:
      UserError: If the workdir holds another run.
      DataError: If its state, or a weight file, is damaged.
    """

    def __init__(
        self,
        workdir: Workdir,
        recipe: VideoRecipe,
        triplets: TripletSet,
        *,
        val_triplets: TripletSet | None = None,
        options: RunOptions | None = None,
    ) -> None:
        options = options or RunOptions()
        self._batches = VideoBatches(triplets, recipe, cache_bytes=options.cache_bytes)
        self._held_out = val_triplets and VideoBatches(val_triplets, recipe)
        recipe = recipe.resolved(steps_per_pass=self._batches.steps_per_pass)
        self._recipe, self._workdir = recipe, workdir
        run = _describe(triplets, val_triplets, recipe)
        workdir.check(recipe, run)
        keras.utils.set_random_seed(recipe.seed)
        begun = _as_begun(recipe, workdir)
        self._networks = build_networks(begun)
        if begun.start_from:
            _start_from(self._networks, Workdir(Path(begun.start_from)))
        optimizer = keras.optimizers.Adam(
            recipe.learning_rate, beta_1=recipe.adam_beta_1, beta_2=recipe.adam_beta_2
        )
        self._objective = VideoObjective(self._networks, recipe)
        self._watched = WatchedStep(
            TrainingStep(
                self._networks, self._objective.losses, optimizer, clip_norm=recipe.clip_norm
            )
        )
        progress = restored(workdir, recipe, self._networks, optimizer) or Progress()
        # Not before the weights are there: a wrong weight file must not leave a run behind.
        workdir.begin(recipe, run)
        super().__init__(
            workdir,
            recipe,
            graph=self._networks,
            optimizer=optimizer,
            step=self._watched,
            progress=progress,
            checkpoint_seconds=options.checkpoint_seconds,
        )

    @property
    def networks(self) -> VideoNetworks:
        """Both networks, as they are now."""
        return self._networks

    def weights_path(self, checkpoint: Checkpoint) -> Path:
        """Where the depth network's weights of a checkpoint stand."""
        return self._workdir.weights_path(checkpoint)

    def _stream(self, step: int) -> Iterator[dict[str, Any]]:
        return self._timed(self._batches.from_step(step))

    def _end_epoch(self) -> None:
        recipe, progress = self._recipe, self._progress
        self._watched.end_epoch()
        scores = {"train_loss": progress.epoch_loss_sum / recipe.steps_per_epoch}
        if self._held_out:
            scores |= self._validate(self._held_out)
        self._show()
        self._report_epoch(scores)
        name = "val_photometric" if self._held_out else "train_loss"
        self._save_checkpoints(name, scores[name])

    def _validate(self, held_out: VideoBatches) -> dict[str, float]:
        """Means over the held-out batches; the photometric error is the recipe's output's."""
        sums: collections.Counter[str] = collections.Counter()
        num_batches = 0
        for batch in held_out.in_order(MAX_VAL_TRIPLETS):
            sums.update(self._objective.evaluate(batch)[0])
            num_batches += 1
        return {
            "val_loss": sums["total"] / num_batches,
            "val_photometric": sums[f"photometric_{self._recipe.output}"] / num_batches,
        }

    def _show(self) -> None:
        title = "held-out" if self._held_out else "training"
        batch = next((self._held_out or self._batches).in_order(self._recipe.batch_size))
        _, found = self._objective.evaluate(batch)
        picture = sheet(batch[FRAMES], found, number=NUM_PICTURES)
        self._journal.sheet(self._progress.step, picture, title=f"{title}: {PANELS}")

    def _save_weights(self, checkpoint: Checkpoint, result: str) -> None:
        del result  # stands in checkpoints.json
        save_weights(self._networks.pose_net, self._workdir.pose_weights_path(checkpoint))
        save_weights(self._networks.depth_net, self.weights_path(checkpoint))

    def _stop_at(self, batch: dict[str, Any], result: StepResult) -> NoReturn:
        """Keeps the weights from before a step that cannot be taken, and raises."""
        step = self._progress.step
        self._save_resume()
        self._save_weights("last", "before a loss that is no number")
        bad = [name for name, value in result.losses.items() if not np.isfinite(value)]
        raise NonFiniteLossError(
            f"step {step}: {', '.join(bad) or 'the gradient'} is not finite "
            f"(gradient norm {result.gradient_norm}). The batch was: {named(batch)}. The weights "
            f"from before this step are in {self.weights_path('last')}. Look at these frames and "
            "their intrinsics, or train anew in another --workdir with --override "
            "learning_rate=... lower or --override clip_norm=1.0"
        )


def _describe(
    triplets: TripletSet, val_triplets: TripletSet | None, recipe: VideoRecipe
) -> dict[str, Any]:
    camera = _shared_camera(triplets, recipe)
    return {
        "labels": list(triplets.labels),
        "labels_digest": triplets.digest,
        "val_labels": list(val_triplets.labels) if val_triplets else None,
        "val_labels_digest": val_triplets.digest if val_triplets else None,
        "kitti_root": str(triplets.kitti_root.resolve()) if triplets.kitti_root else None,
        "num_frames": len(triplets.triplets),
        "video": triplets.summary(),
        "scale_source": NO_SCALE,
        "training_camera": camera.to_dict() if camera else None,
        "versions": package_versions(),
    }


def _as_begun(recipe: VideoRecipe, workdir: Workdir) -> VideoRecipe:
    """Leaves out the weights to start from where a state to go on from replaces them.

    They may be gone by then, or on another machine.
    """
    if not workdir.resume_path.is_file():
        return recipe
    return dataclasses.replace(recipe, pose_weights="none", start_from="")


def _start_from(networks: VideoNetworks, source: Workdir) -> None:
    """Copies both networks' best weights from another run.

    Raises:
      FileNotFoundError: If there is no such run, or it has no weights yet.
      DataError: If they are damaged, or of other networks.
    """
    if not isinstance(source.recipe(), VideoRecipe):
        raise UserError(f"{source.path} holds a student; --start_from needs a run from video here")
    pairs = (
        (networks.depth_net, source.weights("best")),
        (networks.pose_net, source.pose_weights_path("best")),
    )
    for network, path in pairs:
        try:
            network.load_weights(path)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(path, f"not the weights of this recipe's networks ({error})") from error
    logging.info("starting from the weights of %s", source.path)


def _shared_camera(triplets: TripletSet, recipe: VideoRecipe) -> Intrinsics | None:
    """The most frequent camera at the network's size; None if another's focal length differs."""
    size, fit = recipe.input_size_px, recipe.fit
    usual = triplets.training_camera(size=size, fit=fit)
    shots = {id(triplet.shot): triplet.shot for triplet in triplets.triplets}.values()
    cameras = [fitted_intrinsics(s.camera_at(s.size), size=size, fit=fit) for s in shots]
    deviations = [
        max(abs(each.fx_px / usual.fx_px - 1), abs(each.fy_px / usual.fy_px - 1))
        for each in cameras
    ]
    return usual if max(deviations) <= MAX_FOCAL_DEVIATION else None
