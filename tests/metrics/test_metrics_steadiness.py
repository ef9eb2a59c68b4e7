import math

import numpy as np
import pytest

from mtdepth.geometry.camera import Intrinsics
from mtdepth.metrics.steadiness import Flicker, flicker

CAMERA = Intrinsics.centred(40.0, width_px=48, height_px=32)
AHEAD_M = 2.0
NEXT_FROM_THIS = np.eye(4)
NEXT_FROM_THIS[2, 3] = -AHEAD_M  # the camera drives ahead, so that points come nearer
WALL_M = np.full((32, 48), 20.0, np.float32)
NEARER_M = WALL_M - np.float32(AHEAD_M)


def found(told: np.ndarray, next_told: np.ndarray, **changed: np.ndarray) -> Flicker:
    truth = (changed.get("true", WALL_M), changed.get("next_true", NEARER_M))
    return flicker(truth, (told, next_told), camera=CAMERA, T_next_from_this=NEXT_FROM_THIS)


def test_what_is_wrong_by_the_same_factor_is_steady_and_what_changes_is_not() -> None:
    assert found(WALL_M, NEARER_M).mean == pytest.approx(0, abs=1e-6)
    assert found(1.3 * WALL_M, 1.3 * NEARER_M).mean == pytest.approx(0, abs=1e-6)
    changed = found(WALL_M, 1.1 * NEARER_M)
    assert changed.mean == pytest.approx(math.log(1.1), rel=1e-5)
    # Never looks at the picture: what it tells does not come nearer.
    assert found(WALL_M, WALL_M).mean == pytest.approx(math.log(20 / 18), rel=1e-5)


def test_points_are_those_that_both_pictures_see() -> None:
    # From 20 m to 18 m a wall grows by 20/18: of 48 columns 43.2 stay, of 32 rows 28.8.
    whole = found(WALL_M, NEARER_M)
    assert whole.num_pairs == 1
    assert whole.num_points == pytest.approx(43 * 29, rel=0.05)
    sparse = WALL_M.copy()
    sparse[:, ::2] = 0
    assert found(WALL_M, NEARER_M, true=sparse).num_points == pytest.approx(22 * 29, rel=0.1)
    unseen = NEARER_M.copy()
    unseen[:, 24:] = 0
    assert found(WALL_M, NEARER_M, next_true=unseen).num_points == pytest.approx(
        whole.num_points / 2, rel=0.1
    )
    assert found(WALL_M, unseen).num_points == found(WALL_M, NEARER_M, next_true=unseen).num_points
    assert found(np.zeros_like(WALL_M), NEARER_M).mean is None


def test_what_moves_by_itself_is_left_out() -> None:
    moved = NEARER_M.copy()
    moved[:, :24] = 12.0  # a car, which drove in
    told = moved.copy()
    told[:, :24] = 30.0  # however wrong
    assert found(WALL_M, told, next_true=moved).mean == pytest.approx(0, abs=1e-6)


def test_a_turning_camera_finds_the_same_points() -> None:
    # Points of a tilted floor, by hand: seen by both, told 5 % farther in the second.
    angle = math.radians(3)
    turn = np.eye(4)
    turn[0, 0] = turn[2, 2] = math.cos(angle)
    turn[0, 2], turn[2, 0] = math.sin(angle), -math.sin(angle)
    rays = CAMERA.unproject(np.ones((32, 48)))
    # The plane n . p = 10 in either camera's axes: depth is 10 / (n . ray).
    normal = np.array([0.1, 0.2, 1.0])
    turned = turn[:3, :3] @ normal
    truth = tuple(10 / (rays @ each) for each in (normal, turned))
    pair = flicker(truth, (truth[0], 1.05 * truth[1]), camera=CAMERA, T_next_from_this=turn)
    assert pair.mean == pytest.approx(math.log(1.05), rel=1e-5)
    assert pair.num_points > 0.8 * 32 * 48


def test_pairs_add_up() -> None:
    both = found(WALL_M, 1.1 * NEARER_M) + found(WALL_M, NEARER_M)
    assert both.num_pairs == 2
    assert both.mean == pytest.approx(math.log(1.1) / 2, rel=1e-5)
    assert Flicker().mean is None
