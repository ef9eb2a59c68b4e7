"""Patterns of buildings, walls and fences."""

from typing import NamedTuple

import numpy as np

from data_prep.demo_world.surface import Patch, band, mix, seed_digit
from data_prep.demo_world.texture import Image, cell_value

_GLASS = np.array([0.045, 0.055, 0.07], np.float32)
_SKY_IN_GLASS = np.array([0.26, 0.32, 0.40], np.float32)
_FRAME = np.array([0.62, 0.62, 0.60], np.float32)
_CURTAIN = np.array([0.42, 0.40, 0.36], np.float32)
_MORTAR = np.array([0.34, 0.32, 0.29], np.float32)


class _Windows(NamedTuple):
    """Where each pixel `[n]` of a facade lies among its windows.

    Args:
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


def _windows(patch: Patch) -> _Windows:
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
    return _Windows(column, row, across_m, up_m, half_pane, sill, head, pane * (patch.face != 2))


def facade_panes(patch: Patch) -> Image:
    """Share `[n]` of each pixel that is glass."""
    return _windows(patch).pane


def facade(patch: Patch, base: Image) -> Image:
    """Rows of windows, each with its own pane; no windows on top."""
    column, row, across_m, up_m, half_pane, sill, head, pane = _windows(patch)
    blur, is_side = patch.footprint_m, patch.face != 2
    frame = band(np.abs(across_m), -9.0, half_pane + 0.07, blur)
    frame = frame * band(up_m, sill - 0.07, head + 0.07, blur)
    bar = band(np.abs(across_m), -9.0, 0.035, blur)
    kind = cell_value(column, row, patch.seed)
    painted = _shutters(patch, base, across_m, up_m, half_pane, (sill, head))
    painted = mix(painted, _FRAME, frame * is_side)
    painted = mix(painted, _pane_color(kind, (up_m - sill) / (head - sill)), pane)
    painted = mix(painted, _FRAME, bar * pane * (seed_digit(patch.seed, 2) > 0.3))
    ledge = band(up_m, -1.0, 0.10, blur) * (seed_digit(patch.seed, 3) > 0.6)
    below = band(up_m, sill - 0.17, sill - 0.07, blur) * band(
        np.abs(across_m), -9.0, half_pane + 0.14, blur
    )
    return mix(painted, base * np.float32(0.62), np.maximum(ledge, below) * is_side)


def _pane_color(kind: Image, up: Image) -> Image:
    """Colours `[n, 3]`: a dark room, the sky's mirror image, a curtain or a roller blind."""
    glass = mix(
        np.broadcast_to(_GLASS, (len(kind), 3)), _SKY_IN_GLASS, np.clip(up + kind, 0.0, 1.0)
    )
    glass = mix(glass, _CURTAIN, (kind > 0.35) * (up < 0.55 + 0.4 * kind) * np.float32(0.8))
    slats = 0.75 + 0.25 * np.sign(np.sin(up * np.float32(55.0)))
    blind = _CURTAIN * slats[:, None].astype(np.float32)
    has_blind = (kind < -0.55) & (up > -1.6 - 2.2 * kind)
    return mix(glass, blind, has_blind.astype(np.float32))


def _shutters(
    patch: Patch,
    base: Image,
    across_m: Image,
    up_m: Image,
    half_pane_m: Image,
    between_m: tuple[Image, float],
) -> Image:
    """Wooden shutters beside the windows of some houses."""
    has = (seed_digit(patch.seed, 2) > 0.62) & (patch.face != 2)
    beside = band(
        np.abs(across_m), half_pane_m + 0.07, half_pane_m * 1.85 + 0.05, patch.footprint_m
    )
    share = beside * band(up_m, between_m[0], between_m[1], patch.footprint_m) * has
    tint = np.stack([0.10 + 0.2 * seed_digit(patch.seed, 0), 0.14 + 0 * patch.seed,
                     0.08 + 0.12 * seed_digit(patch.seed, 1)], axis=-1)  # fmt: skip
    return mix(base, tint, share)


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
    rib = band(np.mod(patch.u_m / 0.3, 1.0), 0.0, 0.4, patch.footprint_m / 0.3)
    painted = mix(base, base * np.float32(0.8), rib)
    return mix(painted, _GLASS + 0.06, sheet_panes(patch))


def sheet_panes(patch: Patch) -> Image:
    """Share `[n]` of each pixel that is glass."""
    window = band(patch.share_of_height, 0.55, 0.74, patch.footprint_m / patch.half_z_m)
    window = window * band(np.mod(patch.u_m / 2.4, 1.0), 0.04, 0.96, patch.footprint_m / 2.4)
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
    gap = band(np.mod(patch.u_m / 0.15, 1.0), 0.62, 1.0, patch.footprint_m / 0.15)
    return mix(base, base * np.float32(0.25), gap)


def mesh(patch: Patch, base: Image) -> Image:
    """Wires before something dark."""
    wire = np.maximum(
        band(np.mod(patch.u_m / 0.1, 1.0), -1.0, 0.22, patch.footprint_m / 0.1),
        band(np.mod(patch.v_m / 0.2, 1.0), -1.0, 0.12, patch.footprint_m / 0.2),
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
    stripe = band(np.mod(patch.u_m / 0.5, 1.0), 0.0, 0.5, patch.footprint_m / 0.5)
    return mix(base, np.array([0.66, 0.65, 0.60], np.float32), stripe)
