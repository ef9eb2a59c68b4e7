"""Houses, halls and barns, which look towards -y, the street; trees, bushes, hedges and woods."""

import dataclasses
from typing import Literal

import numpy as np

from data_prep.demo_world.solids import (
    DARK,
    STEEL,
    TRAIN_ID,
    WHITE,
    Look,
    Pattern,
    Solid,
    Vector,
    blob,
    box,
    cylinder,
    darker,
    one_of,
    varied,
)

HouseKind = Literal["terrace", "block", "detached", "hall", "barn"]

# A street that climbs leaves this much of a house's foot below its middle's ground.
FOUNDATION_M = 4.0
_PLASTER: tuple[Vector, ...] = (
    (0.36, 0.32, 0.25), (0.42, 0.40, 0.35), (0.31, 0.30, 0.27), (0.38, 0.29, 0.15),
    (0.28, 0.17, 0.12), (0.25, 0.27, 0.29), (0.33, 0.26, 0.23), (0.50, 0.50, 0.48),
)  # fmt: skip
_BRICK: tuple[Vector, ...] = ((0.20, 0.09, 0.06), (0.24, 0.13, 0.085), (0.27, 0.21, 0.15))
_TILES: tuple[Vector, ...] = (
    (0.22, 0.08, 0.05), (0.26, 0.11, 0.07), (0.11, 0.10, 0.10), (0.16, 0.11, 0.09),
)  # fmt: skip
_SHEETS: tuple[Vector, ...] = ((0.30, 0.31, 0.33), (0.14, 0.19, 0.26), (0.40, 0.40, 0.38))


@dataclasses.dataclass(frozen=True, kw_only=True)
class HouseSize:
    """Outer measures of a house; `length_m` is along the street."""

    length_m: float
    depth_m: float
    eaves_m: float


def house_size(rng: np.random.Generator, kind: HouseKind, *, storeys: float) -> HouseSize:
    """Draws measures; `storeys` is what is usual along the street."""
    lengths, depths = {
        "terrace": ((9.0, 20.0), (9.0, 12.0)),
        "block": ((16.0, 34.0), (10.0, 14.0)),
        "detached": ((9.0, 14.0), (8.0, 11.0)),
        "hall": ((22.0, 55.0), (14.0, 26.0)),
        "barn": ((10.0, 20.0), (8.0, 12.0)),
    }[kind]
    low, high = {
        "terrace": (0.8, 1.2), "block": (1.0, 1.5), "detached": (0.55, 1.0), "hall": (0.5, 0.8),
        "barn": (0.6, 0.8),
    }[kind]  # fmt: skip
    num_storeys = max(1.0, round(storeys * rng.uniform(low, high)))
    return HouseSize(
        length_m=rng.uniform(*lengths),
        depth_m=rng.uniform(*depths),
        eaves_m=0.6 + 3.0 * num_storeys + rng.uniform(0.0, 0.5),
    )


def house(rng: np.random.Generator, kind: HouseKind, size: HouseSize) -> list[Solid]:
    """Foundation, walls with windows, roof, door, and what hangs on it."""
    building_id = TRAIN_ID["building"]
    if kind in ("hall", "barn"):
        colors = _SHEETS if kind == "hall" else ((0.24, 0.17, 0.11), *_BRICK)
        pattern = Pattern.SHEETS if kind == "hall" else Pattern.BOARDS
    else:
        is_brick = rng.random() < 0.25
        colors = _BRICK if is_brick else _PLASTER
        pattern = Pattern.BRICK_FACADE if is_brick else Pattern.FACADE
    walls = Look(building_id, one_of(colors, rng, 0.18), pattern)
    half = (size.length_m / 2, size.depth_m / 2)
    solids = [
        box(Look(building_id, darker(walls.color, 0.6), Pattern.PLASTER), (0.0, 0.0),
            (-FOUNDATION_M, 0.45), (half[0] + 0.05, half[1] + 0.05)),
        box(walls, (0.0, 0.0), (0.4, size.eaves_m), half),
    ]  # fmt: skip
    is_flat = kind == "hall" or (kind == "block" and rng.random() < 0.7)
    solids += _flat_roof(rng, size) if is_flat else _gabled_roof(rng, size, walls.color)
    if kind in ("hall", "barn"):
        return [*solids, *_gates(rng, size)]
    solids += _door(rng, size)
    if size.eaves_m > 5.5 and rng.random() < 0.45:
        solids += _balconies(rng, size)
    if kind == "detached" and rng.random() < 0.5:
        solids += _garage(rng, size, walls)
    return solids


