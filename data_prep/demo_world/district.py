"""What kind of place a street runs through, and its road."""

import dataclasses
from typing import Literal

import numpy as np

from data_prep.demo_world.furniture import BorderKind
from data_prep.demo_world.houses_trees import HouseKind
from data_prep.demo_world.road import GroundLook, Road, random_terrain
from data_prep.demo_world.solids import Vector
from data_prep.demo_world.variety import Variety

PARKING_M = 2.2
ACROSS_M = 4.0  # cars stand across a parking strip of this width and more

Range = tuple[float, float]
Roadside = Literal["none", "delineators", "guard rail"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class District:
    """Ranges and chances that a street's parts are drawn from; lengths in metres.

    Attributes:
      name: For logs and tests.
      likely: Weight among the districts.
      lane_m: Width of a lane.
      two_lanes: Chance of two lanes per direction.
      parking: Chance of a parking strip or a paved shoulder on the left; on the right it is
        0.6 times that.
      strip_m: Width of a parking strip; cars stand across one of 4 m and more.
      shoulder_m: Width of the asphalt between the outer lane and the kerb where no parking
        strip is.
      median_m: Width of a median; (0, 0) = none.
      track: Chance that a tram runs in the median.
      sidewalk_m: Width of the sidewalks with their verges; (0, 0) = a verge without sidewalk.
      verge_m: Width of the verges.
      garden_m: Between sidewalk and houses.
      wave_m: Amplitude of the road's bends.
      crossing_step_m: Between side streets.
      marks: Chance that lanes are marked.
      zebras: Chance of zebra crossings.
      signals: Chance of traffic lights at each junction.
      houses: Kinds of houses to draw from.
      built: How much of the front is built on.
      storeys: Usual number.
      shops: Chance that a terrace house has a shop.
      street_trees: Chance of a tree at each place for one.
      garden_trees: Trees per 10 m of front behind it.
      thicket: How much of the roadside is overgrown.
      borders: Kinds of borders to draw from.
      bordered: How much of the front has one.
      parked: How full the parking strips are.
      people_step_m: Between people at the kerb.
      lamps: Chance that the street is lit.
      signs_step_m: Between signs.
      roadside: What lines a road without kerbs.
      traffic_step_m: Between oncoming vehicles.
      ahead: Chance of a vehicle ahead.
    """

    name: str
    likely: float
    lane_m: Range
    two_lanes: float = 0.0
    parking: float = 0.0
    strip_m: float = PARKING_M
    shoulder_m: Range = (0.2, 1.0)
    median_m: Range = (0.0, 0.0)
    track: float = 0.0
    sidewalk_m: Range
    verge_m: Range = (0.0, 0.0)
    garden_m: Range = (0.0, 0.0)
    wave_m: Range
    crossing_step_m: Range
    marks: float
    zebras: float = 0.0
    signals: float = 0.0
    houses: tuple[HouseKind, ...]
    built: Range
    storeys: Range = (2.0, 3.0)
    shops: float = 0.0
    street_trees: Range
    garden_trees: Range
    thicket: Range
    borders: tuple[BorderKind, ...] = ("hedge",)
    bordered: Range = (0.0, 0.0)
    parked: Range = (0.1, 0.85)
    people_step_m: Range
    lamps: float
    signs_step_m: Range
    roadside: Roadside = "none"
    traffic_step_m: Range
    ahead: float = 0.5


DISTRICTS = (
    District(
        name="city", likely=0.09, lane_m=(3.1, 3.6), two_lanes=0.35, parking=0.7,
        sidewalk_m=(2.5, 4.5), wave_m=(0.0, 4.0), crossing_step_m=(60.0, 110.0), marks=0.7,
        zebras=0.6, signals=0.8, houses=("terrace", "terrace", "block"), built=(0.85, 1.0),
        storeys=(3.0, 5.5), shops=0.45, street_trees=(0.1, 0.8), garden_trees=(0.0, 0.3),
        thicket=(0.0, 0.0), people_step_m=(8.0, 22.0), lamps=0.9, signs_step_m=(14.0, 24.0),
        traffic_step_m=(38.0, 119.0), ahead=0.6,
    ),
    District(
        name="avenue", likely=0.28, lane_m=(3.4, 4.0), two_lanes=0.85, parking=0.6,
        median_m=(1.5, 7.5), track=0.6, sidewalk_m=(3.5, 6.0), verge_m=(1.2, 2.6),
        garden_m=(5.0, 22.0), wave_m=(0.0, 4.0), crossing_step_m=(60.0, 120.0), marks=1.0,
        zebras=0.4, signals=0.9, houses=("block", "terrace", "hall"), built=(0.05, 0.55),
        storeys=(2.0, 5.0), shops=0.15, street_trees=(0.4, 0.95), garden_trees=(0.8, 2.4),
        thicket=(0.0, 0.8), borders=("hedge", "mesh", "wall"), bordered=(0.0, 0.4),
        parked=(0.0, 0.4), people_step_m=(15.0, 50.0), lamps=1.0, signs_step_m=(16.0, 30.0),
        traffic_step_m=(22.0, 85.0), ahead=0.65,
    ),
    District(
        name="suburb", likely=0.12, lane_m=(2.9, 3.4), parking=0.6, sidewalk_m=(1.5, 2.6),
        garden_m=(3.0, 8.0), wave_m=(0.0, 5.0), crossing_step_m=(60.0, 130.0), marks=0.25,
        zebras=0.1, houses=("detached", "detached", "terrace"), built=(0.35, 0.8),
        storeys=(1.6, 2.8), street_trees=(0.05, 0.5), garden_trees=(1.0, 2.4),
        thicket=(0.0, 0.25), borders=("hedge", "hedge", "pickets", "wall", "mesh"),
        bordered=(0.5, 0.9), parked=(0.1, 0.75), people_step_m=(20.0, 60.0), lamps=0.8,
        signs_step_m=(25.0, 50.0), traffic_step_m=(75.0, 238.0), ahead=0.35,
    ),
    District(
        name="village", likely=0.05, lane_m=(2.9, 3.5), sidewalk_m=(1.2, 2.0),
        garden_m=(1.5, 6.0), wave_m=(2.0, 12.0), crossing_step_m=(90.0, 200.0), marks=0.5,
        houses=("detached", "barn", "terrace"), built=(0.35, 0.75), storeys=(1.5, 2.5),
        street_trees=(0.0, 0.3), garden_trees=(1.0, 2.4), thicket=(0.0, 0.4),
        borders=("wall", "pickets", "rails", "hedge"), bordered=(0.4, 0.8),
        people_step_m=(30.0, 80.0), lamps=0.6, signs_step_m=(30.0, 60.0),
        traffic_step_m=(90.0, 272.0), ahead=0.4,
    ),
    District(
        name="country", likely=0.17, lane_m=(3.3, 4.1), parking=0.5, sidewalk_m=(0.0, 0.0),
        verge_m=(0.8, 1.8), shoulder_m=(0.3, 1.2),
        garden_m=(4.0, 10.0), wave_m=(0.0, 14.0),
        crossing_step_m=(150.0, 400.0), marks=0.95, houses=("barn", "detached"),
        built=(0.0, 0.08), storeys=(1.5, 2.0), street_trees=(0.0, 0.5), garden_trees=(0.3, 2.0),
        thicket=(0.2, 0.9), borders=("rails", "mesh"), bordered=(0.0, 0.3),
        parked=(0.0, 0.01), people_step_m=(120.0, 300.0), lamps=0.1, signs_step_m=(30.0, 70.0),
        roadside="delineators", traffic_step_m=(52.0, 221.0), ahead=0.5,
    ),
    District(
        name="forest", likely=0.13, lane_m=(3.1, 3.8), sidewalk_m=(0.0, 0.0),
        verge_m=(0.8, 2.0), shoulder_m=(0.3, 1.2), garden_m=(0.0, 2.0), wave_m=(0.0, 12.0),
        crossing_step_m=(200.0, 500.0), marks=0.9, houses=("barn",), built=(0.0, 0.0),
        street_trees=(0.3, 0.8), garden_trees=(2.0, 3.5), thicket=(0.6, 1.0),
        people_step_m=(150.0, 400.0), lamps=0.15, signs_step_m=(40.0, 80.0),
        roadside="delineators", traffic_step_m=(52.0, 187.0), ahead=0.55,
    ),
    District(
        name="arterial", likely=0.16, lane_m=(3.5, 3.9), two_lanes=1.0, parking=0.7,
        parked=(0.0, 0.01), median_m=(1.5, 4.0), sidewalk_m=(0.0, 0.0),
        verge_m=(1.2, 2.4), shoulder_m=(0.6, 1.8), garden_m=(6.0, 14.0), wave_m=(0.0, 5.0),
        crossing_step_m=(120.0, 350.0), marks=1.0, signals=1.0, houses=("hall", "block"),
        built=(0.0, 0.3), storeys=(2.0, 4.0), street_trees=(0.0, 0.35), garden_trees=(0.6, 2.2),
        thicket=(0.3, 1.0), borders=("wall", "mesh"), bordered=(0.0, 0.35),
        people_step_m=(400.0, 900.0), lamps=0.5, signs_step_m=(40.0, 70.0),
        roadside="guard rail", traffic_step_m=(21.0, 68.0), ahead=0.75,
    ),
    District(
        name="car park", likely=0.05, lane_m=(2.6, 3.2), parking=1.7, strip_m=5.0,
        sidewalk_m=(1.0, 2.5), garden_m=(2.0, 12.0), wave_m=(0.0, 1.0),
        crossing_step_m=(30.0, 70.0), marks=0.3, zebras=0.2, houses=("hall", "block"),
        built=(0.1, 0.6), storeys=(1.5, 4.0), shops=0.4, street_trees=(0.0, 0.5),
        garden_trees=(0.3, 1.6), thicket=(0.0, 0.3), borders=("hedge", "mesh", "wall"),
        bordered=(0.1, 0.6), parked=(0.3, 0.95), people_step_m=(10.0, 30.0), lamps=0.9,
        signs_step_m=(20.0, 40.0), traffic_step_m=(40.0, 150.0), ahead=0.4,
    ),
)  # fmt: skip

_PAVINGS: tuple[Vector, ...] = ((0.21, 0.205, 0.195), (0.18, 0.17, 0.16), (0.20, 0.165, 0.15))
_GRASSES: tuple[Vector, ...] = ((0.08, 0.11, 0.035), (0.10, 0.125, 0.045), (0.065, 0.09, 0.03))
_DRY_GRASSES: tuple[Vector, ...] = ((0.19, 0.16, 0.085), (0.15, 0.115, 0.07))
_HALF_CROSSING_M = (2.8, 4.6)


def random_district(rng: np.random.Generator) -> District:
    """Draws a district."""
    weights = np.array([district.likely for district in DISTRICTS])
    return DISTRICTS[int(rng.choice(len(DISTRICTS), p=weights / weights.sum()))]


def random_road(
    rng: np.random.Generator, district: District, *, length_m: float, variety: Variety
) -> Road:
    """Draws a district's road."""
    crossings, x_m = [], rng.uniform(15.0, district.crossing_step_m[1])
    while x_m < length_m:
        crossings.append(float(x_m))
        x_m += rng.uniform(*district.crossing_step_m)
    verge_m, walk_m = rng.uniform(*district.verge_m), rng.uniform(*district.sidewalk_m)
    has_walk = walk_m > 0
    median_m = rng.uniform(*district.median_m)
    is_wide = rng.random() < district.two_lanes
    return Road(
        lane_m=rng.uniform(*district.lane_m),
        lanes_per_direction=2 if is_wide else 1,
        median_m=median_m,
        has_track=median_m > 3.2 and rng.random() < district.track,
        parking_left_m=_strip_m(rng, district, district.parking),
        parking_right_m=_strip_m(rng, district, 0.6 * district.parking),
        kerb_m=rng.uniform(0.08, 0.15) if has_walk else 0.02,
        verge_m=verge_m,
        # Without a sidewalk there is a strip of level grass only.
        sidewalk_m=max(walk_m, verge_m),
        garden_m=rng.uniform(*district.garden_m),
        wave_m=rng.uniform(*district.wave_m) * (1.0 - variety.straightness),
        wave_length_m=rng.uniform(180.0, 400.0),
        wave_phase_rad=rng.uniform(0.0, 2 * np.pi),
        crossings_x_m=tuple(crossings),
        crossing_half_m=rng.uniform(*_HALF_CROSSING_M) * (1.6 if is_wide else 1.0),
        terrain=random_terrain(rng, road_end_m=length_m),
        look=_random_look(rng, district, variety),
    )


def _strip_m(rng: np.random.Generator, district: District, parking: float) -> float:
    return district.strip_m if rng.random() < parking else rng.uniform(*district.shoulder_m)


def _random_look(rng: np.random.Generator, district: District, variety: Variety) -> GroundLook:
    return GroundLook(
        asphalt=variety.asphalt,
        asphalt_grain=variety.asphalt_grain,
        asphalt_warmth=variety.asphalt_warmth,
        cobbles_m=variety.cobbles,
        mark_wear=variety.mark_wear,
        mark_yellow=variety.mark_yellow,
        paving=_PAVINGS[int(rng.integers(len(_PAVINGS)))],
        grass=_GRASSES[int(rng.integers(len(_GRASSES)))],
        dry_grass=_DRY_GRASSES[int(rng.integers(len(_DRY_GRASSES)))],
        dry_share=rng.uniform(0.0, 0.8),
        leaves=rng.uniform(0.1, 0.6) if rng.random() < 0.5 else 0.0,
        has_marks=bool(rng.random() < district.marks),
        has_zebras=bool(rng.random() < district.zebras),
    )
