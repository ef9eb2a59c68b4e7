"""A whole training of a student in a workdir: begun, gone on with, and finished."""

import functools
from typing import Any

import keras
import numpy as np

from mtdepth.data.supervised import training_batches, training_camera
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import UserError, atomic_path, is_there
from mtdepth.geometry.camera import Intrinsics
from mtdepth.metrics.baseline import BASELINE_MAX_FRAMES, training_mean
from mtdepth.models.student import build_training_graph
from mtdepth.models.weights import save_weights
from mtdepth.recipes.base import TrainRecipe
from mtdepth.training.batch_statistics import BatchStatistics
from mtdepth.training.journal import Journal
from mtdepth.training.loop import TRAIN_LOSS, RunOptions, TrainingLoop, adam_learner
from mtdepth.training.start import start_weights
from mtdepth.training.student_objective import StudentObjective
from mtdepth.training.validation import training_pictures, validate
from mtdepth.versions import package_versions
from mtdepth.workdir import Workdir


def student_run(
    workdir: Workdir,
    recipe: TrainRecipe,
    store: LabelStore,
    *,
    val_store: LabelStore | None = None,
    options: RunOptions | None = None,
) -> TrainingLoop:
    """Prepares the training of a student; the same arguments again go on where it stopped.

    Args:
      workdir: The run's folder.
      recipe: What to train.
      store: Training labels.
      val_store: Labels that choose the best checkpoint; None lets the training loss choose.
      options: See `RunOptions`.

    Raises:
      UserError: If the workdir holds another run, or the store cannot serve the recipe.
    """
    options = options or RunOptions()
    for labels in filter(None, (store, val_store)):
        _check_store(labels, recipe)
    camera = training_camera(store, recipe)
    run = _describe(store, val_store, camera)
    workdir.check(recipe, run)
    keras.utils.set_random_seed(recipe.seed)
    graph = build_training_graph(recipe.spec, input_size=recipe.input_size_px)
    objective = StudentObjective(graph, recipe)
    loop = TrainingLoop(
        workdir=workdir,
        schedule=recipe,
        learner=adam_learner(workdir, recipe, graph, objective.losses, ema_decay=recipe.ema_decay),
        checkpoint_seconds=options.checkpoint_seconds,
        statistics=BatchStatistics(graph, objective.run),
        num_statistics_batches=recipe.statistics_batches,
        stream=training_batches(store, recipe, camera, cache_bytes=options.cache_bytes),
        judge=functools.partial(
            _judge, objective, recipe, store, val_store, focal_px=camera.focal_px
        ),
        save_weights=lambda checkpoint, _: save_weights(graph, workdir.weights_path(checkpoint)),
        weights_path=workdir.weights_path("best"),
        chooser="val_abs_rel" if val_store else TRAIN_LOSS,
    )
    if not is_there(workdir.resume_path):
        start_weights(graph, recipe, camera)
    # Not before the weights are there: a wrong weight file must not leave a run behind.
    workdir.begin(recipe, run)
    _write_training_mean(workdir, store, recipe)
    return loop


def _judge(
    objective: StudentObjective,
    recipe: TrainRecipe,
    store: LabelStore,
    val_store: LabelStore | None,
    journal: Journal,
    step: int,
    *,
    focal_px: float,
) -> dict[str, float]:
    if val_store:
        result = validate(objective, val_store, recipe, focal_px=focal_px)
        journal.pictures(step, result.pictures, recipe, title="held-out")
        return result.scores
    pictures = training_pictures(objective, store, recipe, focal_px=focal_px)
    journal.pictures(step, pictures, recipe, title="training")
    return {}


def _write_training_mean(workdir: Workdir, store: LabelStore, recipe: TrainRecipe) -> None:
    path = workdir.training_mean_path
    if is_there(path):
        return
    frames = evenly_spaced(store.frames, number=BASELINE_MAX_FRAMES)
    train_ids = (store.read_train_id(frame) for frame in frames)
    mean = training_mean(
        (store.read_depth(frame) for frame in frames),
        (train_id for train_id in train_ids if train_id is not None),
        size=recipe.input_size_px,
    )
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **mean._asdict())


def _check_store(store: LabelStore, recipe: TrainRecipe) -> None:
    if not store.frames:
        raise UserError(f"{store.root} holds no finished frame; see its frames.jsonl for reasons")
    if "segmentation" in recipe.tasks and not store.has_train_ids:
        raise UserError(
            f"{store.root} has no train ids, which task segmentation needs. Make them with "
            "`python -m data_prep.generate_teachers --seg_teacher ...`, or train depth alone with "
            "--override student.tasks=[depth]"
        )
    # A store whose pictures have moved must not be found out an epoch later.
    store.read_sample(store.frames[0])


def _describe(
    store: LabelStore, val_store: LabelStore | None, camera: Intrinsics
) -> dict[str, Any]:
    return {
        "labels": str(store.root.resolve()),
        "labels_digest": store.digest(),
        "val_labels": str(val_store.root.resolve()) if val_store else None,
        "val_labels_digest": val_store.digest() if val_store else None,
        "kitti_root": str(store.kitti_root.resolve()),
        "num_frames": len(store.frames),
        "scale_source": store.manifest.depth_source,
        "training_camera": camera.to_dict(),
        "versions": package_versions(),
    }
