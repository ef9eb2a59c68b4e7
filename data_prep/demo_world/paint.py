"""Patterns of the surfaces: windows, bricks, pickets, lane marks."""

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.light import Light
from data_prep.demo_world.road import ROAD, SIDEWALK, Road, ground_kind
from data_prep.demo_world.shapes import Floats, Pattern
from data_prep.demo_world.texture import Image, cell_value, fractal_noise

_GLASS = np.array([0.07, 0.08, 0.10], np.float32)
_ASPHALT = np.array([0.27, 0.27, 0.28], np.float32)
_PAVING = np.array([0.43, 0.41, 0.39], np.float32)
_GRASS = np.array([0.20, 0.27, 0.10], np.float32)
_KERB = np.array([0.52, 0.51, 0.49], np.float32)
_MARK = np.array([0.78, 0.78, 0.76], np.float32)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """What is known of each pixel's surface; all `[height, width]`.

    Args:
      index: Into the solids with ground and sky.
      local: x, y, z in the solid's own frame, metres.
      half: The solid's half extents.
      face: 0, 1, 2: the axis that the face looks along.
      u_m: Horizontal coordinate on the face.
      v_m: The other coordinate.
      footprint_m: Size of a pixel on the surface.
      cosine_to_sun: Of the normal, not clipped.
      upward: z of the normal.
      distance_m: Ray parameter t.
      seed: The solid's texture seed.
    """

    index: npt.NDArray[np.int32]
    local: tuple[Image, Image, Image]
    half: tuple[Image, Image, Image]
    face: npt.NDArray[np.int8]
    u_m: Image
    v_m: Image
    footprint_m: Image
    cosine_to_sun: Image
    upward: Image
    distance_m: Image
    seed: Image


@dataclasses.dataclass(frozen=True)
class Patch:
    """The pixels `[n]` of one pattern; names as in `Surface`."""

    x_m: Image
    y_m: Image
    z_m: Image
    half_x_m: Image
    half_z_m: Image
    face: npt.NDArray[np.int8]
    u_m: Image
    v_m: Image
    footprint_m: Image
    seed: Image

    @staticmethod
    def of(surface: Surface, chosen: npt.NDArray[np.bool_]) -> "Patch":
        """The pixels of a mask."""
        return Patch(
            x_m=surface.local[0][chosen],
            y_m=surface.local[1][chosen],
            z_m=surface.local[2][chosen],
            half_x_m=surface.half[0][chosen],
            half_z_m=surface.half[2][chosen],
            face=surface.face[chosen],
            u_m=surface.u_m[chosen],
            v_m=surface.v_m[chosen],
            footprint_m=surface.footprint_m[chosen],
            seed=surface.seed[chosen],
        )


def _band(value: Floats, low: Floats | float, high: Floats | float, blur: Floats) -> Floats:
    """1 inside [low, high], 0 outside, falling linearly over `blur` at each end."""
    inner = np.minimum(value - low, high - value) / np.maximum(blur, 1e-4)
    return np.clip(inner + 0.5, 0.0, 1.0)


def _mix(base: Image, other: Floats, share: Floats) -> Image:
    return (base + (other - base) * np.asarray(share)[:, None]).astype(np.float32)


def _facade(patch: Patch, base: Image) -> Image:
    """Rows of windows, each with its own brightness; a plain foot and no windows on roofs."""
    width_m = 2.1 + 1.4 * patch.seed
    storey_m = 2.8 + 0.5 * np.mod(patch.seed * 7.0, 1.0)
    height_m = patch.z_m + patch.half_z_m
    column, row = patch.u_m / width_m + 0.5, height_m / storey_m
    across, up = np.mod(column, 1.0), np.mod(row, 1.0)
    blur = patch.footprint_m
    frame = _band(across, 0.24, 0.76, blur / width_m) * _band(up, 0.28, 0.84, blur / storey_m)
    glass = _band(across, 0.28, 0.72, blur / width_m) * _band(up, 0.32, 0.80, blur / storey_m)
    is_side = (patch.face != 2) & (height_m < 2 * patch.half_z_m - 0.4)
    brightness = cell_value(column, row, patch.seed)
    pane = _GLASS * (1.6 + 1.2 * brightness)[:, None]
    painted = _mix(base, np.minimum(base * 1.35 + 0.05, 1.0), frame * is_side)
    painted = _mix(painted, pane, glass * is_side)
    ledge = _band(up, 0.0, 0.05, blur / storey_m) * is_side
    return _mix(painted, base * 0.75, ledge)


def _pickets(patch: Patch, base: Image) -> Image:
    share = _band(np.mod(patch.u_m / 0.16, 1.0), 0.7, 1.0, patch.footprint_m / 0.16)
    return _mix(base, base * 0.35, share)


def _brick(patch: Patch, base: Image) -> Image:
    """Courses of bricks or tiles, each its own shade."""
    course = patch.v_m / 0.14
    along = patch.u_m / 0.42 + 0.5 * np.mod(np.floor(course), 2.0)
    fade = np.clip(0.14 / (2.0 * patch.footprint_m) - 0.5, 0.0, 1.0)
    return base * (1.0 + 0.25 * fade * cell_value(along, course, patch.seed))[:, None]


