"""What painters know of the pixels that they paint, and how they draw lines."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.demo_world.solids import Floats

# float32 throughout; numpy's annotations do not follow it.
Image = Floats

# Metres; from gravel to stains.
WAVELENGTHS_M = (0.05, 0.17, 0.6, 2.1, 8.0)
_TILE = 256  # texels; one is half a wavelength
_FOLD = 1024
# The pattern is the same in every world, so a constant rather than a setting.
_TILE_SEED = 20110926


# One more row and column, so that interpolation wraps.
_TILES = [
    np.pad(tile, ((0, 1), (0, 1)), mode="wrap")
    for tile in (
        np.random.default_rng(_TILE_SEED)
        .uniform(-1.0, 1.0, (len(WAVELENGTHS_M), _TILE, _TILE))
        .astype(np.float32)
    )
]


def fractal_noise(
    u_m: Image, v_m: Image, footprint_m: Image, seed: Image, *, strength: Sequence[float | Image]
) -> Image:
    """Sums the octaves.

    Args:
      u_m: `[height, width]` or `[n]`, first coordinate on the surface.
      v_m: Second coordinate.
      footprint_m: Size of a pixel on the surface.
      seed: 0..1, shifts the pattern of each surface.
      strength: Amplitude of each octave of `WAVELENGTHS_M`, one for all points or one for each.

    Returns:
      As `u_m`, mean about zero.
    """
    total = np.zeros_like(u_m)
    for octave, (tile, wavelength_m, amplitude) in enumerate(
        zip(_TILES, WAVELENGTHS_M, strength, strict=True)
    ):
        if not np.any(amplitude):
            continue
        fade = np.clip(wavelength_m / (2.0 * footprint_m) - 0.5, 0.0, 1.0)
        if not fade.any():
            continue
        scale = np.float32(2.0 / wavelength_m)
        shift = seed * np.float32(_TILE * (octave + 1))
        value = _read(tile, u_m * scale + shift, v_m * scale + shift)
        total += fade * np.asarray(amplitude, np.float32) * value
    return total


def cell_value(u: Image, v: Image, seed: Image) -> Image:
    """A constant random number in -1..1 for each unit cell of (u, v)."""
    tile = _TILES[0]
    row = (np.floor(v).astype(np.int32) * 7 + (seed * 4096).astype(np.int32)) % _TILE
    column = np.floor(u).astype(np.int32) % _TILE
    return tile[row, column]


def _read(tile: Image, u: Image, v: Image) -> Image:
    # OpenCV's pictures have fewer than 32768 rows: a list of points is folded.
    rows = (_folded(_wrapped(u)), _folded(_wrapped(v)))
    return cv2.remap(tile, *rows, cv2.INTER_LINEAR).ravel()[: u.size].reshape(u.shape)


def _folded(values: Image) -> Image:
    if values.ndim == 2:
        return values
    return np.pad(values, (0, -len(values) % _FOLD)).reshape(-1, _FOLD)


def _wrapped(texels: Image) -> Image:
    # np.mod, many times slower, would do the same.
    return texels - np.float32(_TILE) * np.floor(texels * np.float32(1.0 / _TILE))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """What is known of each pixel's surface; all `[height, width]`.

    Attributes:
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


_ON_THE_FACE = ("face", "u_m", "v_m", "footprint_m", "seed")


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
        x, y, z = (side[chosen] for side in surface.local)
        half_x, half_y, half_z = (side[chosen] for side in surface.half)
        others = (getattr(surface, name)[chosen] for name in _ON_THE_FACE)
        return Patch(x, y, z, half_x, half_y, half_z, *others)

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


def every(value_m: Image, period_m: float, low: float, high: float, blur_m: Image) -> Floats:
    """`band` within each period, its ends as shares of it."""
    return band(np.mod(value_m / period_m, 1.0), low, high, blur_m / period_m)


def mix(base: Image, other: Floats, share: Floats) -> Image:
    """`other` `[n, 3]`, or a colour `[3]`, over `base` `[n, 3]` by `share` `[n]`."""
    return (base + (other - base) * np.asarray(share)[..., None]).astype(np.float32)


def seed_digit(seed: Image, number: int) -> Image:
    """One of several independent-looking numbers 0..1 made of a seed."""
    return np.mod(seed * np.float32((7.0, 31.0, 101.0, 317.0)[number]), np.float32(1.0))
