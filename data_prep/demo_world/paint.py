"""The reflectance of everything: base colour, pattern and grain; the ground with its marks."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from data_prep.demo_world import paint_things as things
from data_prep.demo_world.road import ROAD, SIDEWALK, Road, ground_kind
from data_prep.demo_world.solids import Floats, Pattern
from data_prep.demo_world.texture import (
    WAVELENGTHS_M,
    Image,
    Patch,
    Surface,
    band,
    cell_value,
    every,
    fractal_noise,
    mix,
)
from data_prep.demo_world.variety import Light

_KERB = np.array([0.40, 0.39, 0.37], np.float32)
_MARK = np.array([0.62, 0.62, 0.60], np.float32)
_YELLOW_MARK = np.array([0.62, 0.44, 0.06], np.float32)
_RAIL = np.array([0.30, 0.29, 0.28], np.float32)
_LEAF = np.array([0.24, 0.14, 0.05], np.float32)
_CROPS = np.array(
    [(0.10, 0.15, 0.05), (0.30, 0.25, 0.13), (0.17, 0.13, 0.09), (0.13, 0.17, 0.05)], np.float32
)
# Per octave of texture.WAVELENGTHS_M.
_ASPHALT_GRAIN = (0.20, 0.09, 0.05, 0.06, 0.07)
_PAVING_GRAIN = (0.12, 0.09, 0.07, 0.06, 0.05)
_GRASS_GRAIN = (0.45, 0.40, 0.26, 0.18, 0.12)
_STOP_LINE_M = (4.6, 5.1)  # before the side street's edge
_ZEBRA_M = (1.0, 4.0)
_BESIDE_CROPS_M = 30.0  # gardens end and fields begin this far from the kerb


def ground(road: Road, x_m: Image, y_m: Image, footprint_m: Image) -> Image:
    """Reflectances `[n, 3]` of points of the ground, grain included."""
    kind = ground_kind(road, x_m, y_m)
    colors = np.empty((len(x_m), 3), np.float32)
    places = _Places(road, x_m, y_m, footprint_m)
    is_road, is_walk = kind == ROAD, kind == SIDEWALK
    is_rest = ~is_road & ~is_walk
    for chosen, painter in ((is_road, _asphalt), (is_walk, _paving), (is_rest, _terrain)):
        if chosen.any():
            colors[chosen] = painter(road, places.chosen(chosen))
    beyond_m = np.minimum(np.maximum(places.beyond_m, -9.0), places.off_crossing_m)
    kerb = band(beyond_m, 0.0, 0.16, footprint_m) * (road.kerb_m > 0.05)
    return mix(colors, _KERB, kerb)


class _Places:
    """Points `[n]` with their distances from what the road has; the names are those of `Road`."""

    def __init__(self, road: Road, x_m: Image, y_m: Image, footprint_m: Image) -> None:
        self._road = road
        self.x_m, self.y_m, self.blur_m = x_m, y_m, footprint_m
        self.lateral_m = np.asarray(road.lateral_m(x_m, y_m), np.float32)
        self.beyond_m = np.maximum(
            self.lateral_m - road.left_edge_m, road.right_edge_m - self.lateral_m
        )
        self.offset_m = np.asarray(road.crossing_offset_m(x_m), np.float32)
        self.off_crossing_m = np.abs(self.offset_m) - np.float32(road.crossing_half_m)
        self.no_seed = np.zeros_like(x_m)

    def chosen(self, mask: Floats) -> "_Places":
        """Those of a mask."""
        return _Places(self._road, self.x_m[mask], self.y_m[mask], self.blur_m[mask])

    def noise(self, *strength: float) -> Image:
        """Of the ground, the same in all worlds."""
        return fractal_noise(self.x_m, self.y_m, self.blur_m, self.no_seed, strength=strength)


def _grained(colors: Image, noise: Image) -> Image:
    return colors * np.maximum(1.0 + noise, 0.1)[:, None].astype(np.float32)


def _asphalt(road: Road, at: _Places) -> Image:
    grey = np.full(at.x_m.shape, road.look.asphalt, np.float32)
    # Where wheels run it is darker, and repaired places are darker still.
    lane = np.mod(np.abs(at.lateral_m) - road.median_m / 2, road.lane_m) - road.lane_m / 2
    track = np.exp(-(((np.abs(lane) - 0.75) / 0.35) ** 2))
    grey *= 1.0 - 0.10 * track * (at.beyond_m < 0)
    patch = cell_value(at.x_m / 7.3, at.lateral_m / 2.6 + 40.0, at.no_seed)
    grain = np.float32(road.look.asphalt_grain)
    repaired = np.where(patch > 0.86, -0.28, np.where(patch < -0.9, 0.18, 0.0))
    grey *= np.clip(1.0 + grain * repaired, 0.4, 1.6)
    wander = at.noise(0.0, 0.0, 0.2, 0.6, 1.0)
    crack = band(wander, -0.012, 0.012, 0.02) * np.clip(0.06 / at.blur_m, 0.0, 1.0)
    patchy = at.noise(0.0, 0.0, 0.0, 0.0, 1.0) > 0.2
    grey *= 1.0 - np.clip(0.45 * grain, 0.0, 0.8) * crack * patchy
    grey *= 1.0 - 0.6 * _manholes(at)
    warmth = road.look.asphalt_warmth
    tone = np.exp([0.01 + warmth / 2, 0.0, -0.01 - warmth / 2]).astype(np.float32)
    colors = grey[:, None] * tone
    if road.look.cobbles_m:
        colors *= _stones(road, at)[:, None]
    wear = np.float32(road.look.mark_wear)
    worn = np.clip(0.92 - 1.1 * wear + (1.0 + 2.0 * wear) * at.noise(0.3, 0.3, 0.3, 0.1, 0.1),
                   0.2 * (1.0 - wear), 1.0)  # fmt: skip
    paint = _MARK + (_YELLOW_MARK - _MARK) * np.float32(road.look.mark_yellow)
    if road.look.has_marks:
        colors = mix(colors, paint, _marks(road, at) * worn)
    colors = mix(colors, _MARK, _crossing_marks(road, at) * worn)
    colors = _grained(colors, grain * at.noise(*_ASPHALT_GRAIN))
    near_kerb = np.clip(1.0 + at.beyond_m / 1.6, 0.0, 1.0)
    return _with_leaves(road, at, colors, near_kerb)


def _stones(road: Road, at: _Places) -> Image:
    """Factors `[n]` of a pavement of stones in rows across the road, each its own shade."""
    length = np.float32(road.look.cobbles_m)
    row = at.x_m / (0.75 * length)
    along = at.lateral_m / length + 0.5 * np.mod(np.floor(row), 2.0)
    fade = np.clip(length / (1.6 * at.blur_m) - 0.3, 0.0, 1.0)
    blur = at.blur_m / length
    joint = np.maximum(
        band(np.mod(row, 1.0), -1.0, 0.14, blur), band(np.mod(along, 1.0), -1.0, 0.11, blur)
    )
    shade = 1.0 + 0.3 * fade * cell_value(along, row, at.no_seed)
    return shade * (1.0 - 0.55 * joint * fade)


def _manholes(at: _Places) -> Image:
    """Rings of iron covers, one in every second cell of 19 m."""
    cell = np.floor(at.x_m / 19.0)
    here = cell_value(cell, np.zeros_like(cell), at.no_seed)
    middle_x, middle_y = (cell + 0.5) * 19.0, 2.5 * here
    radius = np.hypot(at.x_m - middle_x, at.lateral_m - middle_y)
    cover = band(radius, -1.0, 0.33, at.blur_m) * 0.6
    return np.maximum(cover, band(radius, 0.28, 0.34, at.blur_m)) * (here > 0)


def _marks(road: Road, at: _Places) -> Floats:
    """How much is painted white along the road: between lanes, at the sides, arrows."""
    from_inner = np.abs(at.lateral_m) - road.median_m / 2
    blur = at.blur_m
    dash = band(np.mod(at.x_m, 9.0 if road.sidewalk_m > road.verge_m else 12.0), 0.0, 3.5, blur)
    between = np.abs(np.mod(from_inner / road.lane_m + 0.5, 1.0) - 0.5) * road.lane_m
    is_inner = (from_inner < road.lane_m * road.lanes_per_direction - 0.5) & (
        (from_inner > 0.5) | (road.median_m == 0)
    )
    dashed = band(between, -1.0, 0.065, blur) * dash * is_inner
    side = from_inner - (road.lane_m * road.lanes_per_direction - 0.15)
    solid = band(np.abs(side), -1.0, 0.06, blur)
    if road.median_m:
        solid = np.maximum(solid, band(np.abs(from_inner - 0.2), -1.0, 0.06, blur))
    # Before a junction the middle line is not to be crossed.
    is_near = (at.off_crossing_m < 22.0) & (at.off_crossing_m > _STOP_LINE_M[1])
    middle = band(np.abs(from_inner), -1.0, 0.065, blur) * is_near * (road.median_m == 0)
    share = np.maximum(np.maximum(dashed, solid), middle)
    if road.lanes_per_direction > 1:
        share = np.maximum(share, _arrows(road, at, from_inner))
    return share * (at.off_crossing_m > 1.0)


def _arrows(road: Road, at: _Places, from_inner_m: Floats) -> Floats:
    """Arrows straight on in the lanes that lead to a junction."""
    leads_there = (at.lateral_m < 0) == (at.offset_m < 0)
    ahead_m = at.off_crossing_m - 11.0
    across_m = np.mod(from_inner_m, road.lane_m) - road.lane_m / 2
    shaft = band(ahead_m, 1.0, 4.0, at.blur_m) * band(np.abs(across_m), -1.0, 0.07, at.blur_m)
    head = band(np.abs(across_m), -1.0, 0.36 * np.clip(ahead_m + 0.2, 0.0, 1.2), at.blur_m)
    head = head * band(ahead_m, -0.2, 1.1, at.blur_m)
    return np.maximum(shaft, head) * leads_there * (at.beyond_m < 0)


def _crossing_marks(road: Road, at: _Places) -> Floats:
    """Zebra crossings, stop lines, and the broken line across the side street's mouth."""
    blur, is_main = at.blur_m, at.beyond_m < 0
    share = np.zeros_like(at.x_m)
    if road.look.has_zebras:
        bars = band(np.mod(at.lateral_m, 1.0), 0.0, 0.5, blur)
        share = band(at.off_crossing_m, *_ZEBRA_M, blur) * bars * (at.beyond_m < -0.3)
    if road.look.has_marks:
        leads_there = (at.lateral_m < 0) == (at.offset_m < 0)
        stop = band(at.off_crossing_m, *_STOP_LINE_M, blur) * leads_there
        share = np.maximum(share, stop * is_main)
        mouth = band(at.beyond_m, 0.2, 0.55, blur) * (at.off_crossing_m < 0)
        share = np.maximum(share, mouth * band(np.mod(at.offset_m, 1.0), 0.0, 0.55, blur))
    return share


