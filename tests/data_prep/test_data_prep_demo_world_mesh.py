import numpy as np
import pytest
import trimesh

from data_prep.demo_world.district import random_district, random_road
from data_prep.demo_world.mesh import Mesh, Rays, Triangles, cast, ground_mesh, solids_mesh
from data_prep.demo_world.scene import Street, random_street
from data_prep.demo_world.solids import Pattern, Shape, Solid, Solids
from data_prep.demo_world.variety import random_variety

HALF = (1.2, 0.7, 0.9)
# Volumes in closed form; of a box or cylinder with taper the integral over its height.
BOX_M3 = 8 * 1.2 * 0.7 * 0.9
# Half extents at the top are 1.2 - 0.3 * 1.8 = 0.66 and 0.7 - 0.1 * 1.8 = 0.52; Simpson's rule
# with the middle's 0.93 and 0.61 is exact for this product of two lines.
TAPERED_M3 = 4 * 1.8 / 6 * (1.2 * 0.7 + 4 * 0.93 * 0.61 + 0.66 * 0.52)
CASES = [
    (Shape.BOX, (0.0, 0.0), BOX_M3, 1e-9),
    (Shape.BOX, (0.3, 0.1), TAPERED_M3, 1e-9),
    (Shape.ELLIPSOID, (0.0, 0.0), BOX_M3 * np.pi / 6, 0.06),
    (Shape.CYLINDER, (0.0, 0.0), BOX_M3 * np.pi / 4, 0.03),
    (Shape.CYLINDER, (0.3, 0.1), TAPERED_M3 * np.pi / 4, 0.03),
    (Shape.WHEEL, (0.0, 0.0), BOX_M3 * np.pi / 4, 0.03),
]


def one(solid: Solid) -> Solids:
    return Solids.stack([solid], np.random.default_rng(0))


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices_m, mesh.faces, process=True)


@pytest.fixture(scope="module")
def street() -> Street:
    return random_street(np.random.default_rng(3), num_frames=4)


@pytest.fixture(scope="module")
def ground(street: Street) -> Mesh:
    return ground_mesh(street.road, start_m=-40.0, end_m=200.0, owner=5)


@pytest.mark.parametrize(("shape", "taper", "volume_m3", "tolerance"), CASES)
def test_a_shape_is_closed_faces_outwards_and_fills_its_box(
    shape: Shape, taper: tuple[float, float], volume_m3: float, tolerance: float
) -> None:
    solid = Solid((0.0, 0.0, 0.4), HALF, 0, (0.5, 0.5, 0.5), taper=taper, shape=shape)
    mesh = as_trimesh(solids_mesh(one(solid)))
    assert mesh.is_watertight
    # Positive only where the triangles turn counter-clockwise; flat ones cut a little off.
    assert volume_m3 * (1 - tolerance) < mesh.volume < volume_m3 * (1 + 1e-9)
    np.testing.assert_allclose(mesh.bounds[:, 2], (0.4 - 0.9, 0.4 + 0.9), rtol=1e-6)
    np.testing.assert_allclose(mesh.bounds[:, :2], [(-1.2, -0.7), (1.2, 0.7)], rtol=0.03)


def test_a_roof_that_narrows_to_a_ridge_stays_closed() -> None:
    solid = Solid((0.0, 0.0, 1.0), (5.0, 4.0, 1.0), 0, (0.5, 0.5, 0.5), taper=(0.0, 2.0))
    mesh = as_trimesh(solids_mesh(one(solid)))
    # A prism: half of 10 x 8 x 2.
    assert mesh.volume == pytest.approx(80.0)


def test_solids_are_turned_and_set_down() -> None:
    solid = one(Solid((2.0, 0.0, 0.5), (1.0, 0.1, 0.5), 0, (0.5, 0.5, 0.5)))
    placed = solid.placed(x_m=10.0, y_m=20.0, z_m=3.0, yaw_rad=np.pi / 2)
    # Turned a quarter to the left, its x becomes y: the middle is 2 m further along y.
    bounds = as_trimesh(solids_mesh(placed)).bounds
    np.testing.assert_allclose(bounds, [(9.9, 21.0, 3.0), (10.1, 23.0, 4.0)])


