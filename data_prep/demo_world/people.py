"""Persons, riders, two-wheelers and animals; see `solids` for the frame."""

import numpy as np

from data_prep.demo_world import solids as s
from data_prep.demo_world.solids import DARK, RUBBER, STEEL, UNSCORED, Look, Pattern, Solid, Vector

_PERSON, _RIDER = s.TRAIN_ID["person"], s.TRAIN_ID["rider"]
_BICYCLE, _MOTORCYCLE = s.TRAIN_ID["bicycle"], s.TRAIN_ID["motorcycle"]

# Tables, one part a line.
# fmt: off
_SKIN: tuple[Vector, ...] = ((0.50, 0.34, 0.26), (0.42, 0.27, 0.20), (0.22, 0.13, 0.09))
_HAIR: tuple[Vector, ...] = ((0.05, 0.04, 0.03), (0.18, 0.11, 0.06), (0.38, 0.30, 0.18))
_SHIRTS: tuple[Vector, ...] = (
    (0.06, 0.06, 0.07), (0.55, 0.55, 0.53), (0.30, 0.05, 0.05), (0.06, 0.10, 0.26),
    (0.25, 0.25, 0.26), (0.12, 0.22, 0.12), (0.45, 0.34, 0.18), (0.64, 0.64, 0.62),
    (0.52, 0.08, 0.07), (0.62, 0.46, 0.10), (0.10, 0.26, 0.50), (0.62, 0.72, 0.10),
)
_TROUSERS: tuple[Vector, ...] = (
    (0.05, 0.06, 0.11), (0.04, 0.04, 0.04), (0.28, 0.25, 0.20), (0.13, 0.14, 0.16),
    (0.15, 0.21, 0.35), (0.48, 0.45, 0.40),
)
_MACHINES: tuple[Vector, ...] = (
    (0.05, 0.05, 0.05), (0.32, 0.33, 0.34), (0.30, 0.04, 0.04), (0.05, 0.09, 0.25),
)
_COATS: tuple[Vector, ...] = ((0.06, 0.05, 0.04), (0.30, 0.20, 0.11), (0.42, 0.38, 0.32))
_RIM: Vector = (0.14, 0.14, 0.145)
_SIDES = (1, -1)


def _clothes(rng: np.random.Generator, train_id: int) -> tuple[Look, Look]:
    """Trousers and shirt."""
    trousers = Look(train_id, s.one_of(_TROUSERS, rng), Pattern.CLOTH)
    return trousers, Look(train_id, s.one_of(_SHIRTS, rng), Pattern.CLOTH)


def person(rng: np.random.Generator, *, is_walking: bool) -> list[Solid]:
    """Someone on foot, 1.55 to 1.9 m tall."""
    height = rng.uniform(1.55, 1.92)
    hip, shoulder = 0.50 * height, 0.82 * height
    (trousers, shirt), shoe = _clothes(rng, _PERSON), Look(_PERSON, DARK)
    stride = rng.uniform(0.12, 0.24) if is_walking else 0.0
    swing = 0.7 * stride
    parts = []
    for side in _SIDES:
        x = side * stride
        # A walker's thigh hangs under the hip, the shank reaches ahead or back.
        parts += [
            s.cylinder(trousers, (0.45 * x, side * 0.09), (0.45 * hip, hip), 0.085),
            s.cylinder(trousers, (x, side * 0.09), (0.04, 0.52 * hip), 0.06, top_radius_m=0.07),
            s.box(shoe, (x + 0.05, side * 0.09), (0.0, 0.08), (0.13, 0.05)),
            s.cylinder(
                shirt, (-0.5 * side * swing, side * 0.23), (0.80 * shoulder, shoulder), 0.055
            ),
            s.cylinder(shirt, (-side * swing, side * 0.25), (hip - 0.05, 0.84 * shoulder), 0.042),
        ]
    parts += [
        s.box(shirt, (0.0, 0.0), (hip - 0.06, shoulder), (0.12, 0.17), taper=(0.03, -0.08)),
        s.blob(shirt, (0.0, 0.0, shoulder), (0.11, 0.22, 0.08)),
        *_head(rng, _PERSON, height - 0.12),
    ]
    if rng.random() < 0.25:
        bag = Look(_PERSON, s.one_of(_SHIRTS, rng), Pattern.CLOTH)
        parts.append(s.blob(bag, (-0.2, 0.0, 0.7 * height), (0.11, 0.16, 0.24)))
    return parts


def _head(rng: np.random.Generator, train_id: int, z_m: float) -> list[Solid]:
    skin = Look(train_id, s.one_of(_SKIN, rng))
    hair = Look(train_id, s.one_of(_HAIR, rng), Pattern.CLOTH)
    return [
        s.blob(skin, (0.02, 0.0, z_m), (0.095, 0.08, 0.12)),
        s.blob(hair, (-0.02, 0.0, z_m + 0.035), (0.095, 0.087, 0.105)),
    ]


