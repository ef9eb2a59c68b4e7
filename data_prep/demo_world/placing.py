"""Puts objects on the ground along a street."""

import dataclasses
from typing import Literal

import numpy as np

from data_prep.demo_world.district import District
from data_prep.demo_world.road import ROAD, Road, ground_kind
from data_prep.demo_world.solids import TRAIN_ID, Pattern, Shape, Solid, Solids

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


SIDES: tuple[Literal[1], Literal[-1]] = (1, -1)  # left and right of the road
PIECE_M = 4.0  # walls and rails follow the bends in pieces of this length
_TALL_M, _SLENDER_M = 1.4, 0.6  # lower or slenderer things do not close a view
_OPEN_TO_M = 70.0  # from the kerb, in the gaps that an open street has beside it
_VEHICLES = {TRAIN_ID[name] for name in ("car", "truck", "bus")}


class SceneBuilder:
    """A stretch of street and what stands on it so far.

    Attributes:
      road: Where things stand.
      district: What there is.
      rng: Draws it.
      start_m: x at which the street begins.
      end_m: x at which it ends.
      built: How much of this street's front is built on.
      storeys: Usual number along this street.
      houses_m: By side, from where to where there are houses.
      standing: What was set down.
    """

    def __init__(
        self,
        road: Road,
        district: District,
        rng: np.random.Generator,
        *,
        start_m: float,
        end_m: float,
        openness: float = 0.0,
    ) -> None:
        """Draws how this street differs from others of its district.

        Args:
          road: Its road.
          district: Its district.
          rng: Draws all.
          start_m: x at which it begins.
          end_m: x at which it ends.
          openness: Share of its sides that are kept free, 0..1.
        """
        self.standing: list[Solids] = []
        self.road, self.district, self.rng = road, district, rng
        self.start_m, self.end_m = start_m, end_m
        self.built = rng.uniform(*district.built)
        self.storeys = rng.uniform(*district.storeys)
        self.houses_m: dict[int, list[tuple[float, float]]] = {1: [], -1: []}
        self.gaps_m: dict[int, list[tuple[float, float]]] = {
            side: self._random_gaps_m(openness) for side in SIDES
        }

    def put(
        self,
        solids: list[Solid],
        x_m: float,
        lateral_m: float,
        *,
        turn: float = 0.0,
        foot_lateral_m: float | None = None,
    ) -> None:
        """Sets an object down, unless it would stand on a road and is no vehicle.

        Args:
          solids: The object.
          x_m: Where along the road.
          lateral_m: How far left of its middle.
          turn: From the road's direction to the object's, radians.
          foot_lateral_m: See `set_down`.
        """
        placed = set_down(
            Solids.stack(solids, self.rng),
            self.road,
            x_m=x_m,
            lateral_m=lateral_m,
            turn_rad=turn,
            foot_lateral_m=foot_lateral_m,
        )
        may_stand = solids[0].train_id in _VEHICLES or not stands_on_road(placed, self.road)
        if may_stand and not self._closes_a_gap(solids, x_m, lateral_m):
            self.standing.append(placed)

    def _random_gaps_m(self, openness: float) -> list[tuple[float, float]]:
        """Stretches without anything that closes the view."""
        gaps, x_m = [], self.start_m - self.rng.uniform(0.0, 60.0)
        while x_m < self.end_m:
            length_m = self.rng.uniform(40.0, 110.0)
            gaps.append((x_m, x_m + openness * length_m))
            x_m += length_m
        return gaps

    def _closes_a_gap(self, solids: list[Solid], x_m: float, lateral_m: float) -> bool:
        side = 1 if lateral_m > 0 else -1
        off_m = abs(lateral_m) - self.road.edge_m(side)
        if not 0.0 < off_m < _OPEN_TO_M or not any(a < x_m < b for a, b in self.gaps_m[side]):
            return False
        wide = [s for s in solids if max(s.half_m[0], s.half_m[1]) > _SLENDER_M]
        return any(s.centre_m[2] + s.half_m[2] > _TALL_M for s in wide)

    def front_m(self, side: int) -> float:
        """Distance of the houses' front from the centre line; side is +1 (left) or -1."""
        return self.road.edge_m(side) + self.road.sidewalk_m + self.road.garden_m

    def is_built(self, side: int, x_m: float, margin_m: float) -> bool:
        """Whether a house stands at or near x."""
        return any(a - margin_m < x_m < b + margin_m for a, b in self.houses_m[side])


def facing_road(side: int) -> float:
    """The turn that points an object's -y towards the road."""
    return 0.0 if side > 0 else float(np.pi)