def test_owners_count_from_the_first_one_in_every_shape() -> None:
    solids = Solids.join([one(Solid((3.0 * i, 0, 0), HALF, 0, (0, 0, 0), shape=shape))
                          for i, shape in enumerate((*Shape, *Shape))])  # fmt: skip
    mesh = solids_mesh(solids, first_owner=40)
    middle_x_m = mesh.vertices_m[mesh.faces].mean(axis=1)[:, 0]
    np.testing.assert_array_equal(mesh.owner - 40, np.rint(middle_x_m / 3.0))


def test_crowns_differ_and_have_no_even_outline() -> None:
    rng = np.random.default_rng(0)
    crown = Solid((0, 0, 0), (1.0, 1.0, 1.0), 8, (0, 0, 0), Pattern.FOLIAGE, shape=Shape.ELLIPSOID)
    first, second = (solids_mesh(Solids.stack([crown], rng)).vertices_m for _ in range(2))
    radius = np.linalg.norm(first, axis=1)
    assert radius.std() > 0.05
    # Leaves reach a little beyond the crown that the solid describes.
    assert 1.0 < radius.max() < 1.4
    assert np.abs(first - second).max() > 0.05


def test_what_stays_far_has_fewer_leaves_and_the_same_size() -> None:
    crown = one(
        Solid((0, 0, 0), (2.0, 2.0, 3.0), 8, (0, 0, 0), Pattern.FOLIAGE, shape=Shape.ELLIPSOID)
    )
    near, far = (solids_mesh(crown, is_far=np.array([is_far])) for is_far in (False, True))
    assert len(far.faces) < 0.5 * len(near.faces)
    np.testing.assert_allclose(far.vertices_m.max(axis=0), near.vertices_m.max(axis=0), rtol=0.25)


def heights(mesh: Mesh, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
    """By rays from 100 m above, straight down."""
    scene = Triangles(mesh)
    found = []
    for x, y in zip(x_m, y_m, strict=True):
        rays = Rays(origin_m=np.array([x, y, 100.0]), direction=np.array([[0.0, 0.0, -1.0]]))
        found.append(100.0 - cast(rays, [scene]).t[0])
    return np.array(found)


def test_the_meshed_ground_is_as_high_as_the_road_says(street: Street, ground: Mesh) -> None:
    rng = np.random.default_rng(0)
    x_m, y_m = rng.uniform(0.0, 150.0, 300), rng.uniform(-25.0, 25.0, 300)
    error_m = np.abs(heights(ground, x_m, y_m) - street.road.height_m(x_m, y_m))
    # Between vertices, 2 m and more apart, the ground bends by centimetres.
    assert np.median(error_m) < 0.005
    assert np.mean(error_m < 0.05) > 0.98  # the rest is kerb, 2 cm wide and 12 high


def test_the_kerb_is_a_step_of_geometry(street: Street, ground: Mesh) -> None:
    road = street.road
    x_m = np.array([x for x in np.arange(0.0, 150.0, 3.0) if not road.is_crossing(x, x)])
    assert len(x_m) > 10
    for side, edge_m in ((1, road.left_edge_m), (-1, road.right_edge_m)):
        across = np.cos(road.heading_rad(x_m))
        low, high = (
            heights(ground, x_m, road.centre_y_m(x_m) + (edge_m + side * off_m) / across)
            for off_m in (-0.05, 0.10)
        )
        # Curves are chords of 2 m, so that an edge is some millimetres off.
        np.testing.assert_allclose(high - low, road.kerb_m, atol=0.01)


def test_the_ground_reaches_the_horizon_and_faces_up(ground: Mesh) -> None:
    corners = ground.vertices_m[ground.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.all(normals[:, 2] > 0)
    assert np.all(ground.owner == 5)
    low, high = ground.vertices_m[:, :2].min(axis=0), ground.vertices_m[:, :2].max(axis=0)
    assert low[1] < -1400 < 1400 < high[1]
    assert high[0] > 1400


def test_streets_have_slopes_of_up_to_five_per_cent() -> None:
    steepest = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        variety = random_variety(rng, "training")
        road = random_road(rng, random_district(rng), length_m=150.0, variety=variety)
        x_m = np.arange(0.0, 150.0, 1.0)
        grade = np.diff(road.height_m(x_m, road.centre_y_m(x_m)))
        np.testing.assert_allclose(grade, road.terrain.grade(x_m[:-1] + 0.5), atol=2e-4)
        steepest.append(np.abs(grade).max())
    # Most are nearly level.
    assert 0.02 < max(steepest) < 0.051
    assert 0.003 < np.median(steepest) < 0.02
