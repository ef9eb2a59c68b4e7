"""Solids of the street: boxes that may narrow upwards, ellipsoids and cylinders, as arrays."""

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Vector = tuple[float, float, float]


class Shape(enum.IntEnum):
    """What a solid looks like inside the box of its half extents."""

    BOX = 0
    ELLIPSOID = 1
    CYLINDER = 2  # upright and elliptical: half x by half y
    WHEEL = 3  # a cylinder whose axis is the solid's own y


class Pattern(enum.IntEnum):
    """How a surface is painted."""

    PLAIN = 0
    GROUND = 1
    FACADE = 2
    FOLIAGE = 3
    PICKETS = 4
    BRICK = 5
    CAR_BODY = 6
    CAR_CABIN = 7
    BUS = 8
    SIGN = 9
    CAR_PANEL = 10
    WHEEL = 11
    REAR_BOARD = 12
    PANELS = 13
    CLOTH = 14
    SOIL = 15
    TILES = 16
    PLASTER = 17
    SHEETS = 18
    BOARDS = 19
    BRICK_FACADE = 20
    SHOP = 21
    AWNING = 22
    LETTERS = 23
    BARK = 24
    STRIPES = 25
    LAMP = 26
    MESH = 27


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Solids:
    """Many solids as arrays of one length n, upright and turned by `yaw_rad` about z.

    Args:
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
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])
                for field in dataclasses.fields(Solids)
            }
        )

    def select(self, chosen: npt.NDArray[Any]) -> "Solids":
        """The solids that a mask or an index array names."""
        return Solids(
            **{field.name: getattr(self, field.name)[chosen] for field in dataclasses.fields(self)}
        )

    def placed(self, *, x_m: float, y_m: float, z_m: float = 0.0, yaw_rad: float) -> "Solids":
        """The object set down at (x, y), `z_m` above the world's zero, turned by `yaw_rad`."""
        cosine, sine = np.cos(yaw_rad), np.sin(yaw_rad)
        x, y, z = self.centre_m.T
        centre_m = np.stack(
            [x_m + cosine * x - sine * y, y_m + sine * x + cosine * y, z_m + z], axis=-1
        )
        return dataclasses.replace(self, centre_m=centre_m, yaw_rad=self.yaw_rad + yaw_rad)
