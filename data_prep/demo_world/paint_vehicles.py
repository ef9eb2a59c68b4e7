"""Patterns of vehicles, clothes, signs and lamps."""

import numpy as np

from data_prep.demo_world.surface import Patch, band, mix, seed_digit
from data_prep.demo_world.texture import Image, cell_value, fractal_noise

_GLASS = np.array([0.035, 0.042, 0.05], np.float32)
_SKY_IN_GLASS = np.array([0.46, 0.52, 0.58], np.float32)
_WHITE = np.array([0.72, 0.72, 0.70], np.float32)
_BLACK = np.array([0.03, 0.03, 0.035], np.float32)
_RUBBER = np.array([0.03, 0.03, 0.033], np.float32)
_FRONT_LAMP = np.array([0.78, 0.78, 0.74], np.float32)
_REAR_LAMP = np.array([0.42, 0.015, 0.015], np.float32)
_LINE_M = 0.26  # from one line of writing to the next
_AXLE = 0.615  # of the half length, between the front and the rear wheels' places


def _lacquer(patch: Patch, base: Image) -> Image:
    """Lacquer mirrors the sky where it looks up, and low on the sides the dark road."""
    height, is_top = patch.share_of_height, patch.face == 2
    gleam = np.where(is_top, 0.22, 0.30 * band(height, 0.68, 0.90, 0.2))
    shade = np.where(is_top, 1.0, 0.70 + 0.45 * height)
    shaded = base * shade[:, None].astype(np.float32)
    return mix(shaded, _SKY_IN_GLASS, gleam)


def _mirrored_street(patch: Patch) -> Image:
    """How much of the sky a pane mirrors, 0..1: houses and trees stand before it."""
    noise = fractal_noise(
        patch.u_m * np.float32(0.6),
        patch.v_m,
        patch.footprint_m,
        patch.seed,
        strength=(0.0, 0.12, 0.55, 0.5, 0.3),
    )
    return np.clip(0.62 + noise, 0.0, 1.0)


def car_panel(patch: Patch, base: Image) -> Image:
    """Bare lacquer."""
    return _lacquer(patch, base)


def car_body(patch: Patch, base: Image) -> Image:
    """Lamps, number plate and grille at the ends, joints and wheel arches on the sides."""
    height, blur = patch.share_of_height, patch.footprint_m
    y, x = np.abs(patch.y_m), patch.x_m
    is_end, is_side = patch.face == 0, patch.face == 1
    is_front = x > 0
    painted = _lacquer(patch, base)
    joint = np.maximum(
        band(np.mod(x + 0.32, 1.05), 0.0, 0.022, blur) * (np.abs(x) < 0.5 * patch.half_x_m),
        band(height, 0.60, 0.64, blur),
    )
    painted = mix(painted, painted * np.float32(0.45), joint * is_side * 0.8)
    reach = np.hypot(np.abs(x) - _AXLE * patch.half_x_m, patch.height_m - 0.08)
    painted = mix(painted, _BLACK, band(reach, -1.0, 0.40, blur) * is_side)
    half_y = patch.half_y_m
    lamp = band(y, 0.58 * half_y, 0.95 * half_y, blur) * band(height, 0.56, 0.92, blur)
    lamp_color = np.where(is_front[:, None], _FRONT_LAMP, _REAR_LAMP)
    grille = band(y, -1.0, 0.5 * half_y, blur) * band(height, 0.62, 0.84, blur) * is_front
    intake = band(y, -1.0, 0.7 * half_y, blur) * band(height, 0.06, 0.24, blur)
    plate = band(y, -1.0, 0.26, blur) * band(height, 0.40, 0.60, blur)
    letters = 1.0 - 0.75 * (cell_value(patch.y_m / 0.055, height * 0, patch.seed) > 0.1) * band(
        height, 0.44, 0.56, blur
    )
    painted = mix(painted, _BLACK, np.maximum(grille, intake) * is_end)
    painted = mix(painted, lamp_color, lamp * is_end)
    painted = mix(painted, _WHITE * letters[:, None].astype(np.float32), plate * is_end)
    return mix(painted, _BLACK, band(height, -1.0, 0.07, blur) * (patch.face != 2))


