"""The segmentation teacher: DeepLab, of our training or as published."""

import math
from pathlib import Path

from teachers.deeplab_v3.averaging import (
    ClassNetwork,
    Floats,
    Image,
    averaged_probabilities,
    decide,
)
from teachers.deeplab_v3.checkpoint import SUFFIX
from teachers.deeplab_v3.frozen_graph import SUFFIXES as FROZEN_SUFFIXES
from teachers.deeplab_v3.frozen_graph import FrozenGraph
from teachers.deeplab_v3.keras_network import KerasNetwork
from teachers.interface import OneByOne, StereoSample


class DeepLabTeacher(OneByOne[Image]):
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
      ValueError: If an option is out of range, or the graph gives no scores to serve it.
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
        if not _are_scales(scales):
            raise ValueError(f"--scales are different positive numbers, got {scales}")
        if not 0 <= confidence_floor < 1:
            raise ValueError(f"--confidence_floor is 0 or more and below 1, got {confidence_floor}")
        self._flip = flip
        self._scales = scales
        self._confidence_floor = confidence_floor
        self._network = _open(weights)
        if not self._network.has_scores and (flip or scales != (1.0,) or confidence_floor > 0):
            raise ValueError(
                f"{weights}: this graph gives classes alone: no scores stand before its argmax "
                "where they were looked for; leave --flip, --scales and --confidence_floor out"
            )

    @property
    def version(self) -> str:
        """The network, the options and the libraries."""
        scales = " ".join(f"{scale:g}" for scale in self._scales)
        return (
            f"{self._network.version}, flip {self._flip}, scales {scales}, "
            f"confidence floor {self._confidence_floor:g}"
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


def _are_scales(scales: tuple[float, ...]) -> bool:
    is_different = 0 < len(scales) == len(set(scales))
    return is_different and all(0 < scale < math.inf for scale in scales)


def _open(weights: Path) -> ClassNetwork:
    if weights.name.endswith(FROZEN_SUFFIXES):
        return FrozenGraph(weights)
    if weights.suffix == SUFFIX:
        return KerasNetwork(weights)
    raise ValueError(
        f"{weights}: DeepLab weights are a {SUFFIX} file of `python -m teachers.train deeplab_v3` "
        f"or a published frozen graph ({', '.join(FROZEN_SUFFIXES)})"
    )
