"""Sun, sky, haze and the camera's response on one drive; shadows on the ground."""

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.demo_world.shapes import Floats, Solids, Vector

_SHADOW_TEXEL_M = 0.1
# cv2 draws polygons in fixed point with this many fractional bits.
_FRACTION_BITS = 4
_PENUMBRA_TEXELS = 5  # ours: edges half a metre soft


@dataclasses.dataclass(frozen=True, kw_only=True)
class Light:
    """The weather and the exposure of one drive.

    Args:
      to_sun: Unit vector in world axes.
      sun: Strength of direct light on a surface that faces the sun.
      ambient: Strength of light from everywhere.
      sky: Colour overhead.
      haze: Colour that far things fade to, and the sky at the horizon.
      haze_length_m: Distance at which 63 % is haze.
      exposure: Factor from light to pixel value.
      noise: Standard deviation of the camera's noise, of a full scale of 1.
    """

    to_sun: Vector
    sun: float
    ambient: float
    sky: Vector
    haze: Vector
    haze_length_m: float
    exposure: float
    noise: float


def random_light(rng: np.random.Generator) -> Light:
    """Draws anything from a clear evening to an overcast noon."""
    elevation, azimuth = np.radians(rng.uniform(25.0, 65.0)), rng.uniform(0.0, 2 * np.pi)
    overcast = rng.uniform(0.0, 1.0) ** 2
    blue = np.array([0.42, 0.60, 0.90]) * (1 - overcast) + np.array([0.80, 0.82, 0.85]) * overcast
    white = np.array([0.86, 0.89, 0.93]) * rng.uniform(0.9, 1.05)
    sky, haze = np.clip(blue, 0, 1), np.clip(white, 0, 1)
    return Light(
        to_sun=(
            float(np.cos(elevation) * np.cos(azimuth)),
            float(np.cos(elevation) * np.sin(azimuth)),
            float(np.sin(elevation)),
        ),
        sun=1.7 * (1 - 0.9 * overcast),
        ambient=0.36 + 0.42 * overcast,
        sky=(float(sky[0]), float(sky[1]), float(sky[2])),
        haze=(float(haze[0]), float(haze[1]), float(haze[2])),
        haze_length_m=rng.uniform(350.0, 1200.0),
        exposure=rng.uniform(0.7, 1.25),
        noise=rng.uniform(0.004, 0.010),
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ShadowMap:
    """How much of the sun reaches the ground, seen from above.

    Args:
      lit: `[rows, columns]` float32, 1 = full sun; rows along y, columns along x.
      x_m: World x of the first column's centre.
      y_m: World y of the first row's centre.
    """

    lit: npt.NDArray[np.float32]
    x_m: float
    y_m: float

    def at(self, x_m: npt.NDArray[np.float32], y_m: npt.NDArray[np.float32]) -> Floats:
        """Share of the sun at points `[height, width]` of the ground."""
        return cv2.remap(
            self.lit,
            (x_m - np.float32(self.x_m)) / np.float32(_SHADOW_TEXEL_M),
            (y_m - np.float32(self.y_m)) / np.float32(_SHADOW_TEXEL_M),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=1.0,
        )


def cast_shadows(
    solids: Solids,
    to_sun: Vector,
    *,
    x_range_m: tuple[float, float],
    y_range_m: tuple[float, float],
) -> ShadowMap:
    """Draws the outline of every solid's box, pushed along the sun's rays onto the ground."""
    shape = [int((end_m - start_m) / _SHADOW_TEXEL_M) for start_m, end_m in (y_range_m, x_range_m)]
    shade = np.zeros(shape, np.uint8)
    corners_m = solids.corners_m()
    # An ellipsoid covers pi / 4 of its box's outline.
    shrunk = np.where(solids.is_ellipsoid, 0.87, 1.0)[:, None, None]
    centre_m = solids.centre_m[:, None, :]
    corners_m = centre_m + (corners_m - centre_m) * shrunk
    along = np.array(to_sun[:2]) / to_sun[2]
    ground_m = corners_m[..., :2] - np.maximum(corners_m[..., 2:], 0.0) * along
    texels = (ground_m - (x_range_m[0], y_range_m[0])) / _SHADOW_TEXEL_M
    reach = np.all((texels.max(axis=1) > 0) & (texels.min(axis=1) < shape[::-1]), axis=-1)
    for outline in np.rint(texels[reach] * (1 << _FRACTION_BITS)).astype(np.int32):
        hull = cv2.convexHull(outline)
        cv2.fillConvexPoly(shade, hull, 255, cv2.LINE_8, _FRACTION_BITS)
    soft = cv2.blur(shade, (_PENUMBRA_TEXELS, _PENUMBRA_TEXELS))
    lit = 1.0 - soft.astype(np.float32) / 255.0
    return ShadowMap(lit=lit, x_m=x_range_m[0], y_m=y_range_m[0])
