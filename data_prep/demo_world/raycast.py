"""Exact casting of the rays of one sensor against the ground and the solids.

Everything is done in inverse distance s = 1 / t. A ray `origin + t * direction` crosses the
plane `normal . p = offset` at `s = -(normal . direction) / (normal . origin - offset)`, which is
linear in the direction. Both sensors' directions are a sum of a column's and a row's vector, so
a plane over the whole image is one outer sum, without a division. A convex solid is entered
through the planes that the origin is outside of, at the smallest such s, and left through the
others, at the largest; it is hit where the first exceeds the second and zero. Sky is s = 0.
"""

import abc
import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.shapes import Floats, Solids

# Points nearer than this ahead of the sensor's plane are clipped when solids are bounded.
_NEAR_M = 0.05
# An origin in the very plane of a face sees it edge-on: pushed off by this much.
_LEAST_OFFSET_M = 1e-4
# Pairs of corners (numbered as in `Solids.corners_m`) that share an edge.
_EDGES = np.array([(i, i | 1 << axis) for axis in range(3) for i in range(8) if not i >> axis & 1])


@dataclasses.dataclass(frozen=True, kw_only=True)
class RayFan(abc.ABC):
    """Rays `origin + t * (columns[u] + rows[v])` of one sensor, in world coordinates.

    Args:
      T_world_from_sensor: `[4, 4]`.
      columns: `[width, 3]`.
      rows: `[height, 3]`.
    """

    T_world_from_sensor: Floats
    columns: Floats
    rows: Floats

    @property
    def origin_m(self) -> Floats:
        """The sensor's position `[3]`."""
        return self.T_world_from_sensor[:3, 3]

    def directions(self) -> tuple[Floats, Floats, Floats]:
        """The x, y and z of all directions, each `[height, width]` float32."""
        x, y, z = (
            (self.rows[:, axis, None] + self.columns[None, :, axis]).astype(np.float32)
            for axis in range(3)
        )
        return x, y, z

    @abc.abstractmethod
    def windows(self, solids: Solids) -> tuple[npt.NDArray[np.int64], Floats]:
        """Where each solid can be hit.

        Returns:
          `[n, 4]` first row, end row, first column, end column, empty (end <= first) where no
          ray can hit; and `[n]`, the least t that a hit can have.
        """


@dataclasses.dataclass(frozen=True)
class Hits:
    """What each ray meets first.

    Args:
      inverse: `[height, width]` float32, 1 / t; 0 is sky.
      index: `[height, width]` int32, the solid's; n of n solids is ground, n + 1 sky.
    """

    inverse: npt.NDArray[np.float32]
    index: npt.NDArray[np.int32]


