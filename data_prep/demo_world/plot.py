"""The ground along a street, on which things are set down."""

from typing import Literal

import numpy as np

from data_prep.demo_world.district import District
from data_prep.demo_world.parts import TRAIN_ID
from data_prep.demo_world.road import Road
from data_prep.demo_world.setting_down import set_down, stands_on_road
from data_prep.demo_world.shapes import Solid, Solids

SIDES: tuple[Literal[1], Literal[-1]] = (1, -1)  # left and right of the road
PIECE_M = 4.0  # walls and rails follow the bends in pieces of this length
_TALL_M, _SLENDER_M = 1.4, 0.6  # lower or slenderer things do not close a view
_OPEN_TO_M = 70.0  # from the kerb, in the gaps that an open street has beside it
_VEHICLES = {TRAIN_ID[name] for name in ("car", "truck", "bus")}


class Plot:
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