def _flat_roof(rng: np.random.Generator, size: HouseSize) -> list[Solid]:
    building_id = TRAIN_ID["building"]
    rim = Look(building_id, one_of(((0.30, 0.30, 0.30), (0.16, 0.16, 0.17)), rng), Pattern.PLASTER)
    top = size.eaves_m
    solids = [
        box(rim, (0.0, 0.0), (top, top + 0.4), (size.length_m / 2 + 0.12, size.depth_m / 2 + 0.12))
    ]
    for _ in range(int(rng.integers(0, 3))):
        at = (rng.uniform(-0.35, 0.35) * size.length_m, rng.uniform(-0.2, 0.3) * size.depth_m)
        height = rng.uniform(1.0, 2.6)
        half = (rng.uniform(0.8, 2.2), rng.uniform(0.8, 1.6))
        solids.append(box(rim, at, (top, top + height), half))
    return solids


def _gabled_roof(rng: np.random.Generator, size: HouseSize, wall_color: Vector) -> list[Solid]:
    """A ridge along or across the street, or a hipped roof; dormers and a chimney."""
    building_id = TRAIN_ID["building"]
    tiles = Look(building_id, one_of(_TILES, rng, 0.2), Pattern.TILES)
    gable = Look(building_id, darker(wall_color, 0.95), Pattern.PLASTER)
    half_x, half_y = size.length_m / 2, size.depth_m / 2
    top, pitch = size.eaves_m, rng.uniform(0.65, 1.1)
    is_across = size.length_m < 12.0 and rng.random() < 0.45
    is_hipped = not is_across and rng.random() < 0.25
    rise = pitch * (half_x if is_across else half_y)
    rise_with_eaves = pitch * (0.4 + (half_x if is_across else half_y))
    if is_across:
        roof_half, gable_half = (half_x + 0.4, half_y + 0.15), (half_x, half_y + 0.3)
        taper = (1 / pitch, 0.0)
    else:
        roof_half, gable_half = (half_x + 0.15, half_y + 0.4), (half_x + 0.3, half_y)
        taper = (1 / pitch if is_hipped else 0.0, 1 / pitch)
    solids = [
        box(tiles, (0.0, 0.0), (top - 0.1, top + rise_with_eaves - 0.15), roof_half, taper=taper)
    ]
    if not is_hipped:
        solids.append(
            box(gable, (0.0, 0.0), (top - 0.1, top + rise - 0.35), gable_half, taper=taper)
        )
    brick = Look(building_id, one_of(_BRICK, rng), Pattern.BRICK)
    for _ in range(int(rng.integers(1, 3))):
        x = rng.uniform(-0.35, 0.35) * size.length_m
        solids.append(box(brick, (x, 0.6), (top, top + rise + 0.6), (0.35, 0.3)))
    if not is_across and not is_hipped and rise > 3.0 and rng.random() < 0.6:
        dormer = Look(building_id, gable.color, Pattern.FACADE)
        for x in np.arange(-half_x + 2.0, half_x - 1.5, rng.uniform(3.0, 4.5)):
            at = (float(x), -0.62 * half_y)
            solids += [
                box(dormer, at, (top + 0.2, top + 0.2 + 0.55 * rise), (0.75, 0.3 * half_y)),
                box(tiles, at, (top + 0.2 + 0.55 * rise, top + 0.7 + 0.55 * rise),
                    (0.9, 0.36 * half_y), taper=(1.4, 0.0)),
            ]  # fmt: skip
    return solids