def _car_body(patch: Patch, base: Image) -> Image:
    """Lamps and a number plate front and back, door joints, a dark sill."""
    height = (patch.z_m + patch.half_z_m) / (2 * patch.half_z_m)
    is_end = patch.face == 0
    blur = patch.footprint_m
    lamp = _band(np.abs(patch.y_m), 0.45, 0.78, blur) * _band(height, 0.55, 0.85, blur) * is_end
    front = np.array([0.85, 0.85, 0.80], np.float32)
    rear = np.array([0.50, 0.03, 0.03], np.float32)
    color = np.where((patch.x_m > 0)[:, None], front, rear)
    plate = _band(np.abs(patch.y_m), -1.0, 0.26, blur) * _band(height, 0.3, 0.5, blur) * is_end
    joint = _band(np.mod(patch.x_m + 0.4, 1.05), 0.0, 0.03, blur) * (patch.face == 1)
    sill = _band(height, -1.0, 0.14, blur) * (patch.face != 2)
    painted = _mix(base, color, lamp)
    painted = _mix(painted, np.array([0.7, 0.7, 0.66], np.float32), plate)
    return _mix(painted, painted * 0.4, np.maximum(0.7 * joint, sill))


def _car_cabin(patch: Patch, base: Image) -> Image:
    """Glass on the sides between pillars; the roof keeps the body's colour."""
    height = (patch.z_m + patch.half_z_m) / (2 * patch.half_z_m)
    pillar = _band(np.mod(patch.x_m + 0.1, 1.1), 0.0, 0.09, patch.footprint_m) * (patch.face == 1)
    is_side = patch.face != 2
    glass = _band(height, 0.04, 0.88, patch.footprint_m) * is_side * (1.0 - pillar)
    # The upper part mirrors the sky.
    return _mix(base, _GLASS * (0.8 + 1.8 * height)[:, None], glass)


def _bus(patch: Patch, base: Image) -> Image:
    height_m = patch.z_m + patch.half_z_m
    blur = patch.footprint_m
    pillar = _band(np.mod(patch.u_m, 1.5), 0.0, 0.12, blur) * (patch.face == 1)
    glass = _band(height_m, 0.9, 2.0, blur) * (patch.face != 2) * (1.0 - pillar)
    return _mix(base, _GLASS * 1.5, glass)


def _sign(patch: Patch, base: Image) -> Image:
    """A white middle with a dark bar."""
    u, v = patch.u_m / patch.half_z_m, patch.v_m / patch.half_z_m
    blur = patch.footprint_m / patch.half_z_m
    middle = _band(np.hypot(u, v), -1.0, 0.62, blur)
    bar = _band(v, -0.14, 0.14, blur) * _band(u, -0.45, 0.45, blur)
    painted = _mix(base, np.array([0.75, 0.75, 0.73], np.float32), middle)
    return _mix(painted, np.array([0.06, 0.06, 0.07], np.float32), bar)


PAINTERS: dict[Pattern, Callable[[Patch, Image], Image]] = {
    Pattern.FACADE: _facade,
    Pattern.PICKETS: _pickets,
    Pattern.BRICK: _brick,
    Pattern.CAR_BODY: _car_body,
    Pattern.CAR_CABIN: _car_cabin,
    Pattern.BUS: _bus,
    Pattern.SIGN: _sign,
}


def ground(road: Road, x_m: Image, y_m: Image, footprint_m: Image) -> Image:
    """Colours `[n, 3]` of points of the ground."""
    kind = ground_kind(road, x_m, y_m)
    lateral_m = road.lateral_m(x_m, y_m)
    crossing_m = road.crossing_distance_m(x_m) - road.crossing_half_m
    base = np.where(
        (kind == ROAD)[:, None], _ASPHALT, np.where((kind == SIDEWALK)[:, None], _PAVING, _GRASS)
    )
    blur = footprint_m
    slabs = np.maximum(
        _band(np.mod(x_m, 0.8), 0.0, 0.04, blur), _band(np.mod(lateral_m, 0.8), 0.0, 0.04, blur)
    )
    base = _mix(base, base * 0.7, slabs * (kind == SIDEWALK))
    beyond_m = np.maximum(lateral_m - road.left_edge_m, road.right_edge_m - lateral_m)
    kerb = _band(np.minimum(np.maximum(beyond_m, -9.0), crossing_m), 0.0, 0.18, blur)
    base = _mix(base, _KERB, kerb)
    return _mix(base, _MARK, 0.85 * _marks(road, x_m, lateral_m, blur) * (crossing_m > 1.0))


def _marks(road: Road, x_m: Image, lateral_m: Image, blur: Image) -> Floats:
    """How much of a point is painted white: dashed lines between lanes, solid ones at the side."""
    dash = _band(np.mod(x_m, 6.0), 0.0, 3.0, blur)
    between = np.abs(np.mod(lateral_m / road.lane_m + 0.5, 1.0) - 0.5) * road.lane_m
    is_inner = np.abs(lateral_m) < road.half_lanes_m - 0.5
    dashed = _band(between, -1.0, 0.065, blur) * dash * is_inner
    solid = _band(np.abs(np.abs(lateral_m) - (road.half_lanes_m - 0.15)), -1.0, 0.06, blur)
    return np.maximum(dashed, solid)


def sky(directions: tuple[Image, Image, Image], light: Light) -> Image:
    """Colours `[height, width, 3]`: paler towards the horizon, with faint clouds far away."""
    x, y, z = directions
    elevation = np.clip(z / np.sqrt(x * x + y * y), 0.0, 1.0)
    # Clouds lie on a plane of unit height.
    reach = 1.0 / np.maximum(elevation, np.float32(0.04))
    clouds = fractal_noise(
        x * reach,
        y * reach,
        np.float32(0.02) * reach * reach,
        np.zeros_like(x),
        strength=(0.0, 0.0, 0.1, 0.12, 0.15),
    )
    share = np.clip(1.6 * elevation - clouds, 0.0, 1.0)[..., None]
    overhead, horizon = np.array(light.sky, np.float32), np.array(light.haze, np.float32)
    return horizon * (1.0 - share) + overhead * share
