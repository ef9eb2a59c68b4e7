"""Who takes part in an evaluation: a network, saved predictions, the floor and the labels."""

import dataclasses
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
from absl import logging

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import IGNORE_ID
from mtdepth.datasets.label_store import MANIFEST, LabelStore
from mtdepth.datasets.prediction_store import DepthAndClasses, PredictionStore
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import DataError, visible_files
from mtdepth.geometry.camera import Intrinsics
from mtdepth.metrics.baseline import BASELINE_MAX_FRAMES, TrainingMean, training_mean
from mtdepth.predictor import model_file, model_identity, open_predictor
from mtdepth.runtime.pipeline import Prediction, Predictor
from mtdepth.workdir import Checkpoint, Workdir

FLOOR_TITLE = "per-pixel training mean"
# ours: (height, width) at which a mean is taken from labels where no workdir holds one
FLOOR_SIZE = (192, 640)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """One frame and what is known of it.

    Attributes:
      frame: Its name.
      image: `[height, width, 3]` RGB.
      camera: At the picture's size.
      label_depth_m: `[height, width]`, 0 where none; None without a label store.
      label_train_id: `[height, width]`, 255 where none; None without class labels.
    """

    frame: FrameId
    image: npt.NDArray[np.uint8]
    camera: Intrinsics
    label_depth_m: npt.NDArray[np.float32] | None
    label_train_id: npt.NDArray[np.uint8] | None


@dataclasses.dataclass(frozen=True)
class Cost:
    """What running a network costs.

    Attributes:
      num_bytes: Of its file.
      network_ms: Median time of the network alone for one picture, on this machine and in this run.
    """

    num_bytes: int
    network_ms: float


class Contestant(Protocol):
    """Whatever is scored."""

    def predict(self, scene: Scene) -> DepthAndClasses:
        """Predicts at the picture's size."""


@dataclasses.dataclass(frozen=True)
class ModelContestant:
    """A network, which sees the picture and its camera.

    Attributes:
      predictor: The network with its ends.
      num_bytes: Of its file.
      times_ms: Of the network alone, one a picture.
    """

    predictor: Predictor
    num_bytes: int
    times_ms: list[float] = dataclasses.field(default_factory=list)

    def predict(self, scene: Scene) -> DepthAndClasses:
        """Runs the network."""
        fitted = self.predictor.prepare(scene.image)
        begun = time.perf_counter()
        output = self.predictor.backend.infer(fitted)
        self.times_ms.append(1e3 * (time.perf_counter() - begun))
        height_px, width_px = scene.image.shape[:2]
        return self.predictor.restore(output, image_size=(height_px, width_px), camera=scene.camera)

    @property
    def cost(self) -> Cost | None:
        """Its cost so far; None before the first picture."""
        if not self.times_ms:
            return None
        return Cost(self.num_bytes, float(np.median(self.times_ms)))


@dataclasses.dataclass(frozen=True)
class SavedContestant:
    """A folder of predictions, whoever made them."""

    store: PredictionStore

    def predict(self, scene: Scene) -> DepthAndClasses:
        """Reads the frame's prediction.

        Raises:
          FileNotFoundError: If there is none.
          DataError: If it is damaged or not of the picture's size.
        """
        prediction = self.store.read(scene.frame)
        if prediction.depth_m.shape != scene.image.shape[:2]:
            raise DataError(
                self.store.depth_path(scene.frame),
                f"is {prediction.depth_m.shape} but its picture is {scene.image.shape[:2]} "
                "(height, width); predictions are saved at the picture's size",
            )
        return prediction


@dataclasses.dataclass(frozen=True)
class FloorContestant:
    """The mean of the training labels, the same for every picture."""

    mean: TrainingMean

    def predict(self, scene: Scene) -> DepthAndClasses:
        """Stretches the mean over the picture."""
        height, width = scene.image.shape[:2]
        depth_m = cv2.resize(self.mean.mean_depth_m, (width, height))
        train_id = cv2.resize(
            self.mean.majority_train_id, (width, height), interpolation=cv2.INTER_NEAREST_EXACT
        )
        # A majority that no label voted for is no class.
        return Prediction(depth_m, train_id if (train_id != IGNORE_ID).any() else None)


@dataclasses.dataclass(frozen=True)
class LabelContestant:
    """The labels themselves as a prediction of depth: what a perfect pupil would reach."""

    def predict(self, scene: Scene) -> DepthAndClasses:
        """Returns the labels' depth; their classes are the truth already."""
        if scene.label_depth_m is None:
            raise ValueError("no label store was given, so it cannot be scored")
        return Prediction(scene.label_depth_m, None)


