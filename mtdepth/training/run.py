"""A whole training run in a workdir: begun, gone on with, and finished."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

import keras
import numpy as np
import numpy.typing as npt

from mtdepth.data.features import FRAME
from mtdepth.data.supervised import TrainingBatches, training_camera
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import UserError, atomic_path
from mtdepth.geometry.camera import Intrinsics
from mtdepth.metrics.baseline import BASELINE_MAX_FRAMES, training_mean
from mtdepth.models.student import build_training_graph
from mtdepth.recipes.base import TrainRecipe
from mtdepth.training.batch_statistics import BatchStatistics
from mtdepth.training.checkpoints import Progress, save_weights
from mtdepth.training.loop import RunOptions, TrainingLoop, restored
from mtdepth.training.start import start_weights
from mtdepth.training.step import NonFiniteLossError, StepResult, TrainingStep
from mtdepth.training.student_objective import StudentObjective
from mtdepth.training.validation import training_pictures, validate
from mtdepth.versions import package_versions
from mtdepth.workdir import Checkpoint, Workdir


class TrainingRun(TrainingLoop):
    """Trains a student in a workdir; the same arguments again go on where it stopped.

    Args:
      workdir: The run's folder.
      recipe: What to train.
      store: Training labels.
      val_store: Labels that choose the best checkpoint; None lets the training loss choose.
      options: See `RunOptions`.

    Raises:
      UserError: If the workdir holds another run, or the store cannot serve the recipe.
    """

    def __init__(
        self,
        workdir: Workdir,
        recipe: TrainRecipe,
        store: LabelStore,
        *,
        val_store: LabelStore | None = None,
        options: RunOptions | None = None,
    ) -> None:
        for labels in (store, val_store):
            if labels:
                _check_store(labels, recipe)
        self._workdir, self._recipe, self._store = workdir, recipe, store
        self._val_store = val_store
        self._options = options or RunOptions()
        self._camera = training_camera(store, recipe)
        run = _describe(store, val_store, self._camera)
        workdir.check(recipe, run)
        keras.utils.set_random_seed(recipe.seed)
        self._graph = build_training_graph(recipe.spec, input_size=recipe.input_size_px)
        self._optimizer = keras.optimizers.Adam(
            recipe.learning_rate, beta_1=recipe.adam_beta_1, beta_2=recipe.adam_beta_2
        )
        self._objective = StudentObjective(self._graph, recipe)
        self._step = TrainingStep(
            self._graph, self._objective.losses, self._optimizer, clip_norm=recipe.clip_norm
        )
        self._statistics = BatchStatistics(self._graph)
        progress = self._start()
        # Not before the weights are there: a wrong weight file must not leave a run behind.
        workdir.begin(recipe, run)
        super().__init__(
            workdir,
            recipe,
            graph=self._graph,
            optimizer=self._optimizer,
            step=self._step,
            progress=progress,
            checkpoint_seconds=self._options.checkpoint_seconds,
        )
        self._batches = TrainingBatches(
            store, recipe, self._camera, cache_bytes=self._options.cache_bytes
        )

    def weights_path(self, checkpoint: Checkpoint) -> Path:
        """Where the weights of a checkpoint stand."""
        return self._workdir.weights_path(checkpoint)

    def _stream(self, step: int) -> Iterator[dict[str, Any]]:
        self._write_training_mean()
        return self._timed(self._batches.from_step(step))

    def _start(self) -> Progress:
        """Restores the run's state, or starts the weights as the recipe says."""
        progress = restored(self._workdir, self._recipe, self._graph, self._optimizer)
        if progress:
            return progress
        start_weights(self._graph, self._recipe, self._camera)
        return Progress()

    def _estimate_statistics(self) -> None:
        first = max(0, self._progress.step - self._recipe.statistics_batches)
        batches = itertools.islice(self._batches.from_step(first), self._recipe.statistics_batches)
        self._statistics.estimate(batches)

    def _end_epoch(self) -> None:
        recipe, progress = self._recipe, self._progress
        self._estimate_statistics()
        scores = {"train_loss": progress.epoch_loss_sum / recipe.steps_per_epoch}
        focal_px = self._camera.focal_px
        if self._val_store:
            result = validate(self._objective, self._val_store, recipe, focal_px=focal_px)
            scores |= result.scores
            title, pictures = "held-out", result.pictures
        else:
            title = "training"
            pictures = training_pictures(self._objective, self._store, recipe, focal_px=focal_px)
        self._journal.pictures(progress.step, pictures, recipe, title=title)
        self._report_epoch(scores)
        name = "val_abs_rel" if self._val_store else "train_loss"
        self._save_checkpoints(name, scores[name])

    def _save_weights(self, checkpoint: Checkpoint, result: str) -> None:
        del result  # stands in checkpoints.json
        save_weights(self._graph, self.weights_path(checkpoint))

    def _stop_at(self, batch: dict[str, Any], result: StepResult) -> NoReturn:
        """Keeps the weights from before a step that cannot be taken, and raises."""
        step = self._progress.step
        self._save_resume()
        self._estimate_statistics()
        save_weights(self._graph, self._workdir.weights_path("last"))
        frames = ", ".join(name.decode() for name in np.asarray(batch[FRAME]))
        bad = [name for name, value in result.losses.items() if not np.isfinite(value)]
        raise NonFiniteLossError(
            f"step {step}: {', '.join(bad) or 'the gradient'} is not finite "
            f"(gradient norm {result.gradient_norm}). The batch was: {frames}. The weights from "
            f"before this step are in {self._workdir.weights_path('last')}. Look at these frames' "
            "labels, or train anew in another --workdir with --override learning_rate=... lower "
            "or --override clip_norm=5.0"
        )

    def _write_training_mean(self) -> None:
        path = self._workdir.training_mean_path
        if path.is_file():
            return
        store = self._store
        frames = evenly_spaced(store.frames, number=BASELINE_MAX_FRAMES)
        mean = training_mean(
            (store.read_depth(frame) for frame in frames),
            filter(_is_present, map(store.read_train_id, frames)),
            size=self._recipe.input_size_px,
        )
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **mean._asdict())


def _is_present(train_id: Any) -> TypeGuard[npt.NDArray[np.uint8]]:
    return train_id is not None


def _check_store(store: LabelStore, recipe: TrainRecipe) -> None:
    if not store.frames:
        raise UserError(f"{store.root} holds no finished frame; see its frames.jsonl for reasons")
    if "segmentation" in recipe.tasks and not store.has_train_ids:
        raise UserError(
            f"{store.root} has no train ids, which task segmentation needs. Make them with "
            "`python -m data_prep.generate_teachers --seg_teacher ...`, or train depth alone with "
            '--override student.tasks=["depth"]'
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
