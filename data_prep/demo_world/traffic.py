"""What moves along a street, and what stands or goes close before the camera."""

import dataclasses
from collections.abc import Callable

import numpy as np

from data_prep.demo_world import furniture, people, vehicles
from data_prep.demo_world import houses_trees as plants
from data_prep.demo_world.cameras import Drive
from data_prep.demo_world.district import District
from data_prep.demo_world.placing import set_down
from data_prep.demo_world.road import Road
from data_prep.demo_world.solids import Floats, Solid, Solids, half_extents_m, moved

Maker = Callable[[np.random.Generator], list[Solid]]


@dataclasses.dataclass(frozen=True)
class Thing:
    """What may stand near.

    Attributes:
      name: For logs and tests.
      likely: Weight among the things.
      make: Builds it.
      turns_deg: How far it is turned from the road's direction at the most; half of all vehicles
        stand aslant.
      nearest_m: Of its near side from the camera.
    """

    name: str
    likely: float
    make: Maker
    turns_deg: tuple[float, float]
    nearest_m: float = 1.5


def _several(make: Maker, most: int, step_m: float) -> Maker:
    """A row of up to `most` of a thing across the road."""

    def row(rng: np.random.Generator) -> list[Solid]:
        count = int(rng.integers(1, most + 1))
        return [
            solid
            for i in range(count)
            for solid in moved(
                make(rng),
                x_m=float(rng.normal(0.0, 0.15)),
                y_m=(i - (count - 1) / 2) * step_m * float(rng.uniform(0.9, 1.2)),
            )
        ]

    return row


def _wall(rng: np.random.Generator) -> list[Solid]:
    length_m, height_m = rng.uniform(2.0, 8.0), rng.uniform(0.6, 2.8)
    kind = ("wall", "wall", "pickets", "mesh", "rails")[int(rng.integers(5))]
    return furniture.border(rng, kind, length_m=length_m, height_m=height_m)  # type: ignore[arg-type]


_ANY, _ALONG, _SQUARE = (0.0, 180.0), (0.0, 25.0), (60.0, 120.0)
THINGS = (
    Thing("car from behind", 4.0, vehicles.car, (0.0, 8.0), 2.0),
    Thing("car aslant", 3.0, vehicles.car, _ANY, 2.0),
    Thing("truck", 2.2, vehicles.truck, _ALONG, 2.5),
    Thing("bus", 1.6, vehicles.bus, _ALONG, 2.5),
    Thing("people", 4.5, _several(lambda rng: people.person(rng, is_walking=True), 4, 0.8), _ANY),
    Thing("child", 0.8, people.child, _ANY),
    Thing("pram", 1.4, people.pram, _ANY),
    Thing("wheelchair", 0.5, people.wheelchair, _ANY),
    Thing("dog", 1.2, people.dog, _ANY),
    Thing("cyclist", 2.2, people.cyclist, _ANY),
    Thing("motorcyclist", 1.0, people.motorcyclist, _ANY, 2.0),
    Thing("bicycles", 0.8, _several(people.bicycle, 4, 0.7), _ANY),
    Thing("motorcycle", 0.6, people.motorcycle, _ANY),
    Thing("bollards", 1.6, _several(furniture.bollard, 4, 1.4), _ALONG),
    Thing("cones", 0.8, _several(furniture.cone, 4, 1.6), _ALONG),
    Thing("barrier", 1.6, furniture.barrier, _SQUARE),
    Thing("concrete barriers", 1.0, furniture.concrete_barrier, _ANY),
    Thing("wall or fence", 1.8, _wall, _ANY),
    Thing("pole", 0.9, furniture.mast, _ANY),
    Thing("sign", 0.9, furniture.sign_post, (-100.0, -80.0)),
    Thing("boxes", 1.5, furniture.boxes, _ANY),
    Thing("bin or bench", 0.8, furniture.clutter, _ANY),
    Thing("tree", 0.4, lambda rng: plants.tree(rng, height_m=rng.uniform(4.0, 9.0)), _ANY),
    Thing("bush", 0.4, lambda rng: plants.bush(rng, radius_m=rng.uniform(0.4, 1.2)), _ANY),
)
_FARTHEST_M = 12.0


