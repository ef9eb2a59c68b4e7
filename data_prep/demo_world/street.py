"""A whole street drawn at random: what stands along the road and what moves on it."""

import dataclasses

import numpy as np

from data_prep.demo_world import objects
from data_prep.demo_world.ego import FRAME_S, Drive, random_drive, random_way_m
from data_prep.demo_world.light import Light, random_light
from data_prep.demo_world.road import Road, random_road
from data_prep.demo_world.shapes import Floats, Solid, Solids

# The street goes on this far behind the first and beyond the last frame.
_BEHIND_M, _AHEAD_M = 40.0, 180.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Mover:
    """One moving object.

    Args:
      solids: In the object's own frame.
      lateral_m: Where it keeps to, left of the road's centre line.
      x_m: `[frames]`.
      is_oncoming: Whether it faces against the road's axis.
    """

    solids: Solids
    lateral_m: float
    x_m: Floats
    is_oncoming: bool


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Street:
    """Everything that one drive shows."""

    road: Road
    drive: Drive
    light: Light
    standing: Solids
    movers: tuple[Mover, ...]

    def moving(self, frame: int) -> list[Solids]:
        """The movers as they are in one frame."""
        placed = []
        for mover in self.movers:
            x, y, heading = self.road.place(float(mover.x_m[frame]), mover.lateral_m)
            yaw = heading + np.pi * mover.is_oncoming
            placed.append(mover.solids.placed(x_m=x, y_m=y, yaw_rad=yaw))
        return placed


def random_street(rng: np.random.Generator, *, num_frames: int) -> Street:
    """Draws a street long enough for a drive of `num_frames`."""
    x_m = random_way_m(rng, num_frames=num_frames)
    end_m = float(x_m[-1]) + _AHEAD_M
    road = random_road(rng, length_m=end_m)
    light = random_light(rng)
    drive = random_drive(rng, road, x_m)
    planter = _Planter(road, rng, start_m=-_BEHIND_M, end_m=end_m)
    planter.plant()
    return Street(
        road=road,
        drive=drive,
        light=light,
        standing=Solids.join(planter.standing),
        movers=tuple(_random_movers(rng, road, x_m, end_m)),
    )


