"""Puts an object on the ground beside or on the road."""

import dataclasses

import numpy as np

from data_prep.demo_world.road import ROAD, Road, ground_kind
from data_prep.demo_world.shapes import Pattern, Shape, Solids

# What hangs higher than this leaves room for a car below.
_HEADROOM_M = 2.2
_WIDE_M = 1.0


def set_down(
    solids: Solids,
    road: Road,
    *,
    x_m: float,
    lateral_m: float,
    turn_rad: float,
    foot_lateral_m: float | None = None,
) -> Solids:
    """The object where it stands.

    Solids stay upright on a slope, so wheels follow the ground each for itself.

    Args:
      solids: In the object's own frame.
      road: What it stands on or beside.
      x_m: Where along the road.
      lateral_m: How far left of the road's middle.
      turn_rad: From the road's direction to the object's.
      foot_lateral_m: Where the ground's height counts, `lateral_m` if not given; a house stands
        at the height of its front.
    """
    x, y, heading = road.place(x_m, lateral_m)
    foot_x, foot_y, _ = road.place(x_m, lateral_m if foot_lateral_m is None else foot_lateral_m)
    z = float(road.height_m(foot_x, foot_y))
    placed = solids.placed(x_m=x, y_m=y, z_m=z, yaw_rad=heading + turn_rad)
    is_wheel = (placed.shape == Shape.WHEEL) & (placed.pattern == Pattern.WHEEL)
    if not is_wheel.any():
        return placed
    centre_m = placed.centre_m.copy()
    ground_m = road.height_m(centre_m[is_wheel, 0], centre_m[is_wheel, 1])
    centre_m[is_wheel, 2] = ground_m + np.array(placed.half_m[is_wheel, 2])
    return dataclasses.replace(placed, centre_m=centre_m)


def stands_on_road(solids: Solids, road: Road) -> bool:
    """Whether a part of a placed object is in the way of traffic.

    Of slender parts and crowns the middle counts, of wide boxes the corners as well.
    """
    bottom_m = solids.centre_m[:, 2] - solids.half_m[:, 2]
    x_m, y_m = solids.centre_m[:, 0], solids.centre_m[:, 1]
    is_low = bottom_m < road.height_m(x_m, y_m) + _HEADROOM_M
    low = solids.select(is_low)
    points_m = [low.centre_m[:, :2]]
    wide = low.select((low.shape == Shape.BOX) & (low.half_m[:, :2].max(axis=1) > _WIDE_M))
    forward = np.stack([np.cos(wide.yaw_rad), np.sin(wide.yaw_rad)], axis=-1)
    leftward = np.stack([-forward[:, 1], forward[:, 0]], axis=-1)
    for along in (1, -1):
        for aside in (1, -1):
            points_m.append(
                wide.centre_m[:, :2]
                + along * wide.half_m[:, :1] * forward
                + aside * wide.half_m[:, 1:2] * leftward
            )
    x_m, y_m = np.concatenate(points_m).T
    return bool(np.any(ground_kind(road, x_m, y_m) == ROAD))
