"""Patterns of buildings, fences, vehicles, clothes, signs and lamps."""

from typing import NamedTuple

import numpy as np

from data_prep.demo_world.texture import (
    Image,
    Patch,
    band,
    cell_value,
    every,
    fractal_noise,
    mix,
    seed_digit,
)


def _color(r: float, g: float, b: float) -> Image:
    return np.array([r, g, b], np.float32)


_GLASS, _SKY_IN_GLASS = _color(0.045, 0.055, 0.07), _color(0.26, 0.32, 0.40)
_CAR_GLASS, _SKY_IN_CAR_GLASS = _color(0.035, 0.042, 0.05), _color(0.46, 0.52, 0.58)
_FRAME, _CURTAIN = _color(0.62, 0.62, 0.60), _color(0.42, 0.40, 0.36)
_MORTAR, _AWNING = _color(0.34, 0.32, 0.29), _color(0.66, 0.65, 0.60)
_WHITE, _BLACK, _RUBBER = (
    _color(0.72, 0.72, 0.70),
    _color(0.03, 0.03, 0.035),
    _color(0.03, 0.03, 0.033),
)
_FRONT_LAMP, _REAR_LAMP = _color(0.78, 0.78, 0.74), _color(0.42, 0.015, 0.015)
_DESTINATION = _color(0.7, 0.5, 0.06)
_LINE_M = 0.26  # from one line of writing to the next
_AXLE = 0.615  # of the half length, between the front and the rear wheels' places


class Windows(NamedTuple):
    """Where each pixel `[n]` of a facade lies among its windows.

    Attributes:
      column: Number of the window along the front, with what of its width was passed.
      row: Number of the storey, with what of its height was passed.
      across_m: From the window's middle.
      up_m: Above the storey's floor.
      half_pane_m: Half the width of the panes.
      sill_m: Their lower end above the floor.
      head_m: Their upper end.
      pane: Share of the pixel that is pane, 0..1; none on top.
    """

    column: Image
    row: Image
    across_m: Image
    up_m: Image
    half_pane_m: Image
    sill_m: Image
    head_m: float
    pane: Image


def windows(patch: Patch) -> Windows:
    """Finds the windows of a facade."""
    wish_m = 1.9 + 1.2 * patch.seed
    wish_m = np.where(patch.face == 0, wish_m * np.float32(1.5), wish_m)
    width_m = 2 * patch.half_u_m / np.maximum(np.rint(2 * patch.half_u_m / wish_m), 1.0)
    storey_m = 2 * patch.half_z_m / np.maximum(np.rint(2 * patch.half_z_m / 3.0), 1.0)
    column, row = (patch.u_m + patch.half_u_m) / width_m, patch.height_m / storey_m
    across_m = (np.mod(column, 1.0) - np.float32(0.5)) * width_m
    up_m = np.mod(row, 1.0) * storey_m
    blur = patch.footprint_m
    half_pane = np.minimum(0.40 + 0.25 * seed_digit(patch.seed, 0), 0.34 * width_m)
    sill, head = 0.95 - 0.35 * seed_digit(patch.seed, 1), 2.3
    pane = band(np.abs(across_m), -9.0, half_pane, blur) * band(up_m, sill, head, blur)
    return Windows(column, row, across_m, up_m, half_pane, sill, head, pane * (patch.face != 2))


def facade(patch: Patch, base: Image) -> Image:
    """Rows of windows, each with its own pane; no windows on top."""
    at = windows(patch)
    column, row, across_m, up_m, half_pane, sill, head, pane = at
    blur, is_side = patch.footprint_m, patch.face != 2
    frame = band(np.abs(across_m), -9.0, half_pane + 0.07, blur)
    frame = frame * band(up_m, sill - 0.07, head + 0.07, blur)
    bar = band(np.abs(across_m), -9.0, 0.035, blur)
    kind = cell_value(column, row, patch.seed)
    painted = _shutters(patch, base, at)
    painted = mix(painted, _FRAME, frame * is_side)
    painted = mix(painted, _pane_color(kind, (up_m - sill) / (head - sill)), pane)
    painted = mix(painted, _FRAME, bar * pane * (seed_digit(patch.seed, 2) > 0.3))
    ledge = band(up_m, -1.0, 0.10, blur) * (seed_digit(patch.seed, 3) > 0.6)
    below = band(up_m, sill - 0.17, sill - 0.07, blur)
    below = below * band(np.abs(across_m), -9.0, half_pane + 0.14, blur)
    return mix(painted, base * np.float32(0.62), np.maximum(ledge, below) * is_side)