def open_model(
    path: Path,
    *,
    decoder: str | None,
    checkpoint: Checkpoint,
    num_threads: int,
) -> tuple[str, Contestant, dict[str, Any]]:
    """Opens whatever `--model` names.

    Args:
      path: A workdir, a `.tflite` or `.onnx` file, or a folder of saved predictions.
      decoder: See `open_predictor`.
      checkpoint: See `open_predictor`.
      num_threads: See `open_predictor`.

    Returns:
      Title for the tables, the contestant, and its identity for the results.

    Raises:
      FileNotFoundError: If there is nothing there, or no model and no prediction.
      DataError: If a file is damaged.
      ValueError: If the decoder is not in it.
    """
    if path.is_dir() and not Workdir(path).exists():
        if not visible_files(path, "*/*.png") and not visible_files(path, "*/image_03/*.png"):
            raise FileNotFoundError(
                f"{path}: neither a workdir (no recipe.json) nor a folder of predictions "
                "(no <drive>/<frame>.png)"
            )
        if decoder is not None:
            raise ValueError(f"{path} holds saved predictions, so --decoder has no meaning")
        identity = {"kind": "predictions", "path": str(path)}
        return f"saved predictions {path.name}", SavedContestant(PredictionStore(path)), identity
    predictor = open_predictor(
        path, decoder=decoder, checkpoint=checkpoint, num_threads=num_threads
    )
    identity = model_identity(predictor)
    made = {"none": "", "qat": ", QAT", "pruned": ", pruned", "pruned_qat": ", pruned, QAT"}
    treatment = made[identity.get("treatment", "none")]
    kind = f"{identity['precision']}{treatment}, {identity['kind']}"
    # Exports are all called model.tflite; what tells them apart is their folder.
    name = path.name if path.is_dir() else path.resolve().parent.name
    title = f"{name} ({identity['decoder']}, {kind})"
    return title, ModelContestant(predictor, model_file(predictor).stat().st_size), identity


def floor_of_workdir(workdir: Workdir) -> FloorContestant | None:
    """The mean of the labels that a run was trained on, or None where the run kept none.

    Raises:
      DataError: If the file is damaged.
    """
    path = workdir.training_mean_path
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return FloorContestant(
                TrainingMean(arrays["mean_depth_m"], arrays["majority_train_id"])
            )
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(path, f"not a training mean ({error}); give --train_labels") from error


def floor_of_labels(labels: LabelStore) -> FloorContestant:
    """The mean of a label store.

    Raises:
      FileNotFoundError: If a label is missing.
      DataError: If a label is damaged.
      ValueError: If no label measures anything.
    """
    frames = evenly_spaced(labels.frames, number=BASELINE_MAX_FRAMES)
    ids = (labels.read_train_id(frame) for frame in frames) if labels.has_train_ids else ()
    depths = (labels.read_depth(frame) for frame in frames)
    return FloorContestant(
        training_mean(depths, (each for each in ids if each is not None), size=FLOOR_SIZE)
    )


def floor_or_none(
    model: Path, train_labels: LabelStore | None, *, prefer_labels: bool
) -> FloorContestant | None:
    """Finds the floor: the mean that a workdir kept, or that of training labels.

    Args:
      model: What is scored.
      train_labels: Store to take the mean of.
      prefer_labels: Whether that store comes before the workdir's own mean.

    Returns:
      The floor, or None (with a warning) where there is neither.
    """
    own = None if prefer_labels else floor_of_workdir(Workdir(model))
    if own is not None:
        return own
    if train_labels is None:
        logging.warning(
            "no row %r: neither %s nor a default store has labels to average; give --train_labels",
            FLOOR_TITLE,
            model,
        )
        return None
    logging.info("the floor is the mean of %s", train_labels.root)
    return floor_of_labels(train_labels)


def labels_or_none(
    path: str | None, *, default: Path | None, kitti_root: Path
) -> LabelStore | None:
    """Opens the label store that was named, or the default one where that exists.

    Raises:
      FileNotFoundError: If the one that was named is no label store.
      DataError: If it is damaged.
    """
    if path is not None:
        return LabelStore.open(path, kitti_root=kitti_root)
    if default is not None and (default / MANIFEST).is_file():
        return LabelStore.open(default, kitti_root=kitti_root)
    return None


def line_up(
    models: Sequence[tuple[str, Contestant]],
    *,
    floor: FloorContestant | None,
    labels: LabelStore | None,
) -> dict[str, tuple[str, Contestant]]:
    """Names the rows of the tables: `model`, `model_2` ..., then `floor` and `teacher`.

    Args:
      models: Titles and models; the first is the one that pictures show.
      floor: What they must beat, where it is known.
      labels: Whose depth is what a perfect pupil of that teacher would reach.
    """
    names = ["model", *(f"model_{number}" for number in range(2, len(models) + 1))]
    contestants = dict(zip(names, models, strict=True))
    if floor is not None:
        contestants["floor"] = (FLOOR_TITLE, floor)
    if labels is not None:
        teacher = f"labels of {labels.manifest.depth_teacher} (ceiling)"
        contestants["teacher"] = (teacher, LabelContestant())
    return contestants