class _Planter:
    """Sets down what stands still, side by side along the road."""

    def __init__(
        self, road: Road, rng: np.random.Generator, *, start_m: float, end_m: float
    ) -> None:
        self.standing: list[Solids] = []
        self._road, self._rng = road, rng
        self._start_m, self._end_m = start_m, end_m
        # What makes a street a city's, a suburb's or a village's.
        self._built = rng.uniform(0.25, 1.0)
        self._green = rng.uniform(0.1, 1.0)
        self._parked = rng.uniform(0.1, 0.95)
        self._storey_m = rng.uniform(3.0, 18.0)

    def plant(self) -> None:
        """Fills `standing`."""
        for side in (1, -1):
            self._houses(side)
            self._borders(side)
            self._trees(side)
            self._posts(side)
            self._people(side)
            self._parked_cars(side)
            self._far_trees(side)
        self._junctions()
        self._street_end()

    def _put(self, solids: list[Solid], x_m: float, lateral_m: float, turn: float = 0.0) -> None:
        x, y, heading = self._road.place(x_m, lateral_m)
        stacked = Solids.stack(solids, self._rng)
        self.standing.append(stacked.placed(x_m=x, y_m=y, yaw_rad=heading + turn))

    def _front_m(self, side: int) -> float:
        return self._road.edge_m(side) + self._road.sidewalk_m + self._road.garden_m

    def _houses(self, side: int) -> None:
        rng, x_m = self._rng, self._start_m
        while x_m < self._end_m:
            length_m = rng.uniform(8.0, 22.0)
            middle_m = x_m + length_m / 2
            if not self._road.is_crossing(x_m - 2.0, x_m + length_m + 2.0):
                if rng.random() < self._built:
                    depth_m = rng.uniform(8.0, 14.0)
                    height_m = self._storey_m * rng.uniform(0.7, 1.3) + 2.5
                    house = objects.building(
                        rng, length_m=length_m, depth_m=depth_m, height_m=height_m
                    )
                    setback_m = rng.uniform(0.0, 1.5) + depth_m / 2 + 0.2
                    self._put(house, middle_m, side * (self._front_m(side) + setback_m))
                else:
                    self._green_gap(side, x_m, length_m)
            x_m += length_m + (rng.uniform(2.0, 8.0) if rng.random() < 0.35 else 0.05)

    def _green_gap(self, side: int, x_m: float, length_m: float) -> None:
        rng = self._rng
        for _ in range(int(rng.integers(1, 5))):
            at_m = x_m + rng.uniform(0.0, length_m)
            lateral_m = side * (self._front_m(side) + rng.uniform(3.5, 12.0))
            self._put(objects.tree(rng, height_m=rng.uniform(5.0, 11.0)), at_m, lateral_m)

    def _borders(self, side: int) -> None:
        """Walls, fences and hedges between sidewalk and garden, or across gaps between houses."""
        rng, x_m = self._rng, self._start_m
        kinds = ("wall", "fence", "hedge")
        usual = kinds[rng.integers(3)]
        likely = 0.6 if self._road.garden_m else 0.15
        lateral_m = side * (self._road.edge_m(side) + self._road.sidewalk_m + 0.45)
        while x_m < self._end_m:
            length_m = rng.uniform(6.0, 14.0)
            if rng.random() < likely and not self._road.is_crossing(x_m - 1, x_m + length_m + 1):
                kind = usual if rng.random() < 0.6 else kinds[rng.integers(3)]
                self._put(
                    objects.border(rng, kind=kind, length_m=length_m - 0.6),
                    x_m + length_m / 2,
                    lateral_m,
                )
            elif self._road.garden_m and rng.random() < self._green:
                for at_m in rng.uniform(x_m, x_m + length_m, 2):
                    self._put(objects.bush(rng), float(at_m), lateral_m + side * 1.1)
            x_m += length_m

    def _trees(self, side: int) -> None:
        rng, x_m = self._rng, self._start_m
        height_m = rng.uniform(4.5, 9.0)
        while x_m < self._end_m:
            if rng.random() < self._green * 0.8 and not self._road.is_crossing(x_m, x_m):
                lateral_m = self._road.edge_m(side) + self._road.sidewalk_m - 0.3
                if self._road.garden_m > 3.0:
                    lateral_m += rng.uniform(1.8, self._road.garden_m - 0.8)
                tree = objects.tree(rng, height_m=height_m * rng.uniform(0.75, 1.25))
                self._put(tree, x_m, side * lateral_m, turn=rng.uniform(0.0, 6.3))
            x_m += rng.uniform(7.0, 16.0)

    def _posts(self, side: int) -> None:
        rng = self._rng
        x_m, step_m = self._start_m + rng.uniform(0.0, 20.0), rng.uniform(18.0, 35.0)
        lateral_m = self._road.edge_m(side) + 0.4
        has_lamps = rng.random() < 0.75
        while x_m < self._end_m:
            if has_lamps and not self._road.is_crossing(x_m, x_m):
                # The arm reaches over the road.
                turn = np.pi if side > 0 else 0.0
                self._put(objects.lamp_post(rng), x_m, side * lateral_m, turn=turn)
            if rng.random() < 0.6:
                at_m = x_m + rng.uniform(3.0, 14.0)
                turn = rng.uniform(-0.2, 0.2) + (np.pi if side > 0 and rng.random() < 0.3 else 0.0)
                self._put(objects.sign_post(rng), at_m, side * (lateral_m + 0.1), turn=turn)
            x_m += step_m

    def _people(self, side: int) -> None:
        rng, x_m = self._rng, self._start_m + self._rng.uniform(0.0, 30.0)
        step_m = rng.uniform(10.0, 45.0)
        while x_m < self._end_m:
            lateral_m = side * (self._road.edge_m(side) + rng.uniform(0.8, 1.4))
            turn = rng.uniform(0.0, 6.3)
            kind = rng.random()
            if kind < 0.6:
                self._put(objects.person(rng), x_m, lateral_m, turn=turn)
            elif kind < 0.85:
                self._put(objects.bicycle(rng), x_m, lateral_m, turn=rng.uniform(-0.6, 0.6))
            else:
                motorcycle = objects.bicycle(rng, train_id=objects.TRAIN_ID["motorcycle"])
                self._put(motorcycle, x_m, lateral_m, turn=rng.uniform(-0.6, 0.6))
            x_m += step_m * rng.uniform(0.5, 1.6)

    def _parked_cars(self, side: int) -> None:
        rng, x_m = self._rng, self._start_m
        strip_m = self._road.parking_left_m if side > 0 else self._road.parking_right_m
        if not strip_m:
            return
        lateral_m = side * (self._road.edge_m(side) - strip_m / 2)
        while x_m < self._end_m:
            is_long = rng.random() < 0.06
            length_m = 10.0 if is_long else 5.6
            if rng.random() < self._parked and not self._road.is_crossing(x_m, x_m + length_m):
                vehicle = objects.truck(rng) if is_long else objects.car(rng)
                turn = (np.pi if rng.random() < 0.3 else 0.0) + rng.normal(0.0, 0.02)
                jitter_m = float(rng.normal(0.0, 0.08))
                self._put(vehicle, x_m + length_m / 2, lateral_m + jitter_m, turn=turn)
            x_m += length_m + rng.uniform(0.0, 1.5)

    def _far_trees(self, side: int) -> None:
        """Closes the view behind the houses."""
        rng, x_m = self._rng, self._start_m
        while x_m < self._end_m + 60.0:
            lateral_m = side * (self._front_m(side) + rng.uniform(28.0, 55.0))
            self._put(objects.tree(rng, height_m=rng.uniform(9.0, 18.0)), x_m, lateral_m)
            behind_m = side * (self._front_m(side) + rng.uniform(65.0, 85.0))
            self._put(objects.copse(rng), x_m, behind_m)
            x_m += rng.uniform(7.0, 14.0)

    def _junctions(self) -> None:
        rng, road = self._rng, self._road
        for x_m in road.crossings_x_m:
            if rng.random() < 0.7:
                before_m = x_m - road.crossing_half_m - 0.8
                self._put(objects.traffic_light(rng), before_m, road.right_edge_m - 0.5)
                if rng.random() < 0.5:
                    self._put(objects.traffic_light(rng), before_m, road.left_edge_m + 0.5)

    def _street_end(self) -> None:
        """A row of houses and trees across the road's far end."""
        rng, lateral_m = self._rng, -75.0
        while lateral_m < 75.0:
            x_m = self._end_m + rng.uniform(5.0, 15.0)
            if rng.random() < 0.5:
                house = objects.building(
                    rng, length_m=14.0, depth_m=10.0, height_m=self._storey_m * 0.8 + 4.0
                )
                self._put(house, x_m, lateral_m, turn=np.pi / 2)
            else:
                self._put(objects.tree(rng, height_m=rng.uniform(8.0, 14.0)), x_m, lateral_m)
            lateral_m += rng.uniform(7.0, 14.0)


