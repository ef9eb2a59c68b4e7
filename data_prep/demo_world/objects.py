"""Things that stand in or drive along the street, each built from a few solids.

Every function returns solids in the object's own frame: x forward, y left, z up, the ground at
z = 0, the origin in the middle of the footprint.
"""

import numpy as np

from data_prep.demo_world.shapes import DETAIL_WITHIN_M, Pattern, Solid, Vector
from mtdepth.kitti.label_map import CLASS_NAMES

TRAIN_ID = {name: train_id for train_id, name in enumerate(CLASS_NAMES)}

_RUBBER: Vector = (0.04, 0.04, 0.045)
_STEEL: Vector = (0.32, 0.33, 0.34)
_SKIN: Vector = (0.55, 0.38, 0.30)
_CAR_COLORS: tuple[Vector, ...] = (
    (0.07, 0.07, 0.08),
    (0.45, 0.46, 0.48),
    (0.70, 0.70, 0.70),
    (0.22, 0.23, 0.26),
    (0.38, 0.06, 0.05),
    (0.07, 0.13, 0.35),
    (0.10, 0.24, 0.16),
    (0.50, 0.44, 0.32),
)


def _varied(color: Vector, rng: np.random.Generator, amount: float = 0.12) -> Vector:
    """The colour, lighter or darker and slightly tinted."""
    r, g, b = np.clip(
        np.array(color) * rng.uniform(1 - amount, 1 + amount) * rng.uniform(0.95, 1.05, 3), 0, 1
    )
    return float(r), float(g), float(b)


def _wheel(x_m: float, y_m: float, radius_m: float, train_id: int, width_m: float) -> Solid:
    return Solid(
        (x_m, y_m, radius_m),
        (radius_m, width_m / 2, radius_m),
        train_id,
        _RUBBER,
        is_ellipsoid=True,
        drawn_within_m=DETAIL_WITHIN_M,
    )


def car(rng: np.random.Generator) -> list[Solid]:
    """A saloon, an estate or a van, 3.8 to 4.9 m long."""
    train_id = TRAIN_ID["car"]
    color = _varied(_CAR_COLORS[rng.integers(len(_CAR_COLORS))], rng)
    half_length, half_width = rng.uniform(1.9, 2.45), rng.uniform(0.82, 0.93)
    waist = rng.uniform(0.80, 0.95)
    roof = rng.uniform(1.38, 1.6) if rng.random() < 0.8 else rng.uniform(1.8, 2.1)
    front = half_length * rng.uniform(0.35, 0.5)
    back = half_length * rng.uniform(0.65, 0.96)
    body = Solid(
        (0.0, 0.0, (0.26 + waist) / 2),
        (half_length, half_width, (waist - 0.26) / 2),
        train_id,
        color,
        Pattern.CAR_BODY,
        taper=(0.12, 0.04),
    )
    cabin = Solid(
        ((front - back) / 2, 0.0, (waist + roof) / 2),
        ((front + back) / 2, half_width - 0.02, (roof - waist) / 2),
        train_id,
        color,
        Pattern.CAR_CABIN,
        taper=(rng.uniform(0.4, 0.9), 0.22),
    )
    wheels = [
        _wheel(side_x * half_length * 0.62, side_y * (half_width - 0.08), 0.33, train_id, 0.28)
        for side_x in (1, -1)
        for side_y in (1, -1)
    ]
    return [body, cabin, *wheels]


def truck(rng: np.random.Generator) -> list[Solid]:
    """A cab and a box, 6 to 9 m long."""
    train_id = TRAIN_ID["truck"]
    half_box = rng.uniform(2.0, 3.3)
    height = rng.uniform(2.7, 3.5)
    cab_color = _varied(_CAR_COLORS[rng.integers(len(_CAR_COLORS))], rng)
    box_color = _varied((0.62, 0.60, 0.56), rng, 0.3)
    wheels = [
        _wheel(x, side * 1.08, 0.48, train_id, 0.36)
        for x in (half_box + 0.7, -half_box * 0.7)
        for side in (1, -1)
    ]
    return [
        Solid((-0.4, 0.0, (0.9 + height) / 2), (half_box, 1.22, (height - 0.9) / 2), train_id,
              box_color),
        Solid((half_box + 0.6, 0.0, 0.95), (0.95, 1.12, 0.55), train_id, cab_color,
              Pattern.CAR_BODY),
        Solid((half_box + 0.6, 0.0, 1.95), (0.95, 1.12, 0.45), train_id, cab_color,
              Pattern.CAR_CABIN, taper=(0.25, 0.08)),
        Solid((0.2, 0.0, 0.75), (half_box + 0.5, 0.9, 0.16), train_id, _RUBBER),
        *wheels,
    ]  # fmt: skip


