"""Houses, halls and barns, which look towards -y, the street; trees, bushes, hedges and woods."""

from typing import Literal, NamedTuple

import numpy as np

from data_prep.demo_world import solids as s
from data_prep.demo_world.solids import DARK, STEEL, WHITE, Look, Pattern, Solid, Vector

HouseKind = Literal["terrace", "block", "detached", "hall", "barn"]

# A street that climbs leaves this much of a house's foot below its middle's ground.
FOUNDATION_M = 4.0
_BUILDING, _VEGETATION = s.TRAIN_ID["building"], s.TRAIN_ID["vegetation"]
_MIDDLE = (0.0, 0.0)

# Tables, one part a line.
# fmt: off
_PLASTER: tuple[Vector, ...] = (
    (0.36, 0.32, 0.25), (0.42, 0.40, 0.35), (0.31, 0.30, 0.27), (0.38, 0.29, 0.15),
    (0.28, 0.17, 0.12), (0.25, 0.27, 0.29), (0.33, 0.26, 0.23), (0.50, 0.50, 0.48),
)
_BRICK: tuple[Vector, ...] = ((0.20, 0.09, 0.06), (0.24, 0.13, 0.085), (0.27, 0.21, 0.15))
_TILES: tuple[Vector, ...] = (
    (0.22, 0.08, 0.05), (0.26, 0.11, 0.07), (0.11, 0.10, 0.10), (0.16, 0.11, 0.09),
)
_SHEETS: tuple[Vector, ...] = ((0.30, 0.31, 0.33), (0.14, 0.19, 0.26), (0.40, 0.40, 0.38))
_DOORS: tuple[Vector, ...] = (
    (0.16, 0.09, 0.05), (0.30, 0.30, 0.29), (0.06, 0.12, 0.10), (0.28, 0.05, 0.04),
)
_SHOPS: tuple[Vector, ...] = (
    (0.40, 0.05, 0.05), (0.05, 0.16, 0.30), (0.10, 0.24, 0.12), (0.50, 0.40, 0.08),
)
# Lengths along the street, depths, and storeys over what is usual along the street.
_SIZES = {
    "terrace": ((9.0, 20.0), (9.0, 12.0), (0.8, 1.2)),
    "block": ((16.0, 34.0), (10.0, 14.0), (1.0, 1.5)),
    "detached": ((9.0, 14.0), (8.0, 11.0), (0.55, 1.0)),
    "hall": ((22.0, 55.0), (14.0, 26.0), (0.5, 0.8)),
    "barn": ((10.0, 20.0), (8.0, 12.0), (0.6, 0.8)),
}


class HouseSize(NamedTuple):
    """Outer measures of a house; `length_m` is along the street."""

    length_m: float
    depth_m: float
    eaves_m: float


def house_size(rng: np.random.Generator, kind: HouseKind, *, storeys: float) -> HouseSize:
    """Draws measures; `storeys` is what is usual along the street."""
    lengths, depths, share = _SIZES[kind]
    num_storeys = max(1.0, round(storeys * rng.uniform(*share)))
    length_m, depth_m = rng.uniform(*lengths), rng.uniform(*depths)
    return HouseSize(length_m, depth_m, 0.6 + 3.0 * num_storeys + rng.uniform(0.0, 0.5))


