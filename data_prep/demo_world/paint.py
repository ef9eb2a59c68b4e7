"""The reflectance of everything: base colour, pattern and grain."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from data_prep.demo_world import paint_houses, paint_vehicles
from data_prep.demo_world.light import Light
from data_prep.demo_world.paint_ground import ground
from data_prep.demo_world.road import Road
from data_prep.demo_world.shapes import Pattern
from data_prep.demo_world.surface import Patch, Surface
from data_prep.demo_world.texture import WAVELENGTHS_M, Image, fractal_noise

_PAINTERS: dict[Pattern, Callable[[Patch, Image], Image]] = {
    Pattern.FACADE: paint_houses.facade,
    Pattern.BRICK_FACADE: paint_houses.brick_facade,
    Pattern.BRICK: paint_houses.brick,
    Pattern.TILES: paint_houses.tiles,
    Pattern.SHEETS: paint_houses.sheets,
    Pattern.BOARDS: paint_houses.boards,
    Pattern.PICKETS: paint_houses.pickets,
    Pattern.MESH: paint_houses.mesh,
    Pattern.SHOP: paint_houses.shop,
    Pattern.AWNING: paint_houses.awning,
    Pattern.CAR_BODY: paint_vehicles.car_body,
    Pattern.CAR_PANEL: paint_vehicles.car_panel,
    Pattern.CAR_CABIN: paint_vehicles.car_cabin,
    Pattern.BUS: paint_vehicles.bus,
    Pattern.WHEEL: paint_vehicles.wheel,
    Pattern.REAR_BOARD: paint_vehicles.rear_board,
    Pattern.PANELS: paint_vehicles.panels,
    Pattern.CLOTH: paint_vehicles.cloth,
    Pattern.SIGN: paint_vehicles.sign,
    Pattern.LETTERS: paint_vehicles.letters,
    Pattern.STRIPES: paint_vehicles.stripes,
    Pattern.LAMP: paint_vehicles.lamp,
}

_PANES: dict[Pattern, Callable[[Patch], Image]] = {
    Pattern.FACADE: paint_houses.facade_panes,
    Pattern.BRICK_FACADE: paint_houses.facade_panes,
    Pattern.SHEETS: paint_houses.sheet_panes,
    Pattern.SHOP: paint_houses.shop_panes,
    Pattern.CAR_CABIN: paint_vehicles.cabin_panes,
    Pattern.BUS: paint_vehicles.bus_panes,
}

# Grain per octave of texture.WAVELENGTHS_M. Lacquer, plaster and steel are smooth, as hard for
# stereo matching here as in KITTI; leaves are the opposite.
_SMOOTH = (0.0, 0.01, 0.015, 0.02, 0.03)
_ROUGH = (0.10, 0.09, 0.09, 0.10, 0.10)
_GRAIN: dict[Pattern, tuple[float, ...]] = {
    Pattern.GROUND: (0.0, 0.0, 0.0, 0.0, 0.0),  # the painter of the ground grains it
    Pattern.FACADE: (0.03, 0.04, 0.05, 0.07, 0.09),
    Pattern.BRICK_FACADE: (0.06, 0.07, 0.07, 0.08, 0.10),
    Pattern.PLASTER: (0.06, 0.06, 0.07, 0.09, 0.10),
    Pattern.FOLIAGE: (1.00, 0.85, 0.50, 0.25, 0.10),
    Pattern.BARK: (0.22, 0.28, 0.15, 0.10, 0.05),
    Pattern.SOIL: (0.20, 0.20, 0.20, 0.15, 0.10),
    Pattern.CLOTH: (0.06, 0.10, 0.08, 0.0, 0.0),
    Pattern.BRICK: _ROUGH,
    Pattern.TILES: _ROUGH,
    Pattern.BOARDS: (0.12, 0.10, 0.08, 0.06, 0.05),
    Pattern.PICKETS: (0.10, 0.08, 0.06, 0.05, 0.05),
}
_DARKEST = 0.10  # no speck is darker than this share of its surface


def _grain_table() -> npt.NDArray[np.float32]:
    table = np.tile(np.array(_SMOOTH, np.float32), (len(Pattern), 1))
    for pattern, strength in _GRAIN.items():
        table[pattern] = strength
    return table


_GRAIN_OF_PATTERN = _grain_table()


def reflectance(
    surface: Surface,
    *,
    pattern: npt.NDArray[np.uint8],
    color: Image,
    road: Road,
    is_ground: npt.NDArray[np.bool_],
) -> Image:
    """What the surfaces reflect.

    Args:
      surface: The pixels.
      pattern: `[height, width]`, a `Pattern` each.
      color: `[height, width, 3]`, the solids' own colours.
      road: Paints the ground.
      is_ground: `[height, width]`, which pixels are ground.

    Returns:
      `[height, width, 3]` float32 in 0..1, lamps more; anything on the sky.
    """
    base = color.astype(np.float32)
    for which, painter in _PAINTERS.items():
        chosen = pattern == which
        if chosen.any():
            base[chosen] = painter(Patch.of(surface, chosen), base[chosen])
    if is_ground.any():
        base[is_ground] = ground(
            road,
            surface.local[0][is_ground],
            surface.local[1][is_ground],
            surface.footprint_m[is_ground],
        )
    noise = fractal_noise(
        surface.u_m,
        surface.v_m,
        surface.footprint_m,
        surface.seed,
        strength=[_GRAIN_OF_PATTERN[pattern, octave] for octave in range(len(WAVELENGTHS_M))],
    )
    base *= np.maximum(1.0 + noise, np.float32(_DARKEST))[..., None]
    return base


def glass(surface: Surface, *, pattern: npt.NDArray[np.uint8]) -> Image:
    """Share `[height, width]` of each pixel that is glass, 0..1; arguments as `reflectance`'s."""
    share = np.zeros(pattern.shape, np.float32)
    for which, panes in _PANES.items():
        chosen = pattern == which
        if chosen.any():
            share[chosen] = panes(Patch.of(surface, chosen))
    return share


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
    share = np.clip(1.6 * np.sqrt(elevation) - 1.5 * clouds, 0.0, 1.0)[..., None]
    overhead, horizon = np.array(light.sky, np.float32), np.array(light.haze, np.float32)
    return horizon * (1.0 - share) + overhead * share
