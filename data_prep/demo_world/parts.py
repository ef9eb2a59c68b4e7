"""The simple parts that things are built from: boxes, cylinders, blobs and wheels with a look.

Objects are built in their own frame: x forward, y left, z up, the ground at z = 0, the origin in
the middle of the footprint.
"""

from typing import NamedTuple

import numpy as np

from data_prep.demo_world.shapes import Pattern, Shape, Solid, Vector
from mtdepth.datasets.label_map import CLASS_NAMES, IGNORE_ID

TRAIN_ID = {name: train_id for train_id, name in enumerate(CLASS_NAMES)}
# Things of Cityscapes that are not scored: guard rails, bridges, bins, benches.
UNSCORED = IGNORE_ID

RUBBER: Vector = (0.035, 0.035, 0.04)
STEEL: Vector = (0.30, 0.31, 0.32)
DARK: Vector = (0.05, 0.055, 0.06)
WHITE: Vector = (0.72, 0.72, 0.70)


class Look(NamedTuple):
    """What a part is and how its surface looks; the fields are those of `Solid`."""

    train_id: int
    color: Vector
    pattern: Pattern = Pattern.PLAIN


def box(
    look: Look,
    at_m: tuple[float, float],
    heights_m: tuple[float, float],
    half_m: tuple[float, float],
    *,
    taper: tuple[float, float] = (0.0, 0.0),
    shape: Shape = Shape.BOX,
) -> Solid:
    """A box, or an upright cylinder, by its footprint and its lower and upper end.

    Args:
      look: Its look.
      at_m: x and y of the middle.
      heights_m: z of bottom and top.
      half_m: Half extents along x and y.
      taper: See `Solid`.
      shape: `BOX` or `CYLINDER`.
    """
    bottom_m, top_m = heights_m
    return Solid(
        (at_m[0], at_m[1], (bottom_m + top_m) / 2),
        (half_m[0], half_m[1], (top_m - bottom_m) / 2),
        look.train_id,
        look.color,
        look.pattern,
        taper,
        shape=shape,
    )


def cylinder(
    look: Look,
    at_m: tuple[float, float],
    heights_m: tuple[float, float],
    radius_m: float,
    *,
    top_radius_m: float | None = None,
) -> Solid:
    """An upright cylinder, or a cone cut off at `top_radius_m`."""
    slope = 0.0
    if top_radius_m is not None:
        slope = (radius_m - top_radius_m) / (heights_m[1] - heights_m[0])
    return box(
        look, at_m, heights_m, (radius_m, radius_m), taper=(slope, slope), shape=Shape.CYLINDER
    )


def blob(look: Look, centre_m: Vector, half_m: Vector) -> Solid:
    """An ellipsoid."""
    return Solid(
        centre_m,
        half_m,
        look.train_id,
        look.color,
        look.pattern,
        shape=Shape.ELLIPSOID,
    )


def wheel(look: Look, centre_m: Vector, *, radius_m: float, width_m: float) -> Solid:
    """A disc that rolls along x."""
    return Solid(
        centre_m,
        (radius_m, width_m / 2, radius_m),
        look.train_id,
        look.color,
        look.pattern,
        shape=Shape.WHEEL,
    )


def varied(color: Vector, rng: np.random.Generator, amount: float = 0.12) -> Vector:
    """The colour, lighter or darker and slightly tinted."""
    r, g, b = np.clip(
        np.array(color) * rng.uniform(1 - amount, 1 + amount) * rng.uniform(0.95, 1.05, 3), 0, 1
    )
    return float(r), float(g), float(b)


def one_of(colors: tuple[Vector, ...], rng: np.random.Generator, amount: float = 0.12) -> Vector:
    """One of the colours, varied."""
    return varied(colors[int(rng.integers(len(colors)))], rng, amount)


def darker(color: Vector, share: float) -> Vector:
    """The colour times `share`."""
    return color[0] * share, color[1] * share, color[2] * share


def moved(
    solids: list[Solid], *, x_m: float = 0.0, y_m: float = 0.0, z_m: float = 0.0
) -> list[Solid]:
    """The object set down elsewhere in a larger one."""
    return [
        solid._replace(
            centre_m=(solid.centre_m[0] + x_m, solid.centre_m[1] + y_m, solid.centre_m[2] + z_m)
        )
        for solid in solids
    ]
