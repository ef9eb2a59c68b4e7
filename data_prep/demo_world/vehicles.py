"""Cars, vans, trucks, buses and trams; see `solids` for the frame."""

import numpy as np

from data_prep.demo_world import solids as s
from data_prep.demo_world.solids import DARK, RUBBER, STEEL, WHITE, Look, Pattern, Solid, Vector

_CAR, _TRUCK, _BUS, _TRAM = (s.TRAIN_ID[name] for name in ("car", "truck", "bus", "train"))
_MIDDLE = (0.0, 0.0)

# Tables, one part a line.
# fmt: off
_CAR_COLORS: tuple[Vector, ...] = (
    (0.05, 0.05, 0.055), (0.07, 0.075, 0.08), (0.36, 0.37, 0.39), (0.42, 0.43, 0.45),
    (0.30, 0.31, 0.33), (0.60, 0.60, 0.60), (0.18, 0.19, 0.21), (0.32, 0.03, 0.03),
    (0.05, 0.08, 0.20), (0.12, 0.17, 0.28), (0.06, 0.12, 0.10), (0.36, 0.33, 0.27),
)
_VAN_COLORS: tuple[Vector, ...] = (
    (0.70, 0.70, 0.69), (0.66, 0.66, 0.66), (0.05, 0.09, 0.34), (0.55, 0.40, 0.04),
    (0.40, 0.41, 0.43), (0.36, 0.05, 0.04),
)
_BUS_COLORS: tuple[Vector, ...] = (
    (0.62, 0.62, 0.61), (0.60, 0.48, 0.06), (0.44, 0.05, 0.05), (0.10, 0.24, 0.42),
)
_TRAM_COLORS: tuple[Vector, ...] = ((0.56, 0.42, 0.04), (0.44, 0.06, 0.05), (0.60, 0.60, 0.58))
_BOX_COLORS: tuple[Vector, ...] = (
    WHITE,
    (0.62, 0.60, 0.56), (0.55, 0.42, 0.05), (0.08, 0.14, 0.36),
)
_TARPAULINS: tuple[Vector, ...] = (
    (0.36, 0.05, 0.04), (0.06, 0.12, 0.30), (0.10, 0.22, 0.14), (0.40, 0.40, 0.40),
)

# Ranges of: half length, half width, height of the waist and of the roof (m); how far the cabin
# reaches to the front and to the back from the middle at the waist (of the half length); its slant.
_CarShape = tuple[tuple[float, float], ...]
_SALOON: _CarShape = (
    (2.15, 2.45), (0.84, 0.92), (0.86, 0.94), (1.38, 1.48), (0.40, 0.46), (0.58, 0.66), (0.85, 1.1),
)
_HATCHBACK: _CarShape = (
    (1.80, 2.12), (0.80, 0.89), (0.86, 0.95), (1.40, 1.54), (0.44, 0.52), (0.90, 0.96), (0.55, 0.8),
)
_ESTATE: _CarShape = (
    (2.20, 2.42), (0.84, 0.92), (0.88, 0.95), (1.42, 1.52), (0.40, 0.46), (0.92, 0.97), (0.5, 0.7),
)
_OFFROADER: _CarShape = (
    (2.15, 2.40), (0.88, 0.95), (1.00, 1.12), (1.66, 1.84), (0.40, 0.48), (0.92, 0.97), (0.35, 0.6),
)
_VAN: _CarShape = (
    (2.30, 2.65), (0.92, 0.99), (1.08, 1.22), (1.88, 2.15), (0.66, 0.76), (0.95, 0.98), (0.22, 0.4),
)
_CARS = (_SALOON, _HATCHBACK, _HATCHBACK, _ESTATE, _OFFROADER)


def car(rng: np.random.Generator) -> list[Solid]:
    """A saloon, hatchback, estate, off-roader or van, 3.6 to 5.3 m long."""
    is_van = rng.random() < 0.16
    shape = _VAN if is_van else _CARS[int(rng.integers(len(_CARS)))]
    color = s.one_of(_VAN_COLORS if is_van else _CAR_COLORS, rng, 0.2)
    half, side, waist, roof, front, back, slant = (float(rng.uniform(*each)) for each in shape)
    paint, panel, glass = (
        Look(_CAR, color, each) for each in (Pattern.CAR_BODY, Pattern.CAR_PANEL, Pattern.CAR_CABIN)
    )
    plastic, dark = Look(_CAR, (0.06, 0.06, 0.065)), Look(_CAR, DARK)
    # The bonnet is lower than the waist, which begins at the windscreen's foot.
    bonnet, nose, tail = waist - 0.16, front * half, -back * half
    fore, aft = nose + 0.10, -half + 0.05
    return [
        s.box(paint, _MIDDLE, (0.24, bonnet), (half, side), taper=(0.10, 0.04)),
        s.box(
            panel,
            ((fore + aft) / 2, 0.0),
            (bonnet - 0.06, waist),
            ((fore - aft) / 2, side - 0.02),
            taper=(0.5, 0.10),
        ),
        s.box(
            glass,
            ((nose + tail) / 2, 0.0),
            (waist - 0.02, roof),
            ((nose - tail) / 2, side - 0.05),
            taper=(slant, 0.20),
        ),
        s.box(plastic, _MIDDLE, (0.28, 0.43), (half + 0.06, side - 0.1)),
        s.box(dark, _MIDDLE, (0.14, 0.26), (half - 0.15, side - 0.1)),
        *_mirrors(Look(_CAR, color), nose - 0.35, side, waist),
        *_wheels(_CAR, (0.63 * half, -0.60 * half), side - 0.10, 0.34 if roof > 1.6 else 0.30),
    ]