def house(rng: np.random.Generator, kind: HouseKind, size: HouseSize) -> list[Solid]:
    """Foundation, walls with windows, roof, door, and what hangs on it."""
    if kind == "hall":
        colors, pattern = _SHEETS, Pattern.SHEETS
    elif kind == "barn":
        colors, pattern = ((0.24, 0.17, 0.11), *_BRICK), Pattern.BOARDS
    elif rng.random() < 0.25:
        colors, pattern = _BRICK, Pattern.BRICK_FACADE
    else:
        colors, pattern = _PLASTER, Pattern.FACADE
    walls = Look(_BUILDING, s.one_of(colors, rng, 0.18), pattern)
    base = Look(_BUILDING, s.times(walls.color, 0.6), Pattern.PLASTER)
    half = (size.length_m / 2, size.depth_m / 2)
    parts = [
        s.box(base, _MIDDLE, (-FOUNDATION_M, 0.45), (half[0] + 0.05, half[1] + 0.05)),
        s.box(walls, _MIDDLE, (0.4, size.eaves_m), half),
    ]
    is_flat = kind == "hall" or (kind == "block" and rng.random() < 0.7)
    parts += _flat_roof(rng, size) if is_flat else _gabled_roof(rng, size, walls.color)
    if kind in ("hall", "barn"):
        return [*parts, *_gates(rng, size)]
    parts += _door(rng, size)
    if size.eaves_m > 5.5 and rng.random() < 0.45:
        parts += _balconies(rng, size)
    if kind == "detached" and rng.random() < 0.5:
        parts += _garage(rng, size, walls)
    return parts


def _flat_roof(rng: np.random.Generator, size: HouseSize) -> list[Solid]:
    color = s.one_of(((0.30, 0.30, 0.30), (0.16, 0.16, 0.17)), rng)
    rim, top = Look(_BUILDING, color, Pattern.PLASTER), size.eaves_m
    half = (size.length_m / 2 + 0.12, size.depth_m / 2 + 0.12)
    parts = [s.box(rim, _MIDDLE, (top, top + 0.4), half)]
    for _ in range(int(rng.integers(0, 3))):
        at = (rng.uniform(-0.35, 0.35) * size.length_m, rng.uniform(-0.2, 0.3) * size.depth_m)
        height, half = rng.uniform(1.0, 2.6), (rng.uniform(0.8, 2.2), rng.uniform(0.8, 1.6))
        parts.append(s.box(rim, at, (top, top + height), half))
    return parts


def _gabled_roof(rng: np.random.Generator, size: HouseSize, wall_color: Vector) -> list[Solid]:
    """A ridge along or across the street, or a hipped roof; dormers and a chimney."""
    tiles = Look(_BUILDING, s.one_of(_TILES, rng, 0.2), Pattern.TILES)
    gable = Look(_BUILDING, s.times(wall_color, 0.95), Pattern.PLASTER)
    half_x, half_y = size.length_m / 2, size.depth_m / 2
    top, pitch = size.eaves_m, rng.uniform(0.65, 1.1)
    is_across = size.length_m < 12.0 and rng.random() < 0.45
    is_hipped = not is_across and rng.random() < 0.25
    span = half_x if is_across else half_y
    rise, rise_with_eaves = pitch * span, pitch * (0.4 + span)
    if is_across:
        roof_half, gable_half = (half_x + 0.4, half_y + 0.15), (half_x, half_y + 0.3)
        taper = (1 / pitch, 0.0)
    else:
        roof_half, gable_half = (half_x + 0.15, half_y + 0.4), (half_x + 0.3, half_y)
        taper = (1 / pitch if is_hipped else 0.0, 1 / pitch)
    low, high = top - 0.1, top + rise_with_eaves - 0.15
    parts = [s.box(tiles, _MIDDLE, (low, high), roof_half, taper=taper)]
    if not is_hipped:
        parts.append(s.box(gable, _MIDDLE, (low, top + rise - 0.35), gable_half, taper=taper))
    brick = Look(_BUILDING, s.one_of(_BRICK, rng), Pattern.BRICK)
    for _ in range(int(rng.integers(1, 3))):
        x = rng.uniform(-0.35, 0.35) * size.length_m
        parts.append(s.box(brick, (x, 0.6), (top, top + rise + 0.6), (0.35, 0.3)))
    if not is_across and not is_hipped and rise > 3.0 and rng.random() < 0.6:
        dormer, foot, middle = (
            gable._replace(pattern=Pattern.FACADE),
            top + 0.2,
            top + 0.2 + 0.55 * rise,
        )
        for x in np.arange(-half_x + 2.0, half_x - 1.5, rng.uniform(3.0, 4.5)):
            at, roof = (float(x), -0.62 * half_y), (middle, top + 0.7 + 0.55 * rise)
            parts += [
                s.box(dormer, at, (foot, middle), (0.75, 0.3 * half_y)),
                s.box(tiles, at, roof, (0.9, 0.36 * half_y), taper=(1.4, 0.0)),
            ]
    return parts


