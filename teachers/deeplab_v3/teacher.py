"""The segmentation teacher: DeepLab, of our training or as published."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mtdepth.datasets.label_map import IGNORE_ID
from mtdepth.files import UserError
from teachers.deeplab_v3.checkpoint import SUFFIX
from teachers.deeplab_v3.frozen_graph import SUFFIXES as FROZEN_SUFFIXES
from teachers.deeplab_v3.frozen_graph import FrozenGraph
from teachers.deeplab_v3.keras_network import KerasNetwork
from teachers.interface import Floats, Image, Setting, StereoSample, Teacher, TeacherEntry

ClassNetwork = FrozenGraph | KerasNetwork


class DeepLabTeacher(Teacher[Image]):
    """Train ids by DeepLab.

    Asked for several pictures it still looks at one after the other: in one pass the last bits of
    a picture's scores would depend on how many there are, and a label store has to come out the
    same however its frames were divided.

    Args:
      weights: A network that `save_deeplab` wrote (`.keras`), or a published frozen graph (`.pb`,
        or the `.tar.gz` that it comes in).
      flip: Averages the probabilities with those of the mirrored picture.
      scales: Averages over the picture at these sizes, in parts of its own.
      confidence_floor: Pixels whose averaged probability of the winning class is smaller get 255.

    Raises:
      UserError: If an option is out of range, or the graph gives no scores to serve it.
      FileNotFoundError: If the file is missing.
      DataError: If it is damaged or something else.
    """

    name = "deeplab_v3"

    def __init__(
        self,
        weights: Path,
        *,
        flip: bool = False,
        scales: tuple[float, ...] = (1.0,),
        confidence_floor: float = 0.0,
    ) -> None:
        is_different = 0 < len(scales) == len(set(scales))
        if not (is_different and all(0 < scale < math.inf for scale in scales)):
            raise UserError(f"--scales are different positive numbers, got {scales}")
        if not 0 <= confidence_floor < 1:
            raise UserError(f"--confidence_floor is 0 or more and below 1, got {confidence_floor}")
        self._flip = flip
        self._scales = scales
        self._confidence_floor = confidence_floor
        self._network = _open(weights)
        if not self._network.has_scores and (flip or scales != (1.0,) or confidence_floor > 0):
            raise UserError(
                f"{weights}: this graph gives classes alone: no scores stand before its argmax "
                "where they were looked for; leave --flip, --scales and --confidence_floor out"
            )
        self.version = (
            f"{self._network.version}, flip {flip}, "
            f"scales {' '.join(f'{scale:g}' for scale in scales)}, "
            f"confidence floor {confidence_floor:g}"
        )

    def predict(self, sample: StereoSample) -> Image:
        """Train ids of the labelled view, `[height, width]`, 255 = ignore."""
        return self.train_ids(sample.image)

    def train_ids(self, image: Image) -> Image:
        """Train ids of a picture.

        Args:
          image: `[h, w, 3]` RGB.

        Returns:
          `[h, w]`, 0..18, 255 where the confidence is below the floor.
        """
        return decide(self.probabilities(image), confidence_floor=self._confidence_floor)

    def probabilities(self, image: Image) -> Floats:
        """Averaged probabilities of a picture, `[h, w, 3]` RGB to `[h, w, 19]`."""
        return averaged_probabilities(image, self._network, flip=self._flip, scales=self._scales)


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


def _open(weights: Path) -> ClassNetwork:
    if weights.name.endswith(FROZEN_SUFFIXES):
        return FrozenGraph(weights)
    if weights.suffix == SUFFIX:
        return KerasNetwork(weights)
    raise UserError(
        f"{weights}: DeepLab weights are a {SUFFIX} file of `python -m teachers.train deeplab_v3` "
        f"or a published frozen graph ({', '.join(FROZEN_SUFFIXES)})"
    )


ENTRY = TeacherEntry(
    name="deeplab_v3",
    help="the network",
    make=lambda deeplab_weights, **views: DeepLabTeacher(deeplab_weights, **views),
    settings=(
        Setting(
            name="deeplab_weights",
            kind="path",
            help="DeepLab: a saved network, or a published frozen graph.",
        ),
        Setting(name="flip", kind="bool", help="DeepLab: averages with the mirrored picture."),
        Setting(
            name="scales",
            kind="floats",
            help="DeepLab: averages over these sizes, e.g. 0.75,1,1.25.",
        ),
        Setting(
            name="confidence_floor",
            kind="float",
            help="DeepLab: a pixel below this probability has no class.",
        ),
    ),
    needs_one_of=("deeplab_weights",),
    is_network=True,
)
