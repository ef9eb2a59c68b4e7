import numpy as np
import pytest
import trimesh

from data_prep.demo_world.cameras import demo_rig, rigid
from data_prep.demo_world.mesh import (
    NOTHING,
    Hits,
    Mesh,
    Rays,
    Triangles,
    blocked,
    cast,
    solids_mesh,
)
from data_prep.demo_world.render import camera_rays, lidar_directions, lidar_rays
from data_prep.demo_world.solids import Pattern, Shape, Solid, Solids

GRAY = (0.5, 0.5, 0.5)
# x right, y down, z forward in a world of x forward, y left, z up.
LEVEL_CAMERA = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
CAMERA = demo_rig(height_px=24, width_px=56).camera


def stacked(*solids: Solid) -> Solids:
    return Solids.stack(list(solids), np.random.default_rng(0))


def some_solids(rng: np.random.Generator, *, count: int = 24) -> Solids:
    """One of each shape in turn, some tapered, in front of and beside the origin."""
    parts = []
    for i in range(count):
        half = tuple(rng.uniform(0.3, 2.5, 3))
        taper = tuple(rng.uniform(0.1, 0.9, 2) * half[:2] / (2 * half[2])) if i % 2 else (0.0, 0.0)
        solid = Solid((0.0, 0.0, half[2] + rng.uniform(-0.2, 1.0)), half, 0, GRAY,
                      Pattern.FOLIAGE if i % 5 == 0 else Pattern.PLAIN, taper,
                      shape=Shape(i % 4))  # fmt: skip
        side = rng.choice([-1, 1]) * rng.uniform(3.5, 12.0)
        placed = stacked(solid).placed(
            x_m=rng.uniform(-2.0, 40.0), y_m=side, z_m=rng.uniform(-1.0, 1.0),
            yaw_rad=rng.uniform(0.0, 6.3),
        )  # fmt: skip
        parts.append(placed)
    return Solids.join(parts)


def pixel_rays(height_m: float = 1.65) -> Rays:
    v, u = np.mgrid[: CAMERA.height_px, : CAMERA.width_px].astype(float)
    return camera_rays(CAMERA, rigid(LEVEL_CAMERA, (0.0, 0.1, height_m)), u=u, v=v)


def sweep_rays() -> Rays:
    tilt = np.array([[np.cos(0.02), 0, np.sin(0.02)], [0, 1, 0], [-np.sin(0.02), 0, np.cos(0.02)]])
    return lidar_rays(lidar_directions(azimuth_step_deg=4.0), rigid(tilt, (0.0, 0.0, 1.73)))


def every_pair(rays: Rays, mesh: Mesh) -> np.ndarray:
    """Oracle: t `[rays]` of the nearest triangle, every ray against every one, by trimesh."""
    triangles = mesh.vertices_m[mesh.faces]
    triangles = triangles[trimesh.triangles.area(triangles) > 1e-9]
    normals = trimesh.triangles.normals(triangles)[0]
    nearest = []
    for direction in rays.direction.reshape(-1, 3):
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.einsum("ni,ni->n", normals, triangles[:, 0] - rays.origin_m) / (
                normals @ direction
            )
        ahead = np.flatnonzero((t > 0) & np.isfinite(t))
        ends = rays.origin_m + t[ahead, None] * direction
        share = trimesh.triangles.points_to_barycentric(triangles[ahead], ends)
        nearest.append(np.min(t[ahead][(share > -1e-9).all(axis=1)], initial=np.inf))
    return np.array(nearest)