def _door(rng: np.random.Generator, size: HouseSize) -> list[Solid]:
    x, front = rng.uniform(-0.3, 0.3) * size.length_m, -size.depth_m / 2
    leaf = Look(_BUILDING, s.one_of(_DOORS, rng), Pattern.BOARDS)
    step = Look(_BUILDING, (0.40, 0.39, 0.37), Pattern.PLASTER)
    parts = [
        s.box(Look(_BUILDING, WHITE), (x, front), (0.0, 2.65), (0.72, 0.06)),
        s.box(leaf, (x, front), (0.0, 2.5), (0.55, 0.10)),
        s.box(step, (x, front - 0.5), (-FOUNDATION_M, 0.22), (0.8, 0.5)),
    ]
    if rng.random() < 0.4:  # a canopy
        parts.append(s.box(Look(_BUILDING, DARK), (x, front - 0.5), (2.75, 2.85), (0.95, 0.6)))
    return parts


def _balconies(rng: np.random.Generator, size: HouseSize) -> list[Solid]:
    slab = Look(_BUILDING, (0.46, 0.45, 0.43), Pattern.PLASTER)
    railing = Look(_BUILDING, s.one_of((STEEL, WHITE, (0.20, 0.16, 0.12)), rng), Pattern.PICKETS)
    front, half, end = -size.depth_m / 2 - 0.6, rng.uniform(1.1, 1.8), size.length_m / 2
    parts = []
    for x in np.arange(-end + 2.5, end - 2.0, rng.uniform(4.5, 8.0)).tolist():
        for floor_m in np.arange(3.4, size.eaves_m - 2.0, 3.0):
            parts += [
                s.box(slab, (x, front), (floor_m, floor_m + 0.16), (half, 0.62)),
                s.box(railing, (x, front - 0.58), (floor_m + 0.16, floor_m + 1.05), (half, 0.03)),
            ]
    return parts


def _garage(rng: np.random.Generator, size: HouseSize, walls: Look) -> list[Solid]:
    x, half_depth = size.length_m / 2 + 1.7, rng.uniform(2.4, 3.2)
    y = -size.depth_m / 2 + half_depth + rng.uniform(0.0, 2.0)
    door = Look(_BUILDING, s.one_of((WHITE, (0.25, 0.15, 0.09), STEEL), rng), Pattern.BOARDS)
    plain = walls._replace(pattern=Pattern.PLASTER)
    return [
        s.box(plain, (x, y), (-FOUNDATION_M, 2.55), (1.65, half_depth)),
        s.box(Look(_BUILDING, DARK), (x, y), (2.55, 2.75), (1.75, half_depth + 0.1)),
        s.box(door, (x, y - half_depth), (0.0, 2.15), (1.2, 0.05)),
    ]


def _gates(rng: np.random.Generator, size: HouseSize) -> list[Solid]:
    color = s.one_of((STEEL, (0.10, 0.16, 0.28), (0.30, 0.20, 0.12)), rng)
    look, front, end = Look(_BUILDING, color, Pattern.BOARDS), -size.depth_m / 2, size.length_m / 2
    places = np.arange(-end + 3.0, end - 2.5, rng.uniform(6.0, 12.0)).tolist()
    parts = [s.box(look, (x, front), (0.0, 3.2), (1.6, 0.06)) for x in places]
    if rng.random() < 0.6:
        color = s.one_of(((0.08, 0.14, 0.36), (0.42, 0.06, 0.05), WHITE), rng)
        half = (min(0.35 * size.length_m, 6.0), 0.12)
        heights = (size.eaves_m - 1.5, size.eaves_m - 0.3)
        parts.append(s.box(Look(_BUILDING, color, Pattern.LETTERS), (0.0, front), heights, half))
    return parts


