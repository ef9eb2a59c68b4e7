"""A whole street drawn at random: what stands along the road and what moves on it."""

import dataclasses

import numpy as np

from data_prep.demo_world.district import District, random_district, random_road
from data_prep.demo_world.ego import Drive, random_drive, random_way_m
from data_prep.demo_world.light import Light, random_light
from data_prep.demo_world.planting import plant
from data_prep.demo_world.plot import Plot
from data_prep.demo_world.road import Road
from data_prep.demo_world.shapes import Solids
from data_prep.demo_world.traffic import Mover, Traffic

# The street goes on this far behind the first and beyond the last frame.
_BEHIND_M, _AHEAD_M = 40.0, 180.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Street:
    """Everything that one drive shows."""

    district: District
    road: Road
    drive: Drive
    light: Light
    standing: Solids
    movers: tuple[Mover, ...]

    def moving(self, frame: int) -> list[Solids]:
        """The movers as they are in one frame."""
        return [mover.at(self.road, frame) for mover in self.movers]


def random_street(
    rng: np.random.Generator, *, num_frames: int, district: District | None = None
) -> Street:
    """Draws a street long enough for a drive of `num_frames`.

    Args:
      rng: Draws everything.
      num_frames: Of the drive.
      district: What kind of place, drawn as well if not given.
    """
    x_m = random_way_m(rng, num_frames=num_frames)
    end_m = float(x_m[-1]) + _AHEAD_M
    district = district or random_district(rng)
    road = random_road(rng, district, length_m=end_m)
    light = random_light(rng)
    drive = random_drive(rng, road, x_m)
    plot = Plot(road, district, rng, start_m=-_BEHIND_M, end_m=end_m)
    plant(plot)
    traffic = Traffic(road, district, rng, ego_x_m=x_m, end_m=end_m)
    traffic.start()
    return Street(
        district=district,
        road=road,
        drive=drive,
        light=light,
        standing=Solids.join(plot.standing),
        movers=tuple(traffic.movers),
    )
