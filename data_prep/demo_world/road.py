"""The ground: a winding road with lanes, sidewalks, verges, side streets; the lie of the land."""

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.solids import Floats, Vector

KERB_FACE_M = 0.02  # the kerb rises over this width, so that heights stay a function of x and y
_STEEPEST = (0.038, 0.012)  # grades of the profile's long and short wave: 5 % together


@dataclasses.dataclass(frozen=True, kw_only=True)
class Terrain:
    """Heights of the ground.

    Attributes:
      wave_m: Amplitudes of the profile's two waves along the road.
      wave_length_m: Their periods.
      wave_phase_rad: Their phases.
      bank_m: How far the ground rises (or falls) beyond the left and the right sidewalk.
      bank_width_m: Over which distance.
      swell_m: Amplitude of the ground's own waves away from the road.
      hill_m: Height of the hills that close the view.
      road_end_m: x of the road's far end.
    """

    wave_m: tuple[float, float]
    wave_length_m: tuple[float, float]
    wave_phase_rad: tuple[float, float]
    bank_m: tuple[float, float]
    bank_width_m: float
    swell_m: float
    hill_m: float
    road_end_m: float

    def profile_m(self, x_m: Floats | float) -> Floats:
        """Height of the road."""
        return sum(
            amplitude * np.sin(np.asarray(x_m) * (2 * np.pi / length) + phase)
            for amplitude, length, phase in self._waves()
        ) + np.zeros(np.shape(x_m))

    def grade(self, x_m: Floats | float) -> Floats:
        """Slope of the road, metres up per metre along x."""
        return sum(
            amplitude * (2 * np.pi / length) * np.cos(np.asarray(x_m) * 2 * np.pi / length + phase)
            for amplitude, length, phase in self._waves()
        ) + np.zeros(np.shape(x_m))

    def beside_m(
        self, x_m: Floats, y_m: Floats, *, is_left: npt.NDArray[np.bool_], off_walk_m: Floats
    ) -> Floats:
        """Height above the profile of ground that is no street.

        Args:
          x_m: World x.
          y_m: World y.
          is_left: Whether the point is left of the road.
          off_walk_m: Distance from the nearest sidewalk; 0 or less on it.
        """
        bank_m = np.where(is_left, *self.bank_m)
        swell_m = self.swell_m * np.sin(x_m / 9.1 + np.sin(y_m / 6.3)) * np.sin(y_m / 7.7)
        share = _smooth_step(off_walk_m / self.bank_width_m)
        return bank_m * share + swell_m * _smooth_step(off_walk_m / 8.0)

    def hills_m(self, x_m: Floats, y_m: Floats) -> Floats:
        """What the distant ground rises above all else."""
        away = np.maximum((np.abs(y_m) - 120.0) / 350.0, (x_m - self.road_end_m - 80.0) / 400.0)
        crest = 0.65 + 0.35 * np.sin(x_m / 83.0 + y_m / 61.0) * np.cos(x_m / 47.0 - y_m / 97.0)
        return self.hill_m * crest * _smooth_step(away)

    def _waves(self) -> list[tuple[float, float, float]]:
        return list(zip(self.wave_m, self.wave_length_m, self.wave_phase_rad, strict=True))


def random_terrain(rng: np.random.Generator, *, road_end_m: float) -> Terrain:
    """Draws anything from a plain to a road of 5 % through a cutting."""
    lengths_m = (rng.uniform(200.0, 500.0), rng.uniform(60.0, 120.0))
    # Squares and cubes: most streets are nearly level, and what closes their view is no hill.
    grades = (_STEEPEST[0] * rng.random() ** 2, _STEEPEST[1] * rng.random() ** 2)
    return Terrain(
        wave_m=(
            grades[0] * lengths_m[0] / (2 * np.pi),
            grades[1] * lengths_m[1] / (2 * np.pi),
        ),
        wave_length_m=lengths_m,
        wave_phase_rad=(rng.uniform(0.0, 2 * np.pi), rng.uniform(0.0, 2 * np.pi)),
        bank_m=(rng.uniform(-1.5, 2.5), rng.uniform(-1.5, 2.5)),
        bank_width_m=rng.uniform(18.0, 40.0),
        swell_m=rng.uniform(0.05, 0.3),
        hill_m=30.0 * rng.random() ** 3,
        road_end_m=road_end_m,
    )


