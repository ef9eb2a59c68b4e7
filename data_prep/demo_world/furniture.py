"""Poles, lamps, signs, traffic lights and borders; see `parts` for the frame.

What has a face (a sign, a traffic light, a direction board) looks towards -y.
"""

from typing import Literal

import numpy as np

from data_prep.demo_world.solids import (
    DARK,
    STEEL,
    TRAIN_ID,
    UNSCORED,
    WHITE,
    Look,
    Pattern,
    Solid,
    Vector,
    blob,
    box,
    cylinder,
    one_of,
    varied,
    wheel,
)

# Posts and walls reach below their foot, for the ground may slope.
ROOT_M = 0.6
_SIGN_RED: Vector = (0.50, 0.03, 0.03)
_SIGN_BLUE: Vector = (0.02, 0.09, 0.36)
_SIGN_YELLOW: Vector = (0.60, 0.46, 0.03)
_LAMPS: tuple[Vector, ...] = ((0.05, 0.85, 0.45), (0.95, 0.60, 0.05), (0.95, 0.06, 0.04))
_POLE = TRAIN_ID["pole"]
_SIGN = TRAIN_ID["traffic sign"]
_LIGHT = TRAIN_ID["traffic light"]

BorderKind = Literal["wall", "pickets", "rails", "mesh", "hedge"]


def lamp_post(rng: np.random.Generator) -> list[Solid]:
    """A tall tapering post with an arm along -y, or a low one with a globe."""
    steel = Look(_POLE, varied(STEEL, rng, 0.3))
    if rng.random() < 0.25:
        height = rng.uniform(3.4, 4.4)
        globe = Look(_POLE, WHITE)
        return [
            cylinder(steel, (0.0, 0.0), (-ROOT_M, height), 0.07, top_radius_m=0.05),
            blob(globe, (0.0, 0.0, height + 0.15), (0.22, 0.22, 0.24)),
        ]
    height, arm = rng.uniform(6.5, 10.0), rng.uniform(0.7, 1.6)
    lamp = Look(_POLE, (0.45, 0.46, 0.46))
    return [
        cylinder(steel, (0.0, 0.0), (-ROOT_M, height), 0.13, top_radius_m=0.07),
        box(steel, (0.0, -arm / 2), (height - 0.06, height + 0.03), (0.04, arm / 2)),
        box(lamp, (0.0, -arm - 0.25), (height - 0.04, height + 0.10), (0.14, 0.42)),
    ]


def mast(rng: np.random.Generator) -> list[Solid]:
    """A bare mast of wood or concrete."""
    color = one_of(((0.20, 0.15, 0.10), (0.36, 0.35, 0.33)), rng)
    height = rng.uniform(7.0, 9.0)
    look = Look(_POLE, color, Pattern.BARK)
    return [
        cylinder(look, (0.0, 0.0), (-ROOT_M, height), 0.15, top_radius_m=0.10),
        box(look, (0.0, 0.0), (height - 0.7, height - 0.55), (0.05, 0.8)),
    ]


def bollard(rng: np.random.Generator) -> list[Solid]:
    """A knee-high post, grey or in red and white."""
    if rng.random() < 0.5:
        look = Look(_POLE, _SIGN_RED, Pattern.STRIPES)
    else:
        look = Look(_POLE, varied(DARK, rng, 0.4))
    return [cylinder(look, (0.0, 0.0), (-ROOT_M, rng.uniform(0.8, 1.05)), 0.06)]


def delineator(rng: np.random.Generator) -> list[Solid]:
    """The white post with a black band that lines German country roads."""
    height = rng.uniform(0.9, 1.05)
    return [
        box(Look(_POLE, WHITE), (0.0, 0.0), (-ROOT_M, height), (0.06, 0.06)),
        box(Look(_POLE, DARK), (0.0, 0.0), (height - 0.28, height - 0.1), (0.065, 0.065)),
    ]


