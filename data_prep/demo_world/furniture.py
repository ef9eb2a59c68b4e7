"""Poles, lamps, signs, traffic lights and borders; see `solids` for the frame.

What has a face (a sign, a traffic light, a direction board) looks towards -y.
"""

from typing import Literal

import numpy as np

from data_prep.demo_world import solids as s
from data_prep.demo_world.solids import DARK, STEEL, UNSCORED, WHITE, Look, Pattern, Solid, Vector

# Posts and walls reach below their foot, for the ground may slope.
ROOT_M = 0.6
_FOOT = (0.0, 0.0)
_POLE, _SIGN, _LIGHT = (s.TRAIN_ID[name] for name in ("pole", "traffic sign", "traffic light"))
_FENCE, _WALL = s.TRAIN_ID["fence"], s.TRAIN_ID["wall"]

BorderKind = Literal["wall", "pickets", "rails", "mesh", "hedge"]

# Tables, one part a line.
# fmt: off
_RED: Vector = (0.50, 0.03, 0.03)
_BLUE: Vector = (0.02, 0.09, 0.36)
_YELLOW: Vector = (0.60, 0.46, 0.03)
_LAMPS: tuple[Vector, ...] = ((0.05, 0.85, 0.45), (0.95, 0.60, 0.05), (0.95, 0.06, 0.04))
_BORDERS: dict[str, tuple[Vector, ...]] = {
    "pickets": ((0.24, 0.16, 0.10), (0.60, 0.60, 0.57), (0.14, 0.11, 0.09)),
    "rails": ((0.26, 0.19, 0.13), (0.36, 0.37, 0.38)),
    "mesh": ((0.08, 0.16, 0.11), (0.20, 0.21, 0.22)),
}
_CRATES: tuple[Vector, ...] = (
    (0.36, 0.26, 0.15), (0.42, 0.33, 0.20), (0.10, 0.16, 0.34), (0.50, 0.50, 0.48),
    (0.30, 0.06, 0.05),
)


def lamp_post(rng: np.random.Generator) -> list[Solid]:
    """A tall tapering post with an arm along -y, or a low one with a globe."""
    steel = Look(_POLE, s.varied(STEEL, rng, 0.3))
    if rng.random() < 0.25:
        height = rng.uniform(3.4, 4.4)
        return [
            s.cylinder(steel, _FOOT, (-ROOT_M, height), 0.07, top_radius_m=0.05),
            s.blob(Look(_POLE, WHITE), (0.0, 0.0, height + 0.15), (0.22, 0.22, 0.24)),
        ]
    height, arm = rng.uniform(6.5, 10.0), rng.uniform(0.7, 1.6)
    lamp = Look(_POLE, (0.45, 0.46, 0.46))
    return [
        s.cylinder(steel, _FOOT, (-ROOT_M, height), 0.13, top_radius_m=0.07),
        s.box(steel, (0.0, -arm / 2), (height - 0.06, height + 0.03), (0.04, arm / 2)),
        s.box(lamp, (0.0, -arm - 0.25), (height - 0.04, height + 0.10), (0.14, 0.42)),
    ]


def mast(rng: np.random.Generator) -> list[Solid]:
    """A bare mast of wood or concrete."""
    color = s.one_of(((0.20, 0.15, 0.10), (0.36, 0.35, 0.33)), rng)
    height = rng.uniform(7.0, 9.0)
    look = Look(_POLE, color, Pattern.BARK)
    return [
        s.cylinder(look, _FOOT, (-ROOT_M, height), 0.15, top_radius_m=0.10),
        s.box(look, _FOOT, (height - 0.7, height - 0.55), (0.05, 0.8)),
    ]


def bollard(rng: np.random.Generator) -> list[Solid]:
    """A knee-high post, grey or in red and white."""
    is_striped = rng.random() < 0.5
    look = (
        Look(_POLE, _RED, Pattern.STRIPES) if is_striped else Look(_POLE, s.varied(DARK, rng, 0.4))
    )
    return [s.cylinder(look, _FOOT, (-ROOT_M, rng.uniform(0.8, 1.05)), 0.06)]


def delineator(rng: np.random.Generator) -> list[Solid]:
    """The white post with a black band that lines German country roads."""
    height = rng.uniform(0.9, 1.05)
    return [
        s.box(Look(_POLE, WHITE), _FOOT, (-ROOT_M, height), (0.06, 0.06)),
        s.box(Look(_POLE, DARK), _FOOT, (height - 0.28, height - 0.1), (0.065, 0.065)),
    ]


