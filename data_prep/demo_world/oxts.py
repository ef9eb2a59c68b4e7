"""Poses as KITTI writes them: oxts packets and the odometry benchmark's lines."""

import numpy as np

from data_prep.demo_world.ego import FRAME_S, Drive
from data_prep.demo_world.rig import DemoRig
from data_prep.demo_world.shapes import Floats
from mtdepth.datasets.oxts import EARTH_RADIUS_M, FIELD_NAMES

# Where frame 0 stands: Karlsruhe. Its latitude also scales the devkit's Mercator map.
_LATITUDE_DEG, _LONGITUDE_DEG, _ALTITUDE_M = 49.011, 8.4228, 112.0


def packet(drive: Drive, rig: DemoRig, *, frame: int) -> str:
    """One packet: position and attitude are exact, accelerations and rates are left 0.

    Velocities are the rectified camera's, the mean over the frames before and after.

    Inverts the devkit's convertOxtsToPose.m, so that its poses relative to frame 0 are the true
    ones: x is east, y north.
    """
    pose = drive.T_world_from_imu(rig, frame=frame)
    start = drive.T_world_from_imu(rig, frame=0)
    east_m, north_m, up_m = pose[:3, 3] - start[:3, 3]
    scale_m = EARTH_RADIUS_M * np.cos(np.radians(_LATITUDE_DEG))
    start_north = np.log(np.tan(np.radians(90.0 + _LATITUDE_DEG) / 2.0))
    latitude = np.degrees(2.0 * np.arctan(np.exp(start_north + north_m / scale_m))) - 90.0
    velocity = _velocity_mps(drive, frame)
    rotation = pose[:3, :3]
    values = dict.fromkeys(FIELD_NAMES, 0.0) | {
        "lat_deg": latitude,
        "lon_deg": _LONGITUDE_DEG + np.degrees(east_m / scale_m),
        "alt_m": _ALTITUDE_M + up_m,
        "roll_rad": np.arctan2(rotation[2, 1], rotation[2, 2]),
        "pitch_rad": -np.arcsin(np.clip(rotation[2, 0], -1.0, 1.0)),
        "yaw_rad": np.arctan2(rotation[1, 0], rotation[0, 0]),
        "vn_m_per_s": velocity[1],
        "ve_m_per_s": velocity[0],
        "vf_m_per_s": np.hypot(*velocity[:2]),
        "vu_m_per_s": velocity[2],
        "pos_accuracy_m": 0.05,
        "vel_accuracy_m_per_s": 0.05,
        "navstat": 4,
        "numsats": 11,
        "posmode": 6,
        "velmode": 6,
        "orimode": 6,
    }
    return " ".join(f"{values[name]:.14g}" for name in FIELD_NAMES) + "\n"


def odometry_lines(drive: Drive, rig: DemoRig) -> str:
    """Poses of image_02 as in KITTI's odometry: 3x4 rows, camera to first camera, per frame."""
    start = np.linalg.inv(drive.T_world_from_camera(rig, frame=0, camera=2))
    lines = []
    for frame in range(len(drive.x_m)):
        pose = start @ drive.T_world_from_camera(rig, frame=frame, camera=2)
        lines.append(" ".join(f"{value:.12e}" for value in pose[:3].ravel()))
    return "\n".join(lines) + "\n"


def time_stamps(num_frames: int) -> str:
    """One line per frame, as KITTI writes them."""
    lines = []
    for frame in range(num_frames):
        tenths = round(frame * FRAME_S * 10)
        minutes, seconds = divmod(tenths / 10, 60)
        hours, minutes = divmod(int(minutes), 60)
        lines.append(f"2011-09-26 {12 + hours:02d}:{minutes:02d}:{seconds:012.9f}")
    return "\n".join(lines) + "\n"


def _velocity_mps(drive: Drive, frame: int) -> Floats:
    """Mean velocity around a frame, in world axes."""
    last = len(drive.x_m) - 1
    before, after = max(frame - 1, 0), min(frame + 1, last)
    if before == after:
        return np.zeros(3)
    moved = drive.T_world_from_rectified[after] - drive.T_world_from_rectified[before]
    return moved[:3, 3] / ((after - before) * FRAME_S)