def sign_post(rng: np.random.Generator) -> list[Solid]:
    """A pole with one or two round, triangular, square or rectangular plates."""
    height = rng.uniform(2.3, 3.1)
    solids = [cylinder(Look(_POLE, STEEL), (0.0, 0.0), (-ROOT_M, height), 0.04)]
    solids += _plate(rng, height)
    if rng.random() < 0.3:
        plate = Look(_SIGN, WHITE, Pattern.LETTERS)
        solids.append(box(plate, (0.0, -0.06), (height - 1.05, height - 0.75), (0.30, 0.015)))
    return solids


def _plate(rng: np.random.Generator, top_m: float) -> list[Solid]:
    kind = rng.random()
    half = rng.uniform(0.30, 0.42)
    middle = top_m - half
    back = Look(_SIGN, STEEL)
    if kind < 0.45:
        color = _SIGN_RED if rng.random() < 0.6 else _SIGN_BLUE
        front = Look(_SIGN, varied(color, rng), Pattern.SIGN)
        return [
            wheel(front, (0.0, -0.065, middle), radius_m=half, width_m=0.02),
            wheel(back, (0.0, -0.045, middle), radius_m=half, width_m=0.02),
        ]
    if kind < 0.70:
        # A triangle is a box that narrows to nothing, with a smaller white one before it.
        narrowing = (1 / 1.73, 0.0)
        bottom = top_m - 1.73 * half
        red = Look(_SIGN, varied(_SIGN_RED, rng))
        white, bar = Look(_SIGN, WHITE), Look(_SIGN, DARK)
        inner = 0.62 * half
        inner_bottom = bottom + 0.19 * half * 1.73 * 0.8
        return [
            box(red, (0.0, -0.055), (bottom, top_m), (half, 0.015), taper=narrowing),
            box(white, (0.0, -0.075), (inner_bottom, inner_bottom + 1.73 * inner),
                (inner, 0.006), taper=narrowing),
            box(bar, (0.0, -0.082), (inner_bottom + 0.1, inner_bottom + 0.35), (0.05, 0.004)),
        ]  # fmt: skip
    if kind < 0.85:
        color = _SIGN_BLUE if rng.random() < 0.6 else _SIGN_YELLOW
        plate = Look(_SIGN, varied(color, rng), Pattern.SIGN)
        return [box(plate, (0.0, -0.055), (middle - half, middle + half), (half, 0.015))]
    board = Look(_SIGN, varied(_SIGN_YELLOW, rng), Pattern.LETTERS)
    return [box(board, (0.0, -0.055), (top_m - 0.45, top_m), (0.75, 0.02))]


def direction_board(rng: np.random.Generator) -> list[Solid]:
    """A large board on two poles."""
    color = (_SIGN_YELLOW, _SIGN_BLUE, (0.62, 0.62, 0.60))[int(rng.integers(3))]
    half_width, bottom, top = rng.uniform(1.0, 1.8), 2.2, rng.uniform(3.4, 4.2)
    pole = Look(_POLE, STEEL)
    board = Look(_SIGN, varied(color, rng), Pattern.LETTERS)
    return [
        *(cylinder(pole, (side * half_width * 0.6, 0.0), (-ROOT_M, top), 0.06) for side in (1, -1)),
        box(board, (0.0, -0.10), (bottom, top), (half_width, 0.03)),
        box(Look(_SIGN, STEEL), (0.0, -0.065), (bottom, top), (half_width, 0.015)),
    ]


def chevron(rng: np.random.Generator) -> list[Solid]:
    """A red and white board at the side of the road."""
    look = Look(_SIGN, varied(_SIGN_RED, rng), Pattern.STRIPES)
    return [
        cylinder(Look(_POLE, STEEL), (0.0, 0.0), (-ROOT_M, 0.5), 0.03),
        box(look, (0.0, 0.0), (0.35, 1.35), (0.14, 0.03)),
    ]


