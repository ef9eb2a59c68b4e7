"""Pictures and labels for a fine-tuning, and its score on held-out ones."""

import dataclasses
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from export.frames import Pictures
from mtdepth.data.augment import recolored
from mtdepth.data.features import FRAME, IMAGE
from mtdepth.data.loader import Batch, Cache, Stream, stream
from mtdepth.data.supervised import (
    ExampleReader,
    evaluation_example,
    training_batches,
    training_camera,
)
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.metrics.depth import abs_rel_sum, all_pixels_abs_rel
from mtdepth.recipes.base import TrainRecipe
from mtdepth.recipes.fine_tuning import FINE_TUNING
from mtdepth.trained import TrainedNetwork

CACHE_BYTES = 10**9

MAX_SCORED_FRAMES = 50  # enough to rank the states of one run, few enough to be done often


def loading_recipe(trained: TrainedNetwork, *, batch_size: int, seed: int) -> TrainRecipe:
    """How pictures and labels are fitted and varied: as in the training of a student.

    MiniNet was trained on video, and goes by `FINE_TUNING`.
    """
    if trained.family == "student":
        recipe = TrainRecipe.from_dict(trained.recipe)
        return dataclasses.replace(recipe, batch_size=batch_size, seed=seed)
    return dataclasses.replace(
        FINE_TUNING,
        input_size_px=trained.input_size,
        fit=trained.fit,
        batch_size=batch_size,
        seed=seed,
    )


def labelled_batches(trained: TrainedNetwork, store: LabelStore, recipe: TrainRecipe) -> Stream:
    """The stream of training batches of a label store, from a step on."""
    camera = trained.training_camera or training_camera(store, recipe)
    return training_batches(store, recipe, camera, cache_bytes=CACHE_BYTES)


def picture_batches(pictures: Pictures, trained: TrainedNetwork, recipe: TrainRecipe) -> Stream:
    """The stream of pictures alone, mirrored and with varied colours, from a step on."""
    augmentation = recipe.augmentation

    def read(name: Any) -> npt.NDArray[np.uint8]:
        (image,) = pictures.fitted([name], size=trained.input_size, fit=trained.fit)
        return image

    cache = Cache[Any, npt.NDArray[np.uint8]](read, cache_bytes=CACHE_BYTES)

    def example(name: Any, rng: np.random.Generator) -> Batch:
        image = cache(name)
        if rng.random() < augmentation.flip_probability:
            image = np.ascontiguousarray(image[:, ::-1])
        return {
            IMAGE: recolored(image, rng, augmentation),
            FRAME: np.array(str(name).encode()),
        }

    return stream(pictures.names, example, batch_size=recipe.batch_size, seed=recipe.seed)


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Held-out pictures with their depth, at the network's size.

    Attributes:
      images: `[number, height, width, 3]` uint8.
      depth_m: `[number, height, width]`, 0 = none.
      far_m: Farther truth is not scored.
      is_metric: Whether the network's depth has a unit; if not, each picture's median is matched.
    """

    images: npt.NDArray[np.uint8]
    depth_m: npt.NDArray[np.float32]
    far_m: float
    is_metric: bool

    def abs_rel(self, predicted_m: npt.NDArray[np.float32]) -> float:
        """Mean over all pixels of |prediction - truth| / truth.

        Args:
          predicted_m: `[number, h, w]`, of any size.
        """
        _, height_px, width_px = self.depth_m.shape
        return all_pixels_abs_rel(
            abs_rel_sum(
                truth_m,
                cv2.resize(found_m, (width_px, height_px)),
                far_m=self.far_m,
                match_median=not self.is_metric,
            )
            for found_m, truth_m in zip(predicted_m, self.depth_m, strict=True)
        )


def held_out(trained: TrainedNetwork, store: LabelStore, recipe: TrainRecipe) -> HeldOut:
    """Reads held-out frames; UserError if none of them has a measured depth."""
    camera: Intrinsics = trained.training_camera or training_camera(store, recipe)
    reader = ExampleReader(store)
    examples = [
        evaluation_example(reader, frame, recipe, focal_px=camera.focal_px)
        for frame in evenly_spaced(store.frames, number=MAX_SCORED_FRAMES)
    ]
    depth_m = np.stack([example.depth_m for example in examples])
    if not ((depth_m > 0) & (depth_m <= recipe.far_m)).any():
        raise UserError(f"{store.root} measures no depth up to {recipe.far_m} m, so cannot score")
    return HeldOut(
        images=np.stack([example.image for example in examples]),
        depth_m=depth_m,
        far_m=recipe.far_m,
        is_metric=trained.is_metric,
    )
