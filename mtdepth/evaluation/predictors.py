"""Who is scored: networks, saved predictions, the baseline and the oracle; a row of tables each."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from absl import logging

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import IGNORE_ID
from mtdepth.datasets.label_store import MANIFEST, LabelStore
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.evaluation.prediction_store import PredictionStore
from mtdepth.files import DataError, UserError, is_there, read_npz, visible_files
from mtdepth.geometry.camera import Intrinsics
from mtdepth.metrics.baseline import BASELINE_MAX_FRAMES, TrainingMean, training_mean
from mtdepth.predictor import open_predictor
from mtdepth.runtime.pipeline import Pipeline, Prediction
from mtdepth.workdir import Checkpoint, Workdir

BASELINE_TITLE = "per-pixel training mean (baseline)"
# ours: (height, width) at which a mean is taken from labels where no workdir holds one
BASELINE_SIZE = (192, 640)
EXPLANATION = (
    "The baseline never looks at a picture: it answers the mean of the training labels, pixel by "
    "pixel. A network that does not beat it has learned nothing. The oracle answers the labels "
    "themselves, which are what a network is trained on: its error is that of the teacher, and a "
    "pupil of that teacher is not expected to be better."
)


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the tables: somebody who predicts.

    Attributes:
      title: What the tables call it.
      predict: Predicts a scene, at its picture's size. A frame that it cannot predict raises
        `DataError`, `OSError` or `UserError`.
      cost: Of running it so far; None for what is no network, and before the first picture.
      is_oracle: Whether it repeats the labels, which say nothing of themselves.
      is_metric: Whether its depth is in metres; without, nothing is near or far by it.
      steps: Of its training, done and all, where it is known.
    """

    title: str
    predict: Callable[[Scene], Prediction]
    cost: Callable[[], Cost | None] = lambda: None
    is_oracle: bool = False
    is_metric: bool = True
    steps: tuple[int, int] | None = None


def network_row(title: str, predictor: Pipeline, *, num_bytes: int) -> Row:
    """A network, which sees the picture and its camera.

    Args:
      title: For the tables.
      predictor: The network with its ends.
      num_bytes: Of its file.
    """
    times_ms: list[float] = []

    def predict(scene: Scene) -> Prediction:
        fitted = predictor.prepare(scene.image)
        begun = time.perf_counter()
        output = predictor.backend.infer(fitted)
        times_ms.append(1e3 * (time.perf_counter() - begun))
        height_px, width_px = scene.image.shape[:2]
        return predictor.restore(output, image_size=(height_px, width_px), camera=scene.camera)

    def cost() -> Cost | None:
        return Cost(num_bytes, float(np.median(times_ms))) if times_ms else None

    return Row(title=title, predict=predict, cost=cost, is_metric=predictor.backend.is_metric)


def saved_row(title: str, store: PredictionStore) -> Row:
    """A folder of predictions, whoever made them; they are of their pictures' sizes."""

    def predict(scene: Scene) -> Prediction:
        prediction = store.read(scene.frame)
        if prediction.depth_m.shape != scene.image.shape[:2]:
            raise DataError(
                store.depth_path(scene.frame),
                f"is {prediction.depth_m.shape} but its picture is {scene.image.shape[:2]} "
                "(height, width); predictions are saved at the picture's size",
            )
        return prediction

    return Row(title=title, predict=predict)


def baseline_row(mean: TrainingMean) -> Row:
    """The mean of the training labels, stretched over every picture."""

    def predict(scene: Scene) -> Prediction:
        height, width = scene.image.shape[:2]
        depth_m = cv2.resize(mean.mean_depth_m, (width, height))
        train_id = cv2.resize(
            mean.majority_train_id, (width, height), interpolation=cv2.INTER_NEAREST_EXACT
        )
        # A majority that no label voted for is no class.
        return Prediction(depth_m, train_id if (train_id != IGNORE_ID).any() else None)

    return Row(title=BASELINE_TITLE, predict=predict)


def oracle_row(teacher: str) -> Row:
    """The depth of a teacher's labels; their classes are the truth already."""

    def predict(scene: Scene) -> Prediction:
        if scene.label_depth_m is None:
            raise UserError("no label store was given, so it cannot be scored")
        return Prediction(scene.label_depth_m, None)

    return Row(title=f"labels of {teacher} (oracle)", predict=predict, is_oracle=True)