def _door(rng: np.random.Generator, size: HouseSize) -> list[Solid]:
    building_id = TRAIN_ID["building"]
    colors: tuple[Vector, ...] = ((0.16, 0.09, 0.05), (0.30, 0.30, 0.29), (0.06, 0.12, 0.10),
                                  (0.28, 0.05, 0.04))  # fmt: skip
    x, front = rng.uniform(-0.3, 0.3) * size.length_m, -size.depth_m / 2
    solids = [
        box(Look(building_id, WHITE), (x, front), (0.0, 2.65), (0.72, 0.06)),
        box(Look(building_id, one_of(colors, rng), Pattern.BOARDS),
            (x, front), (0.0, 2.5), (0.55, 0.10)),
        box(Look(building_id, (0.40, 0.39, 0.37), Pattern.PLASTER), (x, front - 0.5),
            (-FOUNDATION_M, 0.22), (0.8, 0.5)),
    ]  # fmt: skip
    if rng.random() < 0.4:
        canopy = Look(building_id, DARK)
        solids.append(box(canopy, (x, front - 0.5), (2.75, 2.85), (0.95, 0.6)))
    return solids


def _balconies(rng: np.random.Generator, size: HouseSize) -> list[Solid]:
    building_id = TRAIN_ID["building"]
    slab = Look(building_id, (0.46, 0.45, 0.43), Pattern.PLASTER)
    railing = Look(building_id, one_of((STEEL, WHITE, (0.20, 0.16, 0.12)), rng), Pattern.PICKETS)
    front, half_width = -size.depth_m / 2 - 0.6, rng.uniform(1.1, 1.8)
    solids = []
    for x in np.arange(-size.length_m / 2 + 2.5, size.length_m / 2 - 2.0, rng.uniform(4.5, 8.0)):
        for floor_m in np.arange(3.4, size.eaves_m - 2.0, 3.0):
            solids += [
                box(slab, (float(x), front), (floor_m, floor_m + 0.16), (half_width, 0.62)),
                box(railing, (float(x), front - 0.58), (floor_m + 0.16, floor_m + 1.05),
                    (half_width, 0.03)),
            ]  # fmt: skip
    return solids


def _garage(rng: np.random.Generator, size: HouseSize, walls: Look) -> list[Solid]:
    building_id = TRAIN_ID["building"]
    plain = walls._replace(pattern=Pattern.PLASTER)
    x, half_depth = size.length_m / 2 + 1.7, rng.uniform(2.4, 3.2)
    y = -size.depth_m / 2 + half_depth + rng.uniform(0.0, 2.0)
    door = Look(building_id, one_of((WHITE, (0.25, 0.15, 0.09), STEEL), rng), Pattern.BOARDS)
    return [
        box(plain, (x, y), (-FOUNDATION_M, 2.55), (1.65, half_depth)),
        box(Look(building_id, DARK), (x, y), (2.55, 2.75), (1.75, half_depth + 0.1)),
        box(door, (x, y - half_depth), (0.0, 2.15), (1.2, 0.05)),
    ]


def _gates(rng: np.random.Generator, size: HouseSize) -> list[Solid]:
    building_id = TRAIN_ID["building"]
    look = Look(building_id, one_of((STEEL, (0.10, 0.16, 0.28), (0.30, 0.20, 0.12)), rng),
                Pattern.BOARDS)  # fmt: skip
    front, solids = -size.depth_m / 2, []
    for x in np.arange(-size.length_m / 2 + 3.0, size.length_m / 2 - 2.5, rng.uniform(6.0, 12.0)):
        solids.append(box(look, (float(x), front), (0.0, 3.2), (1.6, 0.06)))
    if rng.random() < 0.6:
        board = Look(building_id, one_of(((0.08, 0.14, 0.36), (0.42, 0.06, 0.05), WHITE), rng),
                     Pattern.LETTERS)  # fmt: skip
        half = min(0.35 * size.length_m, 6.0)
        heights = (size.eaves_m - 1.5, size.eaves_m - 0.3)
        solids.append(box(board, (0.0, front), heights, (half, 0.12)))
    return solids


