"""A whole street drawn at random: what stands along the road and what moves on it."""

import dataclasses

import numpy as np

from data_prep.demo_world.district import District, random_district, random_road
from data_prep.demo_world.ego import (
    FRAME_S,
    Drive,
    random_drive,
    random_snapshots,
    random_way_m,
)
from data_prep.demo_world.light import Light, light_of
from data_prep.demo_world.mount import KITTI_MOUNT, Mount
from data_prep.demo_world.planting import plant
from data_prep.demo_world.plot import Plot
from data_prep.demo_world.road import Road
from data_prep.demo_world.shapes import Floats, Solids
from data_prep.demo_world.traffic import Mover, Traffic
from data_prep.demo_world.variety import Kind, Variety, random_variety

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
    plot = Plot(road, district, rng, start_m=-_BEHIND_M, end_m=end_m, openness=variety.openness)
    plant(plot)
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
        standing=Solids.join([each for each in plot.standing if _is_clear_of(each, eyes_m)]),
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