def _pane_color(kind: Image, up: Image) -> Image:
    """Colours `[n, 3]`: a dark room, the sky's mirror image, a curtain or a roller blind."""
    room = np.broadcast_to(_GLASS, (len(kind), 3))
    glass = mix(room, _SKY_IN_GLASS, np.clip(up + kind, 0.0, 1.0))
    glass = mix(glass, _CURTAIN, (kind > 0.35) * (up < 0.55 + 0.4 * kind) * np.float32(0.8))
    slats = 0.75 + 0.25 * np.sign(np.sin(up * np.float32(55.0)))
    blind = _CURTAIN * slats[:, None].astype(np.float32)
    has_blind = (kind < -0.55) & (up > -1.6 - 2.2 * kind)
    return mix(glass, blind, has_blind.astype(np.float32))


def _shutters(patch: Patch, base: Image, at: Windows) -> Image:
    """Wooden shutters beside the windows of some houses."""
    has = (seed_digit(patch.seed, 2) > 0.62) & (patch.face != 2)
    inner, outer, blur = at.half_pane_m + 0.07, at.half_pane_m * 1.85 + 0.05, patch.footprint_m
    share = band(np.abs(at.across_m), inner, outer, blur) * band(
        at.up_m, at.sill_m, at.head_m, blur
    )
    red, blue = 0.10 + 0.2 * seed_digit(patch.seed, 0), 0.08 + 0.12 * seed_digit(patch.seed, 1)
    return mix(base, np.stack([red, 0.14 + 0 * patch.seed, blue], axis=-1), share * has)


def brick(patch: Patch, base: Image) -> Image:
    """Courses of bricks, each its own shade, in mortar."""
    course, stagger = patch.v_m / 0.083, 0.5
    along = patch.u_m / 0.26 + stagger * np.mod(np.floor(course), 2.0)
    fade = np.clip(0.083 / (1.6 * patch.footprint_m) - 0.3, 0.0, 1.0)
    shade = 1.0 + 0.32 * fade * cell_value(along, course, patch.seed)
    joint = np.maximum(
        band(np.mod(course, 1.0), -1.0, 0.16, patch.footprint_m / 0.083),
        band(np.mod(along, 1.0), -1.0, 0.05, patch.footprint_m / 0.26),
    )
    return mix(base * shade[:, None], _MORTAR, joint * 0.7 * fade)


def brick_facade(patch: Patch, base: Image) -> Image:
    """Windows in a wall of bricks."""
    return facade(patch, brick(patch, base))


def tiles(patch: Patch, base: Image) -> Image:
    """Rows of roof tiles with a shadow under each."""
    row, along = patch.v_m / 0.33, patch.u_m / 0.25
    fade = np.clip(0.33 / (2.0 * patch.footprint_m) - 0.5, 0.0, 1.0)
    shade = 1.0 + 0.22 * fade * cell_value(along, row, patch.seed)
    lip = band(np.mod(row, 1.0), -1.0, 0.22, patch.footprint_m / 0.33)
    return mix(base * shade[:, None], base * np.float32(0.45), lip * fade * 0.8)


def sheets(patch: Patch, base: Image) -> Image:
    """Ribbed sheet metal with a band of windows."""
    rib = every(patch.u_m, 0.3, 0.0, 0.4, patch.footprint_m)
    painted = mix(base, base * np.float32(0.8), rib)
    return mix(painted, _GLASS + 0.06, sheets_panes(patch))


def sheets_panes(patch: Patch) -> Image:
    """Share `[n]` of each pixel that is glass."""
    window = band(patch.share_of_height, 0.55, 0.74, patch.footprint_m / patch.half_z_m)
    window = window * every(patch.u_m, 2.4, 0.04, 0.96, patch.footprint_m)
    has = (patch.face != 2) & (seed_digit(patch.seed, 1) > 0.4)
    return window * has


def boards(patch: Patch, base: Image) -> Image:
    """Upright boards, each its own shade."""
    fade = np.clip(0.14 / (1.6 * patch.footprint_m) - 0.3, 0.0, 1.0)
    along = patch.u_m / 0.14
    shade = 1.0 + 0.22 * fade * cell_value(along, np.zeros_like(along), patch.seed)
    joint = band(np.mod(along, 1.0), -1.0, 0.10, patch.footprint_m / 0.14)
    return mix(base * shade[:, None], base * np.float32(0.35), joint * fade)