def shop_front(rng: np.random.Generator, size: HouseSize) -> list[Solid]:
    """A row of shop windows with an awning and a sign before the ground floor."""
    building_id = TRAIN_ID["building"]
    front, half = -size.depth_m / 2, 0.42 * size.length_m
    colors: tuple[Vector, ...] = ((0.40, 0.05, 0.05), (0.05, 0.16, 0.30), (0.10, 0.24, 0.12),
                                  (0.50, 0.40, 0.08))  # fmt: skip
    panes = Look(building_id, (0.30, 0.30, 0.30), Pattern.SHOP)
    solids = [box(panes, (0.0, front), (0.0, 2.7), (half, 0.12))]
    board = Look(building_id, one_of(colors, rng), Pattern.LETTERS)
    solids.append(box(board, (0.0, front), (2.7, 3.3), (half, 0.16)))
    if rng.random() < 0.5:
        awning = Look(building_id, one_of(colors, rng), Pattern.AWNING)
        solids.append(box(awning, (0.0, front - 0.6), (2.35, 2.75), (half, 0.6), taper=(0.0, 1.2)))
    return solids


# Reflectances; leaves are dark.
_LEAVES: tuple[Vector, ...] = (
    (0.102, 0.15, 0.042), (0.078, 0.126, 0.042), (0.132, 0.168, 0.048), (0.09, 0.12, 0.054),
    (0.09, 0.138, 0.036), (0.114, 0.144, 0.06), (0.078, 0.108, 0.036), (0.156, 0.162, 0.054),
    (0.156, 0.108, 0.042),
)  # fmt: skip
_NEEDLES: tuple[Vector, ...] = ((0.035, 0.065, 0.035), (0.045, 0.075, 0.05))
_BARK: tuple[Vector, ...] = ((0.13, 0.10, 0.075), (0.17, 0.15, 0.125), (0.09, 0.07, 0.055))
# A trunk goes on below its foot, for the ground may slope.
_ROOT_M = 0.8
_VEGETATION = TRAIN_ID["vegetation"]


def tree(rng: np.random.Generator, *, height_m: float, num_blobs: int = 14) -> list[Solid]:
    """A trunk with a crown of many overlapping blobs, round, high or wide."""
    color = one_of(_LEAVES, rng, 0.25)
    bark = Look(_VEGETATION, one_of(_BARK, rng, 0.2), Pattern.BARK)
    clear = rng.uniform(0.22, 0.38) * height_m
    crown_half = (height_m - clear) / 2
    radius = crown_half * rng.uniform(0.6, 1.05)
    middle = clear + crown_half
    girth = 0.014 * height_m + 0.05
    solids = [
        cylinder(bark, (0.0, 0.0), (-_ROOT_M, middle), girth * 1.25, top_radius_m=girth * 0.6),
        # The inner crown, so that no sky shines through the middle.
        blob(Look(_VEGETATION, varied(color, rng), Pattern.FOLIAGE), (0.0, 0.0, middle),
             (radius * 0.72, radius * 0.72, crown_half * 0.8)),
    ]  # fmt: skip
    for number in range(num_blobs):
        # A golden-angle spiral over the crown's hull spreads them evenly.
        height = 1.0 - 2.0 * (number + 0.5) / num_blobs
        around = 2.39996 * number + rng.uniform(-0.5, 0.5)
        out = np.sqrt(1.0 - height * height) * rng.uniform(0.62, 0.95)
        size = radius * rng.uniform(0.26, 0.46)
        centre = (
            float(radius * out * np.cos(around)),
            float(radius * out * np.sin(around)),
            float(middle + crown_half * 0.82 * height * rng.uniform(0.85, 1.1)),
        )
        look = Look(_VEGETATION, varied(color, rng, 0.18), Pattern.FOLIAGE)
        solids.append(blob(look, centre, (size, size, size * rng.uniform(0.6, 0.95))))
    return solids


def conifer(rng: np.random.Generator, *, height_m: float) -> list[Solid]:
    """A trunk with skirts of needles, one above the other."""
    needles = one_of(_NEEDLES, rng, 0.25)
    bark = Look(_VEGETATION, one_of(_BARK, rng, 0.2), Pattern.BARK)
    girth, radius = 0.012 * height_m + 0.05, height_m * rng.uniform(0.13, 0.22)
    foot = rng.uniform(0.06, 0.3) * height_m
    solids = [cylinder(bark, (0.0, 0.0), (-_ROOT_M, 0.9 * height_m), girth, top_radius_m=0.04)]
    num_skirts = int(rng.integers(9, 13))
    step = (height_m - foot) / num_skirts
    for number in range(num_skirts):
        reach = radius * (1.0 - number / num_skirts) ** 0.8 * rng.uniform(0.75, 1.1)
        bottom = foot + number * step
        look = Look(_VEGETATION, varied(needles, rng), Pattern.FOLIAGE)
        at = (rng.uniform(-0.15, 0.15) * reach, rng.uniform(-0.15, 0.15) * reach)
        solids.append(
            cylinder(look, at, (bottom, bottom + 1.9 * step), reach, top_radius_m=0.06 * reach)
        )
        # Branches that stick out break the cone's smooth rim.
        for around in rng.uniform(0.0, 2 * np.pi, 2):
            x, y = at[0] + reach * np.cos(around), at[1] + reach * np.sin(around)
            half = (0.3 * reach + 0.1, 0.3 * reach + 0.1, 0.35 * step)
            solids.append(blob(look, (float(x), float(y), bottom + 0.1 * step), half))
    return solids