def shop_front(rng: np.random.Generator, size: HouseSize) -> list[Solid]:
    """A row of shop windows with an awning and a sign before the ground floor."""
    front, half = -size.depth_m / 2, 0.42 * size.length_m
    panes = Look(_BUILDING, (0.30, 0.30, 0.30), Pattern.SHOP)
    board = Look(_BUILDING, s.one_of(_SHOPS, rng), Pattern.LETTERS)
    parts = [
        s.box(panes, (0.0, front), (0.0, 2.7), (half, 0.12)),
        s.box(board, (0.0, front), (2.7, 3.3), (half, 0.16)),
    ]
    if rng.random() < 0.5:
        awning = Look(_BUILDING, s.one_of(_SHOPS, rng), Pattern.AWNING)
        parts.append(s.box(awning, (0.0, front - 0.6), (2.35, 2.75), (half, 0.6), taper=(0.0, 1.2)))
    return parts


# Reflectances; leaves are dark.
_LEAVES: tuple[Vector, ...] = (
    (0.102, 0.15, 0.042), (0.078, 0.126, 0.042), (0.132, 0.168, 0.048), (0.09, 0.12, 0.054),
    (0.09, 0.138, 0.036), (0.114, 0.144, 0.06), (0.078, 0.108, 0.036), (0.156, 0.162, 0.054),
    (0.156, 0.108, 0.042),
)
_NEEDLES: tuple[Vector, ...] = ((0.035, 0.065, 0.035), (0.045, 0.075, 0.05))
_BARK: tuple[Vector, ...] = ((0.13, 0.10, 0.075), (0.17, 0.15, 0.125), (0.09, 0.07, 0.055))
# A trunk goes on below its foot, for the ground may slope.
_ROOT_M = 0.8


def _foliage(color: Vector, rng: np.random.Generator, amount: float = 0.12) -> Look:
    return Look(_VEGETATION, s.varied(color, rng, amount), Pattern.FOLIAGE)


def tree(rng: np.random.Generator, *, height_m: float, num_blobs: int = 14) -> list[Solid]:
    """A trunk with a crown of many overlapping blobs, round, high or wide."""
    color = s.one_of(_LEAVES, rng, 0.25)
    bark = Look(_VEGETATION, s.one_of(_BARK, rng, 0.2), Pattern.BARK)
    clear = rng.uniform(0.22, 0.38) * height_m
    crown_half = (height_m - clear) / 2
    radius, middle = crown_half * rng.uniform(0.6, 1.05), clear + crown_half
    girth = 0.014 * height_m + 0.05
    parts = [
        s.cylinder(bark, _MIDDLE, (-_ROOT_M, middle), girth * 1.25, top_radius_m=girth * 0.6),
        # The inner crown, so that no sky shines through the middle.
        s.blob(
            _foliage(color, rng),
            (0.0, 0.0, middle),
            (radius * 0.72, radius * 0.72, crown_half * 0.8),
        ),
    ]
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
        look = _foliage(color, rng, 0.18)
        parts.append(s.blob(look, centre, (size, size, size * rng.uniform(0.6, 0.95))))
    return parts


def conifer(rng: np.random.Generator, *, height_m: float) -> list[Solid]:
    """A trunk with skirts of needles, one above the other."""
    needles = s.one_of(_NEEDLES, rng, 0.25)
    bark = Look(_VEGETATION, s.one_of(_BARK, rng, 0.2), Pattern.BARK)
    girth, radius = 0.012 * height_m + 0.05, height_m * rng.uniform(0.13, 0.22)
    foot = rng.uniform(0.06, 0.3) * height_m
    parts = [s.cylinder(bark, _MIDDLE, (-_ROOT_M, 0.9 * height_m), girth, top_radius_m=0.04)]
    num_skirts = int(rng.integers(9, 13))
    step = (height_m - foot) / num_skirts
    for number in range(num_skirts):
        reach = radius * (1.0 - number / num_skirts) ** 0.8 * rng.uniform(0.75, 1.1)
        bottom, look = foot + number * step, _foliage(needles, rng)
        at = (rng.uniform(-0.15, 0.15) * reach, rng.uniform(-0.15, 0.15) * reach)
        heights = (bottom, bottom + 1.9 * step)
        parts.append(s.cylinder(look, at, heights, reach, top_radius_m=0.06 * reach))
        # Branches that stick out break the cone's smooth rim.
        for around in rng.uniform(0.0, 2 * np.pi, 2):
            x, y = at[0] + reach * np.cos(around), at[1] + reach * np.sin(around)
            half = (0.3 * reach + 0.1, 0.3 * reach + 0.1, 0.35 * step)
            parts.append(s.blob(look, (float(x), float(y), bottom + 0.1 * step), half))
    return parts


