"""Scores on held-out labels while a network is being trained."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.data.augment import Example
from mtdepth.data.features import DEPTH_M, IMAGE, TRAIN_ID
from mtdepth.data.supervised import ExampleReader, evaluation_example
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import IGNORE_ID
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import UserError
from mtdepth.recipes.base import TrainRecipe
from mtdepth.training.student_objective import StudentObjective

MAX_FRAMES = 200  # enough to rank checkpoints, few enough to be done often
NUM_PICTURES = 3


@dataclasses.dataclass(frozen=True)
class Picture:
    """One frame at the network's size: what went in, what was wanted, what came out."""

    image: npt.NDArray[np.uint8]
    depth_m: npt.NDArray[np.float32]
    predicted_depth_m: npt.NDArray[np.float32]
    train_id: npt.NDArray[np.uint8]
    predicted_train_id: npt.NDArray[np.uint8] | None


@dataclasses.dataclass(frozen=True)
class ValidationResult:
    """Scores over all held-out pixels at the network's size, and some pictures.

    Attributes:
      scores: `val_loss`, `val_abs_rel` (labels up to the recipe's `far_m`, no crop, no scaling)
        and, with segmentation, `val_pixel_accuracy`.
      pictures: Of the first frames.
    """

    scores: dict[str, float]
    pictures: list[Picture]


def validate(
    objective: StudentObjective, store: LabelStore, recipe: TrainRecipe, *, focal_px: float
) -> ValidationResult:
    """Scores the graph behind `objective` on a label store that it is not trained on.

    Args:
      objective: Holds the graph.
      store: Held-out labels; at most `MAX_FRAMES` evenly spaced frames are used.
      recipe: Of the training.
      focal_px: The training camera's focal length at the network's size.

    Raises:
      UserError: If no pixel of the store can be scored.
    """
    reader = ExampleReader(store)
    frames = evenly_spaced(store.frames, number=MAX_FRAMES)
    sums = {"loss": 0.0, "relative": 0.0, "measured": 0.0, "right": 0.0, "labelled": 0.0}
    pictures: list[Picture] = []
    for first in range(0, len(frames), recipe.batch_size):
        batch = frames[first : first + recipe.batch_size]
        loss, predicted = _predict(objective, reader, batch, recipe, focal_px=focal_px)
        sums["loss"] += loss * len(batch)
        for picture in predicted:
            _add(sums, picture, far_m=recipe.far_m)
        pictures += predicted[: NUM_PICTURES - len(pictures)]
    if not sums["measured"]:
        raise UserError(f"{store.root} measures no depth up to {recipe.far_m} m, so cannot score")
    scores = {
        "val_loss": sums["loss"] / len(frames),
        "val_abs_rel": sums["relative"] / sums["measured"],
    }
    if "segmentation" in recipe.tasks and sums["labelled"]:
        scores["val_pixel_accuracy"] = sums["right"] / sums["labelled"]
    return ValidationResult(scores, pictures)


def training_pictures(
    objective: StudentObjective, store: LabelStore, recipe: TrainRecipe, *, focal_px: float
) -> list[Picture]:
    """Predicts a few of the training frames, for a run without held-out ones to look at.

    Args:
      objective: Holds the graph.
      store: The training labels.
      recipe: Of the training.
      focal_px: The training camera's focal length at the network's size.
    """
    frames = evenly_spaced(store.frames, number=NUM_PICTURES)
    return _predict(objective, ExampleReader(store), frames, recipe, focal_px=focal_px)[1]


def _predict(
    objective: StudentObjective,
    reader: ExampleReader,
    frames: Sequence[FrameId],
    recipe: TrainRecipe,
    *,
    focal_px: float,
) -> tuple[float, list[Picture]]:
    """Returns the loss of one batch of frames, and what the graph makes of each."""
    examples = [evaluation_example(reader, frame, recipe, focal_px=focal_px) for frame in frames]
    losses, outputs = objective.evaluate(
        {
            IMAGE: np.stack([example.image for example in examples]),
            DEPTH_M: np.stack([example.depth_m for example in examples])[..., None],
            TRAIN_ID: np.stack([example.train_id for example in examples])[..., None],
        }
    )
    pictures = [_picture(example, outputs, i, recipe) for i, example in enumerate(examples)]
    return losses["total"], pictures


def _picture(example: Example, outputs: dict[str, Any], index: int, recipe: TrainRecipe) -> Picture:
    block = len(recipe.spec.blocks)
    height, width = recipe.input_size_px
    code = np.asarray(outputs[f"depth_code_{block}"][index, ..., 0])
    depth_m = cv2.resize(recipe.codec.decode(code), (width, height), interpolation=cv2.INTER_LINEAR)
    train_id = None
    if "segmentation" in recipe.tasks:
        best = np.asarray(outputs[f"class_scores_{block}"][index]).argmax(-1).astype(np.uint8)
        train_id = cv2.resize(best, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return Picture(
        image=example.image,
        depth_m=example.depth_m,
        predicted_depth_m=depth_m.astype(np.float32),
        train_id=example.train_id,
        predicted_train_id=train_id,
    )


def _add(sums: dict[str, float], picture: Picture, *, far_m: float) -> None:
    measured = (picture.depth_m > 0) & (picture.depth_m <= far_m)
    truth_m = picture.depth_m[measured]
    error_m = np.abs(picture.predicted_depth_m[measured] - truth_m)
    sums["relative"] += float((error_m / truth_m).sum(dtype=np.float64))
    sums["measured"] += float(measured.sum())
    if picture.predicted_train_id is not None:
        labelled = picture.train_id != IGNORE_ID
        sums["labelled"] += float(labelled.sum())
        sums["right"] += float((picture.predicted_train_id == picture.train_id)[labelled].sum())
