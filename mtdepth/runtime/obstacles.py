"""The nearest obstacle in each column of a picture: what a robot needs to know of it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import CLASS_NAMES, NUM_CLASSES, OBSTACLE_CLASSES
from mtdepth.geometry.camera import Intrinsics

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

# ours: the nearest pixel of all is noise, or an edge that depth is smeared over.
NEAR_SHARE = 0.05
# ours: fewer pixels than this share of a column are a mistake more often than a thing.
MIN_SHARE = 0.005
# ours: how much farther than its nearest pixels the rest of the nearest thing may be.
THING_DEPTH_RATIO = 1.25
# ours: lower than a kerb is ground, higher than a lorry's roof is passed under.
GROUND_BAND_M = (0.25, 2.5)
# Wider pictures are looked at every n-th pixel: a column has more than enough.
_MAX_WIDTH_PX = 480

_IS_OBSTACLE = np.array([name in OBSTACLE_CLASSES for name in CLASS_NAMES] + [False] * 237)


@dataclass(frozen=True, kw_only=True)
class Mount:
    """How the camera is mounted: metres above the ground, degrees that it looks down."""

    height_m: float
    pitch_deg: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is looked for.

    Attributes:
      num_columns: Strips that the picture is cut into.
      mount: Of the camera; without classes it tells ground from what stands on it.
    """

    num_columns: int = 24
    mount: Mount | None = None

    def in_words(self, *, has_classes: bool, camera: Intrinsics | None) -> str:
        """What makes a pixel an obstacle, for whoever reads the numbers."""
        if has_classes:
            return "classes"
        if camera is not None and self.mount is not None:
            return "above the ground plane"
        return "depth only: the ground counts as well"


@dataclass(frozen=True)
class Obstacle:
    """The nearest obstacle of one column.

    Attributes:
      column_px: First and last pixel column of the strip.
      bearing_deg: Of the strip's middle, positive to the right; None without intrinsics.
      depth: Along the optical axis, metres unless the model is relative; None: nothing found.
      distance: As a robot would drive, in the plane of axis and row; None likewise, and without
        intrinsics.
      class_name: Of the nearest; None without classes.
      by_class: Depth of the nearest of every class that is there, the nearest first.
    """

    column_px: tuple[int, int]
    bearing_deg: float | None
    depth: float | None
    distance: float | None
    class_name: str | None
    by_class: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As a line of `obstacles.jsonl` holds it."""
        return {
            "column_px": list(self.column_px),
            "bearing_deg": _rounded(self.bearing_deg, 2),
            "depth": _rounded(self.depth, 3),
            "distance": _rounded(self.distance, 3),
            "class": self.class_name,
            "by_class": {name: round(depth, 3) for name, depth in self.by_class.items()},
        }


def nearest_obstacles(
    depth_m: Floats, train_id: Bytes | None, *, camera: Intrinsics | None, rule: Rule
) -> list[Obstacle]:
    """Finds the nearest obstacle of each column.

    With classes, everything but road, sidewalk, terrain and sky is one. Without, what stands
    between `GROUND_BAND_M` above the plane that the camera's mount gives; without that, everything
    that was measured. All of a column's obstacle pixels count together, so that a thing is found
    whose pixels are of several classes; it is named after most of them.

    Args:
      depth_m: `[height, width]`, 0 is not measured.
      train_id: `[height, width]`, or None.
      camera: Of the picture, at its size; None where unknown.
      rule: What is looked for.

    Returns:
      One entry for each strip, from the left; as many as there are pixels, at most.
    """
    width_px = depth_m.shape[1]
    step = math.ceil(width_px / _MAX_WIDTH_PX)
    is_obstacle = _obstacle_pixels(depth_m, train_id, camera=camera, rule=rule)[::step, ::step]
    depth_m = depth_m[::step, ::step]
    ids = None if train_id is None else train_id[::step, ::step]
    edges = np.linspace(0, depth_m.shape[1], min(rule.num_columns, depth_m.shape[1]) + 1)
    found = []
    for left, right in zip(edges[:-1].astype(int), edges[1:].astype(int), strict=True):
        strip = np.s_[:, left:right]
        is_here = is_obstacle[strip]
        depths = depth_m[strip][is_here]
        classes = None if ids is None else ids[strip][is_here]
        pixels = (int(left * step), min(int(right * step), width_px) - 1)
        bearing_deg = distance = None
        least = max(1, round(MIN_SHARE * is_here.size))
        depth, class_name, by_class = _nearest(depths, classes, least=least)
        if camera is not None:
            bearing_rad = math.atan((sum(pixels) / 2 - camera.cx_px) / camera.fx_px)
            bearing_deg = math.degrees(bearing_rad)
            distance = None if depth is None else depth / math.cos(bearing_rad)
        found.append(Obstacle(pixels, bearing_deg, depth, distance, class_name, by_class))
    return found


def _obstacle_pixels(
    depth_m: Floats, train_id: Bytes | None, *, camera: Intrinsics | None, rule: Rule
) -> npt.NDArray[np.bool_]:
    is_measured = depth_m > 0
    if train_id is not None:
        return is_measured & _IS_OBSTACLE[train_id]
    if camera is None or rule.mount is None:
        return is_measured
    low_m, high_m = GROUND_BAND_M
    above_m = height_above_ground(depth_m, camera=camera, mount=rule.mount)
    return is_measured & (above_m > low_m) & (above_m < high_m)


def height_above_ground(depth_m: Floats, *, camera: Intrinsics, mount: Mount) -> Floats:
    """Metres above a level ground, of every pixel; the mount's own height where not measured.

    A camera that looks down by `pitch` sees the direction of gravity at
    (0, cos pitch, sin pitch) of its frame (x right, y down, z forward).
    """
    pitch_rad = math.radians(mount.pitch_deg)
    ray_y = (np.arange(camera.height_px) - camera.cy_px) / camera.fy_px
    down_per_depth = ray_y * math.cos(pitch_rad) + math.sin(pitch_rad)
    return np.asarray(mount.height_m - depth_m * down_per_depth[:, None], np.float32)


def _nearest(
    depths: Floats, classes: Bytes | None, *, least: int
) -> tuple[float | None, str | None, dict[str, float]]:
    """Depth and class of the nearest thing of at least so many pixels, and of every class."""
    if depths.size < least:
        return None, None, {}
    begins = np.partition(depths, least - 1)[least - 1]
    is_thing = depths <= THING_DEPTH_RATIO * begins
    depth = _low(depths[is_thing])
    if classes is None:
        return depth, None, {}
    counts = np.bincount(classes, minlength=NUM_CLASSES)
    by_class = {
        CLASS_NAMES[index]: _low(depths[classes == index])
        for index in np.flatnonzero(counts >= least)
    }
    name = CLASS_NAMES[np.bincount(classes[is_thing]).argmax()]
    by_class[name] = min(depth, by_class.get(name, depth))
    return depth, name, dict(sorted(by_class.items(), key=lambda each: each[1]))


def _low(depths: Floats) -> float:
    rank = int(NEAR_SHARE * depths.size)
    return float(np.partition(depths, rank)[rank])


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