def outsideness(points_m: np.ndarray, solids: Solids, i: int) -> np.ndarray:
    """Closed form: an implicit function of solid i at points [n, 3], negative inside."""
    c, s = np.cos(solids.yaw_rad[i]), np.sin(solids.yaw_rad[i])
    p = (points_m - solids.centre_m[i]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    half = solids.half_m[i]
    narrowed = half[:2] - solids.taper[i] * (p[:, 2:] + half[2])
    x, y, z = p.T
    if solids.shape[i] == Shape.ELLIPSOID:
        return np.sqrt(np.sum((p / half) ** 2, axis=-1)) - 1
    if solids.shape[i] == Shape.WHEEL:
        return np.maximum(np.hypot(x / half[0], z / half[2]) - 1, np.abs(y) - half[1])
    if solids.shape[i] == Shape.CYLINDER:
        around = np.hypot(x / narrowed[:, 0], y / narrowed[:, 1]) - 1
        return np.maximum(around, np.abs(z) - half[2])
    return np.max(np.abs(p) - np.column_stack([narrowed, np.full(len(p), half[2])]), axis=-1)


@pytest.mark.parametrize("rays", [pixel_rays(), sweep_rays()], ids=["camera", "lidar"])
def test_every_ray_ends_where_trying_every_triangle_says(rays: Rays) -> None:
    solids = some_solids(np.random.default_rng(0))
    mesh = solids_mesh(solids)
    hits, expected = cast(rays, [Triangles(mesh)]), every_pair(rays, mesh)
    found = hits.t.ravel()
    # Both in float64 from the triangle's plane; infinite where nothing is met. About an outline
    # Embree's float32 may differ from the oracle, one ray in some thousand.
    assert np.mean(np.isclose(found, expected, rtol=1e-9, atol=0)) > 0.998
    assert 0.1 < np.mean(np.isfinite(found)) < 0.9


@pytest.mark.parametrize("seed", [1, 2])
def test_hits_lie_on_the_surface_that_the_solid_describes(seed: int) -> None:
    rays, solids = sweep_rays(), some_solids(np.random.default_rng(seed))
    hits = cast(rays, [Triangles(solids_mesh(solids))])
    assert len(np.unique(hits.owner)) > 10
    for i in range(len(solids)):
        mine = hits.owner == i
        if not mine.any() or solids.pattern[i] == Pattern.FOLIAGE:
            continue  # leaves have bumps
        ends = rays.origin_m + hits.t[mine][:, None] * rays.direction[mine]
        # Flat triangles cut up to 2 % off a ball or a wheel; a box is exact.
        inward = 1e-9 if solids.shape[i] == Shape.BOX else 0.025
        value = outsideness(ends, solids, i)
        assert value.max() < 1e-9
        assert value.min() > -inward


def test_a_wall_is_as_deep_as_it_stands_away_to_the_last_digit() -> None:
    # Front face at x = 250.1 - 0.1; float32 would leave 1e-5.
    wall = stacked(Solid((250.1, 0.0, 50.0), (0.1, 999.0, 800.0), 0, GRAY))
    hits = cast(pixel_rays(), [Triangles(solids_mesh(wall))])
    np.testing.assert_allclose(hits.t, 250.0, rtol=1e-13)
    np.testing.assert_array_equal(hits.axis, 0)
    np.testing.assert_allclose(hits.normal, np.broadcast_to([-1.0, 0, 0], hits.normal.shape))


def test_level_ground_is_at_height_times_focal_over_row() -> None:
    slab = stacked(Solid((0.0, 0.0, -1.0), (1e4, 1e4, 1.0), 0, GRAY))
    hits = cast(pixel_rays(), [Triangles(solids_mesh(slab))])
    below = np.arange(CAMERA.height_px) - CAMERA.cy_px
    expected = np.where(below > 0, 1.65 * CAMERA.fy_px / np.where(below > 0, below, 1), np.inf)
    np.testing.assert_allclose(hits.t[:, 0], expected, rtol=1e-12)


def test_the_sky_is_nothing_infinitely_far() -> None:
    away = stacked(Solid((-50.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0, GRAY))
    hits = cast(pixel_rays(), [Triangles(solids_mesh(away))])
    assert np.all(np.isinf(hits.t))
    assert np.all(hits.owner == NOTHING)
    assert not hits.normal.any()


def both(first: Solid, second: Solid) -> Hits:
    scenes = [
        Triangles(solids_mesh(stacked(first))),
        Triangles(solids_mesh(stacked(second), first_owner=7)),
    ]
    swapped = cast(pixel_rays(), scenes[::-1])
    hits = cast(pixel_rays(), scenes)
    np.testing.assert_array_equal(hits.owner, swapped.owner)
    return hits


def test_the_nearer_of_two_scenes_is_seen_whatever_their_order() -> None:
    hits = both(
        Solid((10.0, 0.0, 1.65), (0.5, 1.0, 1.0), 0, GRAY),
        Solid((20.0, 0.0, 1.65), (0.5, 5.0, 5.0), 0, GRAY),
    )
    middle = hits.owner[CAMERA.height_px // 2]
    assert middle[CAMERA.width_px // 2] == 0
    assert {0, 7} <= set(middle.tolist())
    np.testing.assert_allclose(hits.t[hits.owner == 0], 9.5)
    np.testing.assert_allclose(hits.t[hits.owner == 7], 19.5)


def test_a_point_is_in_the_shade_of_what_stands_between_it_and_the_sun() -> None:
    pole = stacked(Solid((0.0, 0.0, 2.0), (0.1, 0.1, 2.0), 0, GRAY))
    # The sun stands 45 degrees high in +x: the shadow of 4 m falls on x from -4 to 0.
    x_m = np.array([-4.2, -3.8, -0.2, 0.3])
    points_m = np.stack([x_m, 0 * x_m, 0 * x_m], axis=-1)
    upward = np.tile([0.0, 0.0, 1.0], (4, 1))
    to_sun = np.tile([0.5**0.5, 0.0, 0.5**0.5], (4, 1))
    scenes = [Triangles(solids_mesh(pole))]
    np.testing.assert_array_equal(
        blocked(points_m, upward, to_sun, scenes, reach_m=100.0), [False, True, True, False]
    )
    # From x = -3.8 the pole's side is 3.7 * sqrt 2 = 5.2 m away along the ray.
    assert not blocked(points_m, upward, to_sun, scenes, reach_m=5.0)[1]


def test_a_lit_face_does_not_shade_itself() -> None:
    for shape in Shape:
        solid = stacked(Solid((500.0, 0.0, 2.0), (1.0, 1.0, 1.0), 0, GRAY, shape=shape))
        mesh = solids_mesh(solid)
        corners = mesh.vertices_m[mesh.faces]
        normals = trimesh.triangles.normals(corners)[0]
        to_sun = np.array([0.6, 0.0, 0.8])
        facing = normals @ to_sun > 0.05
        found = blocked(
            corners[facing].mean(axis=1),
            normals[facing],
            np.tile(to_sun, (facing.sum(), 1)),
            [Triangles(mesh)],
            reach_m=10.0,
        )
        assert not found.any()
