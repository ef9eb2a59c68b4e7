"""The ground: a gently winding road with lanes, sidewalks and verges, and side streets."""

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.shapes import Floats, Vector
from data_prep.demo_world.terrain import KERB_FACE_M, Terrain


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroundLook:
    """How a street's ground is coloured and marked.

    Attributes:
      asphalt: Reflectance of the road, the mean over colours.
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

    Args:
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
