"""A whole training from video in a workdir: begun, gone on with, and finished."""

import collections
import dataclasses
from typing import Any

import keras
from absl import logging

from mtdepth.contract import NO_SCALE
from mtdepth.data.triplets import TripletSet
from mtdepth.data.video_batches import FRAMES, VideoBatches
from mtdepth.files import UserError, is_there
from mtdepth.geometry.camera import Intrinsics
from mtdepth.models.weights import load_weights, save_weights
from mtdepth.pretrained.names import run_folder
from mtdepth.recipes.video import VideoRecipe
from mtdepth.runtime.fitting import fitted_intrinsics
from mtdepth.training.journal import Journal
from mtdepth.training.loop import TRAIN_LOSS, RunOptions, TrainingLoop, adam_learner
from mtdepth.training.video_health import HealthChecks
from mtdepth.training.video_networks import VideoNetworks, build_networks
from mtdepth.training.video_objective import VideoObjective
from mtdepth.training.video_pictures import PANELS, sheet
from mtdepth.versions import package_versions
from mtdepth.workdir import Checkpoint, Workdir

MAX_VAL_TRIPLETS = 200  # enough to rank checkpoints, few enough to be judged often
NUM_PICTURES = 3
# ours: KITTI's five calibrations differ by 1 %, which no depth map shows.
MAX_FOCAL_DEVIATION = 0.03


def video_run(
    workdir: Workdir,
    recipe: VideoRecipe,
    triplets: TripletSet,
    *,
    val_triplets: TripletSet | None = None,
    options: RunOptions | None = None,
) -> TrainingLoop:
    """Prepares the training of MiniNet and its pose network; the same arguments again go on.

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
    options = options or RunOptions()
    batches = VideoBatches(triplets, recipe, cache_bytes=options.cache_bytes)
    held_out = VideoBatches(val_triplets, recipe) if val_triplets else None
    recipe = recipe.resolved(steps_per_pass=batches.steps_per_pass)
    run = _describe(triplets, val_triplets, recipe)
    workdir.check(recipe, run)
    keras.utils.set_random_seed(recipe.seed)
    begun = _as_begun(recipe, workdir)
    networks = build_networks(begun)
    if begun.start_from:
        _start_from(networks, Workdir(run_folder(begun.start_from)), recipe)
    objective, health = VideoObjective(networks, recipe), HealthChecks()
    # Not before the weights are there: a wrong weight file must not leave a run behind.
    workdir.begin(recipe, run)

    def judge(journal: Journal, step: int) -> dict[str, float]:
        health.end_epoch()
        batch = next((held_out or batches).in_order(recipe.batch_size))
        picture = sheet(batch[FRAMES], objective.evaluate(batch)[1], number=NUM_PICTURES)
        title = "held-out" if held_out else "training"
        journal.sheet(step, picture, title=f"{title}: {PANELS}")
        return validate(objective, held_out, recipe) if held_out else {}

    def save(checkpoint: Checkpoint, _: str) -> None:
        save_weights(networks.pose_net, workdir.pose_weights_path(checkpoint))
        save_weights(networks.depth_net, workdir.weights_path(checkpoint))

    return TrainingLoop(
        workdir=workdir,
        schedule=recipe,
        learner=adam_learner(
            workdir,
            recipe,
            networks,
            objective.losses,
            held_weights=networks.depth_net.trainable_variables,
            held_steps=recipe.depth_held_epochs * recipe.steps_per_epoch,
        ),
        checkpoint_seconds=options.checkpoint_seconds,
        stream=batches.from_step,
        judge=judge,
        observe=health.look,
        save_weights=save,
        weights_path=workdir.weights_path("best"),
        chooser="val_photometric" if held_out else TRAIN_LOSS,
        remedy="Look at these frames and their intrinsics, or train anew in another --workdir "
        "with --override learning_rate=... lower or --override clip_norm=1.0",
    )


def validate(
    objective: VideoObjective, held_out: VideoBatches, recipe: VideoRecipe
) -> dict[str, float]:
    """Means over held-out batches: `val_loss`, and the recipe's output's `val_photometric`."""
    sums: collections.Counter[str] = collections.Counter()
    num_batches = 0
    for batch in held_out.in_order(MAX_VAL_TRIPLETS):
        sums.update(objective.evaluate(batch)[0])
        num_batches += 1
    return {
        "val_loss": sums["total"] / num_batches,
        "val_photometric": sums[f"photometric_{recipe.output}"] / num_batches,
    }


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
    if not is_there(workdir.resume_path):
        return recipe
    return dataclasses.replace(recipe, pose_weights="none", start_from="")


def _start_from(networks: VideoNetworks, source: Workdir, recipe: VideoRecipe) -> None:
    """Copies both networks' best weights from another run; of a run without motion, the depth's.

    Raises:
      FileNotFoundError: If there is no such run, or it has no weights yet.
      DataError: If they are damaged, or of other networks.
      UserError: If it is a student, or holds no motion and depth is not held.
    """
    if not isinstance(source.recipe(), VideoRecipe):
        raise UserError(f"{source.path} holds a student; --start_from needs a run from video here")
    load_weights(networks.depth_net, source.weights("best"), what="this recipe's networks")
    pose_path = source.pose_weights_path("best")
    if is_there(pose_path):
        load_weights(networks.pose_net, pose_path, what="this recipe's networks")
    elif not recipe.depth_held_epochs:
        raise UserError(
            f"{source.path} holds no motion, and a pose network that begins anew would spoil its "
            "depth: give --override depth_held_epochs=1 (the first epoch learns motion alone), or "
            f"{recipe.num_epochs} to keep its depth as it is"
        )
    else:
        logging.info("%s holds no motion: the pose network begins anew", source.path)
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
