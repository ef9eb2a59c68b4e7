"""Colours and classes of what the rays met."""

import numpy as np
import numpy.typing as npt

from data_prep.demo_world import paint
from data_prep.demo_world.light import Light, ShadowMap
from data_prep.demo_world.objects import TRAIN_ID
from data_prep.demo_world.paint import Surface
from data_prep.demo_world.raycast import Hits, RayFan
from data_prep.demo_world.road import Road, ground_kind
from data_prep.demo_world.shapes import Pattern, Solid, Solids
from data_prep.demo_world.texture import Image, fractal_noise

# Per octave of texture.WAVELENGTHS_M.
_STRENGTH = (0.20, 0.20, 0.18, 0.16, 0.14)
_FOLIAGE_CONTRAST = 2.6
_GROUND_HALF_M = 1e5
_GROUND_TRAIN_IDS = np.array(
    [TRAIN_ID["road"], TRAIN_ID["sidewalk"], TRAIN_ID["terrain"]], np.uint8
)


def with_ground_and_sky(solids: Solids) -> Solids:
    """Adds the entries n (ground, a slab whose top is z = 0) and n + 1 (sky) of `Hits.index`."""
    slab = (_GROUND_HALF_M, _GROUND_HALF_M, 1.0)
    extra = [
        Solid((0.0, 0.0, -1.0), slab, TRAIN_ID["road"], (0.3, 0.3, 0.3), Pattern.GROUND),
        Solid((0.0, 0.0, 0.0), slab, TRAIN_ID["sky"], (0.8, 0.8, 0.8)),
    ]
    # The ground's texture is the world's; any generator would do.
    return Solids.join([solids, Solids.stack(extra, np.random.default_rng(0))])


def train_ids(fan: RayFan, hits: Hits, road: Road, solids: Solids) -> npt.NDArray[np.uint8]:
    """Classes `[height, width]`; `solids` with ground and sky."""
    ids = solids.train_id[hits.index]
    is_ground = hits.index == len(solids) - 2
    x_m, y_m = ground_points(fan, hits, is_ground)
    ids[is_ground] = _GROUND_TRAIN_IDS[ground_kind(road, x_m, y_m)]
    return ids


def ground_points(fan: RayFan, hits: Hits, is_ground: npt.NDArray[np.bool_]) -> tuple[Image, Image]:
    """World x and y, each `[n]`, of the pixels of a mask."""
    t_m = 1.0 / hits.inverse[is_ground]
    x, y, _ = fan.directions()
    return (
        x[is_ground] * t_m + np.float32(fan.origin_m[0]),
        y[is_ground] * t_m + np.float32(fan.origin_m[1]),
    )


def surface_of(
    fan: RayFan, hits: Hits, solids: Solids, light: Light, *, pixel_rad: float
) -> Surface:
    """Works out where on which face each ray ends."""
    index = hits.index
    distance_m = 1.0 / np.maximum(hits.inverse, np.float32(1e-4))
    x, y, z = fan.directions()
    relative = (fan.origin_m - solids.centre_m).astype(np.float32)
    cosine = np.cos(solids.yaw_rad).astype(np.float32)[index]
    sine = np.sin(solids.yaw_rad).astype(np.float32)[index]
    east = x * distance_m + relative[index, 0]
    north = y * distance_m + relative[index, 1]
    local = (
        cosine * east + sine * north,
        cosine * north - sine * east,
        z * distance_m + relative[index, 2],
    )
    half = tuple(solids.half_m[:, axis].astype(np.float32)[index] for axis in range(3))
    normal = _local_normal(local, half, solids, index)
    face = np.argmax(np.abs(np.stack(normal)), axis=0).astype(np.int8)
    to_sun = np.array(light.to_sun, np.float32)
    ray = (cosine * x + sine * y, cosine * y - sine * x, z)
    facing = np.abs(sum(n * d for n, d in zip(normal, ray, strict=True)))
    length = np.sqrt(x * x + y * y + z * z)
    # A pixel's patch is longer by 1 / cos one way only: the mean of both ways.
    stretch = np.sqrt(np.maximum(facing / length, np.float32(1e-3)))
    return Surface(
        index=index,
        local=local,
        half=(half[0], half[1], half[2]),
        face=face,
        u_m=np.where(face == 0, local[1], local[0]),
        v_m=np.where(face == 2, local[1], local[2]),
        footprint_m=distance_m * length * np.float32(pixel_rad) / stretch,
        cosine_to_sun=normal[0] * (cosine * to_sun[0] + sine * to_sun[1])
        + normal[1] * (cosine * to_sun[1] - sine * to_sun[0])
        + normal[2] * to_sun[2],
        upward=normal[2],
        distance_m=distance_m,
        seed=solids.texture_seed.astype(np.float32)[index],
    )


