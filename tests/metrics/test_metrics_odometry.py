"""The trajectory error against published code's own figures, and its laws."""

from pathlib import Path

import numpy as np
import pytest

from mtdepth.metrics.odometry import (
    CONVENTIONS,
    SnippetConvention,
    least_squares_scale,
    motions_of,
    poses_of,
    snippet_errors,
)


def turned(angle_rad: float, shift_m: tuple[float, float, float]) -> np.ndarray:
    pose = np.eye(4)
    pose[0, 0] = pose[2, 2] = np.cos(angle_rad)
    pose[0, 2], pose[2, 0] = np.sin(angle_rad), -np.sin(angle_rad)
    pose[:3, 3] = shift_m
    return pose


def test_the_published_error_is_reproduced(reference: Path) -> None:
    with np.load(reference / "odometry.npz") as arrays:
        true = motions_of(arrays["world_from_camera"])
        predicted = arrays["predicted_next_from_this"]
        found = snippet_errors(true, predicted, convention="monodepth2")
        np.testing.assert_allclose(found, arrays["ate_full_snippets"], atol=1e-9)
        assert abs(found.mean() - float(arrays["mean_m"])) < 1e-6
        assert abs(found.std() - float(arrays["std_m"])) < 1e-6


def test_the_positions_of_sfmlearner_are_the_cameras_in_the_first_frame(reference: Path) -> None:
    """Its rule written out: positions relative to the first frame, one scale, root over frames."""
    with np.load(reference / "odometry.npz") as arrays:
        world, motions = arrays["world_from_camera"], arrays["predicted_next_from_this"]
    expected = []
    for first in range(len(world) - 4):
        true_m, predicted = np.zeros((5, 3)), np.zeros((5, 3))
        first_from_this = np.eye(4)
        for step in range(1, 5):
            # A camera's centre, taken through the motions back to the first frame.
            seen = world[first + step] @ np.array([0.0, 0, 0, 1])
            true_m[step] = np.linalg.solve(world[first], seen)[:3]
            first_from_this = first_from_this @ np.linalg.inv(motions[first + step - 1])
            predicted[step] = first_from_this[:3, 3]
        scale = (true_m * predicted).sum() / (predicted**2).sum()
        expected.append(np.linalg.norm(scale * predicted - true_m) / 5)
    found = snippet_errors(motions_of(world), motions, convention="sfmlearner")
    np.testing.assert_allclose(found, expected, atol=1e-9)
    chained = snippet_errors(motions_of(world), motions, convention="monodepth2")
    assert np.abs(found - chained).max() > 1e-6  # the two are not the same


def test_motions_and_poses_are_inverse() -> None:
    poses = np.stack([turned(0.1 * i, (0.2 * i, 0.0, 1.5 * i)) for i in range(6)])
    np.testing.assert_allclose(poses_of(motions_of(poses)), poses, atol=1e-12)
    # A point that stands still, seen from two neighbours.
    point = np.array([3.0, 1.0, 9.0, 1.0])
    this, following = (np.linalg.inv(pose) @ point for pose in poses[2:4])
    np.testing.assert_allclose(motions_of(poses)[2] @ this, following, atol=1e-12)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_scale_does_not_count_but_direction_does(convention: SnippetConvention) -> None:
    true = np.stack([turned(0.02, (0.0, 0.0, -1.0))] * 8)
    scaled = true.copy()
    scaled[:, :3, 3] *= 0.03
    errors = snippet_errors(true, scaled, convention=convention)
    assert errors.shape == (5,)
    np.testing.assert_allclose(errors, 0.0, atol=1e-12)
    # Sideways in place of forward: no scale helps, the truth's own length is left.
    sideways = np.stack([turned(0.0, (1.0, 0.0, 0.0))] * 4)
    forward = np.stack([turned(0.0, (0.0, 0.0, -2.0))] * 4)
    (error,) = snippet_errors(forward, sideways, convention=convention)
    # positions 0, 2, 4, 6, 8 m: sqrt(4 + 16 + 36 + 64) / 5
    np.testing.assert_allclose(error, np.sqrt(120.0) / 5)


def test_a_prediction_that_never_moves_has_the_length_of_the_way_as_its_error() -> None:
    forward = np.stack([turned(0.0, (0.0, 0.0, -2.0))] * 4)
    still = np.stack([np.eye(4)] * 4)
    (error,) = snippet_errors(forward, still, convention="sfmlearner")
    np.testing.assert_allclose(error, np.sqrt(120.0) / 5)
    assert least_squares_scale(np.ones((2, 3)), np.zeros((2, 3))) == 0.0


def test_too_few_frames_are_no_snippet() -> None:
    three = np.stack([np.eye(4)] * 3)
    assert not len(snippet_errors(three, three, convention="sfmlearner"))
    with pytest.raises(ValueError, match="3 true motions but 2"):
        snippet_errors(three, three[:2], convention="sfmlearner")
