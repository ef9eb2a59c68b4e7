"""Solids: boxes that may narrow upwards, ellipsoids, cylinders, wheels; the parts made of them.

Objects are built in their own frame: x forward, y left, z up, the ground at z = 0, the origin in
the middle of the footprint.
"""

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import CLASS_NAMES, IGNORE_ID

Floats = npt.NDArray[np.floating[Any]]
Pair = tuple[float, float]
Vector = tuple[float, float, float]


class Shape(enum.IntEnum):
    """What a solid looks like inside the box of its half extents."""

    BOX = 0
    ELLIPSOID = 1
    CYLINDER = 2  # upright and elliptical: half x by half y
    WHEEL = 3  # a cylinder whose axis is the solid's own y


class Pattern(enum.IntEnum):
    """How a surface is painted."""

    # fmt: off
    PLAIN, GROUND, FACADE, FOLIAGE, PICKETS, BRICK, CAR_BODY, CAR_CABIN, BUS, SIGN = range(10)
    CAR_PANEL, WHEEL, REAR_BOARD, PANELS, CLOTH, SOIL, TILES, PLASTER, SHEETS = range(10, 19)
    BOARDS, BRICK_FACADE, SHOP, AWNING, LETTERS, BARK, STRIPES, LAMP, MESH = range(19, 28)
    # fmt: on


# Curved metal, which boxes stand for.
LACQUERED = (Pattern.CAR_BODY, Pattern.CAR_PANEL)


class Solid(NamedTuple):
    """One solid in the frame of the object it belongs to (x forward, y left, z up).

    `taper` is how many metres the half extents along x and y shrink per metre of height,
    measured from the bottom: a gabled roof, a windscreen, a mast. Only boxes and upright cylinders
    heed it. Solids may reach below the ground, and those that stand on a slope should.
    """

    centre_m: Vector
    half_m: Vector
    train_id: int
    color: Vector
    pattern: Pattern = Pattern.PLAIN
    taper: tuple[float, float] = (0.0, 0.0)
    shape: Shape = Shape.BOX


@dataclasses.dataclass(frozen=True)
class Solids:
    """Many solids as arrays of one length n, upright and turned by `yaw_rad` about z.

    Attributes:
      centre_m: `[n, 3]`.
      half_m: `[n, 3]`, half extents along the solid's own axes.
      yaw_rad: `[n]`, from the world's x towards its y.
      taper: `[n, 2]`, see `Solid`.
      shape: `[n]` uint8, a `Shape`.
      train_id: `[n]` uint8.
      color: `[n, 3]` reflectance in 0..1.
      pattern: `[n]` uint8, a `Pattern`.
      texture_seed: `[n]`, shifts the texture so that equal solids look different.
    """

    centre_m: Floats
    half_m: Floats
    yaw_rad: Floats
    taper: Floats
    shape: npt.NDArray[np.uint8]
    train_id: npt.NDArray[np.uint8]
    color: Floats
    pattern: npt.NDArray[np.uint8]
    texture_seed: Floats

    def __len__(self) -> int:
        return len(self.yaw_rad)

    @staticmethod
    def stack(solids: Sequence[Solid], rng: np.random.Generator) -> "Solids":
        """Arrays of the solids of one object, each with a texture of its own."""
        count = len(solids)
        return Solids(
            centre_m=np.array([s.centre_m for s in solids], np.float64).reshape(count, 3),
            half_m=np.array([s.half_m for s in solids], np.float64).reshape(count, 3),
            yaw_rad=np.zeros(count),
            taper=np.array([s.taper for s in solids], np.float64).reshape(count, 2),
            shape=np.array([s.shape for s in solids], np.uint8),
            train_id=np.array([s.train_id for s in solids], np.uint8),
            color=np.array([s.color for s in solids], np.float32).reshape(count, 3),
            pattern=np.array([s.pattern for s in solids], np.uint8),
            texture_seed=rng.uniform(0.0, 1.0, count),
        )

    @staticmethod
    def join(parts: Sequence["Solids"]) -> "Solids":
        """All solids of `parts`, in order."""
        return Solids(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS)
        )

    def select(self, chosen: npt.NDArray[Any]) -> "Solids":
        """The solids that a mask or an index array names."""
        return Solids(*(getattr(self, name)[chosen] for name in _FIELDS))

    def placed(self, *, x_m: float, y_m: float, z_m: float = 0.0, yaw_rad: float) -> "Solids":
        """The object set down at (x, y), `z_m` above the world's zero, turned by `yaw_rad`."""
        cosine, sine = np.cos(yaw_rad), np.sin(yaw_rad)
        x, y, z = self.centre_m.T
        centre_m = np.stack(
            [x_m + cosine * x - sine * y, y_m + sine * x + cosine * y, z_m + z], axis=-1
        )
        return dataclasses.replace(self, centre_m=centre_m, yaw_rad=self.yaw_rad + yaw_rad)


