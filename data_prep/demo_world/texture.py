"""Procedural texture: noise of several wavelengths, anchored to the surfaces.

Each octave is a tile of random values, read with linear interpolation (value noise). An octave
fades out where its wavelength falls below two pixels, so that far surfaces do not flicker and
both eyes see the same.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from data_prep.demo_world.shapes import Floats

# float32 throughout; numpy's annotations do not follow it.
Image = Floats

# Metres; from gravel to stains.
WAVELENGTHS_M = (0.05, 0.17, 0.6, 2.1, 8.0)
_TILE = 256  # texels; one is half a wavelength
_FOLD = 1024
# The pattern is the same in every world, so a constant rather than a setting.
_TILE_SEED = 20110926


def _make_tiles() -> list[Image]:
    rng = np.random.default_rng(_TILE_SEED)
    tiles = []
    for _ in WAVELENGTHS_M:
        tile = rng.uniform(-1.0, 1.0, (_TILE, _TILE)).astype(np.float32)
        # One more row and column, so that interpolation wraps.
        tiles.append(np.pad(tile, ((0, 1), (0, 1)), mode="wrap"))
    return tiles


_TILES = _make_tiles()


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
