"""What a robot would drive into, and what it would brake for: near things told wrong."""

import dataclasses
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import CLASS_NAMES, IGNORE_ID, SCORED_OBSTACLES

NEAR_M = 15.0  # ours: about what a car at 40 km/h needs to stop
TOO_FAR = 1.25  # the ratio of delta < 1.25, to the side that is dangerous
_ROAD = CLASS_NAMES.index("road")
_IS_OBSTACLE = np.array([name in SCORED_OBSTACLES for name in CLASS_NAMES])


@dataclasses.dataclass(frozen=True)
class NearObstacles:
    """Pixels that matter to a robot; frames add up with `+`.

    Attributes:
      num_pixels: Labelled as an obstacle nearer than `NEAR_M`, and predicted.
      num_missed: Of these, told farther than `TOO_FAR` times the truth.
      num_road: Labelled as road, whatever its distance, and predicted.
      num_false: Of these, told nearer than `NEAR_M` and than the truth over `TOO_FAR`: something to
        brake for where nothing is.
    """

    num_pixels: int = 0
    num_missed: int = 0
    num_road: int = 0
    num_false: int = 0

    def __add__(self, other: Self) -> Self:
        mine, others = dataclasses.astuple(self), dataclasses.astuple(other)
        return type(self)(*(a + b for a, b in zip(mine, others, strict=True)))

    @property
    def missed_share(self) -> float | None:
        """0..1; None where no obstacle is near."""
        return self.num_missed / self.num_pixels if self.num_pixels else None

    @property
    def false_share(self) -> float | None:
        """0..1, of the road; None where there is none."""
        return self.num_false / self.num_road if self.num_road else None


def near_obstacles(
    true_m: npt.NDArray[np.floating[Any]],
    train_id: npt.NDArray[np.uint8],
    predicted_m: npt.NDArray[np.floating[Any]],
) -> NearObstacles:
    """Counts the near obstacles of a picture and its road, and what is told wrong of either.

    Args:
      true_m: `[height, width]`, 0 where unknown.
      train_id: `[height, width]` true classes, 255 where unknown.
      predicted_m: `[height, width]`, 0 where there is no prediction; what is no positive number
        otherwise is missed.
    """
    known = (train_id != IGNORE_ID) & (true_m > 0) & (predicted_m != 0)
    near = known & (true_m < NEAR_M) & _IS_OBSTACLE[np.where(known, train_id, 0)]
    is_seen = (predicted_m > 0) & (predicted_m <= TOO_FAR * true_m)
    road = known & (train_id == _ROAD)
    is_false = (predicted_m < NEAR_M) & (predicted_m < true_m / TOO_FAR)
    counts = (near, near & ~is_seen, road, road & is_false)
    return NearObstacles(*(int(np.count_nonzero(each)) for each in counts))