def clipped_extremes(corners_m: Floats, axis: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Extreme points of boxes, of which only the part ahead of the sensor counts.

    Args:
      corners_m: `[n, 8, 3]` in the sensor's frame.
      axis: The frame's forward axis.

    Returns:
      Points `[n, 20, 3]` (corners, then edges cut by the near plane) and which of them count.
    """
    ahead = corners_m[..., axis] - _NEAR_M
    start, end = corners_m[:, _EDGES[:, 0]], corners_m[:, _EDGES[:, 1]]
    start_ahead, end_ahead = ahead[:, _EDGES[:, 0]], ahead[:, _EDGES[:, 1]]
    is_cut = (start_ahead > 0) != (end_ahead > 0)
    span = np.where(is_cut, start_ahead - end_ahead, 1.0)
    cut = start + (start_ahead / span)[..., None] * (end - start)
    return (
        np.concatenate([corners_m, cut], axis=1),
        np.concatenate([ahead > 0, is_cut], axis=1),
    )


def cast(fan: RayFan, solids: Solids) -> Hits:
    """Finds the first surface along every ray; the ground is the plane z = 0."""
    height, width = len(fan.rows), len(fan.columns)
    sensor_height_m = fan.origin_m[2]
    inverse = np.maximum(_outer(fan, np.array([0.0, 0.0, -1.0 / sensor_height_m])), np.float32(0))
    index = np.where(inverse > 0, len(solids), len(solids) + 1).astype(np.int32)
    windows, least_t = fan.windows(solids)
    if np.any(windows < 0) or np.any(windows > (height, height, width, width)):
        raise ValueError(f"a solid's window leaves the {height}x{width} rays")
    columns, rows = fan.columns.astype(np.float64), fan.rows.astype(np.float64)
    planes, is_outside = _planes_of(fan.origin_m, solids)
    quadrics = _quadrics_of(fan.origin_m, solids)
    in_view = (windows[:, 1] > windows[:, 0]) & (windows[:, 3] > windows[:, 2])
    front_to_back = np.argsort(least_t, kind="stable")
    for i in front_to_back[in_view[front_to_back]]:
        top, bottom, left, right = windows[i]
        current = inverse[top:bottom, left:right]
        if current.min() >= 1.0 / least_t[i]:
            continue  # hidden
        column, row = columns[left:right], rows[top:bottom]
        if solids.is_ellipsoid[i]:
            candidate = _ellipsoid(column, row, *(part[i] for part in quadrics))
        else:
            candidate = _convex(column @ planes[i].T, row @ planes[i].T, is_outside[i])
        is_nearer = candidate > current
        np.copyto(current, candidate, where=is_nearer)
        np.copyto(index[top:bottom, left:right], i, where=is_nearer, casting="same_kind")
    return Hits(inverse, index)


def _outer(fan: RayFan, plane: Floats) -> npt.NDArray[np.float32]:
    row, column = fan.rows @ plane, fan.columns @ plane
    return np.add.outer(row.astype(np.float32), column.astype(np.float32))


def _planes_of(origin_m: Floats, solids: Solids) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The six faces of each solid.

    Returns:
      Vectors w `[n, 6, 3]` with s = w . direction, and whether the origin is outside `[n, 6]`.
    """
    cosine, sine = np.cos(solids.yaw_rad), np.sin(solids.yaw_rad)
    zero, one = np.zeros_like(cosine), np.ones_like(cosine)
    relative = origin_m - solids.centre_m
    forward = np.stack([cosine, sine, zero], axis=-1)
    leftward = np.stack([-sine, cosine, zero], axis=-1)
    upward = np.stack([zero, zero, one], axis=-1)
    normals, values = [], []
    for axis, direction in enumerate((forward, leftward)):
        # |x| + taper * (z + half z) <= half x
        taper = solids.taper[:, axis]
        limit = solids.half_m[:, axis] - taper * solids.half_m[:, 2]
        for sign in (1.0, -1.0):
            normal = sign * direction + taper[:, None] * upward
            normals.append(normal)
            values.append(np.sum(normal * relative, axis=-1) - limit)
    for sign in (1.0, -1.0):
        normals.append(sign * upward)
        values.append(sign * relative[:, 2] - solids.half_m[:, 2])
    value = np.stack(values, axis=1)
    value = np.where(np.abs(value) < _LEAST_OFFSET_M, _LEAST_OFFSET_M, value)
    return -np.stack(normals, axis=1) / value[..., None], value > 0


def _convex(
    columns: Floats, rows: Floats, is_outside: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Inverse distance `[rows, columns]` of a convex solid, 0 where missed."""
    columns, rows = columns.astype(np.float32), rows.astype(np.float32)
    shape = (len(rows), len(columns))
    entry = np.full(shape, np.inf, np.float32)
    leave = np.zeros(shape, np.float32)
    face = np.empty(shape, np.float32)
    for k in range(6):
        np.add(rows[:, k, None], columns[None, :, k], out=face)
        if is_outside[k]:
            np.minimum(entry, face, out=entry)
        else:
            np.maximum(leave, face, out=leave)
    entry[entry <= leave] = 0
    return entry


def _quadrics_of(origin_m: Floats, solids: Solids) -> tuple[Floats, Floats]:
    """Per ellipsoid what `_ellipsoid` needs.

    With coordinates in which the solid is the unit sphere, origin o and direction d, the roots of
    `c s^2 + 2 (o . d) s + d . d = 0`, `c = o . o - 1`, are `-slope . d +- sqrt(d . root . d)`.

    Returns:
      slope `[n, 3]` and root `[n, 3, 3]`, of world directions; meaningless for other solids.
    """
    cosine, sine = np.cos(solids.yaw_rad), np.sin(solids.yaw_rad)
    to_unit = np.zeros((len(solids), 3, 3))
    to_unit[:, 0, 0], to_unit[:, 0, 1] = cosine, sine
    to_unit[:, 1, 0], to_unit[:, 1, 1] = -sine, cosine
    to_unit[:, 2, 2] = 1.0
    to_unit /= solids.half_m[:, :, None]
    origin = np.einsum("nij,nj->ni", to_unit, origin_m - solids.centre_m)
    outside = np.sum(origin * origin, axis=-1) - 1.0
    if np.any(outside[solids.is_ellipsoid] <= 0):
        raise ValueError(f"the sensor at {origin_m} is inside an ellipsoid of the street")
    outside = np.where(solids.is_ellipsoid, outside, 1.0)
    slope = np.einsum("nij,ni->nj", to_unit, origin) / outside[:, None]
    sphere = np.einsum("nki,nkj->nij", to_unit, to_unit) / outside[:, None, None]
    return slope, slope[:, :, None] * slope[:, None, :] - sphere


def _ellipsoid(
    columns: Floats, rows: Floats, slope: Floats, root: Floats
) -> npt.NDArray[np.float32]:
    """As `_convex`; see `_quadrics_of`. float64 inside, for `d . root . d` cancels at the rim."""
    rows_root = rows @ root
    squared = (2.0 * rows_root) @ columns.T
    squared += (rows_root * rows).sum(axis=1)[:, None]
    squared += (columns @ root * columns).sum(axis=1)[None, :]
    is_missed = squared <= 0
    squared[is_missed] = 0.0
    inverse = np.sqrt(squared, out=squared)
    inverse -= np.add.outer(rows @ slope, columns @ slope)
    inverse[is_missed] = 0.0
    return inverse.astype(np.float32)
