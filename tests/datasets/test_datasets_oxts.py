import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.oxts import FIELD_NAMES, OxtsPacket, read_oxts, world_from_imu
from mtdepth.files import DataError

NUMBERS = [49.0, 8.4, 116.0, 0.1, 0.2, 0.3, *(float(n) for n in range(6, 25)), 4, 11, 6, 5, 3]
PACKET = OxtsPacket(**dict(zip(FIELD_NAMES, NUMBERS, strict=True)))  # type: ignore[arg-type]


def packet_at(**fields: float) -> OxtsPacket:
    level = {"roll_rad": 0.0, "pitch_rad": 0.0, "yaw_rad": 0.0}
    return dataclasses.replace(PACKET, **(level | fields))  # type: ignore[arg-type]


def test_a_packet_has_thirty_fields_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "0000000000.txt"
    path.write_text(" ".join(str(number) for number in NUMBERS) + "\n")
    packet = read_oxts(path)
    assert len(FIELD_NAMES) == 30
    assert packet == PACKET
    assert (packet.lat_deg, packet.yaw_rad, packet.vn_m_per_s) == (49.0, 0.3, 6.0)
    assert packet.vel_accuracy_m_per_s == 24.0
    assert (packet.navstat, packet.numsats, packet.orimode) == (4, 11, 3)
    assert isinstance(packet.numsats, int)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "30 numbers, found 0"),
        ("1 2 3", "30 numbers, found 3"),
        (" ".join(["north"] + ["0"] * 29), "could not convert string to float: 'north'"),
        (" ".join(["nan"] + ["0"] * 29), "finite"),
    ],
)
def test_a_damaged_packet_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "0000000004.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=rf"0000000004\.txt: .*{message}"):
        read_oxts(path)


def test_a_missing_packet_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"4\.txt: no such GPS/IMU packet"):
        read_oxts(tmp_path / "4.txt")


def test_the_first_pose_is_the_identity() -> None:
    poses = world_from_imu([PACKET, packet_at(alt_m=200.0)])
    assert poses.shape == (2, 4, 4)
    np.testing.assert_array_equal(poses[0], np.eye(4))


def test_a_small_way_east_and_north_is_the_arc_of_the_earth() -> None:
    # One ten-thousandth of a degree: r * pi / 180 * 1e-4 = 11.132 m north, cos(lat) as much east.
    start = packet_at()
    arc_m = 6378137.0 * math.radians(1e-4)
    north = packet_at(lat_deg=49.0001)
    east = packet_at(lon_deg=8.4001)
    up = packet_at(alt_m=119.0)
    poses = world_from_imu([start, north, east, up])
    # The IMU looks east at yaw 0, so x is east, y is north. 2e-5: the scale changes on the way.
    np.testing.assert_allclose(poses[1][:3, 3], [0, arc_m, 0], atol=2e-5 * arc_m)
    expected_m = arc_m * math.cos(math.radians(49.0))
    np.testing.assert_allclose(poses[2][:3, 3], [expected_m, 0, 0], atol=1e-6)
    np.testing.assert_allclose(poses[3][:3, 3], [0, 0, 3], atol=1e-6)


def test_a_vehicle_that_looks_north_has_east_on_its_right() -> None:
    north = packet_at(yaw_rad=math.pi / 2)
    moved_east = packet_at(yaw_rad=math.pi / 2, lon_deg=8.4001)
    x_forward_m, y_left_m, z_up_m = world_from_imu([north, moved_east])[1][:3, 3]
    assert y_left_m == pytest.approx(-6378137.0 * math.radians(1e-4) * math.cos(math.radians(49)))
    assert (x_forward_m, z_up_m) == pytest.approx((0, 0), abs=1e-6)


@pytest.mark.parametrize(
    ("angle", "axis"), [("roll_rad", [1, 0, 0]), ("pitch_rad", [0, 1, 0]), ("yaw_rad", [0, 0, 1])]
)
def test_each_angle_turns_about_its_axis(angle: str, axis: list[int]) -> None:
    rotation = world_from_imu([packet_at(), packet_at(**{angle: 0.25})])[1][:3, :3]
    # The axis stays; the antisymmetric part is sin(angle) times the axis (Rodrigues).
    np.testing.assert_allclose(rotation @ axis, axis, atol=1e-12)
    antisymmetric = (rotation - rotation.T) / 2
    vector = [antisymmetric[2, 1], antisymmetric[0, 2], antisymmetric[1, 0]]
    np.testing.assert_allclose(vector, math.sin(0.25) * np.array(axis), atol=1e-12)


@given(
    roll_rad=st.floats(-0.3, 0.3),
    pitch_rad=st.floats(-0.3, 0.3),
    yaw_rad=st.floats(-3.2, 3.2),
)
def test_a_point_that_stands_still_stays_where_it_is(
    roll_rad: float, pitch_rad: float, yaw_rad: float
) -> None:
    turned = packet_at(roll_rad=roll_rad, pitch_rad=pitch_rad, yaw_rad=yaw_rad, lat_deg=49.0002)
    poses = world_from_imu([PACKET, turned])
    there_and_back = poses[1] @ world_from_imu([turned, PACKET])[1]
    # The scale is that of the first packet; 2e-4 degrees of latitude change it by 4e-6 of 22 m.
    np.testing.assert_allclose(there_and_back, np.eye(4), atol=2e-4)
    np.testing.assert_allclose(poses[1][:3, :3] @ poses[1][:3, :3].T, np.eye(3), atol=1e-12)


def test_no_packet_gives_no_poses() -> None:
    with pytest.raises(ValueError, match="at least one packet"):
        world_from_imu([])


@pytest.mark.dataset
def test_the_real_packet_by_hand(kitti_mini: Path) -> None:
    raw = KittiRaw(kitti_mini / "raw")
    packet = read_oxts(raw.oxts_path(FrameId("2011_09_26_drive_0001_sync", 5)))
    assert (packet.lat_deg, packet.lon_deg) == (49.014972699643, 8.4342174226882)  # Karlsruhe
    assert packet.yaw_rad == -2.6216769803847
    assert (packet.navstat, packet.numsats, packet.posmode) == (4, 11, 6)
    # Level speed: sqrt(vn^2 + ve^2) = sqrt(6.576^2 + 11.151^2) = 12.945 = vf, as it drives ahead.
    assert math.hypot(packet.vn_m_per_s, packet.ve_m_per_s) == pytest.approx(
        packet.vf_m_per_s, abs=2e-3
    )
    # East is yaw 0: the heading is the direction of the velocity.
    heading_rad = math.atan2(packet.vn_m_per_s, packet.ve_m_per_s)
    assert heading_rad == pytest.approx(packet.yaw_rad, abs=0.02)
    # Standing still the accelerometer feels the earth; the car brakes and tilts a little.
    assert packet.az_m_per_s2 == pytest.approx(9.81, abs=0.15)
    second = dataclasses.replace(packet, lat_deg=packet.lat_deg + 1e-5)
    # 1e-5 degrees north are 1.113 m, seen by a car that looks 150 degrees clockwise of east.
    forward_m, left_m, _ = world_from_imu([packet, second])[1][:3, 3]
    assert forward_m == pytest.approx(1.1132 * math.sin(packet.yaw_rad), abs=5e-3)
    assert left_m == pytest.approx(1.1132 * math.cos(packet.yaw_rad), abs=0.05)
