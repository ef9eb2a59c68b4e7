"""From a label store to batches: decoded once, fitted, varied, and the same after a restart."""

import collections
import os
import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

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
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import IGNORE_ID
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.readers import open_recordings
from mtdepth.geometry.camera import Intrinsics
from mtdepth.recipes.base import TrainRecipe
from mtdepth.runtime.fitting import fitted_intrinsics

Batch = dict[str, Any]


class ExampleReader:
    """Reads a store's frames as examples at their native size, keeping as many as fit in memory.

    Decoding three PNGs costs more than the rest of an example's way, so a small store is decoded
    once.

    Args:
      store: The labels.
      cache_bytes: Memory that decoded frames may take.
    """

    def __init__(self, store: LabelStore, *, cache_bytes: int = 0) -> None:
        self._store = store
        self._raw = open_recordings(store.kitti_root)
        self._free_bytes = cache_bytes
        self._cache: dict[FrameId, Example] = {}
        self._lock = threading.Lock()

    def read(self, frame: FrameId) -> Example:
        """Returns a frame's example.

        Raises:
          FileNotFoundError: If a file is missing.
          DataError: If one is damaged, label and picture differ in size, or the picture is cropped.
        """
        if (kept := self._cache.get(frame)) is not None:
            return kept
        image, depth_m, train_id = self._store.read_sample(frame)
        if train_id is None:
            train_id = np.full(depth_m.shape, IGNORE_ID, np.uint8)
        camera = self._raw.camera(frame, size=image.shape[:2])
        example = Example(image=image, depth_m=depth_m, train_id=train_id, camera=camera)
        num_bytes = image.nbytes + depth_m.nbytes + train_id.nbytes
        with self._lock:
            if frame not in self._cache and num_bytes <= self._free_bytes:
                self._free_bytes -= num_bytes
                self._cache[frame] = example
        return example


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


def frame_position(item: int, *, num_frames: int, seed: int) -> int:
    """Which frame the training's item number `item` shows.

    Every pass over the data is a permutation of its own; nothing but the two numbers decides it, so
    a run that goes on sees what it would have seen.

    Args:
      item: Counted from the start of the training, >= 0.
      num_frames: Size of the store.
      seed: The recipe's.
    """
    pass_number, place = divmod(item, num_frames)
    return int(np.random.default_rng([seed, 1, pass_number]).permutation(num_frames)[place])


def training_example(
    reader: ExampleReader, frame: FrameId, recipe: TrainRecipe, *, item: int, focal_px: float
) -> Example:
    """Returns item number `item` of a training: a variation of `frame` at the network's size.

    Args:
      reader: Of the training labels.
      frame: The frame shown.
      recipe: How it is fitted and varied.
      item: Seeds the variation together with the recipe's seed.
      focal_px: The training camera's focal length at the network's size.
    """
    rng = np.random.default_rng([recipe.seed, 2, item])
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


class TrainingBatches:
    """An endless, restartable stream of batches through tf.data.

    Decoding and variation run in several threads (OpenCV releases the interpreter), a few batches
    ahead of the training.

    Args:
      store: The training labels.
      recipe: How they are fitted and varied.
      camera: The training camera at the network's size.
      cache_bytes: Memory for decoded frames.
    """

    def __init__(
        self, store: LabelStore, recipe: TrainRecipe, camera: Intrinsics, *, cache_bytes: int
    ) -> None:
        self._frames = store.frames
        self._recipe = recipe
        self._focal_px = camera.focal_px
        self._reader = ExampleReader(store, cache_bytes=cache_bytes)
        self._fault: Exception | None = None

    def from_step(self, first_step: int) -> Iterator[Batch]:
        """Yields the batches of steps `first_step`, `first_step + 1`, ... (see `features`).

        Raises:
          FileNotFoundError: If a file of a frame is missing.
          DataError: If one is damaged.
        """
        import tensorflow as tf

        # Threads are tf.data's here; OpenCV's own would fight over the same cores.
        cv2.setNumThreads(1)
        batch_size = self._recipe.batch_size
        height, width = self._recipe.input_size_px
        items = tf.data.Dataset.range(first_step * batch_size, 2**62).map(
            lambda item: tf.numpy_function(
                self._load, [item], [tf.uint8, tf.float32, tf.uint8, tf.string]
            ),
            num_parallel_calls=os.cpu_count() or 1,
            deterministic=True,
        )
        shaped = items.map(
            lambda image, depth_m, train_id, name: {
                IMAGE: tf.ensure_shape(image, (height, width, 3)),
                DEPTH_M: tf.ensure_shape(depth_m, (height, width, 1)),
                TRAIN_ID: tf.ensure_shape(train_id, (height, width, 1)),
                FRAME: tf.ensure_shape(name, ()),
            }
        )
        batches = shaped.batch(batch_size, drop_remainder=True).prefetch(2)
        # Its thread sleeps for up to a minute and, on a busy machine, misses its end: every
        # epoch ended with a pause.
        options = tf.data.Options()
        options.autotune.enabled = False
        batches = batches.with_options(options)
        try:
            yield from batches
        except tf.errors.OpError as error:
            # tf.data turns a thread's exception into text; the caller gets the exception itself.
            raise self._fault or error from None

    def _load(self, item: np.int64) -> tuple[npt.NDArray[Any], ...]:
        try:
            position = frame_position(
                int(item), num_frames=len(self._frames), seed=self._recipe.seed
            )
            frame = self._frames[position]
            example = training_example(
                self._reader, frame, self._recipe, item=int(item), focal_px=self._focal_px
            )
        except Exception as error:
            self._fault = self._fault or error
            raise
        return (
            example.image,
            example.depth_m[..., None],
            example.train_id[..., None],
            np.array(str(frame).encode()),
        )