def _local_normal(
    local: tuple[Image, Image, Image],
    half: tuple[Image, ...],
    solids: Solids,
    index: npt.NDArray[np.int32],
) -> tuple[Image, Image, Image]:
    """Unit normals: of the box face nearest to the point, or of the ellipsoid."""
    taper = solids.taper.astype(np.float32)[index]
    height_m = local[2] + half[2]
    outside = np.stack(
        [
            np.abs(local[0]) + taper[..., 0] * height_m - half[0],
            np.abs(local[1]) + taper[..., 1] * height_m - half[1],
            np.abs(local[2]) - half[2],
        ]
    )
    face = np.argmax(outside, axis=0)
    is_round = solids.is_ellipsoid[index]
    x, y, z = (
        np.where(is_round, local[axis] / half[axis] ** 2, np.sign(local[axis]) * (face == axis))
        for axis in range(3)
    )
    z = np.where(is_round | (face == 2), z, np.where(face == 0, taper[..., 0], taper[..., 1]))
    length = np.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


def shade(
    fan: RayFan,
    surface: Surface,
    solids: Solids,
    road: Road,
    light: Light,
    shadows: ShadowMap,
) -> Image:
    """Colours `[height, width, 3]` of light arriving at the camera, before its noise.

    Args:
      fan: The camera's rays.
      surface: What they met.
      solids: With ground and sky.
      road: Paints the ground.
      light: Of the drive.
      shadows: Of the frame.
    """
    pattern = solids.pattern[surface.index]
    is_ground, is_sky = pattern == Pattern.GROUND, surface.index == len(solids) - 1
    noise = fractal_noise(
        surface.u_m, surface.v_m, surface.footprint_m, surface.seed, strength=_STRENGTH
    )
    noise = np.where(pattern == Pattern.FOLIAGE, noise * np.float32(_FOLIAGE_CONTRAST), noise)
    base = solids.color.astype(np.float32)[surface.index]
    for which, painter in paint.PAINTERS.items():
        chosen = pattern == which
        if chosen.any():
            base[chosen] = painter(paint.Patch.of(surface, chosen), base[chosen])
    ground_x, ground_y = surface.local[0], surface.local[1]
    base[is_ground] = paint.ground(
        road, ground_x[is_ground], ground_y[is_ground], surface.footprint_m[is_ground]
    )
    base *= np.maximum(1.0 + noise, 0.15)[..., None]

    lit = np.maximum(surface.cosine_to_sun, 0.0)
    lit[is_ground] *= shadows.at(ground_x, ground_y)[is_ground]
    # Less of the sky reaches the foot of a wall.
    above_m = surface.local[2] + surface.half[2]
    open_sky = np.where(is_ground, 1.0, 0.72 + 0.28 * np.clip(above_m / 1.5, 0.0, 1.0))
    ambient = light.ambient * open_sky * (0.8 + 0.2 * surface.upward)
    color = base * (light.sun * lit + ambient)[..., None].astype(np.float32)
    fading = np.exp(-surface.distance_m / np.float32(light.haze_length_m))[..., None]
    color = color * fading + np.array(light.haze, np.float32) * (1.0 - fading)
    if is_sky.any():
        top = slice(0, int(np.flatnonzero(is_sky.any(axis=1))[-1]) + 1)
        x, y, z = fan.directions()
        color[top][is_sky[top]] = paint.sky((x[top], y[top], z[top]), light)[is_sky[top]]
    return color * np.float32(light.exposure)
