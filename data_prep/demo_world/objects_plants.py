"""Trees, bushes, hedges and woods; see `parts` for the frame."""

import numpy as np

from data_prep.demo_world.parts import TRAIN_ID, Look, blob, box, cylinder, one_of, varied
from data_prep.demo_world.shapes import Pattern, Solid, Vector

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
