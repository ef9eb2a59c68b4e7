"""What a demo world's streets hold: every class, on the ground, out of the car's way."""

import collections
import dataclasses
import functools

import numpy as np
import pytest

from data_prep.demo_world import vehicles
from data_prep.demo_world.district import DISTRICTS, random_district, random_road
from data_prep.demo_world.houses_trees import house, house_size
from data_prep.demo_world.paint import glass, ground, reflectance
from data_prep.demo_world.road import ROAD, SIDEWALK, Road, ground_kind
from data_prep.demo_world.scene import Street, random_street
from data_prep.demo_world.solids import TRAIN_ID, UNSCORED, Pattern, Shape, Solid, Solids
from data_prep.demo_world.texture import WAVELENGTHS_M, Surface, cell_value, fractal_noise
from data_prep.demo_world.variety import random_variety
from mtdepth.datasets.label_map import CLASS_NAMES

NUM_FRAMES = 30
DAILY = range(8)  # every district once
SEEDS = [*DAILY, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 24))]
VARIETY = dataclasses.replace(
    random_variety(np.random.default_rng(0), "demo"), mark_wear=0.0, mark_yellow=0.0, cobbles=0.0
)
# Road, sidewalk, terrain and sky are no solids.
OF_GROUND_AND_SKY = {"road", "sidewalk", "terrain", "sky"}
VEHICLES = [TRAIN_ID[name] for name in ("car", "truck", "bus", "train", "motorcycle", "bicycle")]
CLEARANCE_M = (1.0, 0.25)  # half width of the car with its cameras; how far they look ahead


@functools.cache
def street_of(seed: int) -> Street:
    """Seed by seed through all districts."""
    district = DISTRICTS[seed % len(DISTRICTS)]
    return random_street(np.random.default_rng(seed), num_frames=NUM_FRAMES, district=district)


def corners_m(solids: Solids) -> np.ndarray:
    """Oracle: the lower corners `[n, 4, 3]` of the boxes around the solids, and their middles."""
    signs = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)])
    local = solids.half_m[:, None, :2] * signs
    cosine, sine = np.cos(solids.yaw_rad)[:, None], np.sin(solids.yaw_rad)[:, None]
    x = solids.centre_m[:, 0, None] + cosine * local[..., 0] - sine * local[..., 1]
    y = solids.centre_m[:, 1, None] + sine * local[..., 0] + cosine * local[..., 1]
    z = np.broadcast_to((solids.centre_m - solids.half_m)[:, 2, None], x.shape)
    return np.stack([x, y, z], axis=-1)


@pytest.mark.parametrize("name", sorted(set(CLASS_NAMES) - OF_GROUND_AND_SKY))
def test_every_class_of_things_stands_or_moves_in_some_street(name: str) -> None:
    found = {
        int(train_id)
        for seed in DAILY
        for solids in (street_of(seed).standing, *street_of(seed).moving(0))
        for train_id in solids.train_id
    }
    assert TRAIN_ID[name] in found


