"""Cameras: KITTI's rig, one camera on any vehicle or robot, and the way it goes."""

import dataclasses
from typing import Literal

import numpy as np

from data_prep.demo_world.road import Road
from data_prep.demo_world.solids import Floats
from mtdepth.geometry.camera import Intrinsics

# P_rect_02 of KITTI's 2011_09_26, at its 1242x375 pixels.
KITTI_CAMERA = Intrinsics(
    fx_px=721.5377, fy_px=721.5377, cx_px=609.5593, cy_px=172.8540, width_px=1242, height_px=375
)
# Fourth columns of P_rect_00..03 over fx: x of camera 0 as each camera sees it. Cameras 2 and 3
# are 0.5327 m apart. ours: the columns' small y and z parts are left out, so that corresponding
# points share a row exactly.
_SHIFT_M = (0.0, -387.5744 / 721.5377, 44.85728 / 721.5377, -339.5242 / 721.5377)

# At 10 Hz a beam fires every 0.09 degrees (Geiger et al. 2013, sec. II).
KITTI_AZIMUTH_STEP_DEG = 0.09

_R_RECT_00 = (
    (9.999239e-01, 9.837760e-03, -7.445048e-03),
    (-9.869795e-03, 9.999421e-01, -4.278459e-03),
    (7.402527e-03, 4.351614e-03, 9.999631e-01),
)
_R_VELODYNE_TO_CAMERA = (
    (7.533745e-03, -9.999714e-01, -6.166020e-04),
    (1.480249e-02, 7.280733e-04, -9.998902e-01),
    (9.998621e-01, 7.523790e-03, 1.480755e-02),
)
_T_VELODYNE_TO_CAMERA_M = (-4.069766e-03, -7.631618e-02, -2.717806e-01)
_R_IMU_TO_VELODYNE = (
    (9.999976e-01, 7.553071e-04, -2.035826e-03),
    (-7.854027e-04, 9.998898e-01, -1.482298e-02),
    (2.024406e-03, 1.482454e-02, 9.998881e-01),
)
_T_IMU_TO_VELODYNE_M = (-8.086759e-01, 3.195559e-01, -7.997231e-01)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DemoRig:
    """Cameras and mounts; frames as in `mtdepth.datasets.calibration`.

    Attributes:
      camera: Intrinsics of both rectified colour cameras.
      R_rect_00: `[3, 3]`.
      T_velodyne_to_camera_0: `[4, 4]`, before rectification.
      T_imu_to_velodyne: `[4, 4]`.
    """

    camera: Intrinsics
    R_rect_00: Floats
    T_velodyne_to_camera_0: Floats
    T_imu_to_velodyne: Floats

    @property
    def T_velodyne_to_rectified(self) -> Floats:
        """`[4, 4]`, velodyne to rectified camera 0."""
        return rigid(self.R_rect_00, (0.0, 0.0, 0.0)) @ self.T_velodyne_to_camera_0

    def T_camera_to_rectified(self, number: int) -> Floats:
        """`[4, 4]`, rectified camera 2 or 3 to rectified camera 0."""
        return rigid(np.eye(3), (-_SHIFT_M[number], 0.0, 0.0))

    @property
    def baseline_m(self) -> float:
        """Distance between the colour cameras."""
        return _SHIFT_M[2] - _SHIFT_M[3]


def demo_rig(*, height_px: int, width_px: int) -> DemoRig:
    """KITTI's rig with pictures of another size."""
    return DemoRig(
        camera=KITTI_CAMERA.resized(width_px=width_px, height_px=height_px),
        R_rect_00=np.array(_R_RECT_00),
        T_velodyne_to_camera_0=rigid(np.array(_R_VELODYNE_TO_CAMERA), _T_VELODYNE_TO_CAMERA_M),
        T_imu_to_velodyne=rigid(np.array(_R_IMU_TO_VELODYNE), _T_IMU_TO_VELODYNE_M),
    )


def rigid(rotation: Floats, translation_m: tuple[float, float, float]) -> Floats:
    """The 4x4 of a 3x3 rotation and a translation."""
    transform = np.eye(4)
    transform[:3, :3] = rotation
    transform[:3, 3] = translation_m
    return transform


