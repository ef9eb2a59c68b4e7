"""Triangles of the solids and of the ground, and the casting of rays at them by Embree.

Embree works in float32; it is asked only which triangle a ray meets first. Where it meets it is
then worked out in float64 from the triangle's plane, so that truth is exact.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import trimesh
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from data_prep.demo_world.road import KERB_FACE_M, Road
from data_prep.demo_world.solids import Floats, Pattern, Shape, Solids

Ints = npt.NDArray[np.int32]

_POLE_SEGMENTS, _WHEEL_SEGMENTS = 16, 28
_BALL_SUBDIVISIONS = 2
# ours: crowns are dark cores with bumps and with leaves around them, as large as a twig's.
_CORE_SUBDIVISIONS, _CORE_RADIUS = 1, 0.80
_NUM_LEAVES, _NUM_FAR_LEAVES = 240, 48
_LEAF_SIZE, _FAR_LEAF_SIZE = (0.10, 0.26), (0.25, 0.50)
_LEAF_REACH = (0.74, 1.08)
_LEAVES_BUMP = 0.13

# Distances between the ground's vertices: away from the sidewalks, and along the road.
_OFF_WALK_M = (1, 2, 3.5, 5, 7, 9, 12, 15, 19, 23, 28, 34, 41, 50, 60, 75, 95, 120, 150, 185, 220,
               260, 310, 370, 440, 520, 700, 1000, 1500)  # fmt: skip
_BEYOND_END_M = (5, 15, 30, 50, 80, 110, 150, 190, 240, 300, 360, 430, 500, 700, 1000, 1500)
_BEHIND_START_M = (10, 40, 120, 400)
_STEP_M = 2.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """Triangles and what they belong to.

    Attributes:
      vertices_m: `[vertices, 3]` float64.
      faces: `[faces, 3]`, counter-clockwise seen from outside.
      owner: `[faces]`, number of the solid.
      axis: `[faces]` int8, 0, 1 or 2: the axis of the solid's own frame that the face looks along.
    """

    vertices_m: Floats
    faces: Ints
    owner: Ints
    axis: npt.NDArray[np.int8]

    @staticmethod
    def join(parts: "list[Mesh]") -> "Mesh":
        """All triangles of `parts`; owners stay as they are."""
        starts = np.cumsum([0, *(len(part.vertices_m) for part in parts)])
        return Mesh(
            vertices_m=np.concatenate([part.vertices_m for part in parts]),
            faces=np.concatenate(
                [part.faces + start for part, start in zip(parts, starts, strict=False)]
            ).astype(np.int32),
            owner=np.concatenate([part.owner for part in parts]),
            axis=np.concatenate([part.axis for part in parts]),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _Unit:
    """A shape with half extents of 1: vertices `[v, 3]`, faces `[f, 3]`, their axes `[f]`."""

    vertices: Floats
    faces: Ints
    axis: npt.NDArray[np.int8]


def _unit_of(mesh: trimesh.Trimesh) -> _Unit:
    axis = np.abs(mesh.face_normals).argmax(axis=1)
    return _Unit(np.array(mesh.vertices), np.array(mesh.faces, np.int32), axis.astype(np.int8))


@functools.cache
def _box() -> _Unit:
    return _unit_of(trimesh.creation.box(extents=(2.0, 2.0, 2.0)))


@functools.cache
def _ball() -> _Unit:
    return _unit_of(trimesh.creation.icosphere(subdivisions=_BALL_SUBDIVISIONS))


@functools.cache
def _near_leaves() -> _Unit:
    return _leaves(_NUM_LEAVES, _LEAF_SIZE)


@functools.cache
def _far_leaves() -> _Unit:
    return _leaves(_NUM_FAR_LEAVES, _FAR_LEAF_SIZE)


def _leaves(count: int, sizes: tuple[float, float]) -> _Unit:
    """A core within scattered triangles that mostly look outwards; the same in every world."""
    rng = np.random.default_rng(0)
    core = trimesh.creation.icosphere(subdivisions=_CORE_SUBDIVISIONS)
    outward = rng.standard_normal((count, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    normal = outward + 0.45 * rng.standard_normal(outward.shape)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    aside = np.cross(normal, rng.standard_normal(normal.shape))
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    size = rng.uniform(*sizes, (count, 1))
    middle = outward * rng.uniform(*_LEAF_REACH, (count, 1))
    corners = [
        middle + size * (np.cos(angle) * aside + np.sin(angle) * np.cross(normal, aside))
        for angle in (0.0, 2.2, 4.1)
    ]
    vertices = np.concatenate([core.vertices * _CORE_RADIUS, np.stack(corners, 1).reshape(-1, 3)])
    faces = np.arange(3 * count).reshape(-1, 3) + len(core.vertices)
    return _unit_of(trimesh.Trimesh(vertices, np.concatenate([core.faces, faces]), process=False))


@functools.cache
def _pole() -> _Unit:
    return _unit_of(trimesh.creation.cylinder(radius=1.0, height=2.0, sections=_POLE_SEGMENTS))


@functools.cache
def _wheel() -> _Unit:
    lying = trimesh.creation.cylinder(radius=1.0, height=2.0, sections=_WHEEL_SEGMENTS)
    # z becomes y by a quarter turn about x, which keeps the faces' sense.
    lying.vertices = lying.vertices[:, [0, 2, 1]] * (1.0, 1.0, -1.0)
    return _unit_of(lying)


def solids_mesh(
    solids: Solids, *, first_owner: int = 0, is_far: npt.NDArray[np.bool_] | None = None
) -> Mesh:
    """Triangles of solids; solid i becomes owner `first_owner + i`.

    Args:
      solids: At least one.
      first_owner: Number of the first.
      is_far: `[n]`, which are never seen from near, so that fewer leaves do; None is none.
    """
    if is_far is None:
        is_far = np.zeros(len(solids), np.bool_)
    is_leaves = (solids.shape == Shape.ELLIPSOID) & (solids.pattern == Pattern.FOLIAGE)
    kinds: list[tuple[npt.NDArray[np.bool_], Callable[[], _Unit]]] = [
        (solids.shape == Shape.BOX, _box),
        ((solids.shape == Shape.ELLIPSOID) & ~is_leaves, _ball),
        (is_leaves & ~is_far, _near_leaves),
        (is_leaves & is_far, _far_leaves),
        (solids.shape == Shape.CYLINDER, _pole),
        (solids.shape == Shape.WHEEL, _wheel),
    ]
    return Mesh.join(
        [_instances(solids, np.flatnonzero(chosen), unit(), first_owner) for chosen, unit in kinds]
    )


def _instances(solids: Solids, chosen: npt.NDArray[np.intp], unit: _Unit, first_owner: int) -> Mesh:
    """Copies of a unit shape, one for each chosen solid."""
    some = solids.select(chosen)
    points = np.broadcast_to(unit.vertices, (len(some), *unit.vertices.shape))
    if unit is _near_leaves() or unit is _far_leaves():
        points = points * (1.0 + _LEAVES_BUMP * _bumps(unit.vertices, some.texture_seed))[..., None]
    local = points * some.half_m[:, None, :]
    if unit is _box() or unit is _pole():
        height_m = local[..., 2:] + some.half_m[:, None, 2:]
        narrowed_m = some.half_m[:, None, :2] - some.taper[:, None, :] * height_m
        local[..., :2] = points[..., :2] * np.maximum(narrowed_m, 0.0)
    num_vertices, count = len(unit.vertices), len(some)
    starts = (np.arange(count, dtype=np.int32) * num_vertices)[:, None, None]
    return Mesh(
        vertices_m=_to_world(local, some).reshape(-1, 3),
        faces=(unit.faces[None] + starts).reshape(-1, 3),
        owner=np.repeat((first_owner + chosen).astype(np.int32), len(unit.faces)),
        axis=np.tile(unit.axis, count),
    )


def _to_world(local: Floats, solids: Solids) -> Floats:
    cosine, sine = np.cos(solids.yaw_rad)[:, None], np.sin(solids.yaw_rad)[:, None]
    x, y, z = np.moveaxis(local, -1, 0)
    turned = np.stack([cosine * x - sine * y, sine * x + cosine * y, z], axis=-1)
    return solids.centre_m[:, None, :] + turned


def _bumps(directions: Floats, seeds: Floats) -> Floats:
    """Bumps `[n, vertices]` in -1..1 over the sphere, other ones for each seed."""
    x, y, z = directions.T
    phase = 2 * np.pi * seeds[:, None] * (1.0, 7.0, 13.0, 29.0)
    wide = np.sin(4.1 * x + phase[:, :1]) * np.sin(3.7 * y + 4.3 * z + phase[:, 1:2])
    fine = np.sin(11.0 * x + 9.0 * y + phase[:, 2:3]) * np.sin(12.0 * z - 8.0 * y + phase[:, 3:])
    return 0.5 * wide + 0.5 * fine


def ground_mesh(road: Road, *, start_m: float, end_m: float, owner: int) -> Mesh:
    """The ground from horizon to horizon, finest between the ends of the street.

    Rows of vertices follow lines of equal x, columns lines of equal distance from the road's
    centre line, so that kerbs and edges of side streets are edges of triangles.
    """
    x_m = _stations_m(road, start_m, end_m)
    lateral_m = _laterals_m(road)
    heading = road.heading_rad(x_m)[:, None]
    y_m = road.centre_y_m(x_m)[:, None] + lateral_m / np.cos(heading)
    x_grid_m = np.broadcast_to(x_m[:, None], y_m.shape)
    vertices_m = np.stack([x_grid_m, y_m, road.height_m(x_grid_m, y_m)], axis=-1)
    num_columns = len(lateral_m)
    corner = np.arange(len(x_m) - 1)[:, None] * num_columns + np.arange(num_columns - 1)
    near_right, near_left = corner.ravel(), corner.ravel() + 1
    far_right, far_left = near_right + num_columns, near_left + num_columns
    faces = np.concatenate(
        [
            np.stack([near_right, far_right, far_left], axis=-1),
            np.stack([near_right, far_left, near_left], axis=-1),
        ]
    ).astype(np.int32)
    return Mesh(
        vertices_m=vertices_m.reshape(-1, 3),
        faces=faces,
        owner=np.full(len(faces), owner, np.int32),
        axis=np.full(len(faces), 2, np.int8),
    )


def _stations_m(road: Road, start_m: float, end_m: float) -> Floats:
    reach_m = (road.crossing_half_m, road.crossing_half_m + road.sidewalk_m)
    steps_m = (*reach_m, reach_m[0] + KERB_FACE_M)
    edges_m = [x + sign * step for x in road.crossings_x_m for step in steps_m for sign in (1, -1)]
    even_m = np.arange(start_m, end_m, _STEP_M)
    # An even station close to an edge would only make slivers.
    even_m = even_m[np.abs(even_m[:, None] - np.array([*edges_m, np.inf])).min(axis=1) > 0.3]
    return np.sort(
        np.concatenate(
            [start_m - np.array(_BEHIND_START_M), even_m, edges_m, end_m + np.array(_BEYOND_END_M)]
        )
    )


def _laterals_m(road: Road) -> Floats:
    beyond_m = np.array(
        [0.0, KERB_FACE_M, road.sidewalk_m, *(road.sidewalk_m + np.array(_OFF_WALK_M))]
    )
    return np.concatenate([road.right_edge_m - beyond_m[::-1], road.left_edge_m + beyond_m])


# A ray that starts on a surface starts this far above it: Embree's rounding at some 100 m, and
# more than the flat triangles of a ball cut off from it.
_LIFT_M = 0.02
NOTHING = -1


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rays:
    """Points `origin_m + t * direction`, in world coordinates.

    Attributes:
      origin_m: `[3]`, or `[..., 3]` for one of each ray's own.
      direction: `[..., 3]` float64, of any length.
    """

    origin_m: Floats
    direction: Floats


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Hits:
    """What each ray meets first; all of the rays' shape.

    Attributes:
      t: float64, infinite where nothing is met.
      owner: int32, the mesh's owner, `NOTHING` (-1) where nothing is met.
      axis: int8, of the face.
      normal: `[..., 3]` float32, of unit length, outwards; 0 where nothing is met.
    """

    t: npt.NDArray[np.float64]
    owner: npt.NDArray[np.int32]
    axis: npt.NDArray[np.int8]
    normal: npt.NDArray[np.float32]


class Triangles:
    """Triangles that stay where they are."""

    def __init__(self, mesh: Mesh) -> None:
        """Prepares the triangles; those without an area are left out.

        Args:
          mesh: At least one triangle.
        """
        corner, second, third = (mesh.vertices_m[mesh.faces[:, k]] for k in range(3))
        normal = np.cross(second - corner, third - corner)
        twice_area = np.sqrt(np.sum(normal * normal, axis=-1))
        kept = twice_area > 1e-12
        self.corner_m = corner[kept]
        self.normal = normal[kept] / twice_area[kept, None]
        self.owner, self.axis = mesh.owner[kept], mesh.axis[kept]
        self._embree = EmbreeScene()
        # Embree keeps a pointer to the geometry, which therefore has to live on.
        self._geometry = TriangleMesh(
            self._embree,
            mesh.vertices_m.astype(np.float32),
            np.ascontiguousarray(mesh.faces[kept], np.int32),
        )

    def first(self, origins: Floats, directions: Floats) -> npt.NDArray[np.int32]:
        """Number `[n]` of the triangle that each ray meets first, -1 = none; float32 is fastest."""
        return self._embree.run(*_single(origins, directions))

    def blocked(
        self, origins: Floats, directions: Floats, *, reach: float
    ) -> npt.NDArray[np.bool_]:
        """Whether anything lies on each ray `[n]` before t = `reach`."""
        reaches = np.full(len(directions), reach, np.float32)
        hit = self._embree.run(*_single(origins, directions), reaches, query="OCCLUDED")
        return hit != NOTHING


def cast(rays: Rays, scenes: Sequence[Triangles]) -> Hits:
    """Finds what each ray meets first in any of the scenes."""
    shape, directions = rays.direction.shape[:-1], rays.direction.reshape(-1, 3)
    origins = np.broadcast_to(rays.origin_m, rays.direction.shape).reshape(-1, 3)
    t = np.full(len(directions), np.inf)
    owner = np.full(len(directions), NOTHING, np.int32)
    axis = np.zeros(len(directions), np.int8)
    normals = np.zeros((len(directions), 3), np.float32)
    single = _single(origins, directions)
    for scene in scenes:
        triangle = scene.first(*single)
        met = np.flatnonzero(triangle != NOTHING)
        normal = scene.normal[triangle[met]]
        offset = np.einsum("ni,ni->n", normal, scene.corner_m[triangle[met]] - origins[met])
        slope = np.einsum("ni,ni->n", normal, directions[met])
        # Embree reports no triangle seen exactly edge-on, but its rounding is not ours.
        found = offset / np.where(slope == 0.0, np.nan, slope)
        nearer = found < t[met]
        met, triangle = met[nearer], triangle[met][nearer]
        t[met], owner[met], axis[met] = found[nearer], scene.owner[triangle], scene.axis[triangle]
        normals[met] = normal[nearer]
    return Hits(
        t=t.reshape(shape),
        owner=owner.reshape(shape),
        axis=axis.reshape(shape),
        normal=normals.reshape(*shape, 3),
    )


def blocked(
    points_m: Floats,
    normals: Floats,
    directions: Floats,
    scenes: Sequence[Triangles],
    *,
    reach_m: float,
) -> npt.NDArray[np.bool_]:
    """Whether something stands in the way from each surface point.

    Args:
      points_m: `[n, 3]`, on surfaces.
      normals: `[n, 3]`, of the surfaces, outwards.
      directions: `[n, 3]`, of unit length.
      scenes: What may stand in the way.
      reach_m: How far to look.
    """
    origins = points_m + np.float32(_LIFT_M) * normals
    found = np.zeros(len(points_m), np.bool_)
    for scene in scenes:
        left = np.flatnonzero(~found)
        found[left] = scene.blocked(origins[left], directions[left], reach=reach_m)
    return found


def _single(origins: Floats, directions: Floats) -> tuple[Floats, Floats]:
    return (
        np.ascontiguousarray(origins, np.float32),
        np.ascontiguousarray(directions, np.float32),
    )