def bus(rng: np.random.Generator) -> list[Solid]:
    """A city bus, 10 to 12 m long."""
    train_id = TRAIN_ID["bus"]
    half_length = rng.uniform(5.0, 6.0)
    color = _varied(
        ((0.60, 0.52, 0.12), (0.50, 0.10, 0.09), (0.16, 0.32, 0.48))[rng.integers(3)], rng
    )
    body = Solid((0.0, 0.0, 1.65), (half_length, 1.26, 1.33), train_id, color, Pattern.BUS)
    wheels = [
        _wheel(x * half_length, side * 1.14, 0.48, train_id, 0.30)
        for x in (0.6, -0.55)
        for side in (1, -1)
    ]
    return [body, *wheels]


def _figure(rng: np.random.Generator, train_id: int, *, hip_m: float, lean: float) -> list[Solid]:
    """Torso, arms' width and head above the hips."""
    shirt = _varied(tuple(rng.uniform(0.08, 0.6, 3)), rng)
    return [
        Solid((lean * 0.5, 0.0, hip_m + 0.32), (0.17, 0.25, 0.37), train_id, shirt,
              is_ellipsoid=True, drawn_within_m=120.0),
        Solid((lean, 0.0, hip_m + 0.76), (0.11, 0.10, 0.14), train_id, _varied(_SKIN, rng, 0.4),
              is_ellipsoid=True, drawn_within_m=DETAIL_WITHIN_M),
    ]  # fmt: skip


def person(rng: np.random.Generator) -> list[Solid]:
    """Someone standing or walking, 1.6 to 1.9 m tall."""
    train_id = TRAIN_ID["person"]
    trousers = _varied((0.13, 0.14, 0.20), rng, 0.5)
    stride, hip = rng.uniform(0.0, 0.2), rng.uniform(0.80, 0.98)
    legs = [
        Solid((sign * stride, sign * 0.09, hip / 2), (0.085, 0.07, hip / 2), train_id, trousers,
              drawn_within_m=120.0)
        for sign in (1, -1)
    ]  # fmt: skip
    return [*legs, *_figure(rng, train_id, hip_m=hip, lean=0.0)]


def bicycle(rng: np.random.Generator, *, train_id: int = TRAIN_ID["bicycle"]) -> list[Solid]:
    """Two thin wheels and a frame (a motorcycle: thicker, with a body)."""
    is_motor = train_id == TRAIN_ID["motorcycle"]
    color = _varied(tuple(rng.uniform(0.05, 0.5, 3)), rng)
    width = 0.16 if is_motor else 0.07
    half_frame = (0.55, 0.16, 0.22) if is_motor else (0.42, 0.025, 0.05)
    return [
        _wheel(0.55, 0.0, 0.34, train_id, width),
        _wheel(-0.55, 0.0, 0.34, train_id, width),
        Solid((0.0, 0.0, 0.66), half_frame, train_id, color, drawn_within_m=120.0),
        Solid((0.42, 0.0, 0.93), (0.03, 0.27, 0.03), train_id, _STEEL,
              drawn_within_m=DETAIL_WITHIN_M),
    ]  # fmt: skip


def rider(rng: np.random.Generator) -> list[Solid]:
    """Someone on a bicycle or, one time in three, a motorcycle."""
    train_id = TRAIN_ID["rider"]
    vehicle = TRAIN_ID["motorcycle" if rng.random() < 0.33 else "bicycle"]
    legs = [
        Solid((0.05, sign * 0.13, 0.62), (0.10, 0.07, 0.30), train_id, (0.12, 0.12, 0.16),
              drawn_within_m=120.0)
        for sign in (1, -1)
    ]  # fmt: skip
    return [*bicycle(rng, train_id=vehicle), *legs,
            *_figure(rng, train_id, hip_m=0.90, lean=0.22)]  # fmt: skip


def building(
    rng: np.random.Generator, *, length_m: float, depth_m: float, height_m: float
) -> list[Solid]:
    """A house along x; low ones may have a gabled roof."""
    train_id = TRAIN_ID["building"]
    wall = _varied(
        ((0.55, 0.47, 0.36), (0.50, 0.28, 0.20), (0.60, 0.58, 0.52), (0.42, 0.40, 0.38),
         (0.62, 0.52, 0.30))[rng.integers(5)], rng, 0.25,
    )  # fmt: skip
    half = (length_m / 2, depth_m / 2, height_m / 2)
    solids = [Solid((0.0, 0.0, half[2]), half, train_id, wall, Pattern.FACADE)]
    if height_m < 12.0 and rng.random() < 0.75:
        rise = rng.uniform(2.0, 4.0)
        roof = _varied((0.32, 0.14, 0.09) if rng.random() < 0.7 else (0.18, 0.18, 0.19), rng, 0.2)
        half_roof = (half[0] + 0.3, half[1] + 0.4, rise / 2)
        taper = (0.0 if rng.random() < 0.6 else 0.6, half_roof[1] / rise)
        solids.append(
            Solid((0.0, 0.0, height_m + rise / 2), half_roof, train_id, roof, Pattern.BRICK, taper)
        )
    return solids