def bush(rng: np.random.Generator, *, radius_m: float) -> list[Solid]:
    """A few blobs on the ground."""
    color = s.one_of(_LEAVES, rng, 0.25)
    parts = []
    for _ in range(int(rng.integers(3, 7))):
        x, y = rng.uniform(-0.7, 0.7, 2) * radius_m
        half = radius_m * rng.uniform(0.4, 0.8, 3)
        parts.append(s.blob(_foliage(color, rng, 0.18), (x, y, half[2] * 0.6), tuple(half)))
    return parts


def hedge(rng: np.random.Generator, *, length_m: float, height_m: float) -> list[Solid]:
    """A clipped hedge along x with an uneven top."""
    color = s.one_of(_LEAVES[:4], rng, 0.2)
    half, half_depth = length_m / 2, rng.uniform(0.3, 0.55)
    look = Look(_VEGETATION, color, Pattern.FOLIAGE)
    parts = [s.box(look, _MIDDLE, (-_ROOT_M, height_m), (half, half_depth), taper=(0.0, 0.05))]
    for x in np.arange(-half + 0.4, half - 0.3, 1.1).tolist():
        bump = (rng.uniform(0.45, 0.8), half_depth * 0.95, rng.uniform(0.08, 0.2))
        parts.append(s.blob(_foliage(color, rng), (x, 0.0, height_m - 0.03), bump))
    return parts


def thicket(rng: np.random.Generator, *, length_m: float, height_m: float) -> list[Solid]:
    """A wild, dense mass of leaves along x, as on banks and at the edge of a wood."""
    color = s.one_of(_LEAVES, rng, 0.25)
    parts, x = [], -length_m / 2
    while x < length_m / 2:
        for low, high in ((0.0, 0.45), (0.4, 0.85)):
            half = height_m * rng.uniform(0.22, 0.36, 3)
            z, look = height_m * rng.uniform(low, high), _foliage(color, rng, 0.22)
            y = height_m * rng.uniform(-0.2, 0.2) + (0.25 * z)
            parts.append(s.blob(look, (x, y, z), (half[0] * 1.3, half[1], half[2])))
        x += height_m * rng.uniform(0.25, 0.45)
    return parts


def any_tree(rng: np.random.Generator, *, height_m: float, num_blobs: int = 14) -> list[Solid]:
    """A broad-leaved tree or, one time in five, a conifer."""
    if rng.random() < 0.2:
        return conifer(rng, height_m=height_m * 1.15)
    return tree(rng, height_m=height_m, num_blobs=num_blobs)


def far_wood(rng: np.random.Generator, *, length_m: float, height_m: float) -> list[Solid]:
    """Closes a view along x: a mass of crowns, seen from far away only."""
    parts, x = [], -length_m / 2
    while x < length_m / 2:
        wide, deep, high = (
            height_m * rng.uniform(*each) for each in ((0.25, 0.5), (0.25, 0.5), (0.4, 0.62))
        )
        look = Look(_VEGETATION, s.one_of(_LEAVES[:4], rng, 0.3), Pattern.FOLIAGE)
        parts.append(s.blob(look, (x, rng.uniform(-4.0, 4.0), 0.4 * height_m), (wide, deep, high)))
        x += wide * rng.uniform(0.7, 1.3)
    return parts