def _paving(road: Road, at: _Places) -> Image:
    base = np.broadcast_to(np.array(road.look.paving, np.float32), (len(at.x_m), 3))
    slab_m = 0.5
    joints = np.maximum(
        every(at.x_m, slab_m, -1.0, 0.05, at.blur_m),
        every(at.lateral_m, slab_m, -1.0, 0.05, at.blur_m),
    )
    fade = np.clip(slab_m / (2.0 * at.blur_m) - 0.5, 0.0, 1.0)
    shade = 1.0 + 0.13 * fade * cell_value(at.x_m / slab_m, at.lateral_m / slab_m, at.no_seed)
    colors = mix(base * shade[:, None].astype(np.float32), base * np.float32(0.6), joints * fade)
    colors = _grained(colors, at.noise(*_PAVING_GRAIN))
    return _with_leaves(road, at, colors, np.full_like(at.x_m, 0.5))


def _terrain(road: Road, at: _Places) -> Image:
    """Grass, greener or drier in patches; fields farther off; a tram's rails in the median."""
    grass = np.array(road.look.grass, np.float32)
    dry = np.clip(road.look.dry_share * 2.0 - 0.5 + at.noise(0.1, 0.3, 0.6, 0.9, 1.1), 0.0, 1.0)
    dry_grass = np.array(road.look.dry_grass, np.float32)
    colors = mix(np.broadcast_to(grass, (len(dry), 3)), dry_grass, dry)
    field = cell_value(at.x_m / 55.0, (at.lateral_m + 900.0) / 38.0, at.no_seed)
    crop = _CROPS[((field + 1.0) * 1.999).astype(np.int32)]
    away = np.clip((at.beyond_m - _BESIDE_CROPS_M) / 2.0, 0.0, 1.0)
    colors = _grained(mix(colors, crop, away), at.noise(*_GRASS_GRAIN))
    if road.has_track:
        rail = band(np.abs(np.abs(at.lateral_m) - 0.72), -1.0, 0.05, at.blur_m)
        colors = mix(colors, _RAIL, rail)
    return _with_leaves(road, at, colors, np.full_like(at.x_m, 0.7))