def bicycle(rng: np.random.Generator) -> list[Solid]:
    """Two wheels, a frame of tubes, saddle and handlebar; 1.75 m long."""
    tube, black = Look(_BICYCLE, s.one_of(_MACHINES, rng, 0.3)), Look(_BICYCLE, DARK)
    fine, spokes = Look(_BICYCLE, STEEL), Look(_BICYCLE, _RIM, Pattern.WHEEL)
    return [
        s.wheel(spokes, (0.54, 0.0, 0.34), radius_m=0.34, width_m=0.04),
        s.wheel(spokes, (-0.54, 0.0, 0.34), radius_m=0.34, width_m=0.04),
        # The slanting tubes are stairs of short upright ones.
        *(
            s.box(tube, (-0.12 + 0.10 * i, 0.0), (0.32 + 0.07 * i, 0.42 + 0.07 * i), (0.06, 0.018))
            for i in range(6)
        ),
        s.box(tube, (0.08, 0.0), (0.74, 0.79), (0.30, 0.018)),
        s.cylinder(tube, (-0.18, 0.0), (0.30, 0.86), 0.02),
        s.cylinder(tube, (0.42, 0.0), (0.62, 1.0), 0.02),
        s.box(tube, (0.49, 0.0), (0.34, 0.64), (0.03, 0.03)),
        s.box(tube, (-0.34, 0.0), (0.32, 0.36), (0.20, 0.03)),
        s.box(black, (-0.20, 0.0), (0.86, 0.93), (0.14, 0.07)),
        s.box(fine, (0.40, 0.0), (0.98, 1.03), (0.03, 0.28)),
        s.box(fine, (-0.56, 0.0), (0.70, 0.73), (0.18, 0.06)),
    ]


def motorcycle(rng: np.random.Generator) -> list[Solid]:
    """Two wide wheels, engine, tank, seat, fork and lamp; 2 m long."""
    paint = Look(_MOTORCYCLE, s.one_of(_MACHINES, rng, 0.3), Pattern.CAR_PANEL)
    metal, black = Look(_MOTORCYCLE, STEEL), Look(_MOTORCYCLE, RUBBER)
    rims = metal._replace(pattern=Pattern.WHEEL)
    return [
        s.wheel(rims, (0.70, 0.0, 0.31), radius_m=0.31, width_m=0.13),
        s.wheel(rims, (-0.66, 0.0, 0.31), radius_m=0.31, width_m=0.17),
        s.box(metal, (0.02, 0.0), (0.22, 0.62), (0.30, 0.16)),
        s.blob(paint, (0.16, 0.0, 0.80), (0.30, 0.17, 0.17)),
        s.box(black, (-0.36, 0.0), (0.70, 0.82), (0.36, 0.15)),
        s.blob(paint, (-0.74, 0.0, 0.78), (0.22, 0.13, 0.12)),
        s.box(metal, (0.60, 0.0), (0.32, 0.95), (0.05, 0.11)),
        s.blob(paint, (0.60, 0.0, 0.92), (0.17, 0.19, 0.22)),
        s.box(black, (0.44, 0.0), (1.02, 1.06), (0.03, 0.36)),
        s.box(metal, (-0.45, -0.2), (0.28, 0.38), (0.35, 0.05)),
    ]


def cyclist(rng: np.random.Generator) -> list[Solid]:
    """Someone on a bicycle."""
    return [*bicycle(rng), *_seated(rng, seat_m=0.92, grip_x_m=0.38)]


def motorcyclist(rng: np.random.Generator) -> list[Solid]:
    """Someone on a motorcycle, under a helmet."""
    parts = [*motorcycle(rng), *_seated(rng, seat_m=0.80, grip_x_m=0.42)]
    helmet = Look(_RIDER, s.varied(s.times((0.6, 0.6, 0.6), rng.uniform(0.1, 1.0)), rng))
    return [*parts, s.blob(helmet, (0.08, 0.0, 0.80 + 0.77), (0.13, 0.12, 0.13))]


def _seated(rng: np.random.Generator, *, seat_m: float, grip_x_m: float) -> list[Solid]:
    """A body that leans ahead from the saddle and holds the handlebar."""
    (trousers, shirt), shoe = _clothes(rng, _RIDER), Look(_RIDER, DARK)
    elbow_x = 0.12 + 0.5 * (grip_x_m - 0.1)
    parts = []
    for side, lift in ((1, 0.10), (-1, -0.06)):
        knee = seat_m - 0.16 + lift
        parts += [
            s.blob(trousers, (0.02, side * 0.12, seat_m - 0.03 + lift / 2), (0.26, 0.09, 0.10)),
            s.cylinder(trousers, (0.18, side * 0.13), (knee - 0.42, knee + 0.12), 0.06),
            s.box(shoe, (0.22, side * 0.14), (knee - 0.48, knee - 0.40), (0.13, 0.05)),
            s.blob(shirt, (elbow_x, side * 0.24, seat_m + 0.26), (0.19, 0.06, 0.13)),
        ]
    return [
        *parts,
        s.blob(shirt, (-0.14, 0.0, seat_m + 0.14), (0.16, 0.17, 0.19)),
        s.blob(shirt, (-0.04, 0.0, seat_m + 0.38), (0.15, 0.20, 0.22)),
        *s.moved(_head(rng, _RIDER, seat_m + 0.74), x_m=0.10),
    ]


