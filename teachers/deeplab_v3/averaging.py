"""Many views of a picture, one answer: mirrored and scaled copies averaged, doubt left out."""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import IGNORE_ID

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]


class ClassNetwork(Protocol):
    """What turns a picture into probabilities."""

    @property
    def version(self) -> str:
        """Everything of it that changes its output."""

    @property
    def has_scores(self) -> bool:
        """Whether its probabilities are more than ones and zeros."""

    def probabilities(self, image: Image) -> Floats:
        """`[h, w, 3]` RGB to `[h, w, 19]` probabilities."""


def averaged_probabilities(
    image: Image, network: ClassNetwork, *, flip: bool, scales: Sequence[float]
) -> Floats:
    """Averages a network's probabilities over views of one picture.

    Args:
      image: `[h, w, 3]` RGB.
      network: Makes one view's probabilities.
      flip: Whether each scale's mirror image counts as much as itself.
      scales: Sizes of the views, in parts of the picture's.

    Returns:
      `[h, w, 19]`, sums to 1.
    """
    views = [_of_one_scale(image, network, flip=flip, scale=scale) for scale in scales]
    total = sum(views[1:], start=views[0])
    return total / np.float32(len(scales) * (2 if flip else 1))


def decide(probabilities: Floats, *, confidence_floor: float) -> Image:
    """The winning class, or 255 where it wins with less than the floor.

    Args:
      probabilities: `[..., classes]`.
      confidence_floor: Smallest probability that makes a label.

    Returns:
      `[...]` uint8.
    """
    winner = probabilities.argmax(axis=-1).astype(np.uint8)
    if confidence_floor > 0:
        winner[probabilities.max(axis=-1) < confidence_floor] = IGNORE_ID
    return winner


def _of_one_scale(image: Image, network: ClassNetwork, *, flip: bool, scale: float) -> Floats:
    """Sum over the view and, where wanted, its mirror image, at the picture's own size."""
    view = _scaled(image, scale=scale)
    seen = network.probabilities(view)
    if flip:
        seen = seen + network.probabilities(np.ascontiguousarray(view[:, ::-1]))[:, ::-1]
    return _resized(seen, image.shape[:2])


def _scaled(image: Image, *, scale: float) -> Image:
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    if (height, width) == image.shape[:2]:
        return image
    # Area averages: a smaller view by linear sampling would alias.
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method).astype(np.uint8, copy=False)


def _resized(probabilities: Floats, size: tuple[int, ...]) -> Floats:
    if probabilities.shape[:2] == size:
        return probabilities
    height, width = size
    return cv2.resize(
        np.ascontiguousarray(probabilities), (width, height), interpolation=cv2.INTER_LINEAR
    ).astype(np.float32, copy=False)
