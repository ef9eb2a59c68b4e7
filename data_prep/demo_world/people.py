"""Persons, riders, two-wheelers and animals; see `solids` for the frame."""

import numpy as np

from data_prep.demo_world.solids import (
    DARK,
    RUBBER,
    STEEL,
    TRAIN_ID,
    UNSCORED,
    Look,
    Pattern,
    Solid,
    Vector,
    blob,
    box,
    cylinder,
    darker,
    moved,
    one_of,
    varied,
    wheel,
)

_SKIN: tuple[Vector, ...] = ((0.50, 0.34, 0.26), (0.42, 0.27, 0.20), (0.22, 0.13, 0.09))
_HAIR: tuple[Vector, ...] = ((0.05, 0.04, 0.03), (0.18, 0.11, 0.06), (0.38, 0.30, 0.18))
_SHIRTS: tuple[Vector, ...] = (
    (0.06, 0.06, 0.07), (0.55, 0.55, 0.53), (0.30, 0.05, 0.05), (0.06, 0.10, 0.26),
    (0.25, 0.25, 0.26), (0.12, 0.22, 0.12), (0.45, 0.34, 0.18),
)  # fmt: skip
_TROUSERS: tuple[Vector, ...] = (
    (0.05, 0.06, 0.11), (0.04, 0.04, 0.04), (0.28, 0.25, 0.20), (0.13, 0.14, 0.16),
)  # fmt: skip
_MACHINES: tuple[Vector, ...] = (
    (0.05, 0.05, 0.05), (0.32, 0.33, 0.34), (0.30, 0.04, 0.04), (0.05, 0.09, 0.25),
)  # fmt: skip


def person(rng: np.random.Generator, *, is_walking: bool) -> list[Solid]:
    """Someone on foot, 1.55 to 1.9 m tall."""
    height = rng.uniform(1.55, 1.92)
    hip, shoulder = 0.50 * height, 0.82 * height
    person_id = TRAIN_ID["person"]
    trousers = Look(person_id, one_of(_TROUSERS, rng), Pattern.CLOTH)
    shirt = Look(person_id, one_of(_SHIRTS, rng), Pattern.CLOTH)
    stride = rng.uniform(0.12, 0.24) if is_walking else 0.0
    swing = 0.7 * stride
    solids = []
    for side in (1, -1):
        x = side * stride
        # A walker's thigh hangs under the hip, the shank reaches ahead or back.
        solids += [
            cylinder(trousers, (0.45 * x, side * 0.09), (0.45 * hip, hip), 0.085),
            cylinder(trousers, (x, side * 0.09), (0.04, 0.52 * hip), 0.06, top_radius_m=0.07),
            box(Look(person_id, DARK),
                (x + 0.05, side * 0.09), (0.0, 0.08), (0.13, 0.05)),
            cylinder(shirt, (-0.5 * side * swing, side * 0.23), (0.80 * shoulder, shoulder), 0.055),
            cylinder(shirt, (-side * swing, side * 0.25), (hip - 0.05, 0.84 * shoulder), 0.042),
        ]  # fmt: skip
    solids += [
        box(shirt, (0.0, 0.0), (hip - 0.06, shoulder), (0.12, 0.17), taper=(0.03, -0.08)),
        blob(shirt, (0.0, 0.0, shoulder), (0.11, 0.22, 0.08)),
        *_head(rng, person_id, height - 0.12),
    ]
    if rng.random() < 0.25:
        bag = Look(person_id, one_of(_SHIRTS, rng), Pattern.CLOTH)
        solids.append(blob(bag, (-0.2, 0.0, 0.7 * height), (0.11, 0.16, 0.24)))
    return solids


def _head(rng: np.random.Generator, train_id: int, z_m: float) -> list[Solid]:
    skin, hair = one_of(_SKIN, rng), one_of(_HAIR, rng)
    return [
        blob(Look(train_id, skin), (0.02, 0.0, z_m),
             (0.095, 0.08, 0.12)),
        blob(Look(train_id, hair, Pattern.CLOTH),
             (-0.02, 0.0, z_m + 0.035), (0.095, 0.087, 0.105)),
    ]  # fmt: skip