def child(rng: np.random.Generator) -> list[Solid]:
    """Someone of 0.9 to 1.3 m."""
    return _scaled(person(rng, is_walking=True), rng.uniform(0.55, 0.72))


def pram(rng: np.random.Generator) -> list[Solid]:
    """A pram and who pushes it; the pram is no scored class, as in Cityscapes."""
    body = Look(UNSCORED, s.one_of(_SHIRTS, rng), Pattern.CLOTH)
    frame, rims = Look(UNSCORED, STEEL), Look(UNSCORED, _RIM, Pattern.WHEEL)
    return [
        *s.moved(person(rng, is_walking=True), x_m=-0.75),
        *(
            s.wheel(rims, (x, side * 0.24, 0.14), radius_m=0.14, width_m=0.05)
            for x in (0.35, -0.30)
            for side in _SIDES
        ),
        s.box(body, (0.05, 0.0), (0.48, 0.78), (0.42, 0.21), taper=(-0.15, -0.1)),
        s.blob(body, (0.22, 0.0, 0.82), (0.28, 0.23, 0.26)),
        *(
            s.box(frame, (0.0, y), (0.22, 0.50), (0.34, 0.02), taper=(0.6, 0.0))
            for y in (0.22, -0.22)
        ),
        s.box(frame, (-0.50, 0.0), (0.95, 1.0), (0.03, 0.24)),
        *(s.box(frame, (-0.42, y), (0.72, 1.0), (0.08, 0.02)) for y in (0.22, -0.22)),
    ]


def wheelchair(rng: np.random.Generator) -> list[Solid]:
    """Someone in a wheelchair; the chair is no scored class."""
    trousers, shirt = _clothes(rng, _PERSON)
    chair, rims = Look(UNSCORED, DARK), Look(UNSCORED, _RIM, Pattern.WHEEL)
    parts = []
    for side in _SIDES:
        parts += [
            s.blob(trousers, (0.18, side * 0.11, 0.55), (0.26, 0.09, 0.09)),
            s.cylinder(trousers, (0.40, side * 0.11), (0.12, 0.56), 0.065),
            s.blob(shirt, (0.08, side * 0.26, 0.78), (0.20, 0.06, 0.12)),
            s.wheel(rims, (-0.08, side * 0.33, 0.31), radius_m=0.31, width_m=0.04),
            s.wheel(rims, (0.36, side * 0.24, 0.09), radius_m=0.09, width_m=0.04),
        ]
    return [
        *parts,
        s.box(chair, (0.0, 0.0), (0.42, 0.50), (0.24, 0.26)),
        s.box(chair, (-0.26, 0.0), (0.45, 0.95), (0.03, 0.25)),
        s.box(shirt, (-0.10, 0.0), (0.50, 1.05), (0.13, 0.18), taper=(0.02, -0.04)),
        s.blob(shirt, (-0.10, 0.0, 1.05), (0.11, 0.21, 0.08)),
        *s.moved(_head(rng, _PERSON, 1.28), x_m=-0.08),
    ]


def dog(rng: np.random.Generator) -> list[Solid]:
    """A dog, 0.35 to 0.8 m tall; no scored class."""
    look = Look(UNSCORED, s.one_of(_COATS, rng), Pattern.CLOTH)
    parts = [
        *(
            s.cylinder(look, (x, side * 0.09), (0.0, 0.34), 0.035)
            for x in (0.24, -0.26)
            for side in _SIDES
        ),
        s.blob(look, (0.0, 0.0, 0.40), (0.36, 0.12, 0.14)),
        s.blob(look, (0.34, 0.0, 0.55), (0.13, 0.09, 0.11)),
        s.blob(look, (0.47, 0.0, 0.51), (0.10, 0.05, 0.05)),
        s.box(look, (-0.42, 0.0), (0.42, 0.60), (0.03, 0.02)),
        *(s.box(look, (0.30, y), (0.62, 0.70), (0.03, 0.02)) for y in (0.07, -0.07)),
    ]
    return _scaled(parts, rng.uniform(0.55, 1.15))


def _scaled(parts: list[Solid], scale: float) -> list[Solid]:
    return [
        part._replace(centre_m=s.times(part.centre_m, scale), half_m=s.times(part.half_m, scale))
        for part in parts
    ]