def _smooth_step(value: Floats) -> Floats:
    share = np.clip(value, 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroundLook:
    """How a street's ground is coloured and marked.

    Attributes:
      asphalt: Reflectance of the road, the mean over colours.
      asphalt_grain: Strength of its stains and patches.
      asphalt_warmth: Logarithm of its red over its blue.
      cobbles_m: Length of the stones that pave the road, 0 = asphalt.
      mark_wear: 0..1, share of the marks' paint that is gone.
      mark_yellow: 0 is white paint, 1 yellow.
      paving: Colour of the sidewalks.
      grass: Colour of the terrain.
      dry_grass: Colour that parts of the terrain have instead.
      dry_share: 0..1, how much of it.
      leaves: 0..1, how many fallen leaves lie about.
      has_marks: Whether lanes are marked.
      has_zebras: Whether side streets have pedestrian crossings beside them.
    """

    asphalt: float
    asphalt_grain: float
    asphalt_warmth: float
    cobbles_m: float
    mark_wear: float
    mark_yellow: float
    paving: Vector
    grass: Vector
    dry_grass: Vector
    dry_share: float
    leaves: float
    has_marks: bool
    has_zebras: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Road:
    """The ground's layout, a function of world x and y.

    The road runs along x; `lateral` is the distance to the left of its centre line. Its wave is
    long against its width, so distances across it are exact to a few centimetres.

    Attributes:
      lane_m: Width of one lane.
      lanes_per_direction: 1 or 2.
      median_m: Width of the strip of terrain between the directions, 0 = none.
      has_track: Whether a tram's track runs in the median.
      parking_left_m: Width of the parking strip or shoulder on the left.
      parking_right_m: The same on the right.
      kerb_m: Height of the kerbs; next to nothing on a country road.
      verge_m: Strip of terrain between kerb and sidewalk.
      sidewalk_m: Width of the sidewalks with their verges; where both are equal there is only
        the verge.
      garden_m: Strip of terrain between sidewalk and house fronts, 0 = none.
      wave_m: Amplitude of the centre line.
      wave_length_m: Its period.
      wave_phase_rad: Its phase.
      crossings_x_m: Where side streets cross.
      crossing_half_m: Half their width.
      terrain: Heights.
      look: Colours and marks.
    """

    lane_m: float
    lanes_per_direction: int
    median_m: float
    has_track: bool
    parking_left_m: float
    parking_right_m: float
    kerb_m: float
    verge_m: float
    sidewalk_m: float
    garden_m: float
    wave_m: float
    wave_length_m: float
    wave_phase_rad: float
    crossings_x_m: tuple[float, ...]
    crossing_half_m: float
    terrain: Terrain
    look: GroundLook

    @property
    def half_lanes_m(self) -> float:
        """Half the width of all lanes with the median."""
        return self.median_m / 2 + self.lane_m * self.lanes_per_direction

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

    def lane_middle_m(self, number: int) -> float:
        """Distance of a lane's middle from the centre line; lane 0 is the inner one."""
        return self.median_m / 2 + self.lane_m * (number + 0.5)

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

    def crossing_offset_m(self, x_m: Floats) -> Floats:
        """How far along x the nearest side street's middle was passed; negative before it."""
        if not self.crossings_x_m:
            return np.full(np.shape(x_m), 1e3, np.float32)
        middles = np.array(self.crossings_x_m, np.result_type(x_m, np.float32))
        nearest = np.searchsorted((middles[1:] + middles[:-1]) / 2, x_m)
        return x_m - middles[nearest]

    def crossing_distance_m(self, x_m: Floats) -> Floats:
        """Distance along x to the middle of the nearest side street."""
        return np.abs(self.crossing_offset_m(x_m))

    def height_m(self, x_m: Floats | float, y_m: Floats | float) -> Floats:
        """Height of the ground at world (x, y); shapes broadcast.

        The road rises and falls by up to 5 %, sidewalks lie a kerb higher, the ground beyond them
        rises by up to 3.5 m or falls by up to 1.5 m within 18 to 40 m, and hills close the view.
        """
        x, y = np.asarray(x_m, np.float64), np.asarray(y_m, np.float64)
        lateral_m = self.lateral_m(x, y)
        beyond_m = np.maximum(lateral_m - self.left_edge_m, self.right_edge_m - lateral_m)
        off_road_m = np.minimum(beyond_m, self.crossing_distance_m(x) - self.crossing_half_m)
        kerb_m = self.kerb_m * np.clip(off_road_m / KERB_FACE_M, 0.0, 1.0)
        beside_m = self.terrain.beside_m(
            x, y, is_left=lateral_m > 0, off_walk_m=off_road_m - self.sidewalk_m
        )
        return self.terrain.profile_m(x) + kerb_m + beside_m + self.terrain.hills_m(x, y)

    def is_crossing(self, start_m: float, end_m: float) -> bool:
        """Whether a side street with its sidewalks touches this stretch."""
        reach_m = self.crossing_half_m + self.sidewalk_m
        return any(start_m - reach_m < x < end_m + reach_m for x in self.crossings_x_m)

    def _angle(self, x_m: Floats | float) -> Floats:
        return np.asarray(x_m * (2 * np.pi / self.wave_length_m) + self.wave_phase_rad)


# What the ground is at a point, before it is painted.
ROAD, SIDEWALK, TERRAIN = 0, 1, 2
# A median ends this far before a side street.
_MEDIAN_GAP_M = 3.0


def ground_kind(road: Road, x_m: Floats, y_m: Floats) -> npt.NDArray[np.uint8]:
    """`ROAD`, `SIDEWALK` or `TERRAIN` at each point."""
    lateral_m = road.lateral_m(x_m, y_m)
    beyond_m = np.maximum(lateral_m - road.left_edge_m, road.right_edge_m - lateral_m)
    side_m = road.crossing_distance_m(x_m) - road.crossing_half_m
    is_median = (np.abs(lateral_m) < road.median_m / 2) & (side_m > _MEDIAN_GAP_M)
    is_road = ((beyond_m < 0) | (side_m < 0)) & ~is_median
    is_verge = np.minimum(beyond_m, side_m) < road.verge_m
    is_walk = ((beyond_m < road.sidewalk_m) | (side_m < road.sidewalk_m)) & ~is_verge & ~is_median
    return np.where(is_road, ROAD, np.where(is_walk, SIDEWALK, TERRAIN)).astype(np.uint8)
