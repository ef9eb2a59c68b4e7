"""How high above the ground a camera stands, seen from a depth map of the road before it."""

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

# ours: the part of a picture where a forward-looking camera sees ground: rows, columns as shares.
GROUND_ROWS = (0.65, 1.0)
GROUND_COLUMNS = (0.25, 0.75)
MAX_TILT_DEG = 20.0  # ours: of the ground against the camera's own horizontal
TOLERANCE = 0.03  # ours: distance of a point from the plane, as a share of the camera's height
MIN_SHARE = 0.3  # ours: of the points that must lie on one plane
_NUM_TRIALS = 200
_MAX_POINTS = 4000


@dataclasses.dataclass(frozen=True)
class GroundPlane:
    """The ground before a camera.

    Attributes:
      height: Of the camera above it, in the unit of the points.
      normal: `[3]` unit vector towards the ground, in the camera's axes (x right, y down, z ahead).
      share: Of the points that lie on it.
    """

    height: float
    normal: npt.NDArray[np.float64]
    share: float


def ground_points(points: Floats) -> Floats:
    """The points of a map `[height, width, 3]` that may be ground, `[n, 3]`; see above."""
    height_px, width_px = points.shape[:2]
    rows = slice(*(round(share * height_px) for share in GROUND_ROWS))
    columns = slice(*(round(share * width_px) for share in GROUND_COLUMNS))
    return points[rows, columns].reshape(-1, 3)


def fit_ground(points: Floats, *, rng: np.random.Generator) -> GroundPlane | None:
    """Finds the plane that most points lie on, among those that can be ground.

    Planes through three random points are tried; the best one is fitted to all of its points by
    least squares.

    Args:
      points: `[n, 3]` in the camera's axes.
      rng: Chooses the trials.

    Returns:
      The plane, or None where fewer than `MIN_SHARE` of the points agree on one.
    """
    points = np.asarray(points, np.float64)
    if len(points) > _MAX_POINTS:
        points = rng.choice(points, _MAX_POINTS, replace=False)
    if len(points) < 3:
        return None
    best: npt.NDArray[np.bool_] | None = None
    for _ in range(_NUM_TRIALS):
        on_plane = _support(points, points[rng.choice(len(points), 3, replace=False)])
        if on_plane is not None and (best is None or on_plane.sum() > best.sum()):
            best = on_plane
    if best is None or best.mean() < MIN_SHARE:
        return None
    normal, height = _least_squares(points[best])
    return GroundPlane(height=height, normal=normal, share=float(best.mean()))


def _support(points: Floats, three: Floats) -> npt.NDArray[np.bool_] | None:
    """Marks the points on the plane through three of them; None where it can be no ground."""
    normal = np.cross(three[1] - three[0], three[2] - three[0])
    length = np.linalg.norm(normal)
    if length == 0:
        return None
    normal = normal / length * (1.0 if normal[1] > 0 else -1.0)
    height = float(three[0] @ normal)
    if height <= 0 or normal[1] < math.cos(math.radians(MAX_TILT_DEG)):
        return None
    return np.asarray(np.abs(points @ normal - height) < TOLERANCE * height)


def _least_squares(points: Floats) -> tuple[npt.NDArray[np.float64], float]:
    centre = points.mean(axis=0)
    _, _, axes = np.linalg.svd(points - centre, full_matrices=False)
    normal = axes[2] * (1.0 if axes[2][1] > 0 else -1.0)
    return normal, float(centre @ normal)