def test_only_known_classes_are_used() -> None:
    for seed in DAILY:
        assert set(np.unique(street_of(seed).standing.train_id)) <= {*TRAIN_ID.values(), UNSCORED}


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_but_vehicles_stands_on_the_road(seed: int) -> None:
    street = street_of(seed)
    solids = street.standing
    # What hangs over the road (lamps, crowns, bridges, signal arms) leaves room for a bus.
    bottom_m = (solids.centre_m - solids.half_m)[:, 2]
    middle = solids.centre_m
    ground_m = street.road.height_m(middle[:, 0], middle[:, 1])
    is_low = bottom_m - ground_m < 2.2
    on_road = ground_kind(street.road, middle[:, 0], middle[:, 1]) == ROAD
    others = is_low & on_road & ~np.isin(solids.train_id, VEHICLES)
    assert np.unique(solids.train_id[others]).tolist() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_reaches_down_to_something(seed: int) -> None:
    """Each solid reaches the ground, or touches one of its object's that does."""
    street = street_of(seed)
    solids = street.standing
    low = solids.centre_m - solids.half_m
    ground_m = street.road.height_m(low[:, 0] * 0 + solids.centre_m[:, 0], solids.centre_m[:, 1])
    # 20 cm: a car's body stands on its wheels on a slope of 5 %.
    grounded = low[:, 2] - ground_m < 0.2
    reach_m = np.linalg.norm(solids.half_m[:, :2], axis=1)
    for _ in range(8):
        for i in np.flatnonzero(~grounded):
            apart = np.abs(solids.centre_m - solids.centre_m[i])
            beside = np.hypot(apart[:, 0], apart[:, 1]) <= reach_m + reach_m[i] + 0.1
            above = apart[:, 2] <= solids.half_m[:, 2] + solids.half_m[i, 2] + 0.1
            grounded[i] = np.any(beside & above & grounded)
        if grounded.all():
            break
    assert np.unique(solids.train_id[~grounded]).tolist() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_houses_have_no_gap_below_them(seed: int) -> None:
    street = street_of(seed)
    is_house = (street.standing.train_id == TRAIN_ID["building"]) & (
        street.standing.half_m[:, :2].min(axis=1) > 2.0
    )
    houses = street.standing.select(is_house)
    corners = corners_m(houses)
    ground_m = street.road.height_m(corners[..., 0], corners[..., 1])
    # A house is a foundation and what is above it; of both, the lower one has to reach down.
    at = collections.defaultdict(list)
    for place, gap in zip(np.round(houses.centre_m[:, :2], 3), corners[..., 2] - ground_m,
                          strict=True):  # fmt: skip
        at[tuple(place)].append(gap.max())
    gaps = [min(parts) for parts in at.values()]
    assert not gaps or max(gaps) < 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_movers_stay_on_the_ground(seed: int) -> None:
    street = street_of(seed)
    for frame in (0, NUM_FRAMES // 2, NUM_FRAMES - 1):
        for mover in street.movers:
            solids = mover.at(street.road, frame)
            x, y, _ = street.road.place(float(mover.x_m[frame]), float(mover.lateral_m[frame]))
            shift_m = solids.centre_m[:, 2] - mover.solids.centre_m[:, 2]
            is_wheel = (solids.shape == Shape.WHEEL) & (solids.pattern == Pattern.WHEEL)
            np.testing.assert_allclose(shift_m[~is_wheel], street.road.height_m(x, y), atol=1e-9)
            # Wheels follow the ground under them: 6 % of half a bus at most.
            bottom_m = (solids.centre_m - solids.half_m)[is_wheel]
            ground_m = street.road.height_m(*solids.centre_m[is_wheel, :2].T)
            np.testing.assert_allclose(bottom_m[:, 2], ground_m, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_movers_that_drive_keep_to_the_road(seed: int) -> None:
    street = street_of(seed)
    for mover in street.movers:
        solids = mover.at(street.road, 0)
        is_standing = np.ptp(mover.x_m) == 0  # near things stand anyhow
        names = ("car", "truck", "bus")
        if not is_standing and np.isin(solids.train_id[0], [TRAIN_ID[name] for name in names]):
            inner_m = street.road.median_m / 2
            assert inner_m < abs(mover.lateral_m[0]) < street.road.half_lanes_m


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_in_the_recording_cars_way(seed: int) -> None:
    street = street_of(seed)
    for frame in range(0, NUM_FRAMES, 3):
        pose = street.drive.T_world_from_rectified[frame]
        solids = Solids.join([street.standing, *street.moving(frame)])
        forward, position = pose[:3, 2], pose[:3, 3]
        away = solids.centre_m - position
        along = away[:, :2] @ forward[:2]
        across = away[:, :2] @ np.array([-forward[1], forward[0]])
        # Half extents of the turned box along the car's own axes.
        turn = solids.yaw_rad - np.arctan2(forward[1], forward[0])
        cosine, sine = np.abs(np.cos(turn)), np.abs(np.sin(turn))
        reach_along = cosine * solids.half_m[:, 0] + sine * solids.half_m[:, 1]
        reach_across = sine * solids.half_m[:, 0] + cosine * solids.half_m[:, 1]
        overlaps = (np.abs(along) < reach_along + CLEARANCE_M[1] + 1.5) & (
            np.abs(across) < reach_across + CLEARANCE_M[0]
        )
        is_low = (away - solids.half_m)[:, 2] < 0.6
        hit = overlaps & is_low
        assert np.unique(solids.train_id[hit]).tolist() == []


def test_the_same_seed_gives_the_same_street() -> None:
    one, other = (random_street(np.random.default_rng(5), num_frames=4) for _ in range(2))
    np.testing.assert_array_equal(one.standing.centre_m, other.standing.centre_m)
    np.testing.assert_array_equal(one.standing.texture_seed, other.standing.texture_seed)
    assert len(one.movers) == len(other.movers)


def test_streets_differ_as_kittis_drives_do() -> None:
    streets = [random_street(np.random.default_rng(100 + i), num_frames=2) for i in range(12)]
    assert len({street.district.name for street in streets}) >= 4
    widths_m = [street.road.left_edge_m - street.road.right_edge_m for street in streets]
    assert min(widths_m) < 9.0
    assert max(widths_m) > 15.0
    share = [np.mean(s.standing.train_id == TRAIN_ID["building"]) for s in streets]
    assert min(share) < 0.08
    assert max(share) > 0.15
    assert all(300 < len(street.standing) < 6000 for street in streets)


def test_each_district_is_drawn_about_as_often_as_stated() -> None:
    rng = np.random.default_rng(0)
    names = collections.Counter(random_district(rng).name for _ in range(2000))
    total = sum(district.likely for district in DISTRICTS)
    for district in DISTRICTS:
        share = district.likely / total
        # Four standard deviations of a binomial share.
        tolerance = 4 * np.sqrt(share * (1 - share) / 2000)
        assert abs(names[district.name] / 2000 - share) < tolerance


def test_a_verge_without_sidewalk_is_terrain_and_a_median_is_no_road() -> None:
    by_name = {district.name: district for district in DISTRICTS}
    country = random_road(
        np.random.default_rng(1), by_name["country"], length_m=100.0, variety=VARIETY
    )
    assert country.verge_m == country.sidewalk_m
    x_m = np.linspace(-30.0, 10.0, 400)
    far_from_junctions = country.crossing_distance_m(x_m) > 20.0
    for lateral_m in np.linspace(-30.0, 30.0, 41):
        y_m = country.centre_y_m(x_m) + lateral_m / np.cos(country.heading_rad(x_m))
        kinds = ground_kind(country, x_m, y_m)[far_from_junctions]
        assert SIDEWALK not in kinds
    avenue = random_road(
        np.random.default_rng(2), by_name["avenue"], length_m=100.0, variety=VARIETY
    )
    middle = ground_kind(avenue, x_m, avenue.centre_y_m(x_m))
    assert not np.any(middle[avenue.crossing_distance_m(x_m) > 20.0] == ROAD)


def extent_m(solids: list[Solid]) -> np.ndarray:
    """Length, width and height of an object."""
    low = np.min([np.subtract(s.centre_m, s.half_m) for s in solids], axis=0)
    high = np.max([np.add(s.centre_m, s.half_m) for s in solids], axis=0)
    return high - low


def test_vehicles_have_the_size_of_vehicles() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        length, width, height = extent_m(vehicles.car(rng))
        assert 3.5 < length < 5.6
        assert 1.6 < width < 2.5
        assert 1.3 < height < 2.3
        length, width, height = extent_m(vehicles.bus(rng))
        assert 10.0 < length < 12.8
        assert 2.8 < height < 3.4
        assert 20.0 < extent_m(vehicles.tram(rng))[0] < 36.0


def test_a_hipped_or_gabled_roof_never_turns_inside_out() -> None:
    rng = np.random.default_rng(4)
    for number in range(60):
        kind = ("terrace", "block", "detached", "hall", "barn")[number % 5]
        for solid in house(rng, kind, house_size(rng, kind, storeys=3.0)):
            if solid.shape == Shape.BOX and solid.taper != (0.0, 0.0):
                narrowed = np.array(solid.taper) * 2 * solid.half_m[2]
                # The mesh ends at the ridge; a roof overshoots it by its eaves at most.
                assert np.all(narrowed <= np.array(solid.half_m[:2]) + 0.6)


def test_the_grain_of_a_list_of_points_is_that_of_a_picture() -> None:
    rng = np.random.default_rng(6)
    u, v = rng.uniform(-50.0, 50.0, (2, 37, 61)).astype(np.float32)
    footprint, seed = np.full_like(u, 0.01), np.full_like(u, 0.3)
    strength = (0.2, 0.1, 0.0, 0.3, 0.1)
    picture = fractal_noise(u, v, footprint, seed, strength=strength)
    points = fractal_noise(u.ravel(), v.ravel(), footprint.ravel(), seed.ravel(), strength=strength)
    np.testing.assert_array_equal(points.reshape(u.shape), picture)
    each = [np.full_like(u, amplitude) for amplitude in strength]
    np.testing.assert_allclose(
        fractal_noise(u, v, footprint, seed, strength=each), picture, atol=1e-6
    )
    assert len(strength) == len(WAVELENGTHS_M)


def test_a_cell_has_one_value() -> None:
    u = np.array([3.01, 3.99, 4.01], np.float32)
    value = cell_value(u, np.zeros_like(u), np.zeros_like(u))
    assert value[0] == value[1] != value[2]


def surface(size: tuple[int, int], *, footprint_m: float) -> Surface:
    """A face of a box of 3 m by 2 m by 2.6 m, looked at from somewhere."""
    rng = np.random.default_rng(7)
    half = tuple(np.full(size, extent, np.float32) for extent in (1.5, 1.0, 1.3))
    local = tuple(extent * rng.uniform(-1.0, 1.0, size).astype(np.float32) for extent in half)
    face = rng.integers(0, 3, size).astype(np.int8)
    plain = np.ones(size, np.float32)
    return Surface(
        index=np.zeros(size, np.int32),
        local=(local[0], local[1], local[2]),
        half=(half[0], half[1], half[2]),
        face=face,
        u_m=np.where(face == 0, local[1], local[0]),
        v_m=np.where(face == 2, local[1], local[2]),
        footprint_m=plain * np.float32(footprint_m),
        cosine_to_sun=plain,
        distance_m=plain,
        seed=rng.uniform(0.0, 1.0, size).astype(np.float32),
    )


def painted(pattern: Pattern, *, footprint_m: float, grey: float = 0.3) -> np.ndarray:
    size = (60, 80)
    return reflectance(
        surface(size, footprint_m=footprint_m),
        pattern=np.full(size, pattern, np.uint8),
        color=np.full((*size, 3), grey, np.float32),
        road=street_of(0).road,
        is_ground=np.full(size, pattern == Pattern.GROUND),
    )


@pytest.mark.parametrize("pattern", list(Pattern))
@pytest.mark.parametrize("footprint_m", [0.002, 0.05, 2.0])
def test_every_pattern_paints_reflectances(pattern: Pattern, footprint_m: float) -> None:
    colors = painted(pattern, footprint_m=footprint_m)
    assert colors.dtype == np.float32
    assert np.isfinite(colors).all()
    assert colors.min() >= 0.0
    # Leaves and gravel glitter; 0.3 times what the octaves can add up to at most.
    assert colors.max() < 1.5


@pytest.mark.parametrize(
    "pattern", [Pattern.FOLIAGE, Pattern.BRICK, Pattern.PICKETS, Pattern.TILES, Pattern.BOARDS]
)
def test_detail_smaller_than_a_pixel_fades(pattern: Pattern) -> None:
    near, far = (painted(pattern, footprint_m=size).std() for size in (0.005, 3.0))
    assert far < 0.6 * near


def test_lacquer_is_smoother_than_leaves_as_in_kitti() -> None:
    lacquer, leaves = (
        painted(pattern, footprint_m=0.005) for pattern in (Pattern.PLAIN, Pattern.FOLIAGE)
    )
    assert lacquer.std() / lacquer.mean() < 0.06
    assert leaves.std() / leaves.mean() > 0.4


@pytest.mark.parametrize(
    ("pattern", "half_m", "pane_m", "wall_m"),
    [
        # Storeys of 3 m, one window across: panes from at most 0.95 to 2.3 m above the floor.
        (Pattern.FACADE, (1.0, 1.0, 1.5), (0.0, 1.0, 0.1), (0.0, 1.0, 1.2)),
        (Pattern.BRICK_FACADE, (1.0, 1.0, 1.5), (0.0, 1.0, 0.1), (0.9, 1.0, 0.1)),
        # From 0.35 to 2.45 m above its foot, frames every 1.9 m from the middle on.
        (Pattern.SHOP, (3.0, 0.1, 1.35), (0.95, 0.1, 0.0), (0.95, 0.1, 1.3)),
        # From 0.85 to 2.1 m above its foot.
        (Pattern.BUS, (5.5, 1.2, 1.3), (2.2, 1.2, 0.2), (2.2, 1.2, 1.1)),
        # From 5 to 90 % of the height, pillars at x = -0.15 and each 1.15 m from there.
        (Pattern.CAR_CABIN, (1.5, 0.7, 0.3), (0.4, 0.7, 0.0), (-0.12, 0.7, 0.0)),
        (Pattern.CAR_CABIN, (1.5, 0.7, 0.3), (1.5, 0.1, 0.0), (1.5, 0.65, 0.0)),
    ],
)
def test_panes_are_glass_and_what_is_around_and_on_top_is_not(
    pattern: Pattern,
    half_m: tuple[float, ...],
    pane_m: tuple[float, ...],
    wall_m: tuple[float, ...],
) -> None:
    places = np.array([pane_m, wall_m, (0.0, 0.0, half_m[2])], np.float32).T[:, None]
    face = np.array([[0 if pane_m[0] == half_m[0] else 1] * 2 + [2]], np.int8)
    size = face.shape
    at = dataclasses.replace(
        surface(size, footprint_m=0.001),
        local=tuple(places),
        half=tuple(np.full(size, extent, np.float32) for extent in half_m),
        face=face,
        u_m=np.where(face == 0, places[1], places[0]),
        v_m=np.where(face == 2, places[1], places[2]),
        seed=np.full(size, 0.1, np.float32),
    )
    share = glass(at, pattern=np.full(size, pattern, np.uint8))
    np.testing.assert_allclose(share, [[1.0, 0.0, 0.0]])
    assert not glass(at, pattern=np.full(size, Pattern.PLAIN, np.uint8)).any()


def ground_colors(road: Road, x_m: float, lateral_m: np.ndarray) -> np.ndarray:
    x = np.full(lateral_m.shape, x_m, np.float32)
    y = (road.centre_y_m(x) + lateral_m / np.cos(road.heading_rad(x))).astype(np.float32)
    return ground(road, x, y, np.full_like(x, 0.005))


def test_the_edge_line_is_white_and_the_lane_is_not() -> None:
    by_name = {district.name: district for district in DISTRICTS}
    road = random_road(
        np.random.default_rng(8), by_name["arterial"], length_m=50.0, variety=VARIETY
    )
    away_m = road.crossings_x_m[0] if road.crossings_x_m else 0.0
    x_m = away_m - road.crossing_half_m - 60.0
    line_m = road.half_lanes_m - 0.15
    line = ground_colors(road, x_m, np.array([line_m, -line_m], np.float32))
    middle = road.lane_middle_m(1)
    lane = ground_colors(road, x_m, np.linspace(-middle - 0.2, -middle + 0.2, 9, dtype=np.float32))
    assert line.min() > 0.35
    assert lane.max() < 0.35
