"""Things that stand or go close before the camera: what was never seen near will be called far."""

import dataclasses
from collections.abc import Callable

import numpy as np

from data_prep.demo_world import objects_furniture as furniture
from data_prep.demo_world import objects_people as people
from data_prep.demo_world import objects_plants as plants
from data_prep.demo_world import objects_vehicles as vehicles
from data_prep.demo_world.parts import moved
from data_prep.demo_world.shapes import Solid

Maker = Callable[[np.random.Generator], list[Solid]]


@dataclasses.dataclass(frozen=True)
class Thing:
    """What may stand near.

    Attributes:
      name: For logs and tests.
      likely: Weight among the things.
      make: Builds it.
      turns_deg: How far it is turned from the road's direction at the most; half of all vehicles
        stand aslant.
      nearest_m: Of its near side from the camera.
    """

    name: str
    likely: float
    make: Maker
    turns_deg: tuple[float, float]
    nearest_m: float = 1.5


def _several(make: Maker, most: int, step_m: float) -> Maker:
    """A row of up to `most` of a thing across the road."""

    def row(rng: np.random.Generator) -> list[Solid]:
        count = int(rng.integers(1, most + 1))
        return [
            solid
            for i in range(count)
            for solid in moved(
                make(rng),
                x_m=float(rng.normal(0.0, 0.15)),
                y_m=(i - (count - 1) / 2) * step_m * float(rng.uniform(0.9, 1.2)),
            )
        ]

    return row


def _wall(rng: np.random.Generator) -> list[Solid]:
    length_m, height_m = rng.uniform(2.0, 8.0), rng.uniform(0.6, 2.8)
    kind = ("wall", "wall", "pickets", "mesh", "rails")[int(rng.integers(5))]
    return furniture.border(rng, kind, length_m=length_m, height_m=height_m)  # type: ignore[arg-type]


_ANY, _ALONG, _SQUARE = (0.0, 180.0), (0.0, 25.0), (60.0, 120.0)
THINGS = (
    Thing("car from behind", 4.0, vehicles.car, (0.0, 8.0), 2.0),
    Thing("car aslant", 3.0, vehicles.car, _ANY, 2.0),
    Thing("truck", 2.2, vehicles.truck, _ALONG, 2.5),
    Thing("bus", 1.6, vehicles.bus, _ALONG, 2.5),
    Thing("people", 4.5, _several(lambda rng: people.person(rng, is_walking=True), 4, 0.8), _ANY),
    Thing("child", 0.8, people.child, _ANY),
    Thing("pram", 1.4, people.pram, _ANY),
    Thing("wheelchair", 0.5, people.wheelchair, _ANY),
    Thing("dog", 1.2, people.dog, _ANY),
    Thing("cyclist", 2.2, people.cyclist, _ANY),
    Thing("motorcyclist", 1.0, people.motorcyclist, _ANY, 2.0),
    Thing("bicycles", 0.8, _several(people.bicycle, 4, 0.7), _ANY),
    Thing("motorcycle", 0.6, people.motorcycle, _ANY),
    Thing("bollards", 1.6, _several(furniture.bollard, 4, 1.4), _ALONG),
    Thing("cones", 0.8, _several(furniture.cone, 4, 1.6), _ALONG),
    Thing("barrier", 1.6, furniture.barrier, _SQUARE),
    Thing("concrete barriers", 1.0, furniture.concrete_barrier, _ANY),
    Thing("wall or fence", 1.8, _wall, _ANY),
    Thing("pole", 0.9, furniture.mast, _ANY),
    Thing("sign", 0.9, furniture.sign_post, (-100.0, -80.0)),
    Thing("boxes", 1.5, furniture.boxes, _ANY),
    Thing("bin or bench", 0.8, furniture.clutter, _ANY),
    Thing("tree", 0.4, lambda rng: plants.tree(rng, height_m=rng.uniform(4.0, 9.0)), _ANY),
    Thing("bush", 0.4, lambda rng: plants.bush(rng, radius_m=rng.uniform(0.4, 1.2)), _ANY),
)
_FARTHEST_M = 12.0


@dataclasses.dataclass(frozen=True, eq=False)
class Placed:
    """A thing with its place before the camera, in metres of the road's axes."""

    name: str
    solids: list[Solid]
    ahead_m: float
    aside_m: float
    turn_rad: float


def random_near(rng: np.random.Generator, *, is_low: bool = False) -> Placed:
    """Draws a thing whose near side is 1.5 to 12 m ahead, most likely in the camera's way.

    Before a small robot (`is_low`) it may be half as near.
    """
    weights = np.array([thing.likely for thing in THINGS])
    thing = THINGS[int(rng.choice(len(THINGS), p=weights / weights.sum()))]
    solids = thing.make(rng)
    turn = np.radians(rng.uniform(*thing.turns_deg)) * rng.choice([1.0, -1.0])
    nearest_m = thing.nearest_m * (0.5 if is_low else 1.0)
    near_m = float(np.exp(rng.uniform(np.log(nearest_m), np.log(_FARTHEST_M))))
    half_x, half_y = half_extents_m(solids)
    reach_m = half_x * abs(np.cos(turn)) + half_y * abs(np.sin(turn))
    return Placed(
        name=thing.name,
        solids=solids,
        ahead_m=near_m + reach_m,
        aside_m=float(rng.normal(0.0, 0.15 * near_m + 0.3)),
        turn_rad=float(turn),
    )


def half_extents_m(solids: list[Solid]) -> tuple[float, float]:
    """Half the length and half the width of an object."""
    return (
        max(abs(solid.centre_m[0]) + solid.half_m[0] for solid in solids),
        max(abs(solid.centre_m[1]) + solid.half_m[1] for solid in solids),
    )
