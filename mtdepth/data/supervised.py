"""From a label store to batches: decoded once, fitted, varied, and the same after a restart."""

import collections

import numpy as np

from mtdepth.data.augment import (
    Example,
    augmented,
    fit_example,
    metric_for,
    recolored,
    with_far_sky,
    without_sky,
)
from mtdepth.data.features import DEPTH_M, FRAME, IMAGE, TRAIN_ID
from mtdepth.data.loader import Batch, Cache, Stream, stream
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import IGNORE_ID
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.readers import open_recordings
from mtdepth.geometry.camera import Intrinsics
from mtdepth.recipes.base import TrainRecipe
from mtdepth.runtime.fitting import fitted_intrinsics


class ExampleReader:
    """Reads a store's frames as examples at their native size, keeping as many as fit in memory.

    Decoding three PNGs costs more than the rest of an example's way, so a small store is decoded
    once.

    Args:
      store: The labels.
      cache_bytes: Memory that decoded frames may take.

    Attributes:
      read: From a frame to its example. Raises FileNotFoundError if a file is missing, DataError if
        one is damaged, label and picture differ in size, or the picture is cropped.
    """

    def __init__(self, store: LabelStore, *, cache_bytes: int = 0) -> None:
        self._store = store
        self._recordings = open_recordings(store.kitti_root)
        self.read = Cache[FrameId, Example](self._example, cache_bytes=cache_bytes)

    def _example(self, frame: FrameId) -> Example:
        image, depth_m, train_id = self._store.read_sample(frame)
        if train_id is None:
            train_id = np.full(depth_m.shape, IGNORE_ID, np.uint8)
        camera = self._recordings.camera(frame, size=image.shape[:2])
        return Example(image=image, depth_m=depth_m, train_id=train_id, camera=camera)


def training_camera(store: LabelStore, recipe: TrainRecipe) -> Intrinsics:
    """The camera that a model's metres are for: the store's most frequent one, at network size.

    Args:
      store: The training labels.
      recipe: Gives the network's input size and fit.

    Raises:
      FileNotFoundError: If that camera's first picture or a calibration is missing.
      DataError: If one is damaged, or the picture is cropped.
    """
    raw = open_recordings(store.kitti_root)
    counts: collections.Counter[Intrinsics] = collections.Counter()
    first: dict[Intrinsics, FrameId] = {}
    for frame in store.frames:  # sorted, so that a draw has one outcome: the earlier camera's
        camera = raw.rig(frame).intrinsics(frame.side)
        counts[camera] += 1
        first.setdefault(camera, frame)
    frame = first[counts.most_common(1)[0][0]]
    camera = raw.camera(frame, size=raw.read_image(frame).shape[:2])
    return fitted_intrinsics(camera, size=recipe.input_size_px, fit=recipe.fit)


def training_example(
    reader: ExampleReader,
    frame: FrameId,
    recipe: TrainRecipe,
    *,
    rng: np.random.Generator,
    focal_px: float,
) -> Example:
    """Returns a variation of `frame` at the network's size.

    Args:
      reader: Of the training labels.
      frame: The frame shown.
      recipe: How it is fitted and varied.
      rng: Source of chance.
      focal_px: The training camera's focal length at the network's size.
    """
    example = augmented(reader.read(frame), rng, recipe.augmentation)
    example = fit_example(example, size_px=recipe.input_size_px, fit=recipe.fit)
    example = metric_for(example, focal_px=focal_px)
    if recipe.sky_is_far:
        example = with_far_sky(example, far_m=recipe.far_m)
    image = recolored(example.image, rng, recipe.augmentation)
    return Example(image, example.depth_m, example.train_id, example.camera)


def evaluation_example(
    reader: ExampleReader, frame: FrameId, recipe: TrainRecipe, *, focal_px: float
) -> Example:
    """Returns a frame at the network's size without variation.

    Where training sets the sky's depth, no depth is scored there.
    """
    example = fit_example(reader.read(frame), size_px=recipe.input_size_px, fit=recipe.fit)
    example = metric_for(example, focal_px=focal_px)
    return without_sky(example) if recipe.sky_is_far else example


def training_batches(
    store: LabelStore, recipe: TrainRecipe, camera: Intrinsics, *, cache_bytes: int
) -> Stream:
    """The stream of a training's batches (see `features`).

    Args:
      store: The training labels.
      recipe: How they are fitted and varied.
      camera: The training camera at the network's size.
      cache_bytes: Memory for decoded frames.

    Returns:
      See `stream`. Raises FileNotFoundError if a file of a frame is missing, DataError if one is
      damaged.
    """
    reader = ExampleReader(store, cache_bytes=cache_bytes)

    def item(frame: FrameId, rng: np.random.Generator) -> Batch:
        example = training_example(reader, frame, recipe, rng=rng, focal_px=camera.focal_px)
        return to_arrays(example, frame)

    return stream(store.frames, item, batch_size=recipe.batch_size, seed=recipe.seed)


def to_arrays(example: Example, frame: FrameId) -> Batch:
    """An example as the item of a batch (see `features`)."""
    return {
        IMAGE: example.image,
        DEPTH_M: example.depth_m[..., None],
        TRAIN_ID: example.train_id[..., None],
        FRAME: np.array(str(frame).encode()),
    }