@dataclasses.dataclass(frozen=True, eq=False)
class Placed:
    """A thing with its place before the camera, in metres of the road's axes."""

    name: str
    solids: list[Solid]
    ahead_m: float
    aside_m: float
    turn_rad: float


def random_near(rng: np.random.Generator, *, is_low: bool = False) -> Placed:
    """Draws a thing whose near side is 1.5 to 12 m ahead, most likely in the camera's way.

    Before a small robot (`is_low`) it may be half as near.
    """
    weights = np.array([thing.likely for thing in THINGS])
    thing = THINGS[int(rng.choice(len(THINGS), p=weights / weights.sum()))]
    solids = thing.make(rng)
    turn = np.radians(rng.uniform(*thing.turns_deg)) * rng.choice([1.0, -1.0])
    nearest_m = thing.nearest_m * (0.5 if is_low else 1.0)
    near_m = float(np.exp(rng.uniform(np.log(nearest_m), np.log(_FARTHEST_M))))
    half_x, half_y = half_extents_m(solids)
    reach_m = half_x * abs(np.cos(turn)) + half_y * abs(np.sin(turn))
    return Placed(
        name=thing.name,
        solids=solids,
        ahead_m=near_m + reach_m,
        aside_m=float(rng.normal(0.0, 0.15 * near_m + 0.3)),
        turn_rad=float(turn),
    )


_WALKING_MPS, _CYCLING_MPS = 1.25, 4.0
_BONNET_M = 1.5  # a car that drives stops at least this much earlier
_NEAR = 0.5  # ours: chance that something stands or goes close before the camera
# A person crosses only where the recording car is at least this far before or past.
_CLEAR_BEFORE_M, _CLEAR_PAST_M = 6.0, 4.0


@dataclasses.dataclass(frozen=True, eq=False)
class Mover:
    """One moving object.

    Attributes:
      solids: In the object's own frame.
      x_m: `[frames]`, along the road; NaN where it is not there.
      lateral_m: `[frames]`, left of the road's centre line.
      turn_rad: From the road's direction to the object's.
    """

    solids: Solids
    x_m: Floats
    lateral_m: Floats
    turn_rad: float

    def at(self, road: Road, frame: int) -> Solids:
        """The object on the ground, in one frame in which it is there."""
        return set_down(
            self.solids,
            road,
            x_m=float(self.x_m[frame]),
            lateral_m=float(self.lateral_m[frame]),
            turn_rad=self.turn_rad,
        )


