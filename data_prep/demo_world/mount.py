"""One camera on a vehicle or a robot: what it sees with and where it sits."""

import dataclasses
from typing import Literal

import numpy as np

from data_prep.demo_world.rig import KITTI_CAMERA
from mtdepth.geometry.camera import Intrinsics

CAMERA_HEIGHT_M = 1.65  # KITTI's, Geiger et al. 2013, fig. 3
KITTI_SHARE = 0.45  # ours: of the drives of a world of mixed rigs
# Ranges of the others, with their reasons.
_HEIGHT_M = (0.2, 2.0)  # a vacuum robot to a van's roof; drawn by its logarithm
_FIELD_DEG = (40.0, 110.0)  # across; a telephoto lens to a wide-angle one, rectified
_USUAL_FIELD_DEG = (55.0, 90.0)  # most cameras of phones, dash boards and robots
_PITCH_DEG = (-12.0, 6.0)  # down to see the ground before the wheels, up by mistake
_ROLL_DEG = 1.5  # standard deviation: mounted by hand
_CENTRE = 0.04  # of the width and the height: the principal point off the middle
_LOW_M = 0.9  # below this it is a robot's, which also drives on pavements
_PAVEMENT = 0.55

Place = Literal["lane", "pavement"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mount:
    """A camera and its place.

    Attributes:
      camera: Intrinsics at the size of the pictures.
      height_m: Above the ground.
      pitch_rad: Positive looks up.
      roll_rad: Positive lowers the right side.
      place: What it drives on.
    """

    camera: Intrinsics
    height_m: float = CAMERA_HEIGHT_M
    pitch_rad: float = 0.0
    roll_rad: float = 0.0
    place: Place = "lane"

    @property
    def is_low(self) -> bool:
        """Whether it is a robot's."""
        return self.height_m < _LOW_M

    @property
    def yaw_spread_rad(self) -> float:
        """Standard deviation of the heading from frame to frame; a robot turns to and fro."""
        return np.radians(9.0) if self.is_low else 0.0

    def to_dict(self) -> dict[str, object]:
        """By name, as JSON holds it."""
        return dataclasses.asdict(self)


KITTI_MOUNT = Mount(camera=KITTI_CAMERA)


def random_mount(
    rng: np.random.Generator,
    *,
    size: tuple[int, int],
    camera: Intrinsics | None = None,
    height_m: float | None = None,
    pitch_deg: float | None = None,
) -> Mount:
    """Draws a mount, nearly half of the time KITTI's, where nothing is given.

    Args:
      rng: Draws what is not given.
      size: (height, width) of the pictures.
      camera: Given intrinsics, of any size.
      height_m: Given height above the ground.
      pitch_deg: Given pitch, positive looks up.
    """
    is_kitti = camera is None and rng.random() < KITTI_SHARE
    drawn_m = float(np.exp(rng.uniform(*np.log(_HEIGHT_M))))
    drawn_deg, roll_deg = rng.uniform(*_PITCH_DEG), rng.normal(0.0, _ROLL_DEG)
    random_view = _random_camera(rng, size)
    is_on_walk = rng.random() < _PAVEMENT
    if is_kitti or camera is not None:
        drawn_m, drawn_deg, roll_deg = CAMERA_HEIGHT_M, 0.0, 0.0
    height_m = drawn_m if height_m is None else height_m
    seen_by = camera or (KITTI_CAMERA if is_kitti else random_view)
    return Mount(
        camera=seen_by.resized(height_px=size[0], width_px=size[1]),
        height_m=height_m,
        pitch_rad=float(np.radians(drawn_deg if pitch_deg is None else pitch_deg)),
        roll_rad=float(np.radians(roll_deg)),
        place="pavement" if height_m < _LOW_M and is_on_walk else "lane",
    )


def _random_camera(rng: np.random.Generator, size: tuple[int, int]) -> Intrinsics:
    height_px, width_px = size
    field_deg = rng.uniform(*(_FIELD_DEG if rng.random() < 0.5 else _USUAL_FIELD_DEG))
    focal_px = width_px / (2.0 * np.tan(np.radians(field_deg) / 2.0))
    off = rng.uniform(-_CENTRE, _CENTRE, 2)
    return Intrinsics(
        fx_px=float(focal_px),
        fy_px=float(focal_px),
        cx_px=float((width_px - 1) / 2 + off[0] * width_px),
        cy_px=float((height_px - 1) / 2 + off[1] * height_px),
        width_px=width_px,
        height_px=height_px,
    )