_FIELDS = [field.name for field in dataclasses.fields(Solids)]
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
    at_m: Pair,
    heights_m: Pair,
    half_m: Pair,
    *,
    taper: Pair = (0.0, 0.0),
    shape: Shape = Shape.BOX,
) -> Solid:
    """A box, or an upright cylinder.

    Args:
      look: Its look.
      at_m: x and y of the middle.
      heights_m: z of bottom and top.
      half_m: Half extents along x and y.
      taper: See `Solid`.
      shape: `BOX` or `CYLINDER`.
    """
    bottom_m, top_m = heights_m
    centre_m = (at_m[0], at_m[1], (bottom_m + top_m) / 2)
    return Solid(centre_m, (half_m[0], half_m[1], (top_m - bottom_m) / 2), *look, taper, shape)


def cylinder(
    look: Look, at_m: Pair, heights_m: Pair, radius_m: float, *, top_radius_m: float | None = None
) -> Solid:
    """An upright cylinder, or a cone cut off at `top_radius_m`."""
    top_m = radius_m if top_radius_m is None else top_radius_m
    slope = (radius_m - top_m) / (heights_m[1] - heights_m[0])
    half_m = (radius_m, radius_m)
    return box(look, at_m, heights_m, half_m, taper=(slope, slope), shape=Shape.CYLINDER)


def blob(look: Look, centre_m: Vector, half_m: Vector) -> Solid:
    """An ellipsoid."""
    return Solid(centre_m, half_m, *look, shape=Shape.ELLIPSOID)


def wheel(look: Look, centre_m: Vector, *, radius_m: float, width_m: float) -> Solid:
    """A disc that rolls along x."""
    return Solid(centre_m, (radius_m, width_m / 2, radius_m), *look, shape=Shape.WHEEL)


def varied(color: Vector, rng: np.random.Generator, amount: float = 0.12) -> Vector:
    """The colour, lighter or darker and slightly tinted."""
    tint = rng.uniform(1 - amount, 1 + amount) * np.array(color) * rng.uniform(0.95, 1.05, 3)
    r, g, b = np.clip(tint, 0, 1).tolist()
    return r, g, b


def one_of(colors: tuple[Vector, ...], rng: np.random.Generator, amount: float = 0.12) -> Vector:
    """One of the colours, varied."""
    return varied(colors[int(rng.integers(len(colors)))], rng, amount)


def times(values: Vector, scale: float) -> Vector:
    """A darker colour, a smaller object."""
    return values[0] * scale, values[1] * scale, values[2] * scale


def moved(parts: list[Solid], *, x_m: float = 0.0, y_m: float = 0.0) -> list[Solid]:
    """The object set down elsewhere in a larger one."""
    return [
        part._replace(centre_m=(part.centre_m[0] + x_m, part.centre_m[1] + y_m, part.centre_m[2]))
        for part in parts
    ]


def half_extents_m(parts: list[Solid]) -> Pair:
    """Half the length and half the width of an object."""
    length, width = (max(abs(p.centre_m[k]) + p.half_m[k] for p in parts) for k in (0, 1))
    return length, width