def bicycle(rng: np.random.Generator) -> list[Solid]:
    """Two wheels, a frame of tubes, saddle and handlebar; 1.75 m long."""
    bicycle_id = TRAIN_ID["bicycle"]
    color = one_of(_MACHINES, rng, 0.3)
    tube = Look(bicycle_id, color)
    fine = Look(bicycle_id, STEEL)
    spokes = Look(bicycle_id, (0.14, 0.14, 0.145), Pattern.WHEEL)
    black = Look(bicycle_id, DARK)
    # The slanting tubes are stairs of short upright ones.
    slanting = [
        box(tube, (-0.12 + 0.10 * i, 0.0), (0.32 + 0.07 * i, 0.42 + 0.07 * i), (0.06, 0.018))
        for i in range(6)
    ]
    return [
        wheel(spokes, (0.54, 0.0, 0.34), radius_m=0.34, width_m=0.04),
        wheel(spokes, (-0.54, 0.0, 0.34), radius_m=0.34, width_m=0.04),
        *slanting,
        box(tube, (0.08, 0.0), (0.74, 0.79), (0.30, 0.018)),
        cylinder(tube, (-0.18, 0.0), (0.30, 0.86), 0.02),
        cylinder(tube, (0.42, 0.0), (0.62, 1.0), 0.02),
        box(tube, (0.49, 0.0), (0.34, 0.64), (0.03, 0.03)),
        box(tube, (-0.34, 0.0), (0.32, 0.36), (0.20, 0.03)),
        box(black, (-0.20, 0.0), (0.86, 0.93), (0.14, 0.07)),
        box(fine, (0.40, 0.0), (0.98, 1.03), (0.03, 0.28)),
        box(fine, (-0.56, 0.0), (0.70, 0.73), (0.18, 0.06)),
    ]


def motorcycle(rng: np.random.Generator) -> list[Solid]:
    """Two wide wheels, engine, tank, seat, fork and lamp; 2 m long."""
    motorcycle_id = TRAIN_ID["motorcycle"]
    color = one_of(_MACHINES, rng, 0.3)
    paint = Look(motorcycle_id, color, Pattern.CAR_PANEL)
    metal, black = Look(motorcycle_id, STEEL), Look(motorcycle_id, RUBBER)
    rims = Look(motorcycle_id, STEEL, Pattern.WHEEL)
    return [
        wheel(rims, (0.70, 0.0, 0.31), radius_m=0.31, width_m=0.13),
        wheel(rims, (-0.66, 0.0, 0.31), radius_m=0.31, width_m=0.17),
        box(metal, (0.02, 0.0), (0.22, 0.62), (0.30, 0.16)),
        blob(paint, (0.16, 0.0, 0.80), (0.30, 0.17, 0.17)),
        box(black, (-0.36, 0.0), (0.70, 0.82), (0.36, 0.15)),
        blob(paint, (-0.74, 0.0, 0.78), (0.22, 0.13, 0.12)),
        box(metal, (0.60, 0.0), (0.32, 0.95), (0.05, 0.11)),
        blob(paint, (0.60, 0.0, 0.92), (0.17, 0.19, 0.22)),
        box(black, (0.44, 0.0), (1.02, 1.06), (0.03, 0.36)),
        box(metal, (-0.45, -0.2), (0.28, 0.38), (0.35, 0.05)),
    ]


def cyclist(rng: np.random.Generator) -> list[Solid]:
    """Someone on a bicycle."""
    return [*bicycle(rng), *_seated(rng, seat_m=0.92, grip_x_m=0.38, has_helmet=False)]


def motorcyclist(rng: np.random.Generator) -> list[Solid]:
    """Someone on a motorcycle."""
    return [*motorcycle(rng), *_seated(rng, seat_m=0.80, grip_x_m=0.42, has_helmet=True)]


def _seated(
    rng: np.random.Generator, *, seat_m: float, grip_x_m: float, has_helmet: bool
) -> list[Solid]:
    """A body that leans ahead from the saddle and holds the handlebar."""
    rider_id = TRAIN_ID["rider"]
    trousers = Look(rider_id, one_of(_TROUSERS, rng), Pattern.CLOTH)
    shirt = Look(rider_id, one_of(_SHIRTS, rng), Pattern.CLOTH)
    solids = []
    for side, lift in ((1, 0.10), (-1, -0.06)):
        knee = seat_m - 0.16 + lift
        solids += [
            blob(trousers, (0.02, side * 0.12, seat_m - 0.03 + lift / 2), (0.26, 0.09, 0.10)),
            cylinder(trousers, (0.18, side * 0.13), (knee - 0.42, knee + 0.12), 0.06),
            box(Look(rider_id, DARK),
                (0.22, side * 0.14), (knee - 0.48, knee - 0.40), (0.13, 0.05)),
            blob(shirt, (0.12 + 0.5 * (grip_x_m - 0.1), side * 0.24, seat_m + 0.26),
                 (0.19, 0.06, 0.13)),
        ]  # fmt: skip
    solids += [
        blob(shirt, (-0.14, 0.0, seat_m + 0.14), (0.16, 0.17, 0.19)),
        blob(shirt, (-0.04, 0.0, seat_m + 0.38), (0.15, 0.20, 0.22)),
    ]
    head = moved(_head(rng, rider_id, seat_m + 0.74), x_m=0.10)
    if has_helmet:
        helmet = Look(rider_id, varied(darker((0.6, 0.6, 0.6), rng.uniform(0.1, 1.0)), rng))
        head.append(blob(helmet, (0.08, 0.0, seat_m + 0.77), (0.13, 0.12, 0.13)))
    return [*solids, *head]