def traffic_light(rng: np.random.Generator, *, arm_m: float = 0.0) -> list[Solid]:
    """A pole with a signal head; with `arm_m`, a second one that far along -x."""
    pole = Look(_POLE, varied(STEEL, rng, 0.25))
    lit = int(rng.integers(3))
    height = 5.6 if arm_m else 3.5
    solids = [
        cylinder(pole, (0.0, 0.0), (-ROOT_M, height), 0.11 if arm_m else 0.075),
        *_signal_head(0.0, 2.3, lit),
    ]
    if arm_m:
        solids.append(box(pole, (-arm_m / 2, 0.0), (height - 0.14, height), (arm_m / 2, 0.06)))
        solids += _signal_head(0.3 - arm_m, height - 1.15, lit)
    return solids


def _signal_head(x_m: float, bottom_m: float, lit: int) -> list[Solid]:
    """Housing and three lamps under their visors, green at the bottom."""
    black, off = Look(_LIGHT, (0.025, 0.028, 0.028)), Look(_LIGHT, (0.045, 0.045, 0.04))
    solids = [box(black, (x_m, -0.18), (bottom_m, bottom_m + 1.05), (0.19, 0.12))]
    for number, color in enumerate(_LAMPS):
        look = Look(_LIGHT, color, Pattern.LAMP) if number == lit else off
        z = bottom_m + 0.19 + 0.33 * number
        solids += [
            wheel(look, (x_m, -0.305, z), radius_m=0.115, width_m=0.02),
            box(black, (x_m, -0.38), (z + 0.115, z + 0.14), (0.125, 0.09)),
        ]
    return solids


def border(
    rng: np.random.Generator, kind: BorderKind, *, length_m: float, height_m: float
) -> list[Solid]:
    """A wall or a fence along x; hedges are plants."""
    if kind == "wall":
        return _wall(rng, length_m, height_m)
    fence_id = TRAIN_ID["fence"]
    colors: dict[str, tuple[Vector, ...]] = {
        "pickets": ((0.24, 0.16, 0.10), (0.60, 0.60, 0.57), (0.14, 0.11, 0.09)),
        "rails": ((0.26, 0.19, 0.13), (0.36, 0.37, 0.38)),
        "mesh": ((0.08, 0.16, 0.11), (0.20, 0.21, 0.22)),
    }
    color = one_of(colors[kind], rng)
    post = Look(fence_id, color)
    half = length_m / 2
    solids = [
        box(post, (float(x), 0.0), (-ROOT_M, height_m + 0.06), (0.05, 0.05))
        for x in np.linspace(-half, half, max(2, round(length_m / 2.4) + 1))
    ]
    if kind == "rails":
        for share in (0.35, 0.65, 0.95):
            top = share * height_m
            solids.append(box(post, (0.0, 0.0), (top - 0.10, top), (half, 0.03)))
        return solids
    pattern = Pattern.PICKETS if kind == "pickets" else Pattern.MESH
    solids.append(box(Look(fence_id, color, pattern), (0.0, 0.0), (-0.1, height_m), (half, 0.025)))
    return solids


def _wall(rng: np.random.Generator, length_m: float, height_m: float) -> list[Solid]:
    wall_id = TRAIN_ID["wall"]
    is_plastered = rng.random() < 0.45
    color = one_of(((0.48, 0.46, 0.42), (0.36, 0.35, 0.33)) if is_plastered else
                   ((0.30, 0.17, 0.12), (0.33, 0.29, 0.24)), rng, 0.2)  # fmt: skip
    look = Look(wall_id, color, Pattern.PLASTER if is_plastered else Pattern.BRICK)
    cap = Look(wall_id, varied((0.40, 0.39, 0.37), rng), Pattern.PLASTER)
    half = length_m / 2
    return [
        box(look, (0.0, 0.0), (-ROOT_M - 0.6, height_m), (half, 0.12)),
        box(cap, (0.0, 0.0), (height_m, height_m + 0.07), (half, 0.17)),
    ]


