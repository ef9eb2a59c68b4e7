"""Scores on held-out labels while a network is being trained."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.data.features import DEPTH_M, IMAGE, TRAIN_ID
from mtdepth.data.loader import Batch, load
from mtdepth.data.supervised import ExampleReader, evaluation_example, to_arrays
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import UserError
from mtdepth.metrics.depth import abs_rel_sum, all_pixels_abs_rel
from mtdepth.metrics.segmentation import Confusion, confusion
from mtdepth.recipes.base import TrainRecipe
from mtdepth.training.student_objective import StudentObjective

MAX_FRAMES = 200  # enough to rank checkpoints, few enough to be done often
NUM_PICTURES = 3


@dataclasses.dataclass(frozen=True)
class Picture:
    """One frame at the network's size: what went in, what was wanted, what came out.

    Attributes:
      image: `[height, width, 3]` uint8 RGB.
      depth_m, predicted_depth_m: `[height, width]` float32 metres; 0 = none wanted.
      train_id: `[height, width]` uint8, 255 = ignore.
      predicted_train_id: Likewise; None of a network without classes.
    """

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
    """Scores a graph on a label store that it is not trained on.

    Args:
      objective: Holds the graph.
      store: Held-out labels; at most `MAX_FRAMES` evenly spaced frames are used.
      recipe: Of the training.
      focal_px: The training camera's focal length at the network's size.

    Raises:
      UserError: If no pixel of the store can be scored.
    """
    frames = evenly_spaced(store.frames, number=MAX_FRAMES)
    loss_sum, depth_sums, classes = 0.0, [], Confusion.zero()
    pictures: list[Picture] = []
    for loss, picture in _predicted(objective, store, frames, recipe, focal_px=focal_px):
        loss_sum += loss
        depth_sums.append(
            abs_rel_sum(picture.depth_m, picture.predicted_depth_m, far_m=recipe.far_m)
        )
        if picture.predicted_train_id is not None:
            classes += confusion(picture.train_id, picture.predicted_train_id)
        pictures += [picture] if len(pictures) < NUM_PICTURES else []
    if not any(num_pixels for _, num_pixels in depth_sums):
        raise UserError(f"{store.root} measures no depth up to {recipe.far_m} m, so cannot score")
    scores = {"val_loss": loss_sum / len(frames), "val_abs_rel": all_pixels_abs_rel(depth_sums)}
    if classes.counts.any():
        scores["val_pixel_accuracy"] = classes.pixel_accuracy()
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
    found = _predicted(objective, store, frames, recipe, focal_px=focal_px)
    return [picture for _, picture in found]


def _predicted(
    objective: StudentObjective,
    store: LabelStore,
    frames: Sequence[FrameId],
    recipe: TrainRecipe,
    *,
    focal_px: float,
) -> Iterator[tuple[float, Picture]]:
    """Yields each frame's share of its batch's loss, and what the graph makes of it."""
    reader = ExampleReader(store)

    def example(frame: FrameId) -> Batch:
        return to_arrays(evaluation_example(reader, frame, recipe, focal_px=focal_px), frame)

    for batch in load(example, frames, batch_size=recipe.batch_size):
        losses, outputs = objective.evaluate(batch)
        for index in range(len(batch[IMAGE])):
            yield losses["total"], _picture(batch, outputs, index, recipe)


def _picture(batch: Batch, outputs: dict[str, Any], index: int, recipe: TrainRecipe) -> Picture:
    block = len(recipe.spec.blocks)
    height, width = recipe.input_size_px
    code = np.asarray(outputs[f"depth_code_{block}"][index, ..., 0])
    depth_m = cv2.resize(recipe.codec.decode(code), (width, height), interpolation=cv2.INTER_LINEAR)
    train_id = None
    if "segmentation" in recipe.tasks:
        best = np.asarray(outputs[f"class_scores_{block}"][index]).argmax(-1).astype(np.uint8)
        train_id = cv2.resize(best, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return Picture(
        image=batch[IMAGE][index],
        depth_m=batch[DEPTH_M][index, ..., 0],
        predicted_depth_m=depth_m.astype(np.float32),
        train_id=batch[TRAIN_ID][index, ..., 0],
        predicted_train_id=train_id,
    )
