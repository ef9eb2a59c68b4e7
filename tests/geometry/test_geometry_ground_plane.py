"""The height of a camera over a plane that the test puts there."""

import numpy as np

from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.ground_plane import fit_ground, ground_points

CAMERA = Intrinsics(fx_px=100.0, fy_px=100.0, cx_px=79.5, cy_px=39.5, width_px=160, height_px=80)


def road(height: float, pitch_rad: float) -> np.ndarray:
    """Depth of a plane `height` below a camera that looks down by `pitch_rad`, `[80, 160]`."""
    rays = CAMERA.unproject(np.ones((80, 160)))
    normal = np.array([0.0, np.cos(pitch_rad), np.sin(pitch_rad)])
    along = rays @ normal
    return np.where(along > 1e-3, height / np.maximum(along, 1e-3), 100.0)


def test_the_height_is_found_whatever_the_pitch_and_the_unit() -> None:
    for height, pitch_rad in ((1.65, 0.0), (0.4, 0.12), (0.05, -0.05)):
        points = ground_points(CAMERA.unproject(road(height, pitch_rad)))
        plane = fit_ground(points, rng=np.random.default_rng(0))
        assert plane is not None
        np.testing.assert_allclose(plane.height, height, rtol=1e-6)
        np.testing.assert_allclose(plane.normal[1:], [np.cos(pitch_rad), np.sin(pitch_rad)])


def test_obstacles_and_noise_do_not_move_it() -> None:
    rng = np.random.default_rng(1)
    depth = road(1.5, 0.03) * rng.normal(1.0, 0.005, (80, 160))
    depth[40:, 60:90] = 4.0  # a wall of a car over 40 % of what is looked at
    plane = fit_ground(ground_points(CAMERA.unproject(depth)), rng=rng)
    assert plane is not None
    np.testing.assert_allclose(plane.height, 1.5, rtol=0.02)
    assert plane.share < 0.8


def test_a_wall_or_a_ceiling_is_no_ground() -> None:
    rng = np.random.default_rng(2)
    wall = CAMERA.unproject(np.full((80, 160), 5.0))
    assert fit_ground(ground_points(wall), rng=rng) is None
    above = CAMERA.unproject(road(2.0, 0.0)) * np.array([1.0, -1.0, 1.0])
    assert fit_ground(ground_points(above), rng=rng) is None
    scattered = rng.normal(size=(500, 3)) * 10
    assert fit_ground(scattered, rng=rng) is None
    assert fit_ground(scattered[:2], rng=rng) is None