def bush(rng: np.random.Generator, *, radius_m: float) -> list[Solid]:
    """A few blobs on the ground."""
    color = one_of(_LEAVES, rng, 0.25)
    solids = []
    for _ in range(int(rng.integers(3, 7))):
        x, y = rng.uniform(-0.7, 0.7, 2) * radius_m
        half = radius_m * rng.uniform(0.4, 0.8, 3)
        look = Look(_VEGETATION, varied(color, rng, 0.18), Pattern.FOLIAGE)
        solids.append(blob(look, (x, y, half[2] * 0.6), (half[0], half[1], half[2])))
    return solids


def hedge(rng: np.random.Generator, *, length_m: float, height_m: float) -> list[Solid]:
    """A clipped hedge along x with an uneven top."""
    color = one_of(_LEAVES[:4], rng, 0.2)
    half_depth = rng.uniform(0.3, 0.55)
    look = Look(_VEGETATION, color, Pattern.FOLIAGE)
    solids = [
        box(look, (0.0, 0.0), (-_ROOT_M, height_m), (length_m / 2, half_depth), taper=(0.0, 0.05))
    ]
    for x in np.arange(-length_m / 2 + 0.4, length_m / 2 - 0.3, 1.1):
        bump = (rng.uniform(0.45, 0.8), half_depth * 0.95, rng.uniform(0.08, 0.2))
        shade = look._replace(color=varied(color, rng))
        solids.append(blob(shade, (float(x), 0.0, height_m - 0.03), bump))
    return solids


def thicket(rng: np.random.Generator, *, length_m: float, height_m: float) -> list[Solid]:
    """A wild, dense mass of leaves along x, as on banks and at the edge of a wood."""
    color = one_of(_LEAVES, rng, 0.25)
    solids, x = [], -length_m / 2
    while x < length_m / 2:
        for low, high in ((0.0, 0.45), (0.4, 0.85)):
            half = height_m * rng.uniform(0.22, 0.36, 3)
            z = height_m * rng.uniform(low, high)
            look = Look(_VEGETATION, varied(color, rng, 0.22), Pattern.FOLIAGE)
            y = height_m * rng.uniform(-0.2, 0.2) + (0.25 * z)
            solids.append(blob(look, (x, y, z), (half[0] * 1.3, half[1], half[2])))
        x += height_m * rng.uniform(0.25, 0.45)
    return solids


def any_tree(rng: np.random.Generator, *, height_m: float, num_blobs: int = 14) -> list[Solid]:
    """A broad-leaved tree or, one time in five, a conifer."""
    if rng.random() < 0.2:
        return conifer(rng, height_m=height_m * 1.15)
    return tree(rng, height_m=height_m, num_blobs=num_blobs)


def far_wood(rng: np.random.Generator, *, length_m: float, height_m: float) -> list[Solid]:
    """Closes a view along x: a mass of crowns, seen from far away only."""
    solids, x = [], -length_m / 2
    while x < length_m / 2:
        half = (height_m * rng.uniform(0.25, 0.5), height_m * rng.uniform(0.25, 0.5),
                height_m * rng.uniform(0.4, 0.62))  # fmt: skip
        look = Look(_VEGETATION, one_of(_LEAVES[:4], rng, 0.3), Pattern.FOLIAGE)
        solids.append(blob(look, (x, rng.uniform(-4.0, 4.0), 0.4 * height_m), half))
        x += half[0] * rng.uniform(0.7, 1.3)
    return solids