def tree(rng: np.random.Generator, *, height_m: float) -> list[Solid]:
    """A trunk and a crown of three to five overlapping ellipsoids."""
    train_id = TRAIN_ID["vegetation"]
    leaves = _varied((0.16, 0.25, 0.08), rng, 0.35)
    radius = height_m * rng.uniform(0.22, 0.34)
    trunk_top = height_m * 0.5
    solids = [
        Solid((0.0, 0.0, trunk_top / 2), (0.14, 0.14, trunk_top / 2), train_id,
              (0.22, 0.16, 0.11))
    ]  # fmt: skip
    for _ in range(int(rng.integers(3, 6))):
        x, y = rng.uniform(-0.5, 0.5, 2) * radius
        z = height_m * rng.uniform(0.5, 0.82)
        half = radius * rng.uniform(0.45, 0.95, 3)
        solids.append(
            Solid((x, y, z), (half[0], half[1], half[2]), train_id, _varied(leaves, rng),
                  Pattern.FOLIAGE, is_ellipsoid=True)
        )  # fmt: skip
    return solids


def bush(rng: np.random.Generator) -> list[Solid]:
    """One or two low ellipsoids on the ground."""
    train_id = TRAIN_ID["vegetation"]
    solids = []
    for _ in range(int(rng.integers(1, 3))):
        x, y = rng.uniform(-0.6, 0.6, 2)
        half = rng.uniform(0.5, 1.2, 3)
        solids.append(
            Solid((x, y, half[2] * 0.7), (half[0], half[1], half[2]), train_id,
                  _varied((0.15, 0.24, 0.09), rng, 0.3), Pattern.FOLIAGE, is_ellipsoid=True)
        )  # fmt: skip
    return solids


def copse(rng: np.random.Generator) -> list[Solid]:
    """A wide mass of leaves that closes a view, 12 to 24 m across."""
    half = (rng.uniform(6.0, 12.0), rng.uniform(4.0, 7.0), rng.uniform(3.5, 8.0))
    return [
        Solid((0.0, 0.0, half[2] * 0.6), half, TRAIN_ID["vegetation"],
              _varied((0.13, 0.20, 0.08), rng, 0.3), Pattern.FOLIAGE, is_ellipsoid=True)
    ]  # fmt: skip


def border(rng: np.random.Generator, *, kind: str, length_m: float) -> list[Solid]:
    """A wall, a fence or a hedge along x."""
    height, half_depth, name, color, pattern = {
        "wall": (rng.uniform(0.9, 2.2), 0.13, "wall", (0.46, 0.40, 0.34), Pattern.BRICK),
        "fence": (rng.uniform(0.9, 1.6), 0.05, "fence", (0.34, 0.27, 0.20), Pattern.PICKETS),
        "hedge": (rng.uniform(0.8, 1.8), 0.4, "vegetation", (0.13, 0.21, 0.08), Pattern.FOLIAGE),
    }[kind]
    return [
        Solid((0.0, 0.0, height / 2), (length_m / 2, half_depth, height / 2), TRAIN_ID[name],
              _varied(color, rng, 0.25), pattern)
    ]  # fmt: skip


def lamp_post(rng: np.random.Generator) -> list[Solid]:
    """A tall pole whose arm reaches to the left."""
    train_id = TRAIN_ID["pole"]
    height = rng.uniform(5.0, 8.0)
    return [
        Solid((0.0, 0.0, height / 2), (0.08, 0.08, height / 2), train_id, _STEEL),
        Solid((0.0, 0.7, height), (0.06, 0.8, 0.06), train_id, _STEEL),
    ]


def sign_post(rng: np.random.Generator) -> list[Solid]:
    """A pole with a plate that faces -x."""
    color: Vector = ((0.62, 0.08, 0.07), (0.08, 0.18, 0.50), (0.65, 0.55, 0.08))[rng.integers(3)]
    height, half = rng.uniform(2.2, 2.9), rng.uniform(0.28, 0.42)
    return [
        Solid((0.0, 0.0, height / 2), (0.04, 0.04, height / 2), TRAIN_ID["pole"], _STEEL,
              drawn_within_m=120.0),
        Solid((-0.06, 0.0, height - half), (0.02, half, half), TRAIN_ID["traffic sign"],
              _varied(color, rng), Pattern.SIGN, drawn_within_m=120.0),
    ]  # fmt: skip


def traffic_light(rng: np.random.Generator) -> list[Solid]:
    """A pole with a dark box and three lamps towards -x."""
    train_id = TRAIN_ID["traffic light"]
    lit = rng.integers(3)
    lamps = [
        Solid((-0.17, 0.0, 2.5 + 0.29 * i), (0.03, 0.1, 0.1), train_id,
              color if lit == i else (0.1, 0.1, 0.1), is_ellipsoid=True,
              drawn_within_m=DETAIL_WITHIN_M)
        for i, color in enumerate(((0.1, 0.9, 0.4), (0.9, 0.6, 0.1), (0.95, 0.1, 0.1)))
    ]  # fmt: skip
    return [
        Solid((0.0, 0.0, 1.6), (0.06, 0.06, 1.6), TRAIN_ID["pole"], _STEEL, drawn_within_m=120.0),
        Solid((-0.02, 0.0, 2.79), (0.14, 0.18, 0.48), train_id, (0.06, 0.07, 0.06),
              drawn_within_m=120.0),
        *lamps,
    ]  # fmt: skip