def _mirrors(look: Look, x_m: float, half_width_m: float, waist_m: float) -> list[Solid]:
    places = [(x_m, side * (half_width_m + 0.08), waist_m + 0.08) for side in (1, -1)]
    return [s.blob(look, at, (0.07, 0.10, 0.07)) for at in places]


def _wheels(
    train_id: int, axles_m: tuple[float, ...], track_m: float, radius_m: float
) -> list[Solid]:
    look, width_m = Look(train_id, STEEL, Pattern.WHEEL), radius_m * 0.7
    places = [(x, side * track_m, radius_m) for x in axles_m for side in (1, -1)]
    return [s.wheel(look, at, radius_m=radius_m, width_m=width_m) for at in places]


def truck(rng: np.random.Generator) -> list[Solid]:
    """A cab and a box, a tarpaulin, or an open bed with its load; 6.5 to 11 m long."""
    half, height = rng.uniform(2.1, 4.2), rng.uniform(2.8, 3.7)
    color, x = s.one_of(_VAN_COLORS, rng, 0.2), half + 0.75
    cab, glass = Look(_TRUCK, color, Pattern.CAR_PANEL), Look(_TRUCK, color, Pattern.CAR_CABIN)
    dark, white = Look(_TRUCK, RUBBER), Look(_TRUCK, WHITE)
    rear = Look(_TRUCK, STEEL, Pattern.REAR_BOARD)
    return [
        *_load(rng, half, height),
        s.box(cab, (x, 0.0), (0.45, 1.45), (0.95, 1.15)),
        s.box(glass, (x, 0.0), (1.45, 2.35), (0.95, 1.15), taper=(0.15, 0.05)),
        s.box(cab, (x - 0.1, 0.0), (2.35, 2.6), (0.75, 1.0), taper=(0.8, 0.3)),
        s.box(white, (x + 0.95, 0.0), (0.62, 0.78), (0.03, 0.95)),
        s.box(dark, (0.3, 0.0), (0.6, 0.95), (half + 0.5, 0.45)),
        s.box(rear, (-half - 0.02, 0.0), (0.55, 0.9), (0.06, 1.15)),
        *_wheels(_TRUCK, (x, -half * 0.55, -half * 0.55 - 1.05), 1.02, 0.48),
    ]


def _load(rng: np.random.Generator, half_m: float, height_m: float) -> list[Solid]:
    kind, at = rng.random(), (-0.1, 0.0)
    if kind < 0.45:
        look = Look(_TRUCK, s.one_of(_BOX_COLORS, rng), Pattern.PANELS)
        return [s.box(look, at, (0.95, height_m), (half_m, 1.24))]
    if kind < 0.8:
        tarpaulin = Look(_TRUCK, s.one_of(_TARPAULINS, rng), Pattern.CLOTH)
        boards = Look(_TRUCK, (0.45, 0.46, 0.48), Pattern.PANELS)
        return [
            s.box(tarpaulin, at, (1.5, height_m), (half_m, 1.24), taper=(0.0, 0.03)),
            s.box(boards, at, (0.95, 1.5), (half_m + 0.02, 1.25)),
        ]
    boards = Look(_TRUCK, (0.50, 0.28, 0.06), Pattern.PANELS)
    sand = Look(_TRUCK, (0.36, 0.29, 0.19), Pattern.SOIL)
    return [
        s.box(boards, at, (0.95, 1.75), (half_m, 1.24)),
        s.blob(sand, (-0.1, 0.0, 1.6), (half_m * 0.85, 1.05, 0.75)),
    ]


def bus(rng: np.random.Generator) -> list[Solid]:
    """A city bus, 10.5 to 12 m long."""
    half = rng.uniform(5.2, 6.0)
    body, dark = Look(_BUS, s.one_of(_BUS_COLORS, rng), Pattern.BUS), Look(_BUS, DARK)
    roof = Look(_BUS, s.varied(WHITE, rng))
    return [
        s.box(body, _MIDDLE, (0.32, 2.95), (half, 1.26), taper=(0.02, 0.02)),
        s.box(roof, (-0.5, 0.0), (2.94, 3.15), (half * 0.7, 0.95), taper=(0.8, 0.8)),
        s.box(dark, _MIDDLE, (0.2, 0.36), (half - 0.1, 1.16)),
        *_mirrors(dark, half + 0.05, 1.26, 2.1),
        *_wheels(_BUS, (0.52 * half, -0.5 * half), 1.14, 0.48),
    ]


def tram(rng: np.random.Generator) -> list[Solid]:
    """A tram of two or three cars, 22 to 33 m long."""
    body = Look(_TRAM, s.one_of(_TRAM_COLORS, rng), Pattern.BUS)
    roof, dark = Look(_TRAM, STEEL), Look(_TRAM, DARK)
    num_cars, half = int(rng.integers(2, 4)), 5.2
    parts = []
    for number in range(num_cars):
        x = (number - (num_cars - 1) / 2) * (2 * half + 0.5)
        parts += [
            s.box(body, (x, 0.0), (0.35, 3.2), (half, 1.2), taper=(0.06, 0.02)),
            s.box(roof, (x, 0.0), (3.18, 3.5), (half * 0.6, 0.8), taper=(0.5, 0.5)),
            s.box(dark, (x, 0.0), (0.1, 0.4), (half - 0.3, 1.0)),
        ]
        if number:  # bellows to the car behind
            parts.append(s.box(dark, (x - half - 0.25, 0.0), (0.5, 3.0), (0.28, 1.05)))
    return parts