def car_cabin(patch: Patch, base: Image) -> Image:
    """Glass on all sides between pillars; the roof keeps the lacquer."""
    height, blur = patch.share_of_height, patch.footprint_m
    is_side = patch.face == 1
    # Dark seats below, the sky's mirror image above.
    mirrored = np.clip(1.7 * height - 0.45, 0.0, 1.0) * _mirrored_street(patch)
    # Slanting panes look higher into the sky.
    mirrored *= np.where(is_side, 0.75, 1.25)
    seats = band(np.mod(patch.y_m + 0.18, 0.72), 0.0, 0.36, blur) * (height < 0.62) * ~is_side
    glass = mix(np.broadcast_to(_GLASS, base.shape), _SKY_IN_GLASS, np.clip(mirrored, 0.0, 1.0))
    glass = mix(glass, _BLACK, seats * 0.6)
    return mix(_lacquer(patch, base), glass, cabin_panes(patch))


def cabin_panes(patch: Patch) -> Image:
    """Share `[n]` of each pixel that is glass."""
    height, blur = patch.share_of_height, patch.footprint_m
    is_side = patch.face == 1
    pillar = band(np.mod(patch.x_m + 0.15, 1.15), 0.0, 0.07, blur) * is_side
    frame = np.maximum(
        1.0 - band(height, 0.05, 0.90, blur / patch.half_z_m),
        (1.0 - band(np.abs(patch.y_m), -1.0, 0.80 * patch.half_y_m, blur)) * ~is_side,
    )
    return (1.0 - np.maximum(pillar, frame)) * (patch.face != 2)


def bus(patch: Patch, base: Image) -> Image:
    """A row of windows, doors, a destination board, lamps at the ends."""
    height, blur = patch.height_m, patch.footprint_m
    is_end, is_side = patch.face == 0, patch.face == 1
    door = _bus_doors(patch)
    mirrored = np.clip(height - 1.1, 0.0, 1.0) * _mirrored_street(patch)
    glass = mix(np.broadcast_to(_GLASS, base.shape), _SKY_IN_GLASS, 0.6 * mirrored)
    painted = mix(base, base * np.float32(0.4), band(height, 0.0, 0.45, blur) * is_side)
    painted = mix(painted, glass, bus_panes(patch))
    leaf = band(np.mod(patch.u_m + 1.0, 3.9), 0.57, 0.63, blur) * door
    painted = mix(painted, _WHITE * np.float32(0.5), leaf)
    board = is_end * band(height, 2.2, 2.5, blur) * band(np.abs(patch.y_m), -1.0, 0.8, blur)
    painted = mix(painted, _BLACK, board)
    lit = (cell_value(patch.y_m / 0.07, height / 0.1, patch.seed) > 0.2) * board
    painted = mix(painted, np.array([0.7, 0.5, 0.06], np.float32), lit * 0.8)
    lamp = is_end * band(np.abs(patch.y_m), 0.85, 1.12, blur) * band(height, 0.35, 0.6, blur)
    color = np.where((patch.x_m > 0)[:, None], _FRONT_LAMP, _REAR_LAMP)
    return mix(painted, color, lamp)


def _bus_doors(patch: Patch) -> Image:
    height, blur = patch.height_m, patch.footprint_m
    across = band(np.mod(patch.u_m + 1.0, 3.9), 0.0, 1.2, blur)
    return (patch.face == 1) * across * band(height, 0.1, 2.1, blur)


def bus_panes(patch: Patch) -> Image:
    """Share `[n]` of each pixel that is glass."""
    blur = patch.footprint_m
    pillar = band(np.mod(patch.u_m, 1.45), 0.0, 0.09, blur) * (patch.face == 1)
    window = band(patch.height_m, 0.85, 2.1, blur) * (patch.face != 2) * (1.0 - pillar)
    return np.maximum(window, _bus_doors(patch) * 0.9)


def wheel(patch: Patch, base: Image) -> Image:
    """A tyre around a rim with spokes."""
    radius = np.hypot(patch.x_m, patch.z_m) / patch.half_z_m
    blur = patch.footprint_m / patch.half_z_m
    is_disc = patch.face == 1
    # Bicycles, whose wheels are dark, have thin tyres.
    tyre_from = np.where(base.mean(axis=1) < 0.2, 0.90, 0.66)
    rim = band(radius, -1.0, tyre_from, blur) * is_disc
    angle = np.arctan2(patch.z_m, patch.x_m) * np.float32(7 / (2 * np.pi))
    gap = band(np.mod(angle, 1.0), 0.0, 0.5, blur * 2) * band(radius, 0.2, 0.58, blur)
    painted = mix(np.broadcast_to(_RUBBER, base.shape), base, rim)
    return mix(painted, base * np.float32(0.25), gap * is_disc * 0.8)