def _with_leaves(road: Road, at: _Places, colors: Image, share: Floats) -> Image:
    """Fallen leaves, more where `share` is large."""
    if not road.look.leaves:
        return colors
    speck = at.noise(0.7, 0.5, 0.35, 0.3, 0.2)
    threshold = 1.15 - road.look.leaves * share
    cover = np.clip((speck - threshold) * 6.0, 0.0, 1.0)
    # Too far off to be told apart they tint the ground.
    return mix(colors, _LEAF, cover * 0.8)


Painter = Callable[[Patch, Image], Image]
# A painter bears its pattern's name; so does what finds its panes of glass.
_PAINTERS: dict[Pattern, Painter] = {
    pattern: getattr(things, pattern.name.lower())
    for pattern in Pattern
    if hasattr(things, pattern.name.lower())
}
_PANES: dict[Pattern, Callable[[Patch], Image]] = {
    Pattern.FACADE: lambda patch: things.windows(patch).pane,
    Pattern.BRICK_FACADE: lambda patch: things.windows(patch).pane,
    Pattern.SHEETS: things.sheets_panes,
    Pattern.SHOP: things.shop_panes,
    Pattern.CAR_CABIN: things.car_cabin_panes,
    Pattern.BUS: things.bus_panes,
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
    **dict.fromkeys((Pattern.BRICK, Pattern.TILES), _ROUGH),
    Pattern.BOARDS: (0.12, 0.10, 0.08, 0.06, 0.05),
    Pattern.PICKETS: (0.10, 0.08, 0.06, 0.05, 0.05),
}
_DARKEST = 0.10  # no speck is darker than this share of its surface


_GRAIN_OF_PATTERN = np.array([_GRAIN.get(pattern, _SMOOTH) for pattern in Pattern], np.float32)


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
        x_m, y_m = (side[is_ground] for side in surface.local[:2])
        base[is_ground] = ground(road, x_m, y_m, surface.footprint_m[is_ground])
    strength = [_GRAIN_OF_PATTERN[pattern, octave] for octave in range(len(WAVELENGTHS_M))]
    at = (surface.u_m, surface.v_m, surface.footprint_m, surface.seed)
    noise = fractal_noise(*at, strength=strength)
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
    plane = (x * reach, y * reach, np.float32(0.02) * reach * reach, np.zeros_like(x))
    clouds = fractal_noise(*plane, strength=(0.0, 0.0, 0.1, 0.12, 0.15))
    share = np.clip(1.6 * np.sqrt(elevation) - 1.5 * clouds, 0.0, 1.0)[..., None]
    overhead, horizon = np.array(light.sky, np.float32), np.array(light.haze, np.float32)
    return horizon * (1.0 - share) + overhead * share
