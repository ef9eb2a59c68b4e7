"""What painters know of the pixels that they paint, and how they draw lines."""

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.shapes import Floats
from data_prep.demo_world.texture import Image


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
      distance_m: From the sensor.
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
    distance_m: Image
    seed: Image


@dataclasses.dataclass(frozen=True)
class Patch:
    """The pixels `[n]` of one pattern; names as in `Surface`."""

    x_m: Image
    y_m: Image
    z_m: Image
    half_x_m: Image
    half_y_m: Image
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
            half_y_m=surface.half[1][chosen],
            half_z_m=surface.half[2][chosen],
            face=surface.face[chosen],
            u_m=surface.u_m[chosen],
            v_m=surface.v_m[chosen],
            footprint_m=surface.footprint_m[chosen],
            seed=surface.seed[chosen],
        )

    @property
    def height_m(self) -> Image:
        """Above the solid's bottom."""
        return self.z_m + self.half_z_m

    @property
    def share_of_height(self) -> Image:
        """0 at the bottom, 1 at the top."""
        return self.height_m / (2 * self.half_z_m)

    @property
    def half_u_m(self) -> Image:
        """Half the width of an upright face."""
        return np.where(self.face == 0, self.half_y_m, self.half_x_m)


def band(value: Floats, low: Floats | float, high: Floats | float, blur: Floats | float) -> Floats:
    """1 inside [low, high], 0 outside, falling linearly over `blur` at each end."""
    inner = np.minimum(value - low, high - value) / np.maximum(blur, np.float32(1e-4))
    return np.clip(inner + np.float32(0.5), 0.0, 1.0)


def mix(base: Image, other: Floats, share: Floats) -> Image:
    """`other` `[n, 3]`, or a colour `[3]`, over `base` `[n, 3]` by `share` `[n]`."""
    return (base + (other - base) * np.asarray(share)[..., None]).astype(np.float32)


def seed_digit(seed: Image, number: int) -> Image:
    """One of several independent-looking numbers 0..1 made of a seed."""
    return np.mod(seed * np.float32((7.0, 31.0, 101.0, 317.0)[number]), np.float32(1.0))
