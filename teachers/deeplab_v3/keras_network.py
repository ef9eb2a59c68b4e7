"""A network that `save_deeplab` wrote, fed with pictures of any size."""

import functools
import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import NUM_CLASSES
from mtdepth.files import DataError, sha256_of
from teachers.deeplab_v3.checkpoint import read_info
from teachers.imagenet import normalise_imagenet

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]


class KerasNetwork:
    """A saved network; loaded at the first picture, and compiled once for each size.

    Args:
      path: Written by `save_deeplab`.

    Raises:
      FileNotFoundError: If the file is missing.
      DataError: If it is damaged, or its network does not have the 19 classes.
    """

    has_scores = True

    def __init__(self, path: Path) -> None:
        info = read_info(path)
        if info.num_classes != NUM_CLASSES:
            raise DataError(path, f"has {info.num_classes} classes, not {NUM_CLASSES}")
        versions = (
            f"{name} {importlib.metadata.version(name)}" for name in ("keras", "tensorflow")
        )
        self.version = (
            f"DeepLab {info.head} on {info.backbone}, sha256 {sha256_of(path)}, "
            f"{', '.join(versions)}"
        )
        self.origin = info.origin
        self._path = path
        self._of_shape: dict[tuple[int, ...], Callable[[Any], Any]] = {}

    def probabilities(self, image: Image) -> Floats:
        """Class probabilities of a picture.

        Args:
          image: `[h, w, 3]` RGB; both sides are made multiples of 32 by repeating the last row
            and column, and the answer is cut again.

        Returns:
          `[h, w, 19]`, sums to 1.
        """
        import tensorflow as tf

        from teachers.deeplab_v3.network import SIZE_MULTIPLE_PX

        height, width = image.shape[:2]
        normalised = normalise_imagenet(padded_to_multiple(image, multiple_px=SIZE_MULTIPLE_PX))
        shape = normalised.shape
        if shape not in self._of_shape:
            self._of_shape[shape] = self._function.get_concrete_function(tf.TensorSpec(shape))
        return np.asarray(self._of_shape[shape](tf.constant(normalised)))[:height, :width]

    @functools.cached_property
    def _function(self) -> Any:
        """`[h, w, 3]` normalised to `[h, w, 19]` probabilities."""
        import tensorflow as tf

        from teachers.deeplab_v3.network import load_deeplab

        model, _ = load_deeplab(self._path)

        def softmax(normalised: Any) -> Any:
            return tf.nn.softmax(model(normalised[None], training=False))[0]

        # XLA is slower on a CPU.
        return tf.function(softmax, autograph=False, jit_compile=False)


def padded_to_multiple(image: Image, *, multiple_px: int) -> Image:
    """Repeats the last row and column until both sides are multiples.

    Args:
      image: `[h, w, 3]`.
      multiple_px: What the network's strides divide.
    """
    height, width = image.shape[:2]
    missing = (0, -height % multiple_px), (0, -width % multiple_px), (0, 0)
    return np.pad(image, missing, mode="edge")
