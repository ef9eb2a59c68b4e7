"""What the rays of one sensor met, and where on which surface."""

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.mesh import Hits, Rays
from data_prep.demo_world.road import ground_kind
from data_prep.demo_world.scene import Instant
from data_prep.demo_world.solids import LACQUERED, TRAIN_ID, Floats, Pattern, Shape, Solids
from data_prep.demo_world.texture import Image, Surface

_GROUND_TRAIN_IDS = np.array(
    [TRAIN_ID["road"], TRAIN_ID["sidewalk"], TRAIN_ID["terrain"]], np.uint8
)
_SKY_DISTANCE_M = 1e4
_BULGE = 0.4  # ours: lacquered boxes stand for curved metal, whose normals lean as a ball's do


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """Rays `[height, width]` of one sensor with what they met.

    Attributes:
      instant: When.
      rays: Its rays.
      hits: What they met.
      points_m: `[height, width, 3]` float64, where; far away on the sky.
      surface: What the painters know.
      normal: `[height, width, 3]` float32, of the smooth surface that the triangles stand for.
    """

    instant: Instant
    rays: Rays
    hits: Hits
    points_m: Floats
    surface: Surface
    normal: Image

    @property
    def is_sky(self) -> npt.NDArray[np.bool_]:
        """`[height, width]`."""
        return self.hits.owner == self.instant.sky


def view_of(instant: Instant, rays: Rays, *, pixel_rad: float) -> View:
    """Casts rays `[height, width]` and works out where on which face each ends."""
    hits, solids = instant.cast(rays), instant.solids
    t = np.where(hits.owner == instant.sky, _SKY_DISTANCE_M, hits.t)[..., None]
    points_m = rays.origin_m + t * rays.direction
    index = hits.owner
    relative = (points_m - solids.centre_m[index]).astype(np.float32)
    cosine = np.cos(solids.yaw_rad).astype(np.float32)[index]
    sine = np.sin(solids.yaw_rad).astype(np.float32)[index]
    east, north, z = (np.ascontiguousarray(relative[..., axis]) for axis in range(3))
    local = (cosine * east + sine * north, cosine * north - sine * east, z)
    half_m = solids.half_m.astype(np.float32)[index]
    half = (half_m[..., 0], half_m[..., 1], half_m[..., 2])
    normal = _smooth_normals(hits, solids, local, half, cosine, sine)
    distance_m = (t[..., 0] * np.sqrt(np.sum(rays.direction**2, axis=-1))).astype(np.float32)
    facing = np.abs(np.einsum("...i,...i->...", normal, rays.direction.astype(np.float32)))
    facing *= t[..., 0].astype(np.float32) / distance_m
    u_m, v_m = _face_coordinates(hits, solids, local, half)
    to_sun = np.array(instant.street.light.to_sun, np.float32)
    surface = Surface(
        index=index,
        local=local,
        half=half,
        face=hits.axis,
        u_m=u_m,
        v_m=v_m,
        # A pixel's patch is longer by 1 / cos one way only: the mean of both ways.
        footprint_m=distance_m
        * np.float32(pixel_rad)
        / np.sqrt(np.maximum(facing, np.float32(1e-3))),
        cosine_to_sun=normal @ to_sun,
        distance_m=distance_m,
        seed=solids.texture_seed.astype(np.float32)[index],
    )
    return View(
        instant=instant, rays=rays, hits=hits, points_m=points_m, surface=surface, normal=normal
    )


def _smooth_normals(
    hits: Hits,
    solids: Solids,
    local: tuple[Image, Image, Image],
    half: tuple[Image, Image, Image],
    cosine: Image,
    sine: Image,
) -> Image:
    """The triangles' normals, but of balls and cylinders those of the round surface."""
    shape = solids.shape[hits.owner]
    is_ball = (shape == Shape.ELLIPSOID) & (solids.pattern[hits.owner] != Pattern.FOLIAGE)
    is_mast = (shape == Shape.CYLINDER) & (hits.axis != 2)
    is_tread = (shape == Shape.WHEEL) & (hits.axis != 1)
    is_round = is_ball | is_mast | is_tread
    is_metal = np.isin(solids.pattern[hits.owner], LACQUERED) & (shape == Shape.BOX)
    if not (is_metal | is_round).any():
        return hits.normal
    normal = hits.normal.copy()
    normal[is_metal] = _leaning(is_metal, hits.normal, local, half, cosine, sine)
    x, y, z = (
        side[is_round] / extent[is_round] ** 2 for side, extent in zip(local, half, strict=True)
    )
    y[is_tread[is_round]] = 0.0
    z[is_mast[is_round]] = 0.0
    c, s = cosine[is_round], sine[is_round]
    turned = np.stack([c * x - s * y, s * x + c * y, z], axis=-1)
    length = np.sqrt(np.sum(turned * turned, axis=-1, keepdims=True))
    normal[is_round] = turned / np.maximum(length, np.float32(1e-6))
    return normal


def _leaning(
    chosen: npt.NDArray[np.bool_],
    normal: Image,
    local: tuple[Image, Image, Image],
    half: tuple[Image, Image, Image],
    cosine: Image,
    sine: Image,
) -> Image:
    """Normals `[n, 3]` of boxes' chosen points, each turned a little away from the middle."""
    x, y, z = (side[chosen] / extent[chosen] for side, extent in zip(local, half, strict=True))
    c, s = cosine[chosen], sine[chosen]
    outward = np.stack([c * x - s * y, s * x + c * y, z], axis=-1)
    turned = normal[chosen] + np.float32(_BULGE) * outward
    return turned / np.sqrt(np.sum(turned * turned, axis=-1, keepdims=True))


def _face_coordinates(
    hits: Hits,
    solids: Solids,
    local: tuple[Image, Image, Image],
    half: tuple[Image, Image, Image],
) -> tuple[Image, Image]:
    """Horizontal and other coordinate on the face; around a cylinder the length of the arc."""
    u_m = np.where(hits.axis == 0, local[1], local[0])
    v_m = np.where(hits.axis == 2, local[1], local[2])
    bent = (solids.shape[hits.owner] == Shape.CYLINDER) & (hits.axis != 2)
    if bent.any():
        half_x, half_y = half[0][bent], half[1][bent]
        angle = np.arctan2(local[1][bent] / half_y, local[0][bent] / half_x)
        u_m[bent] = angle * (half_x + half_y) / 2
    return u_m, v_m


def train_ids(view: View) -> npt.NDArray[np.uint8]:
    """Classes `[height, width]`."""
    ids = view.instant.solids.train_id[view.hits.owner]
    is_ground = view.hits.owner == view.instant.ground
    points_m = view.points_m[is_ground]
    kinds = ground_kind(view.instant.street.road, points_m[:, 0], points_m[:, 1])
    ids[is_ground] = _GROUND_TRAIN_IDS[kinds]
    return ids
