"""Solids of the street: boxes that may narrow upwards, and ellipsoids, as arrays."""

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Vector = tuple[float, float, float]

# Buildings and trees are drawn to here; the depth PNGs end at 256 m.
DRAWN_WITHIN_M = 250.0
# Wheels, heads and sign plates are smaller than a pixel beyond this, at every size.
DETAIL_WITHIN_M = 70.0


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


class Solid(NamedTuple):
    """One solid in the frame of the object it belongs to (x forward, y left, z up).

    `taper` is how many metres the half extents along x and y shrink per metre of height,
    measured from the bottom: a gabled roof, a windscreen. Ellipsoids ignore it.
    """

    centre_m: Vector
    half_m: Vector
    train_id: int
    color: Vector
    pattern: Pattern = Pattern.PLAIN
    taper: tuple[float, float] = (0.0, 0.0)
    is_ellipsoid: bool = False
    drawn_within_m: float = DRAWN_WITHIN_M


@dataclasses.dataclass(frozen=True, kw_only=True)
class Solids:
    """Many solids as arrays of one length n, upright and turned by `yaw_rad` about z.

    Args:
      centre_m: `[n, 3]`.
      half_m: `[n, 3]`, half extents along the solid's own axes.
      yaw_rad: `[n]`, from the world's x towards its y.
      taper: `[n, 2]`, see `Solid`.
      is_ellipsoid: `[n]`.
      train_id: `[n]` uint8.
      color: `[n, 3]` reflectance in 0..1.
      pattern: `[n]` uint8, a `Pattern`.
      texture_seed: `[n]`, shifts the texture so that equal solids look different.
      drawn_within_m: `[n]`, distance of the centre beyond which it is left out.
    """

    centre_m: Floats
    half_m: Floats
    yaw_rad: Floats
    taper: Floats
    is_ellipsoid: npt.NDArray[np.bool_]
    train_id: npt.NDArray[np.uint8]
    color: Floats
    pattern: npt.NDArray[np.uint8]
    texture_seed: Floats
    drawn_within_m: Floats

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
            is_ellipsoid=np.array([s.is_ellipsoid for s in solids], np.bool_),
            train_id=np.array([s.train_id for s in solids], np.uint8),
            color=np.array([s.color for s in solids], np.float32).reshape(count, 3),
            pattern=np.array([s.pattern for s in solids], np.uint8),
            texture_seed=rng.uniform(0.0, 1.0, count),
            drawn_within_m=np.array([s.drawn_within_m for s in solids], np.float64),
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

    def placed(self, *, x_m: float, y_m: float, yaw_rad: float) -> "Solids":
        """The object set down at (x, y) and turned by `yaw_rad`."""
        cosine, sine = np.cos(yaw_rad), np.sin(yaw_rad)
        x, y, z = self.centre_m.T
        centre_m = np.stack([x_m + cosine * x - sine * y, y_m + sine * x + cosine * y, z], axis=-1)
        return dataclasses.replace(self, centre_m=centre_m, yaw_rad=self.yaw_rad + yaw_rad)

    def near(self, position_m: Floats) -> "Solids":
        """Those near enough to `position_m` `[3]` to be drawn."""
        distance_m = np.hypot(*(self.centre_m[:, :2] - position_m[:2]).T)
        return self.select(distance_m < self.drawn_within_m)

    def corners_m(self) -> Floats:
        """Corners `[n, 8, 3]` of the boxes around the solids.

        Bit k of a corner's number says on which side it is along axis k.
        """
        signs = np.array([[(i >> axis & 1) * 2 - 1 for axis in range(3)] for i in range(8)])
        local = self.half_m[:, None, :] * signs
        cosine, sine = np.cos(self.yaw_rad)[:, None], np.sin(self.yaw_rad)[:, None]
        turned = np.stack(
            [
                cosine * local[..., 0] - sine * local[..., 1],
                sine * local[..., 0] + cosine * local[..., 1],
                local[..., 2],
            ],
            axis=-1,
        )
        return self.centre_m[:, None, :] + turned
