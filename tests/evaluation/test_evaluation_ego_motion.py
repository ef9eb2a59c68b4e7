"""Tracks through shots with gaps, held against poses that the test writes."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from fakes.panned_video import pan, shot_of, write_frames
from fakes.video_workdir import build_video_workdir

from mtdepth.evaluation.ego_motion import (
    PosePredictor,
    free_stem,
    tracks_of,
    trajectories_figure,
)
from mtdepth.geometry.camera import Intrinsics
from mtdepth.losses.view_synthesis import transform
from mtdepth.metrics.odometry import CONVENTIONS
from mtdepth.models.normalisation import MININET_INPUT
from mtdepth.models.pose_net import build_pose_net
from mtdepth.pictures import read_rgb
from mtdepth.recipes.registry import find_recipe
from mtdepth.reporting import save_figure
from mtdepth.runtime.fitting import fit_image
from mtdepth.workdir import Workdir

STEP_M = 1.5


class ForwardPredictor:
    """Says that every step is forward, of half the true length."""

    def motions(self, images: Iterable[np.ndarray], *, camera: Intrinsics) -> np.ndarray:
        del camera
        motion = np.eye(4)
        motion[2, 3] = -STEP_M / 2
        return np.stack([motion] * (len(list(images)) - 1))


def sequence(root: Path, numbers: Iterable[int], *, num_poses: int) -> Path:
    folder = root / "sequences" / "09" / "image_2"
    write_frames(folder, pan(range(0, 60, 5)))
    for path in folder.iterdir():
        if int(path.stem) not in set(numbers):
            path.unlink()
    lines = [f"1 0 0 0 0 1 0 0 0 0 1 {number * STEP_M}" for number in range(num_poses)]
    (root / "poses").mkdir()
    (root / "poses" / "09.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_a_gap_ends_a_track_and_truth_begins_where_the_track_does(tmp_path: Path) -> None:
    folder = sequence(tmp_path, [0, 1, 2, 3, 4, 6, 7, 8, 10], num_poses=8)
    first, second = tracks_of(shot_of(folder), ForwardPredictor())  # type: ignore[arg-type]
    assert (first.numbers, second.numbers) == ((0, 1, 2, 3, 4), (6, 7, 8))
    np.testing.assert_allclose(first.predicted[:, 2, 3], 0.5 * STEP_M * np.arange(5))
    assert first.true_m is not None
    np.testing.assert_allclose(first.true_m[:, 2, 3], STEP_M * np.arange(5))
    for convention in CONVENTIONS:
        errors_m = first.errors_m(convention)
        assert errors_m is not None
        np.testing.assert_allclose(errors_m, 0.0, atol=1e-12)
    np.testing.assert_allclose(first.scale_to_truth, 2.0)
    # Frame 8 has no pose, and three frames make no snippet.
    assert second.true_m is None
    assert (second.errors_m("sfmlearner"), second.scale_to_truth) == (None, 1.0)


def test_tracks_of_one_name_get_files_of_their_own() -> None:
    taken: list[str] = []
    for name in ("walk/left 0", "walk/left 0", "walk/left 9", "walk/left 0"):
        taken.append(free_stem(name, taken))
    assert taken == ["walk_left_0", "walk_left_0_2", "walk_left_9", "walk_left_0_3"]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Workdir:
    return build_video_workdir(tmp_path_factory.mktemp("video") / "run")


def test_the_pose_network_sees_neighbours_in_the_order_of_time(
    workdir: Workdir, tmp_path: Path
) -> None:
    folder = write_frames(tmp_path / "frames", pan((0, 8, 20)))
    images = [read_rgb(path) for path in sorted(folder.iterdir())]
    found = PosePredictor(workdir, checkpoint="best", scale=3.0).motions(iter(images))
    network = build_pose_net(input_size=(32, 64), encoder="light")
    network.load_weights(workdir.pose_weights_path("best"))
    fed = [
        MININET_INPUT(fit_image(image, size=(32, 64), fit="stretch").astype(np.float32))
        for image in images
    ]
    assert found.shape == (2, 4, 4)
    for motion, pair in zip(found, (fed[:2], fed[1:]), strict=True):
        six = np.asarray(network(np.concatenate(pair, axis=-1)[None]))
        expected = np.asarray(transform(six[:, :3], six[:, 3:]))[0]
        np.testing.assert_allclose(motion[:3, :3], expected[:3, :3], atol=1e-6)
        np.testing.assert_allclose(motion[:3, 3], 3.0 * expected[:3, 3], rtol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 0
    assert PosePredictor(workdir, checkpoint="best").motions(images[:1]).shape == (0, 4, 4)


def test_a_longer_focal_length_lengthens_ways_ahead_as_it_does_depth(
    workdir: Workdir, tmp_path: Path
) -> None:
    folder = write_frames(tmp_path / "frames", pan((0, 8)))
    images = [read_rgb(path) for path in sorted(folder.iterdir())]
    usual = workdir.training_camera().resized(width_px=160, height_px=80)
    longer = dataclasses.replace(usual, fx_px=2 * usual.fx_px, fy_px=2 * usual.fy_px)
    predictor = PosePredictor(workdir, checkpoint="best")
    (plain,) = predictor.motions(images)
    (same,) = predictor.motions(images, camera=usual)
    (found,) = predictor.motions(images, camera=longer)
    np.testing.assert_allclose(same, plain, atol=1e-7)
    np.testing.assert_allclose(found[:3, 3], plain[:3, 3] * [1, 1, 2], rtol=1e-5)
    # Small turns: half of the pan and tilt, all of the roll.
    np.testing.assert_allclose(found[0, 2], plain[0, 2] / 2, rtol=1e-2, atol=1e-6)
    np.testing.assert_allclose(found[1, 2], plain[1, 2] / 2, rtol=1e-2, atol=1e-6)
    np.testing.assert_allclose(found[0, 1], plain[0, 1], rtol=1e-2, atol=1e-6)


def test_a_run_without_a_pose_network_is_refused(workdir: Workdir, tmp_path: Path) -> None:
    student = Workdir(tmp_path / "student")
    student.begin(find_recipe("demo"), {})
    with pytest.raises(ValueError, match="holds a student"):
        PosePredictor(student, checkpoint="best")
    moved = workdir.pose_weights_path("last")
    content = moved.read_bytes()
    moved.unlink()
    with pytest.raises(FileNotFoundError, match=r"last\.pose\.weights\.h5 is not there yet"):
        PosePredictor(workdir, checkpoint="last")
    moved.write_bytes(content)


def test_trajectories_become_a_picture(tmp_path: Path) -> None:
    folder = sequence(tmp_path, range(6), num_poses=6)
    tracks = list(tracks_of(shot_of(folder), ForwardPredictor()))  # type: ignore[arg-type]
    save_figure(tmp_path / "seen.png", trajectories_figure(tracks))
    image = read_rgb(tmp_path / "seen.png")
    assert min(image.shape[:2]) > 300
    assert image.std() > 5