def guard_rail(rng: np.random.Generator, *, length_m: float) -> list[Solid]:
    """A steel rail on posts along x; no scored class, as in Cityscapes."""
    steel = Look(UNSCORED, varied((0.38, 0.39, 0.40), rng))
    half = length_m / 2
    posts = [
        box(steel, (float(x), 0.08), (-ROOT_M, 0.68), (0.05, 0.03))
        for x in np.arange(-half + 1.0, half, 2.0)
    ]
    groove = Look(UNSCORED, (0.22, 0.23, 0.24))
    return [
        *posts,
        box(steel, (0.0, 0.0), (0.58, 0.75), (half, 0.04)),
        box(groove, (0.0, 0.015), (0.52, 0.60), (half, 0.03)),
        box(steel, (0.0, 0.0), (0.42, 0.54), (half, 0.04)),
    ]


def clutter(rng: np.random.Generator) -> list[Solid]:
    """A bin, a switch box, a bench or an advertising column; no scored class."""
    kind = rng.random()
    if kind < 0.35:
        color = one_of(((0.05, 0.05, 0.055), (0.08, 0.16, 0.30), (0.32, 0.26, 0.04)), rng)
        look = Look(UNSCORED, color)
        return [
            box(look, (0.0, 0.0), (0.02, 1.0), (0.29, 0.33), taper=(-0.05, -0.05)),
            box(look, (0.0, 0.0), (1.0, 1.07), (0.36, 0.40)),
        ]
    if kind < 0.65:
        look = Look(UNSCORED, one_of(((0.36, 0.38, 0.36), (0.26, 0.28, 0.27)), rng), Pattern.PANELS)
        return [box(look, (0.0, 0.0), (-0.3, rng.uniform(1.0, 1.4)), (rng.uniform(0.4, 0.8), 0.2))]
    if kind < 0.85:
        wood, iron = Look(UNSCORED, (0.22, 0.14, 0.08), Pattern.BOARDS), Look(UNSCORED, DARK)
        return [
            box(wood, (0.0, 0.0), (0.42, 0.47), (0.85, 0.22)),
            box(wood, (0.0, 0.24), (0.55, 0.88), (0.85, 0.03)),
            *(box(iron, (x, 0.05), (-0.2, 0.44), (0.04, 0.2)) for x in (-0.65, 0.65)),
        ]
    look = Look(UNSCORED, varied((0.45, 0.40, 0.35), rng), Pattern.LETTERS)
    top = Look(UNSCORED, (0.14, 0.16, 0.14))
    return [
        cylinder(look, (0.0, 0.0), (-0.3, 2.7), 0.6),
        cylinder(top, (0.0, 0.0), (2.7, 3.0), 0.68, top_radius_m=0.2),
    ]


def cone(rng: np.random.Generator) -> list[Solid]:
    """A traffic cone; no scored class."""
    height = rng.uniform(0.45, 0.8)
    orange = Look(UNSCORED, varied((0.62, 0.16, 0.03), rng))
    return [
        box(Look(UNSCORED, DARK), (0.0, 0.0), (0.0, 0.04), (0.19, 0.19)),
        cylinder(orange, (0.0, 0.0), (0.03, height), 0.14, top_radius_m=0.03),
        cylinder(Look(UNSCORED, WHITE), (0.0, 0.0), (0.5 * height, 0.68 * height), 0.095,
                 top_radius_m=0.075),
    ]  # fmt: skip


