"""What a robot would drive into: near obstacles that are told too far."""

import dataclasses
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import CLASS_NAMES, IGNORE_ID, SCORED_OBSTACLES

NEAR_M = 15.0  # ours: about what a car at 40 km/h needs to stop
TOO_FAR = 1.25  # the ratio of delta < 1.25, to the side that is dangerous
_IS_OBSTACLE = np.array([name in SCORED_OBSTACLES for name in CLASS_NAMES])


@dataclasses.dataclass(frozen=True)
class NearObstacles:
    """Pixels of near obstacles; frames add up with `+`.

    Attributes:
      num_pixels: Labelled as an obstacle nearer than `NEAR_M`, and predicted.
      num_missed: Of these, told farther than `TOO_FAR` times the truth.
    """

    num_pixels: int = 0
    num_missed: int = 0

    def __add__(self, other: Self) -> Self:
        return dataclasses.replace(
            self,
            num_pixels=self.num_pixels + other.num_pixels,
            num_missed=self.num_missed + other.num_missed,
        )

    @property
    def missed_share(self) -> float | None:
        """0..1; None where no obstacle is near."""
        return self.num_missed / self.num_pixels if self.num_pixels else None


def near_obstacles(
    true_m: npt.NDArray[np.floating[Any]],
    train_id: npt.NDArray[np.uint8],
    predicted_m: npt.NDArray[np.floating[Any]],
) -> NearObstacles:
    """Counts the near obstacles of a picture, and those that are told too far.

    Args:
      true_m: `[height, width]`, 0 where unknown.
      train_id: `[height, width]` true classes, 255 where unknown.
      predicted_m: `[height, width]`, 0 where there is no prediction; what is no positive number
        otherwise is missed.
    """
    known = (train_id != IGNORE_ID) & (true_m > 0) & (true_m < NEAR_M) & (predicted_m != 0)
    near = known & _IS_OBSTACLE[np.where(known, train_id, 0)]
    is_seen = (predicted_m > 0) & (predicted_m <= TOO_FAR * true_m)
    return NearObstacles(int(near.sum()), int((near & ~is_seen).sum()))
