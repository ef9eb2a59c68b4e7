"""How the recording car drives: its pose in every frame."""

import dataclasses

import numpy as np

from data_prep.demo_world.mount import KITTI_MOUNT, Mount
from data_prep.demo_world.rig import DemoRig
from data_prep.demo_world.road import Road
from data_prep.demo_world.shapes import Floats

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