def sign_post(rng: np.random.Generator) -> list[Solid]:
    """A pole with one or two round, triangular, square or rectangular plates."""
    height = rng.uniform(2.3, 3.1)
    parts = [s.cylinder(Look(_POLE, STEEL), _FOOT, (-ROOT_M, height), 0.04), *_plate(rng, height)]
    if rng.random() < 0.3:
        plate = Look(_SIGN, WHITE, Pattern.LETTERS)
        parts.append(s.box(plate, (0.0, -0.06), (height - 1.05, height - 0.75), (0.30, 0.015)))
    return parts


def _plate(rng: np.random.Generator, top_m: float) -> list[Solid]:
    kind, half = rng.random(), rng.uniform(0.30, 0.42)
    middle = top_m - half
    if kind < 0.45:
        color = _RED if rng.random() < 0.6 else _BLUE
        front = Look(_SIGN, s.varied(color, rng), Pattern.SIGN)
        return [
            s.wheel(front, (0.0, -0.065, middle), radius_m=half, width_m=0.02),
            s.wheel(Look(_SIGN, STEEL), (0.0, -0.045, middle), radius_m=half, width_m=0.02),
        ]
    if kind < 0.70:
        # A triangle is a box that narrows to nothing, with a smaller white one before it.
        narrowing, bottom, inner = (1 / 1.73, 0.0), top_m - 1.73 * half, 0.62 * half
        red, white, bar = Look(_SIGN, s.varied(_RED, rng)), Look(_SIGN, WHITE), Look(_SIGN, DARK)
        low = bottom + 0.19 * half * 1.73 * 0.8
        return [
            s.box(red, (0.0, -0.055), (bottom, top_m), (half, 0.015), taper=narrowing),
            s.box(white, (0.0, -0.075), (low, low + 1.73 * inner), (inner, 0.006), taper=narrowing),
            s.box(bar, (0.0, -0.082), (low + 0.1, low + 0.35), (0.05, 0.004)),
        ]
    if kind < 0.85:
        color = _BLUE if rng.random() < 0.6 else _YELLOW
        plate = Look(_SIGN, s.varied(color, rng), Pattern.SIGN)
        return [s.box(plate, (0.0, -0.055), (middle - half, middle + half), (half, 0.015))]
    board = Look(_SIGN, s.varied(_YELLOW, rng), Pattern.LETTERS)
    return [s.box(board, (0.0, -0.055), (top_m - 0.45, top_m), (0.75, 0.02))]


def direction_board(rng: np.random.Generator) -> list[Solid]:
    """A large board on two poles."""
    color = (_YELLOW, _BLUE, (0.62, 0.62, 0.60))[int(rng.integers(3))]
    half_width, bottom, top = rng.uniform(1.0, 1.8), 2.2, rng.uniform(3.4, 4.2)
    pole, board = Look(_POLE, STEEL), Look(_SIGN, s.varied(color, rng), Pattern.LETTERS)
    return [
        *(
            s.cylinder(pole, (side * half_width * 0.6, 0.0), (-ROOT_M, top), 0.06)
            for side in (1, -1)
        ),
        s.box(board, (0.0, -0.10), (bottom, top), (half_width, 0.03)),
        s.box(Look(_SIGN, STEEL), (0.0, -0.065), (bottom, top), (half_width, 0.015)),
    ]


def chevron(rng: np.random.Generator) -> list[Solid]:
    """A red and white board at the side of the road."""
    look = Look(_SIGN, s.varied(_RED, rng), Pattern.STRIPES)
    return [
        s.cylinder(Look(_POLE, STEEL), _FOOT, (-ROOT_M, 0.5), 0.03),
        s.box(look, _FOOT, (0.35, 1.35), (0.14, 0.03)),
    ]


def traffic_light(rng: np.random.Generator, *, arm_m: float = 0.0) -> list[Solid]:
    """A pole with a signal head; with `arm_m`, a second one that far along -x."""
    pole, lit = Look(_POLE, s.varied(STEEL, rng, 0.25)), int(rng.integers(3))
    height, radius = (5.6, 0.11) if arm_m else (3.5, 0.075)
    parts = [s.cylinder(pole, _FOOT, (-ROOT_M, height), radius), *_signal_head(0.0, 2.3, lit)]
    if arm_m:
        parts.append(s.box(pole, (-arm_m / 2, 0.0), (height - 0.14, height), (arm_m / 2, 0.06)))
        parts += _signal_head(0.3 - arm_m, height - 1.15, lit)
    return parts