def calibration_texts(rig: DemoRig) -> dict[str, str]:
    """KITTI's three calibration files by name.

    The pictures have no distortion: `K_0i` is the rectified camera's, `D_0i` zero, and all four
    cameras are parallel, turned from the rectified frame by `R_rect_00` alone.
    """
    camera = rig.camera
    lines = ["calib_time: 01-Jan-2011 00:00:00", _line("corner_dist", np.array([9.95e-02]))]
    for number, shift_m in enumerate(_SHIFT_M):
        size = np.array([camera.width_px, camera.height_px])
        P_rect = camera.K @ np.column_stack([np.eye(3), [shift_m, 0.0, 0.0]])
        lines += [
            _line(f"S_0{number}", size),
            _line(f"K_0{number}", camera.K),
            _line(f"D_0{number}", np.zeros(5)),
            _line(f"R_0{number}", np.eye(3)),
            _line(f"T_0{number}", rig.R_rect_00.T @ [shift_m, 0.0, 0.0]),
            _line(f"S_rect_0{number}", size),
            _line(f"R_rect_0{number}", rig.R_rect_00),
            _line(f"P_rect_0{number}", P_rect),
        ]
    return {
        "calib_cam_to_cam.txt": "\n".join(lines) + "\n",
        "calib_velo_to_cam.txt": _rigid_text(rig.T_velodyne_to_camera_0)
        + _line("delta_f", np.zeros(2))
        + "\n"
        + _line("delta_c", np.zeros(2))
        + "\n",
        "calib_imu_to_velo.txt": _rigid_text(rig.T_imu_to_velodyne),
    }


def _rigid_text(transform: Floats) -> str:
    lines = [
        "calib_time: 01-Jan-2011 00:00:00",
        _line("R", transform[:3, :3]),
        _line("T", transform[:3, 3]),
    ]
    return "\n".join(lines) + "\n"


def _line(key: str, values: Floats) -> str:
    # Twelve digits where KITTI writes six: reading them back gives the cameras that were used.
    return f"{key}: " + " ".join(f"{value:.12e}" for value in np.ravel(values))


CAMERA_HEIGHT_M = 1.65  # KITTI's, Geiger et al. 2013, fig. 3
KITTI_SHARE = 0.45  # ours: of the drives of a world of mixed rigs
# Ranges of the others, with their reasons.
_HEIGHT_M = (0.2, 2.0)  # a vacuum robot to a van's roof; drawn by its logarithm
_FIELD_DEG = (40.0, 110.0)  # across; a telephoto lens to a wide-angle one, rectified
_USUAL_FIELD_DEG = (55.0, 90.0)  # most cameras of phones, dash boards and robots
# Of lenses where heights are given: a factor on KITTI's focal length, longer as often as shorter.
# Depth is learned at one focal length, at which a lens twice as long shows a camera of half the
# height: among all lenses cameras at 1.2 to 2 m so stand at 1.44 m on average, and a network that
# learned from them tells the streets of a camera at 1.65 m a tenth too near.
_LENS_AT_GIVEN_HEIGHT = 1.25
# A low robot looks down to see the ground before its wheels, and up by mistake. What stands higher
# looks level, and as often up as down: where a picture leaves the horizon in doubt, a network tells
# the mean of those that it learned.
_LOW_PITCH_DEG, _PITCH_DEG = (-12.0, 6.0), (-3.0, 3.0)
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
    heights_m: tuple[float, float] | None = None,
    pitch_deg: float | None = None,
) -> Mount:
    """Draws a mount, nearly half of the time KITTI's, where nothing is given.

    Args:
      rng: Draws what is not given.
      size: (height, width) of the pictures.
      camera: Given intrinsics, of any size.
      heights_m: Lowest and highest above the ground, with lenses near KITTI's; None: 0.2 to 2 with
        lenses of all kinds, or KITTI's of a given camera.
      pitch_deg: Given pitch, positive looks up.
    """
    is_kitti = camera is None and rng.random() < KITTI_SHARE
    limits_m = heights_m or _HEIGHT_M
    drawn_m = float(np.exp(rng.uniform(*np.log(limits_m))))
    pitch_share, roll_deg = rng.random(), rng.normal(0.0, _ROLL_DEG)
    random_view = _random_camera(rng, size, is_usual=heights_m is not None)
    is_on_walk = rng.random() < _PAVEMENT
    is_mounted_well = is_kitti or camera is not None
    if is_kitti or (is_mounted_well and heights_m is None):
        drawn_m = CAMERA_HEIGHT_M
    height_m = float(np.clip(drawn_m, *limits_m))
    drawn_deg = float(
        np.interp(pitch_share, (0, 1), _LOW_PITCH_DEG if height_m < _LOW_M else _PITCH_DEG)
    )
    if is_mounted_well:
        drawn_deg = roll_deg = 0.0
    seen_by = camera or (KITTI_CAMERA if is_kitti else random_view)
    return Mount(
        camera=seen_by.resized(height_px=size[0], width_px=size[1]),
        height_m=height_m,
        pitch_rad=float(np.radians(drawn_deg if pitch_deg is None else pitch_deg)),
        roll_rad=float(np.radians(roll_deg)),
        place="pavement" if height_m < _LOW_M and is_on_walk else "lane",
    )