def pickets(patch: Patch, base: Image) -> Image:
    """Pickets with dark gaps."""
    gap = every(patch.u_m, 0.15, 0.62, 1.0, patch.footprint_m)
    return mix(base, base * np.float32(0.25), gap)


def mesh(patch: Patch, base: Image) -> Image:
    """Wires before something dark."""
    wire = np.maximum(
        every(patch.u_m, 0.1, -1.0, 0.22, patch.footprint_m),
        every(patch.v_m, 0.2, -1.0, 0.12, patch.footprint_m),
    )
    return mix(base * np.float32(0.5), base * np.float32(1.6), wire)


def shop(patch: Patch, base: Image) -> Image:
    """Large panes with goods behind them between narrow frames."""
    goods = cell_value(patch.u_m / 0.35, patch.height_m / 0.5, patch.seed)
    inside = _GLASS + np.float32(0.16) * np.maximum(goods, 0.0)[:, None]
    return mix(base, inside, shop_panes(patch))


def shop_panes(patch: Patch) -> Image:
    """Share `[n]` of each pixel that is glass."""
    blur = patch.footprint_m
    across = np.mod(patch.u_m / 1.9, 1.0)
    pane = band(across, 0.05, 0.95, blur / 1.9) * band(patch.height_m, 0.35, 2.45, blur)
    return pane * (patch.face != 2)


def awning(patch: Patch, base: Image) -> Image:
    """Broad stripes."""
    stripe = every(patch.u_m, 0.5, 0.0, 0.5, patch.footprint_m)
    return mix(base, _AWNING, stripe)


def car_panel(patch: Patch, base: Image) -> Image:
    """Lacquer mirrors the sky where it looks up, and low on the sides the dark road."""
    height, is_top = patch.share_of_height, patch.face == 2
    gleam = np.where(is_top, 0.22, 0.30 * band(height, 0.68, 0.90, 0.2))
    shade = np.where(is_top, 1.0, 0.70 + 0.45 * height)
    shaded = base * shade[:, None].astype(np.float32)
    return mix(shaded, _SKY_IN_CAR_GLASS, gleam)


def _mirrored_street(patch: Patch) -> Image:
    """How much of the sky a pane mirrors, 0..1: houses and trees stand before it."""
    wide_m, strength = patch.u_m * np.float32(0.6), (0.0, 0.12, 0.55, 0.5, 0.3)
    noise = fractal_noise(wide_m, patch.v_m, patch.footprint_m, patch.seed, strength=strength)
    return np.clip(0.62 + noise, 0.0, 1.0)


def car_body(patch: Patch, base: Image) -> Image:
    """Lamps, number plate and grille at the ends, joints and wheel arches on the sides."""
    height, blur = patch.share_of_height, patch.footprint_m
    y, x = np.abs(patch.y_m), patch.x_m
    is_end, is_side = patch.face == 0, patch.face == 1
    is_front = x > 0
    painted = car_panel(patch, base)
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
    ink = cell_value(patch.y_m / 0.055, height * 0, patch.seed) > 0.1
    letters = 1.0 - 0.75 * ink * band(height, 0.44, 0.56, blur)
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
    glass = np.broadcast_to(_CAR_GLASS, base.shape)
    glass = mix(glass, _SKY_IN_CAR_GLASS, np.clip(mirrored, 0.0, 1.0))
    glass = mix(glass, _BLACK, seats * 0.6)
    return mix(car_panel(patch, base), glass, car_cabin_panes(patch))


def car_cabin_panes(patch: Patch) -> Image:
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
    glass = mix(np.broadcast_to(_CAR_GLASS, base.shape), _SKY_IN_CAR_GLASS, 0.6 * mirrored)
    painted = mix(base, base * np.float32(0.4), band(height, 0.0, 0.45, blur) * is_side)
    painted = mix(painted, glass, bus_panes(patch))
    leaf = band(np.mod(patch.u_m + 1.0, 3.9), 0.57, 0.63, blur) * door
    painted = mix(painted, _WHITE * np.float32(0.5), leaf)
    board = is_end * band(height, 2.2, 2.5, blur) * band(np.abs(patch.y_m), -1.0, 0.8, blur)
    painted = mix(painted, _BLACK, board)
    lit = (cell_value(patch.y_m / 0.07, height / 0.1, patch.seed) > 0.2) * board
    painted = mix(painted, _DESTINATION, lit * 0.8)
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
    joint = every(patch.u_m, 1.25, -1.0, 0.03, patch.footprint_m)
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