class Traffic:
    """Draws the movers of a street."""

    def __init__(
        self,
        road: Road,
        district: District,
        rng: np.random.Generator,
        *,
        drive: Drive,
        end_m: float,
        is_low: bool = False,
        is_snapshots: bool = False,
    ) -> None:
        """Remembers what all movers need.

        Args:
          road: Where they move.
          district: How many there are.
          rng: Draws them.
          drive: The recording car's way.
          end_m: x at which the street ends.
          is_low: Whether a small robot records, to which things come nearer.
          is_snapshots: Whether frames are so far apart that each has its own near things.
        """
        self.movers: list[Mover] = []
        self._road, self._district, self._rng = road, district, rng
        self._drive, self._ego_x_m, self._end_m = drive, drive.x_m, end_m
        self._seconds = drive.seconds
        self._is_low, self._is_snapshots = is_low, is_snapshots
        # Frame, x, lateral, half length and half width of what others keep clear of.
        ego = [np.arange(len(drive.x_m)), drive.x_m, drive.lateral_m]
        self._taken = [np.stack([*ego, *np.full((2, len(drive.x_m)), 0.8)], axis=-1)]

    def start(self) -> None:
        """Fills `movers`."""
        self._near()
        self._oncoming()
        self._ahead()
        self._beside()
        self._on_sidewalks()
        self._across()
        self._tram()

    def _add(
        self, solids: list[Solid], x_m: Floats, lateral_m: Floats | float, turn_rad: float
    ) -> bool:
        """Adds a mover where nothing is in its way; says whether that is anywhere."""
        lateral = np.broadcast_to(np.asarray(lateral_m, np.float64), x_m.shape)
        half_x, half_y = half_extents_m(solids)
        along = half_x * abs(np.cos(turn_rad)) + half_y * abs(np.sin(turn_rad))
        across = half_x * abs(np.sin(turn_rad)) + half_y * abs(np.cos(turn_rad))
        x_m = x_m.copy()
        for frame, at_m, aside_m, half_m, half_width_m in np.concatenate(self._taken):
            is_apart = (
                abs(x_m[int(frame)] - at_m) > along + half_m
                or abs(lateral[int(frame)] - aside_m) > across + half_width_m
            )
            if not is_apart:
                x_m[int(frame)] = np.nan
        # In a video nothing appears from nowhere.
        is_gone = np.isnan(x_m)
        is_anywhere = not (is_gone.all() if self._is_snapshots else is_gone.any())
        if is_anywhere:
            stacked = Solids.stack(solids, self._rng)
            self.movers.append(Mover(stacked, x_m, lateral, turn_rad))
        return is_anywhere

    def _near(self) -> None:
        """Things close before the camera: in most snapshots, else where the way ends."""
        count = len(self._ego_x_m)
        frames = range(count) if self._is_snapshots else [count - 1]
        for frame in frames:
            near = random_near(self._rng, is_low=self._is_low)
            if self._rng.random() > _NEAR:
                continue
            ahead_m = near.ahead_m + (0.0 if self._is_snapshots else _BONNET_M)
            forward = self._drive.T_world_from_rectified[frame, :3, 2]
            heading = float(self._road.heading_rad(self._ego_x_m[frame]))
            yaw = float(np.arctan2(forward[1], forward[0])) - heading
            at_m = self._ego_x_m[frame] + ahead_m * np.cos(yaw) - near.aside_m * np.sin(yaw)
            aside_m = ahead_m * np.sin(yaw) + near.aside_m * np.cos(yaw)
            lateral_m = self._drive.lateral_m[frame] + aside_m
            is_there = np.arange(count) == frame if self._is_snapshots else np.full(count, True)
            x_m = np.where(is_there, at_m, np.nan)
            if self._add(near.solids, x_m, lateral_m, near.turn_rad):
                half_m = max(half_extents_m(near.solids))
                taken = [(i, at_m, lateral_m, half_m, half_m) for i in np.flatnonzero(is_there)]
                self._taken.append(np.array(taken, np.float64))

    def _vehicle(self) -> list[Solid]:
        kind = self._rng.random()
        if kind < 0.84:
            return vehicles.car(self._rng)
        if kind < 0.89:
            return people.motorcyclist(self._rng)
        return vehicles.truck(self._rng) if kind < 0.95 else vehicles.bus(self._rng)

    def _oncoming(self) -> None:
        """One speed per lane, so that nobody runs into another."""
        rng, road = self._rng, self._road
        for lane in range(road.lanes_per_direction):
            speed_mps = rng.uniform(6.0, 14.0)
            step_m = rng.uniform(*self._district.traffic_step_m)
            start_m = rng.uniform(12.0, 60.0)
            while start_m < self._end_m + speed_mps * self._seconds[-1]:
                way_m = start_m - speed_mps * self._seconds
                self._add(self._vehicle(), way_m, road.lane_middle_m(lane), np.pi)
                start_m += step_m * rng.uniform(0.5, 1.6) + 14.0

    def _ahead(self) -> None:
        """Vehicles in the recording car's lane keep their distance from it; or a cyclist does."""
        rng, road = self._rng, self._road
        lane_m = -road.lane_middle_m(road.lanes_per_direction - 1)
        if rng.random() < self._district.ahead:
            gap_m = rng.uniform(7.0, 26.0)
            for _ in range(int(rng.integers(1, 4))):
                vehicle = self._vehicle()
                half_m = half_extents_m(vehicle)[0]
                sway_m = 1.5 * np.sin(self._seconds / 2.0 + rng.uniform(0.0, 6.3))
                gap_m += half_m + 2.0
                self._add(vehicle, self._ego_x_m + gap_m + sway_m, lane_m, 0.0)
                gap_m += half_m + rng.uniform(5.0, 28.0)
        elif (
            rng.random() < 0.35
            and road.right_edge_m + road.half_lanes_m > -1.3
            and self._district.lamps > 0.5
        ):
            way_m = self._ego_x_m + rng.uniform(8.0, 20.0)
            self._add(people.cyclist(rng), way_m, road.right_edge_m + 0.6, 0.0)

    def _beside(self) -> None:
        """Vehicles in the inner lane."""
        rng, road = self._rng, self._road
        if road.lanes_per_direction < 2:
            return
        seconds = max(float(self._seconds[-1] - self._seconds[0]), 1e-3)
        mean_mps = float(self._ego_x_m[-1] - self._ego_x_m[0]) / seconds
        speed_mps = max(mean_mps, 3.0) * rng.uniform(0.9, 1.4)
        start_m = rng.uniform(-15.0, 25.0)
        while start_m < self._end_m:
            way_m = start_m + speed_mps * self._seconds
            self._add(self._vehicle(), way_m, -road.lane_middle_m(0), 0.0)
            start_m += 14.0 + rng.uniform(*self._district.traffic_step_m)

    def _on_sidewalks(self) -> None:
        """Walkers and, more seldom, cyclists."""
        rng, road = self._rng, self._road
        if road.sidewalk_m <= road.verge_m:
            return
        x_m = rng.uniform(4.0, self._district.people_step_m[1])
        while x_m < self._end_m:
            side, is_back = int(rng.choice([1, -1])), bool(rng.random() < 0.5)
            near_m, far_m = road.verge_m + 0.9, road.sidewalk_m - 0.7
            lateral_m = side * (road.edge_m(side) + rng.uniform(near_m, max(near_m, far_m)))
            is_walking = rng.random() < 0.72
            someone = people.person(rng, is_walking=True) if is_walking else people.cyclist(rng)
            speed_mps = (_WALKING_MPS if is_walking else _CYCLING_MPS) * rng.uniform(0.8, 1.2)
            way_m = x_m + (-speed_mps if is_back else speed_mps) * self._seconds
            self._add(someone, way_m, lateral_m, np.pi * is_back)
            x_m += rng.uniform(*self._district.people_step_m)

    def _across(self) -> None:
        """People who cross the road, where the recording car leaves them time."""
        rng, road = self._rng, self._road
        if self._district.people_step_m[0] > 30.0:
            return
        for x_m in rng.uniform(8.0, self._end_m - 60.0, 5):
            side = int(rng.choice([1, -1]))
            start = side * (road.edge_m(side) + rng.uniform(-4.0, 4.0))
            lateral_m = start - side * _WALKING_MPS * self._seconds
            is_near = np.abs(lateral_m + road.lane_middle_m(road.lanes_per_direction - 1)) < 3.0
            ahead_m = x_m - self._ego_x_m[is_near]
            if np.all((ahead_m > _CLEAR_BEFORE_M) | (ahead_m < -_CLEAR_PAST_M)):
                way_m = np.full(len(self._seconds), x_m)
                self._add(people.person(rng, is_walking=True), way_m, lateral_m, -side * np.pi / 2)

    def _tram(self) -> None:
        rng = self._rng
        if not self._road.has_track:
            return
        speed_mps = rng.uniform(5.0, 12.0)
        is_oncoming = rng.random() < 0.6
        start_m = rng.uniform(35.0, 110.0) if is_oncoming else rng.uniform(20.0, 60.0)
        way_m = start_m + (-speed_mps if is_oncoming else speed_mps) * self._seconds
        self._add(vehicles.tram(rng), way_m, 0.0, np.pi * is_oncoming)
