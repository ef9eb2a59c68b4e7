"""From triplets to batches: decoded once, fitted, varied, and the same after a restart."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtdepth.contract import Fit
from mtdepth.data.augment import recolored
from mtdepth.data.features import FRAME
from mtdepth.data.loader import Batch, Cache, load, stream
from mtdepth.data.triplets import Triplet, TripletSet
from mtdepth.data.video import Shot
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.geometry.camera import Intrinsics
from mtdepth.recipes.video import VideoRecipe
from mtdepth.runtime.fitting import fit_image, fitted_intrinsics

FRAMES = "frames"  # [batch, 3, height, width, 3] uint8 RGB, (t-1, t, t+1): what the loss compares
JITTERED = "jittered"  # the same, varied in colour: what the networks see
INTRINSICS = "intrinsics"  # [batch, 3, 3] float32 K, pixels at the network's size, of both


class VideoExample(NamedTuple):
    """A triplet at the network's size.

    Attributes:
      frames: `[3, height, width, 3]` RGB uint8.
      jittered: The same, varied in colour.
      camera: The intrinsics of all three.
      name: The target's.
    """

    frames: npt.NDArray[np.uint8]
    jittered: npt.NDArray[np.uint8]
    camera: Intrinsics
    name: str


class FrameReader:
    """Reads frames at the network's size, keeping as many as fit in memory.

    A frame is in three triplets, and in every pass over the data; decoding it is what costs.

    Args:
      size_px: (height, width) of the network's input.
      fit: How a picture becomes that input.
      cache_bytes: Memory that decoded frames may take.
    """

    def __init__(self, *, size_px: tuple[int, int], fit: Fit, cache_bytes: int) -> None:
        self._size_px, self._fit = size_px, fit
        self._frames = Cache[tuple[Shot, int], npt.NDArray[np.uint8]](
            lambda key: fit_image(key[0].read(key[1]), size=size_px, fit=fit),
            cache_bytes=cache_bytes,
        )

    def read(self, shot: Shot, number: int) -> npt.NDArray[np.uint8]:
        """Returns a frame, `[height, width, 3]` RGB; not to be written to.

        Raises:
          FileNotFoundError: If the picture is missing.
          DataError: If it is damaged.
        """
        return self._frames((shot, number))

    def camera(self, shot: Shot) -> Intrinsics:
        """Returns the camera of a shot's frames at the network's size.

        Raises:
          DataError: If the pictures do not suit the calibration.
        """
        return fitted_intrinsics(shot.camera_at(shot.size), size=self._size_px, fit=self._fit)

    def example(self, triplet: Triplet) -> VideoExample:
        """Returns a triplet as it is.

        Raises:
          FileNotFoundError: If a picture is missing.
          DataError: If one is damaged, or does not suit the calibration.
        """
        frames = np.stack([self.read(triplet.shot, number) for number in triplet.numbers])
        return VideoExample(frames, frames, self.camera(triplet.shot), triplet.name)


def varied(example: VideoExample, rng: np.random.Generator, recipe: VideoRecipe) -> VideoExample:
    """Mirrors a triplet with its camera, and varies the colours of what the networks see.

    Args:
      example: A triplet.
      rng: Source of chance.
      recipe: How often and how much. The three frames are varied as one picture: colours that
        change between them would be motion.
    """
    frames, _, camera, name = example
    augmentation = recipe.augmentation
    if rng.random() < augmentation.flip_probability:
        frames, camera = np.ascontiguousarray(frames[:, :, ::-1]), camera.flipped()
    jittered = frames
    if rng.random() < recipe.jitter_probability:
        as_one = frames.reshape(-1, *frames.shape[2:])
        jittered = recolored(as_one, rng, augmentation).reshape(frames.shape)
    return VideoExample(frames, jittered, camera, name)


class VideoBatches:
    """An endless, restartable stream of batches.

    Args:
      triplets: What is learned from.
      recipe: How it is fitted and varied, and how much goes into a batch.
      cache_bytes: Memory for decoded frames.
      threads: That decode and vary; None takes one per processor.

    Attributes:
      from_step: See `stream`. Raises FileNotFoundError if a picture has vanished since the triplets
        were chosen, DataError if one was damaged since.
    """

    def __init__(
        self,
        triplets: TripletSet,
        recipe: VideoRecipe,
        *,
        cache_bytes: int = 0,
        threads: int | None = None,
    ) -> None:
        self._triplets = triplets.triplets
        self._recipe = recipe
        self._num_threads = threads
        self._reader = FrameReader(
            size_px=recipe.input_size_px, fit=recipe.fit, cache_bytes=cache_bytes
        )
        self.from_step = stream(
            self._triplets,
            lambda triplet, rng: to_arrays(varied(self._reader.example(triplet), rng, recipe)),
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            num_threads=threads,
        )

    @property
    def num_triplets(self) -> int:
        """How many triplets there are."""
        return len(self._triplets)

    @property
    def steps_per_pass(self) -> int:
        """Batches in which every triplet has been shown about once."""
        return max(1, len(self._triplets) // self._recipe.batch_size)

    def in_order(self, limit: int | None = None) -> Iterator[Batch]:
        """Yields every triplet once, as it is: for judging and for pictures.

        Args:
          limit: At most so many triplets, spread over all.

        Returns:
          Batches of the recipe's size, `jittered` being `frames`. A smaller rest is left out,
          unless it is all there is.

        Raises:
          FileNotFoundError: If a picture has vanished since the triplets were chosen.
          DataError: If one was damaged since.
        """
        triplets = self._triplets
        if limit is not None:
            triplets = tuple(evenly_spaced(triplets, number=limit))
        size = min(self._recipe.batch_size, len(triplets))
        whole = triplets[: len(triplets) // size * size]
        return load(
            lambda triplet: to_arrays(self._reader.example(triplet)),
            whole,
            batch_size=size,
            num_threads=self._num_threads,
        )


def to_arrays(example: VideoExample) -> Batch:
    """An example as the item of a batch."""
    return {
        FRAMES: example.frames,
        JITTERED: example.jittered,
        INTRINSICS: example.camera.K.astype(np.float32),
        FRAME: np.array(example.name.encode()),
    }
