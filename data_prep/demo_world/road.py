"""The ground: a gently winding road with lanes, sidewalks and verges, and side streets."""

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.shapes import Floats


@dataclasses.dataclass(frozen=True, kw_only=True)
class Road:
    """The ground's layout, a function of world x and y.

    The road runs along x; `lateral` is the distance to the left of its centre line. Its wave is
    long against its width, so distances across it are exact to a few centimetres.

    Args:
      lane_m: Width of one lane.
      lanes_per_direction: 1 or 2.
      parking_left_m: Width of the parking strip on the left, 0 = none.
      parking_right_m: The same on the right.
      sidewalk_m: Width of the sidewalks.
      garden_m: Strip of terrain between sidewalk and house fronts, 0 = none.
      wave_m: Amplitude of the centre line.
      wave_length_m: Its period.
      wave_phase_rad: Its phase.
      crossings_x_m: Where side streets cross.
      crossing_half_m: Half their width.
    """

    lane_m: float
    lanes_per_direction: int
    parking_left_m: float
    parking_right_m: float
    sidewalk_m: float
    garden_m: float
    wave_m: float
    wave_length_m: float
    wave_phase_rad: float
    crossings_x_m: tuple[float, ...]
    crossing_half_m: float

    @property
    def half_lanes_m(self) -> float:
        """Half the width of all lanes."""
        return self.lane_m * self.lanes_per_direction

    @property
    def left_edge_m(self) -> float:
        """Lateral of the left kerb."""
        return self.half_lanes_m + self.parking_left_m

    @property
    def right_edge_m(self) -> float:
        """Lateral of the right kerb; negative."""
        return -self.half_lanes_m - self.parking_right_m

    def edge_m(self, side: int) -> float:
        """Distance of a kerb from the centre line; side is +1 (left) or -1."""
        return self.left_edge_m if side > 0 else -self.right_edge_m

    def centre_y_m(self, x_m: Floats | float) -> Floats:
        """The centre line."""
        return self.wave_m * np.sin(self._angle(x_m))

    def heading_rad(self, x_m: Floats | float) -> Floats:
        """Direction of the centre line, from x towards y."""
        rate = 2 * np.pi / self.wave_length_m
        return np.arctan(self.wave_m * rate * np.cos(self._angle(x_m)))

    def place(self, x_m: float, lateral_m: float) -> tuple[float, float, float]:
        """World x, y and heading of a point beside the centre line's point at `x_m`."""
        heading = float(self.heading_rad(x_m))
        return (
            x_m - lateral_m * float(np.sin(heading)),
            float(self.centre_y_m(x_m)) + lateral_m * float(np.cos(heading)),
            heading,
        )

    def lateral_m(self, x_m: Floats, y_m: Floats) -> Floats:
        """Distance left of the centre line."""
        return (y_m - self.centre_y_m(x_m)) * np.cos(self.heading_rad(x_m))

    def crossing_distance_m(self, x_m: Floats) -> Floats:
        """Distance along x to the middle of the nearest side street."""
        if not self.crossings_x_m:
            return np.full(np.shape(x_m), 1e3, np.float32)
        middles = np.array(self.crossings_x_m, np.float32)
        nearest = np.searchsorted((middles[1:] + middles[:-1]) / 2, x_m)
        return np.abs(x_m - middles[nearest])

    def is_crossing(self, start_m: float, end_m: float) -> bool:
        """Whether a side street with its sidewalks touches this stretch."""
        reach_m = self.crossing_half_m + self.sidewalk_m
        return any(start_m - reach_m < x < end_m + reach_m for x in self.crossings_x_m)

    def _angle(self, x_m: Floats | float) -> Floats:
        return np.asarray(x_m * (2 * np.pi / self.wave_length_m) + self.wave_phase_rad)


def random_road(rng: np.random.Generator, *, length_m: float) -> Road:
    """Draws a road; widths and strips differ as much as in KITTI's streets."""
    crossing_half_m = rng.uniform(3.0, 5.0)
    crossings, x_m = [], rng.uniform(10.0, 90.0)
    while x_m < length_m:
        crossings.append(float(x_m))
        x_m += rng.uniform(70.0, 180.0)
    return Road(
        lane_m=rng.uniform(2.9, 3.7),
        lanes_per_direction=2 if rng.random() < 0.25 else 1,
        parking_left_m=2.2 if rng.random() < 0.6 else 0.0,
        parking_right_m=2.2 if rng.random() < 0.6 else 0.0,
        sidewalk_m=rng.uniform(1.5, 3.5),
        garden_m=rng.uniform(2.0, 8.0) if rng.random() < 0.6 else 0.0,
        wave_m=rng.uniform(0.0, 9.0),
        wave_length_m=rng.uniform(180.0, 400.0),
        wave_phase_rad=rng.uniform(0.0, 2 * np.pi),
        crossings_x_m=tuple(crossings),
        crossing_half_m=crossing_half_m,
    )


# What the ground is at a point, before it is painted.
ROAD, SIDEWALK, TERRAIN = 0, 1, 2


def ground_kind(road: Road, x_m: Floats, y_m: Floats) -> npt.NDArray[np.uint8]:
    """`ROAD`, `SIDEWALK` or `TERRAIN` at each point."""
    lateral_m = road.lateral_m(x_m, y_m)
    beyond_m = np.maximum(lateral_m - road.left_edge_m, road.right_edge_m - lateral_m)
    side_m = road.crossing_distance_m(x_m) - road.crossing_half_m
    is_road = (beyond_m < 0) | (side_m < 0)
    is_sidewalk = (beyond_m < road.sidewalk_m) | (side_m < road.sidewalk_m)
    return np.where(is_road, ROAD, np.where(is_sidewalk, SIDEWALK, TERRAIN)).astype(np.uint8)