def child(rng: np.random.Generator) -> list[Solid]:
    """Someone of 0.9 to 1.3 m."""
    return _scaled(person(rng, is_walking=True), rng.uniform(0.55, 0.72))


def pram(rng: np.random.Generator) -> list[Solid]:
    """A pram and who pushes it; the pram is no scored class, as in Cityscapes."""
    body = Look(UNSCORED, one_of(_SHIRTS, rng), Pattern.CLOTH)
    frame, rims = Look(UNSCORED, STEEL), Look(UNSCORED, (0.14, 0.14, 0.145), Pattern.WHEEL)
    wheels = [
        wheel(rims, (x, side * 0.24, 0.14), radius_m=0.14, width_m=0.05)
        for x in (0.35, -0.30)
        for side in (1, -1)
    ]
    return [
        *moved(person(rng, is_walking=True), x_m=-0.75),
        *wheels,
        box(body, (0.05, 0.0), (0.48, 0.78), (0.42, 0.21), taper=(-0.15, -0.1)),
        blob(body, (0.22, 0.0, 0.82), (0.28, 0.23, 0.26)),
        box(frame, (0.0, 0.22), (0.22, 0.50), (0.34, 0.02), taper=(0.6, 0.0)),
        box(frame, (0.0, -0.22), (0.22, 0.50), (0.34, 0.02), taper=(0.6, 0.0)),
        box(frame, (-0.50, 0.0), (0.95, 1.0), (0.03, 0.24)),
        box(frame, (-0.42, 0.22), (0.72, 1.0), (0.08, 0.02)),
        box(frame, (-0.42, -0.22), (0.72, 1.0), (0.08, 0.02)),
    ]


def wheelchair(rng: np.random.Generator) -> list[Solid]:
    """Someone in a wheelchair; the chair is no scored class."""
    person_id = TRAIN_ID["person"]
    trousers = Look(person_id, one_of(_TROUSERS, rng), Pattern.CLOTH)
    shirt = Look(person_id, one_of(_SHIRTS, rng), Pattern.CLOTH)
    chair, rims = Look(UNSCORED, DARK), Look(UNSCORED, (0.14, 0.14, 0.145), Pattern.WHEEL)
    legs = [
        part
        for side in (1, -1)
        for part in (
            blob(trousers, (0.18, side * 0.11, 0.55), (0.26, 0.09, 0.09)),
            cylinder(trousers, (0.40, side * 0.11), (0.12, 0.56), 0.065),
            blob(shirt, (0.08, side * 0.26, 0.78), (0.20, 0.06, 0.12)),
            wheel(rims, (-0.08, side * 0.33, 0.31), radius_m=0.31, width_m=0.04),
            wheel(rims, (0.36, side * 0.24, 0.09), radius_m=0.09, width_m=0.04),
        )
    ]
    return [
        *legs,
        box(chair, (0.0, 0.0), (0.42, 0.50), (0.24, 0.26)),
        box(chair, (-0.26, 0.0), (0.45, 0.95), (0.03, 0.25)),
        box(shirt, (-0.10, 0.0), (0.50, 1.05), (0.13, 0.18), taper=(0.02, -0.04)),
        blob(shirt, (-0.10, 0.0, 1.05), (0.11, 0.21, 0.08)),
        *moved(_head(rng, person_id, 1.28), x_m=-0.08),
    ]


def dog(rng: np.random.Generator) -> list[Solid]:
    """A dog, 0.35 to 0.8 m tall; no scored class."""
    look = Look(UNSCORED, one_of(((0.06, 0.05, 0.04), (0.30, 0.20, 0.11), (0.42, 0.38, 0.32)), rng),
                Pattern.CLOTH)  # fmt: skip
    legs = [
        cylinder(look, (x, side * 0.09), (0.0, 0.34), 0.035) for x in (0.24, -0.26)
        for side in (1, -1)
    ]  # fmt: skip
    solids = [
        *legs,
        blob(look, (0.0, 0.0, 0.40), (0.36, 0.12, 0.14)),
        blob(look, (0.34, 0.0, 0.55), (0.13, 0.09, 0.11)),
        blob(look, (0.47, 0.0, 0.51), (0.10, 0.05, 0.05)),
        box(look, (-0.42, 0.0), (0.42, 0.60), (0.03, 0.02)),
        box(look, (0.30, 0.07), (0.62, 0.70), (0.03, 0.02)),
        box(look, (0.30, -0.07), (0.62, 0.70), (0.03, 0.02)),
    ]
    return _scaled(solids, rng.uniform(0.55, 1.15))


def _scaled(solids: list[Solid], scale: float) -> list[Solid]:
    def times(values: Vector) -> Vector:
        return values[0] * scale, values[1] * scale, values[2] * scale

    return [
        solid._replace(centre_m=times(solid.centre_m), half_m=times(solid.half_m))
        for solid in solids
    ]
