"""A street drawn at random, and its triangles, ready for sensors."""

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.cameras import (
    FRAME_S,
    KITTI_MOUNT,
    Drive,
    Mount,
    random_drive,
    random_snapshots,
    random_way_m,
)
from data_prep.demo_world.district import District, random_district, random_road
from data_prep.demo_world.mesh import (
    NOTHING,
    Hits,
    Mesh,
    Rays,
    Triangles,
    cast,
    ground_mesh,
    solids_mesh,
)
from data_prep.demo_world.placing import SceneBuilder
from data_prep.demo_world.road import Road
from data_prep.demo_world.roadside import plant
from data_prep.demo_world.solids import TRAIN_ID, Floats, Pattern, Solid, Solids
from data_prep.demo_world.traffic import Mover, Traffic
from data_prep.demo_world.variety import Kind, Light, Variety, light_of, random_variety

# The street goes on this far behind the first and beyond the last frame.
_BEHIND_M, _AHEAD_M = 40.0, 180.0
_SEEN_M = 300.0  # movers farther ahead are a pixel or two
_CLEAR_M = 0.45  # between a camera and what stands


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Street:
    """Everything that one drive shows."""

    district: District
    road: Road
    drive: Drive
    mount: Mount
    variety: Variety
    light: Light
    standing: Solids
    movers: tuple[Mover, ...]

    def moving(self, frame: int) -> list[Solids]:
        """The movers as they are in one frame."""
        ego_m = self.drive.x_m[frame]
        return [
            mover.at(self.road, frame)
            for mover in self.movers
            if ego_m - _BEHIND_M < mover.x_m[frame] < ego_m + _SEEN_M
        ]


def random_street(
    rng: np.random.Generator,
    *,
    num_frames: int,
    district: District | None = None,
    mount: Mount = KITTI_MOUNT,
    kind: Kind = "demo",
    is_snapshots: bool = False,
) -> Street:
    """Draws a street long enough for a drive of `num_frames`.

    Args:
      rng: Draws everything.
      num_frames: Of the drive.
      district: What kind of place, drawn as well if not given.
      mount: The camera and where it sits.
      kind: From which ranges its variety is drawn.
      is_snapshots: Whether frames lie some metres apart, each with near things of its own; else
        they are a video's, 0.1 s apart.
    """
    variety = random_variety(rng, kind)
    if is_snapshots:
        x_m, seconds = random_snapshots(rng, num_frames=num_frames, mount=mount)
    else:
        x_m, seconds = random_way_m(rng, num_frames=num_frames), FRAME_S * np.arange(num_frames)
    end_m = float(x_m[-1]) + _AHEAD_M
    usual = district or random_district(rng)
    district = dataclasses.replace(
        usual,
        people_step_m=_denser(usual.people_step_m, variety.people),
        traffic_step_m=_denser(usual.traffic_step_m, variety.traffic),
    )
    road = random_road(rng, district, length_m=end_m, variety=variety)
    drive = random_drive(rng, road, x_m, seconds=seconds, mount=mount)
    scene = SceneBuilder(
        road, district, rng, start_m=-_BEHIND_M, end_m=end_m, openness=variety.openness
    )
    plant(scene)
    traffic = Traffic(
        road, district, rng, drive=drive, end_m=end_m, is_low=mount.is_low,
        is_snapshots=is_snapshots,
    )  # fmt: skip
    traffic.start()
    eyes_m = drive.T_world_from_rectified[:, :3, 3]
    return Street(
        district=district,
        road=road,
        drive=drive,
        mount=mount,
        variety=variety,
        light=light_of(variety),
        standing=Solids.join([each for each in scene.standing if _is_clear_of(each, eyes_m)]),
        movers=tuple(traffic.movers),
    )


def _denser(step_m: tuple[float, float], times: float) -> tuple[float, float]:
    return step_m[0] / times, step_m[1] / times


def _is_clear_of(solids: Solids, eyes_m: Floats) -> bool:
    """Whether no camera stands within or close to a thing, taken as upright boxes."""
    offset = eyes_m[:, None] - solids.centre_m
    cosine, sine = np.cos(solids.yaw_rad), np.sin(solids.yaw_rad)
    along = cosine * offset[..., 0] + sine * offset[..., 1]
    aside = cosine * offset[..., 1] - sine * offset[..., 0]
    outside = np.abs(np.stack([along, aside, offset[..., 2]], axis=-1)) - solids.half_m
    return bool((outside.max(axis=-1) > _CLEAR_M).all())


# The ground is finely meshed this far behind the first and beyond the last frame.
_FINE_BEHIND_M, _FINE_AHEAD_M = 40.0, 240.0
# A leaf of 0.3 m is four pixels wide at this distance over the focal length in pixels.
_FAR_M_PER_PX = 45.0 / 721.5


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Instant:
    """Everything there is in one frame.

    Attributes:
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
    scenes: tuple[Triangles, ...]

    def cast(self, rays: Rays) -> Hits:
        """What each ray meets; the sky is a solid like any other."""
        hits = cast(rays, self.scenes)
        hits.owner[hits.owner == NOTHING] = self.sky
        return hits


class Scene:
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
            start_m=-_FINE_BEHIND_M,
            end_m=float(street.drive.x_m[-1]) + _FINE_AHEAD_M,
            owner=self.ground,
        )
        standing = solids_mesh(street.standing, is_far=_is_far(street, _FAR_M_PER_PX * focal_px))
        self._scene = Triangles(Mesh.join([standing, ground]))

    def at(self, frame: int) -> Instant:
        """The street in one frame."""
        moving = self.street.moving(frame)
        scenes = [self._scene]
        if moving:
            scenes.append(Triangles(solids_mesh(Solids.join(moving), first_owner=self.sky + 1)))
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
