"""Cars, vans, trucks, buses and trams; see `parts` for the frame."""

import dataclasses

import numpy as np

from data_prep.demo_world.solids import (
    DARK,
    RUBBER,
    STEEL,
    TRAIN_ID,
    WHITE,
    Look,
    Pattern,
    Solid,
    Vector,
    blob,
    box,
    one_of,
    varied,
    wheel,
)

_CAR_COLORS: tuple[Vector, ...] = (
    (0.05, 0.05, 0.055),
    (0.07, 0.075, 0.08),
    (0.36, 0.37, 0.39),
    (0.42, 0.43, 0.45),
    (0.30, 0.31, 0.33),
    (0.60, 0.60, 0.60),
    (0.18, 0.19, 0.21),
    (0.32, 0.03, 0.03),
    (0.05, 0.08, 0.20),
    (0.12, 0.17, 0.28),
    (0.06, 0.12, 0.10),
    (0.36, 0.33, 0.27),
)
_VAN_COLORS: tuple[Vector, ...] = (
    (0.70, 0.70, 0.69),
    (0.66, 0.66, 0.66),
    (0.05, 0.09, 0.34),
    (0.55, 0.40, 0.04),
    (0.40, 0.41, 0.43),
    (0.36, 0.05, 0.04),
)
_BUS_COLORS: tuple[Vector, ...] = (
    (0.62, 0.62, 0.61),
    (0.60, 0.48, 0.06),
    (0.44, 0.05, 0.05),
    (0.10, 0.24, 0.42),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _CarShape:
    """Ranges that a body is drawn from, metres or, for the cabin, shares of the half length.

    `front` and `back` say how far the cabin reaches from the middle at the waist.
    """

    half_length_m: tuple[float, float]
    half_width_m: tuple[float, float]
    waist_m: tuple[float, float]
    roof_m: tuple[float, float]
    front: tuple[float, float]
    back: tuple[float, float]
    slant: tuple[float, float]


_SALOON = _CarShape(
    half_length_m=(2.15, 2.45), half_width_m=(0.84, 0.92), waist_m=(0.86, 0.94),
    roof_m=(1.38, 1.48), front=(0.40, 0.46), back=(0.58, 0.66), slant=(0.85, 1.1),
)  # fmt: skip
_HATCHBACK = _CarShape(
    half_length_m=(1.80, 2.12), half_width_m=(0.80, 0.89), waist_m=(0.86, 0.95),
    roof_m=(1.40, 1.54), front=(0.44, 0.52), back=(0.90, 0.96), slant=(0.55, 0.8),
)  # fmt: skip
_ESTATE = _CarShape(
    half_length_m=(2.20, 2.42), half_width_m=(0.84, 0.92), waist_m=(0.88, 0.95),
    roof_m=(1.42, 1.52), front=(0.40, 0.46), back=(0.92, 0.97), slant=(0.5, 0.7),
)  # fmt: skip
_OFFROADER = _CarShape(
    half_length_m=(2.15, 2.40), half_width_m=(0.88, 0.95), waist_m=(1.00, 1.12),
    roof_m=(1.66, 1.84), front=(0.40, 0.48), back=(0.92, 0.97), slant=(0.35, 0.6),
)  # fmt: skip
_VAN = _CarShape(
    half_length_m=(2.30, 2.65), half_width_m=(0.92, 0.99), waist_m=(1.08, 1.22),
    roof_m=(1.88, 2.15), front=(0.66, 0.76), back=(0.95, 0.98), slant=(0.22, 0.4),
)  # fmt: skip
_CAR_SHAPES = (_SALOON, _HATCHBACK, _HATCHBACK, _ESTATE, _OFFROADER)


def car(rng: np.random.Generator) -> list[Solid]:
    """A saloon, hatchback, estate, off-roader or van, 3.6 to 5.3 m long."""
    is_van = rng.random() < 0.16
    shape = _VAN if is_van else _CAR_SHAPES[int(rng.integers(len(_CAR_SHAPES)))]
    color = one_of(_VAN_COLORS if is_van else _CAR_COLORS, rng, 0.2)
    half_length, half_width, waist, roof, front, back, slant = (
        float(rng.uniform(*getattr(shape, field.name))) for field in dataclasses.fields(shape)
    )
    radius = 0.34 if roof > 1.6 else 0.30
    bonnet = waist - 0.16
    car_id = TRAIN_ID["car"]
    paint = Look(car_id, color, Pattern.CAR_BODY)
    glass = Look(car_id, color, Pattern.CAR_CABIN)
    plastic = Look(car_id, (0.06, 0.06, 0.065))
    # The bonnet is lower than the waist, which begins at the windscreen's foot.
    nose, tail = front * half_length, -back * half_length
    shoulder_front = nose + 0.10
    shoulder_back = -half_length + 0.05
    return [
        box(paint, (0.0, 0.0), (0.24, bonnet), (half_length, half_width), taper=(0.10, 0.04)),
        box(
            Look(car_id, color, Pattern.CAR_PANEL),
            ((shoulder_front + shoulder_back) / 2, 0.0),
            (bonnet - 0.06, waist),
            ((shoulder_front - shoulder_back) / 2, half_width - 0.02),
            taper=(0.5, 0.10),
        ),
        box(
            glass,
            ((nose + tail) / 2, 0.0),
            (waist - 0.02, roof),
            ((nose - tail) / 2, half_width - 0.05),
            taper=(slant, 0.20),
        ),
        box(plastic, (0.0, 0.0), (0.28, 0.43), (half_length + 0.06, half_width - 0.1)),
        box(
            Look(car_id, DARK),
            (0.0, 0.0),
            (0.14, 0.26),
            (half_length - 0.15, half_width - 0.1),
        ),
        *_mirrors(Look(car_id, color), nose - 0.35, half_width, waist),
        *_wheels(car_id, (0.63 * half_length, -0.60 * half_length), half_width - 0.10, radius),
    ]


def _mirrors(look: Look, x_m: float, half_width_m: float, waist_m: float) -> list[Solid]:
    return [
        blob(look, (x_m, side * (half_width_m + 0.08), waist_m + 0.08), (0.07, 0.10, 0.07))
        for side in (1, -1)
    ]


def _wheels(
    train_id: int, axles_m: tuple[float, ...], track_m: float, radius_m: float
) -> list[Solid]:
    look = Look(train_id, STEEL, Pattern.WHEEL)
    return [
        wheel(look, (x, side * track_m, radius_m), radius_m=radius_m, width_m=radius_m * 0.7)
        for x in axles_m
        for side in (1, -1)
    ]


def truck(rng: np.random.Generator) -> list[Solid]:
    """A cab and a box, a tarpaulin, or an open bed with its load; 6.5 to 11 m long."""
    truck_id = TRAIN_ID["truck"]
    half_box, height = rng.uniform(2.1, 4.2), rng.uniform(2.8, 3.7)
    cab_color = one_of(_VAN_COLORS, rng, 0.2)
    cab_x = half_box + 0.75
    cab = Look(truck_id, cab_color, Pattern.CAR_PANEL)
    dark = Look(truck_id, RUBBER)
    return [
        *_load(rng, half_box, height),
        box(cab, (cab_x, 0.0), (0.45, 1.45), (0.95, 1.15)),
        box(
            Look(truck_id, cab_color, Pattern.CAR_CABIN),
            (cab_x, 0.0), (1.45, 2.35), (0.95, 1.15), taper=(0.15, 0.05),
        ),
        box(cab, (cab_x - 0.1, 0.0), (2.35, 2.6), (0.75, 1.0), taper=(0.8, 0.3)),
        box(Look(truck_id, WHITE), (cab_x + 0.95, 0.0),
            (0.62, 0.78), (0.03, 0.95)),
        box(dark, (0.3, 0.0), (0.6, 0.95), (half_box + 0.5, 0.45)),
        box(Look(truck_id, STEEL, Pattern.REAR_BOARD), (-half_box - 0.02, 0.0), (0.55, 0.9),
            (0.06, 1.15)),
        *_wheels(truck_id, (cab_x, -half_box * 0.55, -half_box * 0.55 - 1.05), 1.02, 0.48),
    ]  # fmt: skip


def _load(rng: np.random.Generator, half_box_m: float, height_m: float) -> list[Solid]:
    truck_id = TRAIN_ID["truck"]
    kind = rng.random()
    if kind < 0.45:
        color = one_of((WHITE, (0.62, 0.60, 0.56), (0.55, 0.42, 0.05), (0.08, 0.14, 0.36)), rng)
        look = Look(truck_id, color, Pattern.PANELS)
        return [box(look, (-0.1, 0.0), (0.95, height_m), (half_box_m, 1.24))]
    if kind < 0.8:
        colors: tuple[Vector, ...] = ((0.36, 0.05, 0.04), (0.06, 0.12, 0.30), (0.10, 0.22, 0.14),
                                      (0.40, 0.40, 0.40))  # fmt: skip
        tarpaulin = Look(truck_id, one_of(colors, rng), Pattern.CLOTH)
        boards = Look(truck_id, (0.45, 0.46, 0.48), Pattern.PANELS)
        return [
            box(tarpaulin, (-0.1, 0.0), (1.5, height_m), (half_box_m, 1.24), taper=(0.0, 0.03)),
            box(boards, (-0.1, 0.0), (0.95, 1.5), (half_box_m + 0.02, 1.25)),
        ]
    boards = Look(truck_id, (0.50, 0.28, 0.06), Pattern.PANELS)
    sand = Look(truck_id, (0.36, 0.29, 0.19), Pattern.SOIL)
    return [
        box(boards, (-0.1, 0.0), (0.95, 1.75), (half_box_m, 1.24)),
        blob(sand, (-0.1, 0.0, 1.6), (half_box_m * 0.85, 1.05, 0.75)),
    ]


def bus(rng: np.random.Generator) -> list[Solid]:
    """A city bus, 10.5 to 12 m long."""
    bus_id = TRAIN_ID["bus"]
    half = rng.uniform(5.2, 6.0)
    color = one_of(_BUS_COLORS, rng)
    return [
        box(Look(bus_id, color, Pattern.BUS), (0.0, 0.0), (0.32, 2.95),
            (half, 1.26), taper=(0.02, 0.02)),
        box(Look(bus_id, varied(WHITE, rng)), (-0.5, 0.0), (2.94, 3.15), (half * 0.7, 0.95),
            taper=(0.8, 0.8)),
        box(Look(bus_id, DARK), (0.0, 0.0), (0.2, 0.36), (half - 0.1, 1.16)),
        *_mirrors(Look(bus_id, DARK), half + 0.05, 1.26, 2.1),
        *_wheels(bus_id, (0.52 * half, -0.5 * half), 1.14, 0.48),
    ]  # fmt: skip


def tram(rng: np.random.Generator) -> list[Solid]:
    """A tram of two or three cars, 22 to 33 m long."""
    train_id = TRAIN_ID["train"]
    color = one_of(((0.56, 0.42, 0.04), (0.44, 0.06, 0.05), (0.60, 0.60, 0.58)), rng)
    num_cars, half = int(rng.integers(2, 4)), 5.2
    body = Look(train_id, color, Pattern.BUS)
    dark = Look(train_id, DARK)
    solids = []
    for number in range(num_cars):
        x = (number - (num_cars - 1) / 2) * (2 * half + 0.5)
        solids += [
            box(body, (x, 0.0), (0.35, 3.2), (half, 1.2), taper=(0.06, 0.02)),
            box(Look(train_id, STEEL), (x, 0.0), (3.18, 3.5), (half * 0.6, 0.8), taper=(0.5, 0.5)),
            box(dark, (x, 0.0), (0.1, 0.4), (half - 0.3, 1.0)),
            box(dark, (x - half - 0.25, 0.0), (0.5, 3.0), (0.28, 1.05)),
        ]
    # No bellows at the end.
    del solids[3]
    return solids


def half_length_m(solids: list[Solid]) -> float:
    """Half the length of an object along x."""
    return max(abs(solid.centre_m[0]) + solid.half_m[0] for solid in solids)