def barrier(rng: np.random.Generator) -> list[Solid]:
    """A red and white barrier of a building site, 1.5 to 6 m long along x."""
    half, fence_id = rng.uniform(0.75, 3.0), TRAIN_ID["fence"]
    red = Look(fence_id, varied(_SIGN_RED, rng), Pattern.STRIPES)
    foot = Look(fence_id, DARK)
    solids = [box(red, (0.0, 0.0), (0.85, 1.05), (half, 0.03))]
    if rng.random() < 0.6:
        solids.append(box(red, (0.0, 0.0), (0.25, 0.45), (half, 0.03)))
    for x in (-half + 0.1, half - 0.1):
        solids += [
            box(Look(fence_id, WHITE), (x, 0.0), (0.0, 1.1), (0.03, 0.03)),
            box(foot, (x, 0.0), (0.0, 0.12), (0.12, 0.35)),
        ]
        if rng.random() < 0.5:
            lamp = Look(fence_id, (0.80, 0.50, 0.05), Pattern.LAMP)
            solids.append(wheel(lamp, (x, 0.0, 1.22), radius_m=0.1, width_m=0.08))
    return solids


def concrete_barrier(rng: np.random.Generator) -> list[Solid]:
    """Concrete blocks with sloping sides, one behind the other along x."""
    look = Look(TRAIN_ID["wall"], one_of(((0.40, 0.39, 0.37), (0.52, 0.50, 0.46)), rng),
                Pattern.PLASTER)  # fmt: skip
    count, half = int(rng.integers(1, 4)), rng.uniform(0.9, 1.9)
    height = rng.uniform(0.5, 1.0)
    return [
        box(look, ((i - (count - 1) / 2) * 2.05 * half, 0.0), (0.0, height), (half, 0.28),
            taper=(0.0, 0.2))
        for i in range(count)
    ]  # fmt: skip


def boxes(rng: np.random.Generator) -> list[Solid]:
    """Crates, parcels, a pallet or a skip; no scored class."""
    kind = rng.random()
    if kind < 0.2:
        look = Look(UNSCORED, one_of(((0.45, 0.30, 0.04), (0.10, 0.20, 0.12)), rng), Pattern.PANELS)
        return [box(look, (0.0, 0.0), (0.02, 1.4), (1.2, 0.8), taper=(-0.35, -0.1))]
    colors: tuple[Vector, ...] = ((0.36, 0.26, 0.15), (0.42, 0.33, 0.20), (0.10, 0.16, 0.34),
                                  (0.50, 0.50, 0.48), (0.30, 0.06, 0.05))  # fmt: skip
    solids: list[Solid] = []
    top = 0.0
    for _ in range(int(rng.integers(1, 5))):
        pattern = Pattern.BOARDS if rng.random() < 0.4 else Pattern.PLAIN
        half, height = rng.uniform(0.15, 0.5, 2), rng.uniform(0.2, 0.7)
        at = (float(rng.normal(0.0, 0.12)), float(rng.normal(0.0, 0.12)))
        if rng.random() < 0.35:
            top, at = 0.0, (float(rng.uniform(-0.8, 0.8)), float(rng.uniform(-0.8, 0.8)))
        look = Look(UNSCORED, one_of(colors, rng, 0.2), pattern)
        solids.append(box(look, at, (top, top + height), (half[0], half[1])))
        top += height
    return solids


def bridge(*, half_span_m: float, clearance_m: float) -> list[Solid]:
    """A road bridge that crosses overhead along y; no scored class, as in Cityscapes."""
    concrete = Look(UNSCORED, (0.36, 0.35, 0.33), Pattern.PLASTER)
    top = clearance_m + 1.3
    rail = Look(UNSCORED, (0.26, 0.30, 0.32), Pattern.PICKETS)
    return [
        box(concrete, (0.0, 0.0), (clearance_m, top), (5.5, half_span_m + 6.0)),
        *(box(rail, (side * 5.4, 0.0), (top, top + 1.1), (0.04, half_span_m + 6.0))
          for side in (1, -1)),
        *(box(concrete, (0.0, side * (half_span_m + 3.0)), (-3.0, top), (5.5, 3.0))
          for side in (1, -1)),
    ]  # fmt: skip