def _signal_head(x_m: float, bottom_m: float, lit: int) -> list[Solid]:
    """Housing and three lamps under their visors, green at the bottom."""
    black, off = Look(_LIGHT, (0.025, 0.028, 0.028)), Look(_LIGHT, (0.045, 0.045, 0.04))
    parts = [s.box(black, (x_m, -0.18), (bottom_m, bottom_m + 1.05), (0.19, 0.12))]
    for number, color in enumerate(_LAMPS):
        look, z = Look(_LIGHT, color, Pattern.LAMP), bottom_m + 0.19 + 0.33 * number
        parts += [
            s.wheel(look if number == lit else off, (x_m, -0.305, z), radius_m=0.115, width_m=0.02),
            s.box(black, (x_m, -0.38), (z + 0.115, z + 0.14), (0.125, 0.09)),
        ]
    return parts


def border(
    rng: np.random.Generator, kind: BorderKind, *, length_m: float, height_m: float
) -> list[Solid]:
    """A wall or a fence along x; hedges are plants."""
    half = length_m / 2
    if kind == "wall":
        is_plastered = rng.random() < 0.45
        color = s.one_of(
            ((0.48, 0.46, 0.42), (0.36, 0.35, 0.33))
            if is_plastered
            else ((0.30, 0.17, 0.12), (0.33, 0.29, 0.24)),
            rng,
            0.2,
        )
        look = Look(_WALL, color, Pattern.PLASTER if is_plastered else Pattern.BRICK)
        cap = Look(_WALL, s.varied((0.40, 0.39, 0.37), rng), Pattern.PLASTER)
        return [
            s.box(look, _FOOT, (-ROOT_M - 0.6, height_m), (half, 0.12)),
            s.box(cap, _FOOT, (height_m, height_m + 0.07), (half, 0.17)),
        ]
    post = Look(_FENCE, s.one_of(_BORDERS[kind], rng))
    parts = [
        s.box(post, (float(x), 0.0), (-ROOT_M, height_m + 0.06), (0.05, 0.05))
        for x in np.linspace(-half, half, max(2, round(length_m / 2.4) + 1))
    ]
    if kind == "rails":
        tops = [share * height_m for share in (0.35, 0.65, 0.95)]
        return parts + [s.box(post, _FOOT, (top - 0.10, top), (half, 0.03)) for top in tops]
    filling = post._replace(pattern=Pattern.PICKETS if kind == "pickets" else Pattern.MESH)
    return [*parts, s.box(filling, _FOOT, (-0.1, height_m), (half, 0.025))]


def guard_rail(rng: np.random.Generator, *, length_m: float) -> list[Solid]:
    """A steel rail on posts along x; no scored class, as in Cityscapes."""
    steel, half = Look(UNSCORED, s.varied((0.38, 0.39, 0.40), rng)), length_m / 2
    groove = Look(UNSCORED, (0.22, 0.23, 0.24))
    return [
        *(
            s.box(steel, (float(x), 0.08), (-ROOT_M, 0.68), (0.05, 0.03))
            for x in np.arange(-half + 1.0, half, 2.0)
        ),
        s.box(steel, _FOOT, (0.58, 0.75), (half, 0.04)),
        s.box(groove, (0.0, 0.015), (0.52, 0.60), (half, 0.03)),
        s.box(steel, _FOOT, (0.42, 0.54), (half, 0.04)),
    ]


def clutter(rng: np.random.Generator) -> list[Solid]:
    """A bin, a switch box, a bench or an advertising column; no scored class."""
    kind = rng.random()
    if kind < 0.35:
        colors = ((0.05, 0.05, 0.055), (0.08, 0.16, 0.30), (0.32, 0.26, 0.04))
        look = Look(UNSCORED, s.one_of(colors, rng))
        return [
            s.box(look, _FOOT, (0.02, 1.0), (0.29, 0.33), taper=(-0.05, -0.05)),
            s.box(look, _FOOT, (1.0, 1.07), (0.36, 0.40)),
        ]
    if kind < 0.65:
        color = s.one_of(((0.36, 0.38, 0.36), (0.26, 0.28, 0.27)), rng)
        heights = (-0.3, rng.uniform(1.0, 1.4))
        return [
            s.box(
                Look(UNSCORED, color, Pattern.PANELS), _FOOT, heights, (rng.uniform(0.4, 0.8), 0.2)
            )
        ]
    if kind < 0.85:
        wood, iron = Look(UNSCORED, (0.22, 0.14, 0.08), Pattern.BOARDS), Look(UNSCORED, DARK)
        return [
            s.box(wood, _FOOT, (0.42, 0.47), (0.85, 0.22)),
            s.box(wood, (0.0, 0.24), (0.55, 0.88), (0.85, 0.03)),
            *(s.box(iron, (x, 0.05), (-0.2, 0.44), (0.04, 0.2)) for x in (-0.65, 0.65)),
        ]
    look = Look(UNSCORED, s.varied((0.45, 0.40, 0.35), rng), Pattern.LETTERS)
    return [
        s.cylinder(look, _FOOT, (-0.3, 2.7), 0.6),
        s.cylinder(Look(UNSCORED, (0.14, 0.16, 0.14)), _FOOT, (2.7, 3.0), 0.68, top_radius_m=0.2),
    ]


