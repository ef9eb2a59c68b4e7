"""GPS/IMU packets of KITTI raw (oxts), and the vehicle's poses from them."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtdepth.files import DataError

EARTH_RADIUS_M = 6378137.0  # KITTI development kit, latlonToMercator.m: WGS 84, at the equator


@dataclasses.dataclass(frozen=True, kw_only=True)
class OxtsPacket:
    """One packet, the fields in the order of KITTI's `dataformat.txt`.

    The vehicle's axes are x forward, y left, z up; "level" means parallel to the ground's tangent
    plane.

    Attributes:
      lat_deg: Latitude.
      lon_deg: Longitude.
      alt_m: Altitude.
      roll_rad: 0 level, positive left side up.
      pitch_rad: 0 level, positive front down.
      yaw_rad: 0 east, positive counter-clockwise.
      vn_m_per_s: Velocity towards north.
      ve_m_per_s: Velocity towards east.
      vf_m_per_s: Forward velocity, level.
      vl_m_per_s: Leftward velocity, level.
      vu_m_per_s: Upward velocity, level.
      ax_m_per_s2: Acceleration along x.
      ay_m_per_s2: Acceleration along y.
      az_m_per_s2: Acceleration along z.
      af_m_per_s2: Forward acceleration, level.
      al_m_per_s2: Leftward acceleration, level.
      au_m_per_s2: Upward acceleration, level.
      wx_rad_per_s: Turning rate about x.
      wy_rad_per_s: Turning rate about y.
      wz_rad_per_s: Turning rate about z.
      wf_rad_per_s: Turning rate about forward, level.
      wl_rad_per_s: Turning rate about leftward, level.
      wu_rad_per_s: Turning rate about upward, level.
      pos_accuracy_m: North and east accuracy.
      vel_accuracy_m_per_s: North and east velocity accuracy.
      navstat: Navigation status.
      numsats: Satellites tracked by the primary receiver.
      posmode: Position mode of the primary receiver.
      velmode: Velocity mode.
      orimode: Orientation mode.
    """

    lat_deg: float
    lon_deg: float
    alt_m: float
    roll_rad: float
    pitch_rad: float
    yaw_rad: float
    vn_m_per_s: float
    ve_m_per_s: float
    vf_m_per_s: float
    vl_m_per_s: float
    vu_m_per_s: float
    ax_m_per_s2: float
    ay_m_per_s2: float
    az_m_per_s2: float
    af_m_per_s2: float
    al_m_per_s2: float
    au_m_per_s2: float
    wx_rad_per_s: float
    wy_rad_per_s: float
    wz_rad_per_s: float
    wf_rad_per_s: float
    wl_rad_per_s: float
    wu_rad_per_s: float
    pos_accuracy_m: float
    vel_accuracy_m_per_s: float
    navstat: int
    numsats: int
    posmode: int
    velmode: int
    orimode: int


FIELD_NAMES = tuple(field.name for field in dataclasses.fields(OxtsPacket))


def read_oxts(path: Path) -> OxtsPacket:
    """Reads one packet.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is not 30 finite numbers on a line.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such GPS/IMU packet; download the drive's _sync.zip again"
        )
    words = path.read_text(encoding="utf-8", errors="replace").split()
    if len(words) != len(FIELD_NAMES):
        raise DataError(
            path,
            f"a packet has {len(FIELD_NAMES)} numbers, found {len(words)}; "
            "copy or download it again",
        )
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise DataError(path, f"a packet is made of numbers: {error}") from error
    if not all(math.isfinite(number) for number in numbers):
        raise DataError(path, "a packet is made of finite numbers, found nan or inf")
    values = {
        field.name: int(number) if field.type is int else number
        for field, number in zip(dataclasses.fields(OxtsPacket), numbers, strict=True)
    }
    return OxtsPacket(**values)  # type: ignore[arg-type]  # the record's own types, by name


def world_from_imu(packets: Sequence[OxtsPacket]) -> npt.NDArray[np.float64]:
    """Computes the vehicle's poses by KITTI's Mercator formula.

    `X_world = T @ X_imu`. The world is the IMU frame of the first packet, so the first pose is the
    identity, as in `convertOxtsToPose.m` of the KITTI raw development kit:
    `x = s * r * lon`, `y = s * r * ln tan(pi/4 + lat/2)`, `z = alt` with the scale
    `s = cos(latitude of the first packet)`, and `R = Rz(yaw) @ Ry(pitch) @ Rx(roll)`.

    Args:
      packets: In the order of time; one drive, since the scale is that of the first.

    Returns:
      `[packets, 4, 4]` metres.

    Raises:
      ValueError: If there is no packet.
    """
    if not packets:
        raise ValueError("poses need at least one packet, got none")
    scale_m = math.cos(math.radians(packets[0].lat_deg)) * EARTH_RADIUS_M
    mercator = np.stack([_mercator_from_imu(packet, scale_m) for packet in packets])
    poses = np.linalg.inv(mercator[0]) @ mercator
    # Mercator coordinates are millions of metres: free the first pose of the rounding.
    poses[0] = np.eye(4)
    return poses


def _mercator_from_imu(packet: OxtsPacket, scale_m: float) -> npt.NDArray[np.float64]:
    latitude, longitude = math.radians(packet.lat_deg), math.radians(packet.lon_deg)
    pose = np.eye(4)
    pose[:3, :3] = _rotation(packet)
    pose[0, 3] = scale_m * longitude
    pose[1, 3] = scale_m * math.log(math.tan(math.pi / 4 + latitude / 2))
    pose[2, 3] = packet.alt_m
    return pose


def _rotation(packet: OxtsPacket) -> npt.NDArray[np.float64]:
    cos_r, sin_r = math.cos(packet.roll_rad), math.sin(packet.roll_rad)
    cos_p, sin_p = math.cos(packet.pitch_rad), math.sin(packet.pitch_rad)
    cos_y, sin_y = math.cos(packet.yaw_rad), math.sin(packet.yaw_rad)
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cos_r, -sin_r], [0.0, sin_r, cos_r]])
    about_y = np.array([[cos_p, 0.0, sin_p], [0.0, 1.0, 0.0], [-sin_p, 0.0, cos_p]])
    about_z = np.array([[cos_y, -sin_y, 0.0], [sin_y, cos_y, 0.0], [0.0, 0.0, 1.0]])
    return about_z @ about_y @ about_x
