"""GPS/IMU packets of KITTI raw (oxts), and the vehicle's poses from them."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from mtdepth.files import DataError, is_there, read_text

EARTH_RADIUS_M = 6378137.0  # KITTI development kit, latlonToMercator.m: WGS 84, at the equator


@dataclasses.dataclass(frozen=True, kw_only=True)
class OxtsPacket:
    """One packet, the fields in the order of KITTI's `dataformat.txt`.

    The vehicle's axes are x forward, y left, z up. The ends `f`, `l`, `u` are forward, leftward and
    upward as well, but level: parallel to the ground's tangent plane.

    Attributes:
      lat_deg: Latitude, with `lon_deg`, and the altitude `alt_m`.
      roll_rad: 0 level, positive left side up.
      pitch_rad: 0 level, positive front down.
      yaw_rad: 0 east, positive counter-clockwise.
      vn_m_per_s: Velocity towards north; `ve` east, `vf vl vu` level.
      ax_m_per_s2: Acceleration; `ax ay az` and, level, `af al au`.
      wx_rad_per_s: Turning rate about an axis; `wx wy wz` and, level, `wf wl wu`.
      pos_accuracy_m: North and east accuracy, with that of the velocity.
      navstat: Navigation status.
      numsats: Satellites tracked by the primary receiver.
      posmode: Its position mode, with `velmode` and `orimode`: velocity, orientation.
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
    if not is_there(path):
        raise FileNotFoundError(
            f"{path}: no such GPS/IMU packet; download the drive's _sync.zip again"
        )
    words = read_text(path).split()
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
    lat, lon, alt_m, roll, pitch, yaw = np.array(
        [
            (
                *(math.radians(each.lat_deg), math.radians(each.lon_deg), each.alt_m),
                *(each.roll_rad, each.pitch_rad, each.yaw_rad),
            )
            for each in packets
        ]
    ).T
    scale_m = math.cos(lat[0]) * EARTH_RADIUS_M
    mercator = np.tile(np.eye(4), (len(packets), 1, 1))
    mercator[:, :3, :3] = Rotation.from_euler("ZYX", np.stack([yaw, pitch, roll], -1)).as_matrix()
    northing = np.log(np.tan(math.pi / 4 + lat / 2))
    mercator[:, :3, 3] = np.stack([scale_m * lon, scale_m * northing, alt_m], -1)
    poses = np.linalg.inv(mercator[0]) @ mercator
    # Mercator coordinates are millions of metres: free the first pose of the rounding.
    poses[0] = np.eye(4)
    return poses
