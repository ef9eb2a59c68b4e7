"""Casting of rays against triangles, by Embree.

Embree works in float32; it is asked only which triangle a ray meets first. Where it meets it is
then worked out in float64 from the triangle's plane, so that truth is exact.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from data_prep.demo_world.mesh import Mesh
from data_prep.demo_world.shapes import Floats

# A ray that starts on a surface starts this far above it: Embree's rounding at some 100 m, and
# more than the flat triangles of a ball cut off from it.
_LIFT_M = 0.02
NOTHING = -1


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rays:
    """Points `origin_m + t * direction`, in world coordinates.

    Args:
      origin_m: `[3]`, or `[..., 3]` for one of each ray's own.
      direction: `[..., 3]` float64, of any length.
    """

    origin_m: Floats
    direction: Floats


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Hits:
    """What each ray meets first; all of the rays' shape.

    Args:
      t: float64, infinite where nothing is met.
      owner: int32, the mesh's owner, `NOTHING` (-1) where nothing is met.
      axis: int8, of the face.
      normal: `[..., 3]` float32, of unit length, outwards; 0 where nothing is met.
    """

    t: npt.NDArray[np.float64]
    owner: npt.NDArray[np.int32]
    axis: npt.NDArray[np.int8]
    normal: npt.NDArray[np.float32]


class Scene:
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


def cast(rays: Rays, scenes: Sequence[Scene]) -> Hits:
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
    scenes: Sequence[Scene],
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