def _random_camera(
    rng: np.random.Generator, size: tuple[int, int], *, is_usual: bool
) -> Intrinsics:
    height_px, width_px = size
    field_deg = rng.uniform(*(_FIELD_DEG if rng.random() < 0.5 else _USUAL_FIELD_DEG))
    focal_px = width_px / (2.0 * np.tan(np.radians(field_deg) / 2.0))
    if is_usual:
        kittis_px = KITTI_CAMERA.fx_px * width_px / KITTI_CAMERA.width_px
        focal_px = kittis_px * _LENS_AT_GIVEN_HEIGHT ** rng.uniform(-1, 1)
    off = rng.uniform(-_CENTRE, _CENTRE, 2)
    return Intrinsics(
        fx_px=float(focal_px),
        fy_px=float(focal_px),
        cx_px=float((width_px - 1) / 2 + off[0] * width_px),
        cy_px=float((height_px - 1) / 2 + off[1] * height_px),
        width_px=width_px,
        height_px=height_px,
    )


FRAME_S = 0.1  # KITTI records at 10 Hz


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Drive:
    """The ego vehicle's way.

    Attributes:
      x_m: `[frames]`, distance along the road's axis.
      lateral_m: `[frames]`, of the camera, left of the road's middle.
      seconds: `[frames]`, when each frame is taken.
      T_world_from_rectified: `[frames, 4, 4]`, poses of rectified camera 0. World: x along the
        road (east), y left (north), z up.
    """

    x_m: Floats
    lateral_m: Floats
    seconds: Floats
    T_world_from_rectified: Floats

    def T_world_from_camera(self, rig: DemoRig, *, frame: int, camera: int) -> Floats:
        """Pose `[4, 4]` of colour camera 2 or 3."""
        return self.T_world_from_rectified[frame] @ rig.T_camera_to_rectified(camera)

    def T_world_from_velodyne(self, rig: DemoRig, *, frame: int) -> Floats:
        """Pose `[4, 4]` of the laser scanner."""
        return self.T_world_from_rectified[frame] @ rig.T_velodyne_to_rectified

    def T_world_from_imu(self, rig: DemoRig, *, frame: int) -> Floats:
        """Pose `[4, 4]` of the GPS/IMU."""
        return self.T_world_from_velodyne(rig, frame=frame) @ rig.T_imu_to_velodyne


def random_way_m(rng: np.random.Generator, *, num_frames: int) -> Floats:
    """Draws x of every frame from 0 on.

    A changing speed; in one drive of three a stop, and one in ten stands still throughout.
    """
    cruise_mps = rng.uniform(4.0, 12.0)
    period, phase = rng.uniform(40.0, 120.0), rng.uniform(0.0, 2 * np.pi)
    frame = np.arange(num_frames)
    speed_mps = cruise_mps * (1.0 + 0.3 * np.sin(2 * np.pi * frame / period + phase))
    if rng.random() < 0.35:
        stop = rng.uniform(0.2, 0.7) * num_frames
        half_stop = 0.15 * num_frames
        speed_mps = speed_mps * np.clip((np.abs(frame - stop) - half_stop) / 15.0, 0.0, 1.0)
    if rng.random() < 0.1:
        speed_mps = np.zeros(num_frames)
    return np.concatenate([[0.0], np.cumsum(speed_mps * FRAME_S)[:-1]])