def rear_board(patch: Patch, base: Image) -> Image:
    """Lamps and slanting stripes at a truck's end."""
    y, blur = np.abs(patch.y_m), patch.footprint_m
    stripe = band(np.mod((patch.y_m + patch.z_m) / 0.3, 1.0), 0.0, 0.5, blur / 0.3)
    striped = mix(np.broadcast_to(_REAR_LAMP, base.shape), np.array([0.7, 0.6, 0.1]), stripe)
    painted = mix(base, striped, band(y, 0.35, 0.75, blur))
    painted = mix(painted, _REAR_LAMP, band(y, 0.82, 1.1, blur))
    return mix(painted, _WHITE, band(y, -1.0, 0.26, blur) * band(patch.z_m, -0.05, 0.1, blur))


def panels(patch: Patch, base: Image) -> Image:
    """Large smooth panels, rivet rows, on some a coloured band."""
    joint = band(np.mod(patch.u_m / 1.25, 1.0), -1.0, 0.03, patch.footprint_m / 1.25)
    painted = mix(base, base * np.float32(0.7), joint * (patch.face != 2))
    stripe = band(patch.share_of_height, 0.45, 0.7, patch.footprint_m / patch.half_z_m)
    tint = np.stack([seed_digit(patch.seed, number) * 0.5 for number in (0, 1, 2)], axis=-1)
    has = (seed_digit(patch.seed, 3) > 0.5) & (patch.face == 1) & (patch.half_z_m > 0.6)
    return mix(painted, tint, stripe * has * 0.85)


def cloth(patch: Patch, base: Image) -> Image:
    """Folds."""
    fold = np.sin(patch.u_m * 19.0 + 5.0 * np.sin(patch.v_m * 3.0 + patch.seed * 40.0))
    return base * (1.0 + 0.16 * fold)[:, None].astype(np.float32)


def sign(patch: Patch, base: Image) -> Image:
    """A coloured rim with a light middle and a dark figure, or the other way round."""
    u, v = patch.u_m / patch.half_z_m, patch.v_m / patch.half_z_m
    blur = patch.footprint_m / patch.half_z_m
    is_blue = base[:, 2] > base[:, 0]
    middle = band(np.hypot(u, v), -1.0, 0.72, blur)
    middle = np.where(is_blue, band(np.hypot(u, v), 0.90, 0.97, blur), middle)
    # Two strokes that lie differently on each sign: an arrow, a digit, a bar.
    across, up = 0.5 * seed_digit(patch.seed, 0), 0.8 * seed_digit(patch.seed, 1) - 0.4
    figure = band(v, -0.45, 0.45, blur) * band(np.abs(u) - across + 0.12, -0.1, 0.1, blur)
    figure = np.maximum(figure, band(v, up - 0.1, up + 0.1, blur) * band(u, -0.42, 0.42, blur))
    painted = mix(base, _WHITE, middle)
    return mix(painted, np.where(is_blue[:, None], _WHITE, _BLACK), figure)


def letters(patch: Patch, base: Image) -> Image:
    """Lines of something like writing; too far off to be read they are a tint."""
    row = patch.v_m / np.float32(_LINE_M) + 0.5
    word = cell_value(patch.u_m / 0.41, row, patch.seed) > -0.5
    stroke = cell_value(patch.u_m / 0.05, np.floor(row) * 5.0, patch.seed) > -0.1
    fade = np.clip(0.05 / patch.footprint_m - 0.5, 0.0, 1.0)
    ink = word * (0.5 + (stroke - 0.5) * fade)
    share = ink * band(np.mod(row, 1.0), 0.28, 0.72, patch.footprint_m / _LINE_M)
    share = share * band(np.abs(patch.u_m), -1.0, 0.85 * patch.half_u_m, patch.footprint_m)
    share = share * band(np.abs(patch.v_m), -1.0, 0.82 * patch.half_z_m, patch.footprint_m)
    is_light = base.mean(axis=1, keepdims=True) > 0.25
    return mix(base, np.where(is_light, _BLACK, _WHITE), share * 0.85)


def stripes(patch: Patch, base: Image) -> Image:
    """Slanting white stripes."""
    stripe = band(np.mod((patch.v_m + patch.u_m) / 0.36, 1.0), 0.0, 0.5, patch.footprint_m / 0.36)
    return mix(base, _WHITE, stripe)


def lamp(patch: Patch, base: Image) -> Image:
    """A lit lamp, brighter than anything that only reflects."""
    del patch
    return base * np.float32(2.5)