def open_model(
    path: Path,
    *,
    decoder: str | None,
    checkpoint: Checkpoint,
    num_threads: int,
) -> tuple[Row, dict[str, Any]]:
    """Opens whatever `--model` names.

    Args:
      path: A workdir, a `.tflite` or `.onnx` file, or a folder of saved predictions.
      decoder: See `open_predictor`.
      checkpoint: See `open_predictor`.
      num_threads: See `open_predictor`.

    Returns:
      Its row, and its identity for the results.

    Raises:
      FileNotFoundError: If there is nothing there, or no model and no prediction.
      DataError: If a file is damaged.
      UserError: If the decoder is not in it.
    """
    if path.is_dir() and not Workdir(path).exists():
        if not visible_files(path, "*/*.png") and not visible_files(path, "*/image_03/*.png"):
            raise FileNotFoundError(
                f"{path}: neither a workdir (no recipe.json) nor a folder of predictions "
                "(no <drive>/<frame>.png)"
            )
        if decoder is not None:
            raise UserError(f"{path} holds saved predictions, so --decoder has no meaning")
        identity = {"kind": "predictions", "path": str(path)}
        return saved_row(f"saved predictions {path.name}", PredictionStore(path)), identity
    predictor = open_predictor(
        path, decoder=decoder, checkpoint=checkpoint, num_threads=num_threads
    )
    identity = predictor.backend.identity()
    made = {"none": "", "qat": ", QAT", "pruned": ", pruned", "pruned_qat": ", pruned, QAT"}
    treatment = made[identity.get("treatment", "none")]
    kind = f"{identity['precision']}{treatment}, {identity['kind']}"
    # Exports are all called model.tflite; what tells them apart is their folder.
    name = path.resolve().parent.name if path.is_file() else path.name
    title = f"{name} ({identity['decoder']}, {kind})"
    row = network_row(title, predictor, num_bytes=predictor.backend.file.stat().st_size)
    steps = Workdir(path).steps() if path.is_dir() else None
    return dataclasses.replace(row, steps=steps), identity


def mean_of_workdir(workdir: Workdir) -> TrainingMean | None:
    """The mean of the labels that a run was trained on, or None where the run kept none.

    Raises:
      DataError: If the file is damaged.
    """
    path = workdir.training_mean_path
    if not is_there(path):
        return None
    arrays = read_npz(path)
    try:
        return TrainingMean(arrays["mean_depth_m"], arrays["majority_train_id"]).checked()
    except (KeyError, UserError) as error:
        raise DataError(path, f"not a training mean ({error}); give --train_labels") from error


def mean_of_labels(labels: LabelStore) -> TrainingMean:
    """The mean of a label store.

    Raises:
      FileNotFoundError: If a label is missing.
      DataError: If a label is damaged.
      UserError: If no label measures anything.
    """
    frames = evenly_spaced(labels.frames, number=BASELINE_MAX_FRAMES)
    ids = (labels.read_train_id(frame) for frame in frames) if labels.has_train_ids else ()
    depths = (labels.read_depth(frame) for frame in frames)
    return training_mean(depths, (each for each in ids if each is not None), size=BASELINE_SIZE)


def baseline_or_none(
    model: Path, train_labels: LabelStore | None, *, prefer_labels: bool
) -> Row | None:
    """Finds the baseline: the mean that a workdir kept, or that of training labels.

    Args:
      model: What is scored.
      train_labels: Store to take the mean of.
      prefer_labels: Whether that store comes before the workdir's own mean.

    Returns:
      The baseline, or None (with a warning) where there is neither.
    """
    own = None if prefer_labels else mean_of_workdir(Workdir(model))
    if own is not None:
        return baseline_row(own)
    if train_labels is None:
        logging.warning(
            "no row %r: neither %s nor a default store has labels to average; give --train_labels",
            BASELINE_TITLE,
            model,
        )
        return None
    logging.info("the baseline is the mean of %s", train_labels.root)
    return baseline_row(mean_of_labels(train_labels))


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
    if default is not None and is_there(default / MANIFEST):
        return LabelStore.open(default, kitti_root=kitti_root)
    return None


def named_rows(
    models: Sequence[Row], *, baseline: Row | None, labels: LabelStore | None
) -> dict[str, Row]:
    """Names the rows of the tables: `model`, `model_2` ..., then `baseline` and `oracle`.

    Args:
      models: The first is the one that pictures show.
      baseline: What they must beat, where it is known.
      labels: Whose depth is the oracle.
    """
    names = ["model", *(f"model_{number}" for number in range(2, len(models) + 1))]
    rows = dict(zip(names, models, strict=True))
    if baseline is not None:
        rows["baseline"] = baseline
    if labels is not None:
        rows["oracle"] = oracle_row(labels.manifest.depth_teacher)
    return rows
