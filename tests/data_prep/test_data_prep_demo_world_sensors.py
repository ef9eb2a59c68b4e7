import numpy as np
import pytest

from data_prep.demo_world.cameras import FRAME_S, random_drive, random_way_m
from data_prep.demo_world.district import random_district, random_road
from data_prep.demo_world.render import (
    BEAMS_DEG,
    LIDAR_NOISE_M,
    is_returned,
    lidar_directions,
    sweep,
)
from data_prep.demo_world.variety import random_variety

NUM = 4000


def share_returned(range_m: float, reflectance: float, *, cosine: float = 1.0,
                   glass: float = 0.0) -> float:  # fmt: skip
    back = is_returned(
        range_m=np.full(NUM, range_m),
        reflectance=np.full(NUM, reflectance),
        cosine=np.full(NUM, cosine),
        glass=np.full(NUM, glass),
        rng=np.random.default_rng(0),
    )
    return float(back.mean())


def test_the_beams_are_the_hdl_64s() -> None:
    assert len(BEAMS_DEG) == 64
    assert BEAMS_DEG[0] == 2.0
    assert BEAMS_DEG[-1] == pytest.approx(-24.33)
    assert np.all(np.diff(BEAMS_DEG) < -0.32)


def test_a_sweep_turns_clockwise_in_equal_steps_of_unit_vectors() -> None:
    directions = lidar_directions(azimuth_step_deg=0.5)
    assert directions.shape == (64, 241, 3)  # 2 * 60 / 0.5 + 1
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1.0)
    azimuth = np.degrees(np.arctan2(directions[..., 1], directions[..., 0]))
    np.testing.assert_allclose(azimuth, np.tile(60 - 0.5 * np.arange(241), (64, 1)), atol=1e-9)


def test_the_reach_depends_on_what_is_hit() -> None:
    # The data sheet's marks: pavement, 10 %, to 50 m; what is bright, 80 %, to 120 m.
    assert share_returned(30.0, 0.1) > 0.95
    assert 0.4 < share_returned(50.0, 0.1) < 0.6
    assert share_returned(80.0, 0.1) < 0.05
    assert share_returned(119.0, 0.8) > 0.75
    assert share_returned(121.0, 0.8) == 0.0
    assert share_returned(np.inf, 0.8) == 0.0


def test_grazing_and_dark_surfaces_and_glass_return_less() -> None:
    assert share_returned(45.0, 0.2, cosine=0.03) < share_returned(45.0, 0.2) - 0.3
    assert share_returned(40.0, 0.03) < 0.1
    # Of a spot on glass 85 in 100 are lost.
    assert share_returned(10.0, 0.5, glass=1.0) == pytest.approx(0.15, abs=0.03)
    assert share_returned(10.0, 0.5, glass=0.6) == pytest.approx(0.49, abs=0.03)
    assert 0.98 < share_returned(10.0, 0.5) < 1.0  # one in a hundred is lost anyway


def test_ranges_are_noisy_along_the_ray() -> None:
    directions = lidar_directions(azimuth_step_deg=1.0).reshape(-1, 3)
    range_m = np.full(len(directions), 20.0)
    points = sweep(directions, range_m, np.full(len(directions), 0.3), np.random.default_rng(0))
    assert points.dtype == np.float32
    off_m = np.linalg.norm(points[:, :3], axis=1) - 20.0
    assert off_m.std() == pytest.approx(LIDAR_NOISE_M, rel=0.05)
    assert abs(off_m.mean()) < 0.001
    across = points[:, :3] / np.linalg.norm(points[:, :3], axis=1, keepdims=True)
    np.testing.assert_allclose(across, directions, atol=1e-6)
    np.testing.assert_allclose(points[:, 3], 0.3, rtol=1e-6)


def test_drives_change_their_speed_and_some_stand() -> None:
    ways = [random_way_m(np.random.default_rng(seed), num_frames=60) for seed in range(60)]
    speeds = [np.diff(way) / FRAME_S for way in ways]
    still = [way for way in ways if np.ptp(way) == 0]
    stopping = [v for v in speeds if v.min() == 0 and v.max() > 3]
    assert 1 <= len(still) <= 15
    assert len(stopping) >= 8
    assert max(v.max() for v in speeds) < 20
    assert all(v.min() >= 0 for v in speeds)
    assert np.median([np.ptp(v) for v in speeds]) > 1.0


def test_the_car_follows_the_roads_height_and_pitch() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        variety = random_variety(rng, "demo")
        road = random_road(rng, random_district(rng), length_m=120.0, variety=variety)
        x_m = np.arange(0.0, 120.0, 0.5)
        poses = random_drive(rng, road, x_m).T_world_from_rectified
        position, forward = poses[:, :3, 3], poses[:, :3, 2]
        above_m = position[:, 2] - road.height_m(position[:, 0], position[:, 1])
        np.testing.assert_allclose(above_m, 1.65, atol=0.011)  # it bounces by 1 cm
        way = np.diff(position, axis=0)
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        # Looks where it goes, but for at most 0.6 degrees of mounting and 0.5 of bounce.
        angle = np.degrees(np.arccos(np.clip(np.sum(way * forward[:-1], axis=1), -1, 1)))
        assert angle.max() < 1.6
        np.testing.assert_allclose(
            poses[:, :3, :3] @ np.swapaxes(poses[:, :3, :3], 1, 2),
            np.tile(np.eye(3), (len(poses), 1, 1)), atol=1e-12,
        )  # fmt: skip