def cone(rng: np.random.Generator) -> list[Solid]:
    """A traffic cone; no scored class."""
    height, white = rng.uniform(0.45, 0.8), Look(UNSCORED, WHITE)
    orange = Look(UNSCORED, s.varied((0.62, 0.16, 0.03), rng))
    return [
        s.box(Look(UNSCORED, DARK), _FOOT, (0.0, 0.04), (0.19, 0.19)),
        s.cylinder(orange, _FOOT, (0.03, height), 0.14, top_radius_m=0.03),
        s.cylinder(white, _FOOT, (0.5 * height, 0.68 * height), 0.095, top_radius_m=0.075),
    ]


def barrier(rng: np.random.Generator) -> list[Solid]:
    """A red and white barrier of a building site, 1.5 to 6 m long along x."""
    half = rng.uniform(0.75, 3.0)
    red = Look(_FENCE, s.varied(_RED, rng), Pattern.STRIPES)
    parts = [s.box(red, _FOOT, (0.85, 1.05), (half, 0.03))]
    if rng.random() < 0.6:
        parts.append(s.box(red, _FOOT, (0.25, 0.45), (half, 0.03)))
    for x in (-half + 0.1, half - 0.1):
        parts += [
            s.box(Look(_FENCE, WHITE), (x, 0.0), (0.0, 1.1), (0.03, 0.03)),
            s.box(Look(_FENCE, DARK), (x, 0.0), (0.0, 0.12), (0.12, 0.35)),
        ]
        if rng.random() < 0.5:
            lamp = Look(_FENCE, (0.80, 0.50, 0.05), Pattern.LAMP)
            parts.append(s.wheel(lamp, (x, 0.0, 1.22), radius_m=0.1, width_m=0.08))
    return parts


def concrete_barrier(rng: np.random.Generator) -> list[Solid]:
    """Concrete blocks with sloping sides, one behind the other along x."""
    look = Look(_WALL, s.one_of(((0.40, 0.39, 0.37), (0.52, 0.50, 0.46)), rng), Pattern.PLASTER)
    count, half, height = int(rng.integers(1, 4)), rng.uniform(0.9, 1.9), rng.uniform(0.5, 1.0)
    middles = [(i - (count - 1) / 2) * 2.05 * half for i in range(count)]
    return [s.box(look, (x, 0.0), (0.0, height), (half, 0.28), taper=(0.0, 0.2)) for x in middles]


def boxes(rng: np.random.Generator) -> list[Solid]:
    """Crates, parcels, a pallet or a skip; no scored class."""
    if rng.random() < 0.2:
        look = Look(
            UNSCORED, s.one_of(((0.45, 0.30, 0.04), (0.10, 0.20, 0.12)), rng), Pattern.PANELS
        )
        return [s.box(look, _FOOT, (0.02, 1.4), (1.2, 0.8), taper=(-0.35, -0.1))]
    parts: list[Solid] = []
    top = 0.0
    for _ in range(int(rng.integers(1, 5))):
        pattern = Pattern.BOARDS if rng.random() < 0.4 else Pattern.PLAIN
        half, height = rng.uniform(0.15, 0.5, 2), rng.uniform(0.2, 0.7)
        at = (float(rng.normal(0.0, 0.12)), float(rng.normal(0.0, 0.12)))
        if rng.random() < 0.35:
            top, at = 0.0, (float(rng.uniform(-0.8, 0.8)), float(rng.uniform(-0.8, 0.8)))
        look = Look(UNSCORED, s.one_of(_CRATES, rng, 0.2), pattern)
        parts.append(s.box(look, at, (top, top + height), (half[0], half[1])))
        top += height
    return parts


def bridge(*, half_span_m: float, clearance_m: float) -> list[Solid]:
    """A road bridge that crosses overhead along y; no scored class, as in Cityscapes."""
    concrete = Look(UNSCORED, (0.36, 0.35, 0.33), Pattern.PLASTER)
    rail = Look(UNSCORED, (0.26, 0.30, 0.32), Pattern.PICKETS)
    top, half, pier_m = clearance_m + 1.3, half_span_m + 6.0, half_span_m + 3.0
    return [
        s.box(concrete, _FOOT, (clearance_m, top), (5.5, half)),
        *(s.box(rail, (side * 5.4, 0.0), (top, top + 1.1), (0.04, half)) for side in (1, -1)),
        *(s.box(concrete, (0.0, side * pier_m), (-3.0, top), (5.5, 3.0)) for side in (1, -1)),
    ]
