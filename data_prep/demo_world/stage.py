"""A street ready for its sensors: what stands, as triangles once, and what moves, per frame."""

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.mesh import Mesh, ground_mesh, solids_mesh
from data_prep.demo_world.parts import TRAIN_ID
from data_prep.demo_world.raycast import NOTHING, Hits, Rays, Scene, cast
from data_prep.demo_world.shapes import Pattern, Solid, Solids
from data_prep.demo_world.street import Street

# The ground is finely meshed this far behind the first and beyond the last frame.
_BEHIND_M, _AHEAD_M = 40.0, 240.0
# A leaf of 0.3 m is four pixels wide at this distance over the focal length in pixels.
_FAR_M_PER_PX = 45.0 / 721.5


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Instant:
    """Everything there is in one frame.

    Args:
      street: The street it is of.
      solids: What stands, then the entries `ground` and `sky`, then what moves.
      ground: Number of the ground in `solids`.
      sky: Number of the sky in `solids`.
      scenes: Triangles, whose owners are numbers in `solids`.
    """

    street: Street
    solids: Solids
    ground: int
    sky: int
    scenes: tuple[Scene, ...]

    def cast(self, rays: Rays) -> Hits:
        """What each ray meets; the sky is a solid like any other."""
        hits = cast(rays, self.scenes)
        hits.owner[hits.owner == NOTHING] = self.sky
        return hits


class Stage:
    """A street with the triangles of all that never moves."""

    def __init__(self, street: Street, *, focal_px: float) -> None:
        """Takes about a second.

        Args:
          street: What stands and moves.
          focal_px: Of the camera: what is small in its pictures is built from fewer triangles.
        """
        self.street = street
        self.ground = len(street.standing)
        self.sky = self.ground + 1
        extra = [
            Solid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), TRAIN_ID["road"], (0.3, 0.3, 0.3),
                  Pattern.GROUND),
            Solid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), TRAIN_ID["sky"], (0.8, 0.8, 0.8)),
        ]  # fmt: skip
        # The ground's texture is the world's; any generator would do.
        ground_and_sky = Solids.stack(extra, np.random.default_rng(0))
        self._fixed = Solids.join([street.standing, ground_and_sky])
        ground = ground_mesh(
            street.road,
            start_m=-_BEHIND_M,
            end_m=float(street.drive.x_m[-1]) + _AHEAD_M,
            owner=self.ground,
        )
        standing = solids_mesh(street.standing, is_far=_is_far(street, _FAR_M_PER_PX * focal_px))
        self._scene = Scene(Mesh.join([standing, ground]))

    def at(self, frame: int) -> Instant:
        """The street in one frame."""
        moving = self.street.moving(frame)
        scenes = [self._scene]
        if moving:
            scenes.append(Scene(solids_mesh(Solids.join(moving), first_owner=self.sky + 1)))
        return Instant(
            street=self.street,
            solids=Solids.join([self._fixed, *moving]),
            ground=self.ground,
            sky=self.sky,
            scenes=tuple(scenes),
        )


def _is_far(street: Street, far_m: float) -> npt.NDArray[np.bool_]:
    """Which of the standing solids the car never comes nearer to than `far_m`."""
    way_m = street.drive.T_world_from_rectified[:, :2, 3]
    offset_m = street.standing.centre_m[:, None, :2] - way_m
    distance_m = np.sqrt(np.sum(offset_m**2, axis=-1)).min(axis=1)
    return distance_m - street.standing.half_m.max(axis=1) > far_m
