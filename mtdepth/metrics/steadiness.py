"""How steady a depth is in video: what changes from picture to picture beside the true change."""

import dataclasses
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mtdepth.geometry.camera import Intrinsics

Floats = npt.NDArray[np.floating[Any]]

# ours: what the camera's own motion does not bring to the measured depth within this share of it
# has moved by itself, or stands behind something
STILL_SHARE = 0.05


@dataclasses.dataclass(frozen=True)
class Flicker:
    """Sums over points of pairs of pictures; pairs add up with `+`.

    Attributes:
      total: Sum of |ln r' - ln r|, where r is predicted over true depth of a point in a picture and
        r' in the next.
      num_points: Standing points that both pictures measured and predicted.
      num_pairs: Pairs of pictures.
    """

    total: float = 0.0
    num_points: int = 0
    num_pairs: int = 0

    def __add__(self, other: Self) -> Self:
        mine, others = dataclasses.astuple(self), dataclasses.astuple(other)
        return type(self)(*(a + b for a, b in zip(mine, others, strict=True)))

    @property
    def mean(self) -> float | None:
        """0 is perfectly steady, 0.05 a change by 5 %; None without any point."""
        return self.total / self.num_points if self.num_points else None


def flicker(
    true_m: tuple[Floats, Floats],
    predicted_m: tuple[Floats, Floats],
    *,
    camera: Intrinsics,
    T_next_from_this: npt.NDArray[np.float64],
) -> Flicker:
    """Follows the standing points of a picture into the next by the camera's true motion.

    Ours, after the warping errors of video depth (such as OPW of Wang et al. 2022, FMNet), which
    compare predictions warped by optical flow and so count the camera's approach, too: here each
    prediction is held against its own truth first, so that a perfect one has 0, and one that is
    wrong by the same factor in both pictures as well.

    Args:
      true_m: Of this picture and the next, `[height, width]` camera z, 0 where not measured.
      predicted_m: Likewise, 0 where there is no prediction.
      camera: Of both.
      T_next_from_this: `[4, 4]`, takes this camera's points to the next's.

    Returns:
      One pair's sums.
    """
    (true, next_true), (told, next_told) = true_m, predicted_m
    is_known = (true > 0) & (told > 0)
    points_m = camera.unproject(true)[is_known].astype(np.float64)
    moved_m = points_m @ T_next_from_this[:3, :3].T + T_next_from_this[:3, 3]
    uv_px, z_m = camera.project(moved_m)
    column, row = np.rint(np.nan_to_num(uv_px, nan=-1.0)).astype(np.int64).T
    is_inside = (column >= 0) & (column < camera.width_px) & (row >= 0) & (row < camera.height_px)
    there = row[is_inside], column[is_inside]
    seen_m, seen_told_m = next_true[there], next_told[there]
    is_same = np.abs(seen_m - z_m[is_inside]) <= STILL_SHARE * z_m[is_inside]
    is_same &= (seen_m > 0) & (seen_told_m > 0)
    before = np.log(told[is_known][is_inside][is_same] / true[is_known][is_inside][is_same])
    after = np.log(seen_told_m[is_same] / seen_m[is_same])
    return Flicker(float(np.abs(after - before).sum(dtype=np.float64)), len(after), 1)