def _random_movers(
    rng: np.random.Generator, road: Road, ego_x_m: Floats, end_m: float
) -> list[Mover]:
    """Oncoming traffic, perhaps someone ahead, two-wheelers at the kerb, walkers."""
    num_frames = len(ego_x_m)
    seconds = np.arange(num_frames) * FRAME_S
    movers = []

    def add(solids: list[Solid], lateral_m: float, x_m: Floats, *, is_oncoming: bool) -> None:
        stacked = Solids.stack(solids, rng)
        movers.append(Mover(solids=stacked, lateral_m=lateral_m, x_m=x_m, is_oncoming=is_oncoming))

    oncoming_mps, step_m = rng.uniform(5.0, 12.0), rng.uniform(22.0, 80.0)
    start_m = rng.uniform(15.0, 40.0)
    while start_m < end_m + oncoming_mps * seconds[-1]:
        lane = rng.integers(road.lanes_per_direction) + 0.5
        way_m = start_m - oncoming_mps * seconds
        add(_random_vehicle(rng), road.lane_m * lane, way_m, is_oncoming=True)
        start_m += step_m * rng.uniform(0.6, 1.6) + 14.0
    ego_lane_m = -road.lane_m * (road.lanes_per_direction - 0.5)
    if rng.random() < 0.6:
        gap_m = rng.uniform(12.0, 40.0) + 2.0 * np.sin(seconds / 2.0)
        add(_random_vehicle(rng), ego_lane_m, ego_x_m + gap_m, is_oncoming=False)
    # Only where the ego car can pass at a distance.
    kerb_m = road.right_edge_m + 0.5
    if ego_lane_m - kerb_m > 1.9 and not road.parking_right_m and rng.random() < 0.8:
        for start in rng.uniform(10.0, end_m * 0.6, 2):
            way_m = start + rng.uniform(3.0, 5.0) * seconds
            add(objects.rider(rng), kerb_m, way_m, is_oncoming=False)
    for start in np.arange(rng.uniform(8.0, 30.0), end_m, rng.uniform(20.0, 60.0)):
        side, is_oncoming = int(rng.choice([1, -1])), bool(rng.random() < 0.5)
        lateral_m = side * (road.edge_m(side) + rng.uniform(0.7, 1.5))
        is_walking = rng.random() < 0.7
        speed_mps = 1.2 if is_walking else 3.5
        way_m = start + (-speed_mps if is_oncoming else speed_mps) * seconds
        someone = objects.person(rng) if is_walking else objects.rider(rng)
        add(someone, lateral_m, way_m, is_oncoming=is_oncoming)
    return movers


def _random_vehicle(rng: np.random.Generator) -> list[Solid]:
    kind = rng.random()
    if kind < 0.78:
        return objects.car(rng)
    return objects.truck(rng) if kind < 0.89 else objects.bus(rng)