def random_snapshots(
    rng: np.random.Generator, *, num_frames: int, mount: Mount
) -> tuple[Floats, Floats]:
    """Draws x and time of frames that lie some metres apart: more to see of each street.

    Returns:
      `[frames]` metres and `[frames]` seconds.
    """
    step_m, speed_mps = (rng.uniform(2.0, 4.0), 1.5) if mount.is_low else (rng.uniform(4, 8), 8.0)
    x_m = step_m * np.arange(num_frames) + rng.uniform(0.0, 0.3 * step_m, num_frames)
    return x_m, x_m / speed_mps


def random_drive(
    rng: np.random.Generator,
    road: Road,
    x_m: Floats,
    *,
    seconds: Floats | None = None,
    mount: Mount = KITTI_MOUNT,
) -> Drive:
    """Follows the outer right lane up and down, with a slight weave, bounce, pitch and roll.

    Args:
      rng: Draws the weave.
      road: What it follows.
      x_m: `[frames]`.
      seconds: `[frames]`; by default KITTI's frames, 0.1 s apart.
      mount: Where the camera sits and how it looks.
    """
    lane_m = -road.lane_middle_m(road.lanes_per_direction - 1)
    if mount.place == "pavement" and road.sidewalk_m > road.verge_m + 0.8:
        walk_m = rng.uniform(road.verge_m + 0.4, road.sidewalk_m - 0.3)
        lane_m = road.right_edge_m - walk_m
    weave_m, period_m = rng.uniform(0.05, 0.25), rng.uniform(30.0, 80.0)
    phase = rng.uniform(0.0, 2 * np.pi, 3)
    rate = 2 * np.pi / period_m
    lateral_m = lane_m + weave_m * np.sin(rate * x_m + phase[0])
    yaw = road.heading_rad(x_m) + weave_m * rate * np.cos(rate * x_m + phase[0])
    yaw = yaw + rng.normal(0.0, mount.yaw_spread_rad, len(x_m))
    # Suspension: all follows the way, so that a standing car stands still.
    pitch = np.arctan(road.terrain.grade(x_m)) + rng.uniform(-0.01, 0.01)
    pitch += 0.004 * np.sin(x_m / 4.1 + phase[1]) + mount.pitch_rad
    roll = 0.004 * np.sin(x_m / 6.7 + phase[2]) + mount.roll_rad
    bounce_m = 0.01 * np.sin(x_m / 3.3 + phase[1])
    poses = np.tile(np.eye(4), (len(x_m), 1, 1))
    for i, way_m in enumerate(x_m):
        x, y, _ = road.place(float(way_m), float(lateral_m[i]))
        poses[i, :3, :3] = _camera_axes(yaw[i], pitch[i], roll[i])
        poses[i, :3, 3] = x, y, road.height_m(x, y) + mount.height_m + bounce_m[i]
    return Drive(
        x_m=x_m,
        lateral_m=lateral_m,
        seconds=np.arange(len(x_m)) * FRAME_S if seconds is None else seconds,
        T_world_from_rectified=poses,
    )


def _camera_axes(yaw_rad: float, pitch_rad: float, roll_rad: float) -> Floats:
    """Camera axes (right, down, forward) as columns; positive pitch looks up."""
    (cy, sy), (cp, sp), (cr, sr) = (
        (np.cos(angle), np.sin(angle)) for angle in (yaw_rad, pitch_rad, roll_rad)
    )
    forward = np.array([cp * cy, cp * sy, sp])
    level_right = np.array([sy, -cy, 0.0])
    level_down = np.cross(forward, level_right)
    right = cr * level_right + sr * level_down
    down = -sr * level_right + cr * level_down
    return np.column_stack([right, down, forward])
