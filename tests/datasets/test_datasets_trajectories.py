"""Trajectory files, read back by formulas of their own."""

from pathlib import Path

import numpy as np
import pytest

from mtdepth.datasets.trajectories import write_kitti, write_tum


def from_quaternion(q: np.ndarray) -> np.ndarray:
    x, y, z, w = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def poses(number: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    made = np.tile(np.eye(4), (number, 1, 1))
    for pose in made:
        q = rng.normal(size=4)
        pose[:3, :3] = from_quaternion(q / np.linalg.norm(q))
        pose[:3, 3] = rng.normal(size=3) * 50
    return made


def test_a_quaternion_is_the_rotation_also_at_half_turns(tmp_path: Path) -> None:
    half_turns = [np.diag((*signs, 1.0)) for signs in ((1, -1, -1), (-1, 1, -1), (-1, -1, 1))]
    made = np.stack([*poses(20), np.eye(4), *half_turns])
    write_tum(tmp_path / "t.txt", made, list(range(len(made))))
    for q, pose in zip(np.loadtxt(tmp_path / "t.txt")[:, 4:], made, strict=True):
        np.testing.assert_allclose(from_quaternion(q), pose[:3, :3], atol=1e-8)  # nine digits
        assert q[3] >= 0


def test_kittis_form_is_twelve_numbers_a_line(tmp_path: Path) -> None:
    made = poses(3)
    write_kitti(tmp_path / "09.txt", made)
    np.testing.assert_allclose(
        np.loadtxt(tmp_path / "09.txt").reshape(3, 3, 4), made[:, :3], rtol=1e-7, atol=1e-7
    )


def test_tums_form_is_time_position_quaternion(tmp_path: Path) -> None:
    made = poses(3)
    times_s = [1317042145.964389, 1317042146.068, 1317042146.25]
    write_tum(tmp_path / "t.txt", made, times_s)
    rows = np.loadtxt(tmp_path / "t.txt")
    np.testing.assert_array_equal(rows[:, 0], times_s)
    np.testing.assert_allclose(rows[:, 1:4], made[:, :3, 3], rtol=1e-7)
    for row, pose in zip(rows, made, strict=True):
        np.testing.assert_allclose(from_quaternion(row[4:]), pose[:3, :3], atol=1e-7)
    with pytest.raises(ValueError, match="zip"):
        write_tum(tmp_path / "t.txt", made, [0.0])
