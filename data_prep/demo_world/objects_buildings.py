"""Houses, halls and barns; see `parts` for the frame. They look towards -y, the street."""

import dataclasses
from typing import Literal

import numpy as np

from data_prep.demo_world.parts import DARK, STEEL, TRAIN_ID, WHITE, Look, box, darker, one_of
from data_prep.demo_world.shapes import Pattern, Solid, Vector

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
