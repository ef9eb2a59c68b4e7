"""A training from video: learns, goes on where it stopped, refuses what would poison it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from fakes.interrupting import during_step
from fakes.panned_video import CAMERA, pan, shot_of, source_of, write_frames
from fakes.video_networks import tiny_networks, tiny_video_recipe

from mtdepth.data.triplet_selection import select_triplets
from mtdepth.data.triplets import TripletSet
from mtdepth.files import DataError, UserError
from mtdepth.recipes.base import overridden
from mtdepth.recipes.video import VideoRecipe
from mtdepth.training import video_run as video_run_module
from mtdepth.training.loop import TrainingLoop
from mtdepth.training.step import NonFiniteLossError
from mtdepth.training.video_networks import VideoNetworks
from mtdepth.training.video_run import video_run
from mtdepth.workdir import Workdir

RECIPE = tiny_video_recipe()


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_run_module, "build_networks", tiny_networks)


def selected(folder: Path, *shots: object) -> TripletSet:
    return select_triplets(
        [source_of(*shots)],
        size_px=RECIPE.input_size_px,
        fit=RECIPE.fit,
        min_flow_px=0.0,
        cache_dir=folder / "cache",
    )


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> tuple[TripletSet, TripletSet]:
    folder = tmp_path_factory.mktemp("videos")
    sets = []
    for name, seed in (("learned", 0), ("held_out", 1)):
        frames = write_frames(folder / name, pan(range(0, 60, 6), seed=seed))
        sets.append(selected(folder, shot_of(frames)))
    return sets[0], sets[1]


def begun(
    path: Path, videos: tuple[TripletSet, TripletSet], recipe: VideoRecipe = RECIPE
) -> TrainingLoop:
    return video_run(Workdir(path), recipe, videos[0], val_triplets=videos[1])


@pytest.fixture(scope="module")
def finished(
    videos: tuple[TripletSet, TripletSet], tmp_path_factory: pytest.TempPathFactory
) -> Workdir:
    path = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video_run_module, "build_networks", tiny_networks)
        assert begun(path, videos).run()
    return Workdir(path)


def history_of(workdir: Workdir) -> list[dict]:
    return [json.loads(line) for line in workdir.history_path.read_text().splitlines()]


def summaries(workdir: Workdir) -> dict[str, tf.Tensor]:
    return {
        value.tag: value.tensor
        for path in workdir.logs_path.glob("events*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }


def stored(workdir: Workdir, checkpoint: str = "last") -> list[np.ndarray]:
    networks = tiny_networks(RECIPE)
    networks.depth_net.load_weights(workdir.weights_path(checkpoint))
    networks.pose_net.load_weights(workdir.pose_weights_path(checkpoint))
    return networks.get_weights()


def test_a_run_leaves_everything_that_a_workdir_promises(
    finished: Workdir, videos: tuple[TripletSet, TripletSet]
) -> None:
    assert finished.recipe() == RECIPE
    history = history_of(finished)
    assert [entry["step"] for entry in history] == [3, 6]
    assert {"train_loss", "val_loss", "val_photometric", "data_wait_s"} <= set(history[0])
    checkpoints = json.loads(finished.checkpoints_path.read_text())
    assert checkpoints["score"] == "val_photometric"
    assert checkpoints["best"]["val_photometric"] == min(e["val_photometric"] for e in history)
    run = finished.run()
    assert run["labels_digest"] == videos[0].digest
    assert run["val_labels_digest"] == videos[1].digest
    assert (run["num_frames"], run["scale_source"], run["kitti_root"]) == (8, "none", None)
    # Pictures of 160 columns at 64: their centres move, too.
    assert finished.training_camera().fx_px == pytest.approx(CAMERA.fx_px * 64 / 160)
    assert all(np.isfinite(value).all() for value in stored(finished, "best"))


def test_tensorboard_shows_the_curves_and_a_sheet_of_pictures(finished: Workdir) -> None:
    found = summaries(finished)
    assert "epoch/val_photometric" in found
    (sheet,) = (tensor for tag, tensor in found.items() if tag.startswith("held-out"))
    width, height = (int(text) for text in sheet.string_val[:2])
    assert (width, height) == (5 * 64, 2 * 32)  # five panels; a batch holds two triplets


@pytest.mark.slow
def test_it_learns(videos: tuple[TripletSet, TripletSet], tmp_path: Path) -> None:
    recipe = overridden(RECIPE, ["num_epochs=3", "steps_per_epoch=20", "learning_rate=0.01"])
    workdir = Workdir(tmp_path / "run")
    video_run(workdir, recipe, videos[0]).run()
    losses = [entry["train_loss"] for entry in history_of(workdir)]
    assert losses[-1] < 0.8 * losses[0]
    assert json.loads(workdir.checkpoints_path.read_text())["score"] == "train_loss"
    found = summaries(workdir)
    assert {"train/total", "train/photometric_F", "train/gradient_norm"} <= set(found)
    assert {"train/log_depth_std", "train/rotation_rad"} <= set(found)


def test_a_stopped_run_ends_as_it_would_have(
    finished: Workdir,
    videos: tuple[TripletSet, TripletSet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "stopped"
    run = begun(path, videos)
    taken = during_step(monkeypatch, run.step, number=4, act=run.ask_to_stop)
    assert run.run() is False
    assert len(taken) == 4
    assert begun(path, videos).run()
    for checkpoint in ("last", "best"):
        pairs = zip(stored(Workdir(path), checkpoint), stored(finished, checkpoint), strict=True)
        for found, wanted in pairs:
            # The same numbers in the same order; threads may add in another one.
            np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
    assert [entry["step"] for entry in history_of(Workdir(path))] == [3, 6]


def test_a_loss_that_is_no_number_names_its_frames_and_keeps_the_weights_before_it(
    videos: tuple[TripletSet, TripletSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tmp_path / "run", videos)
    take, good = run.step.take, []

    def poisoned_the_second_time(batch: dict, *, rate: float) -> object:
        if good:
            batch = batch | {"intrinsics": np.full_like(batch["intrinsics"], np.nan)}
        good[:] = run.state.network.get_weights()
        return take(batch, rate=rate)

    monkeypatch.setattr(run.step, "take", poisoned_the_second_time)
    with pytest.raises(NonFiniteLossError, match=r"step 1: total.*learned \d.*learning_rate"):
        run.run()
    for found, wanted in zip(stored(Workdir(tmp_path / "run")), good, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_one_pass_is_an_epoch_where_the_recipe_gives_no_length(
    videos: tuple[TripletSet, TripletSet], tmp_path: Path
) -> None:
    workdir = Workdir(tmp_path / "run")
    open_ended = overridden(RECIPE, ["steps_per_epoch=0"])
    begun(workdir.path, videos, open_ended)
    assert workdir.recipe().steps_per_epoch == 4  # eight triplets, two at a time
    begun(workdir.path, videos, open_ended)  # goes on


def test_the_weights_to_start_from_are_not_needed_to_go_on(
    videos: tuple[TripletSet, TripletSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[str] = []

    def build(recipe: VideoRecipe) -> VideoNetworks:
        asked_for.append(recipe.pose_weights)
        return tiny_networks(recipe)

    monkeypatch.setattr(video_run_module, "build_networks", build)
    recipe = overridden(RECIPE, ["pose_weights=start.weights.h5", "num_epochs=1"])
    begun(tmp_path / "run", videos, recipe).state.save()
    begun(tmp_path / "run", videos, recipe)
    assert asked_for == ["start.weights.h5", "none"]


def test_another_recipe_or_video_in_the_same_workdir_is_refused(
    videos: tuple[TripletSet, TripletSet], tmp_path: Path
) -> None:
    begun(tmp_path / "run", videos)
    with pytest.raises(ValueError, match=r"auto_mask: there False, now True"):
        begun(tmp_path / "run", videos, overridden(RECIPE, ["auto_mask=true"]))
    with pytest.raises(ValueError, match="other video"):
        begun(tmp_path / "run", (videos[1], videos[1]))


@pytest.mark.parametrize(("change", "is_shared"), [(1.25, False), (1.01, True)])
def test_videos_of_unlike_cameras_have_no_training_camera(
    videos: tuple[TripletSet, TripletSet], tmp_path: Path, change: float, is_shared: bool
) -> None:
    folder = write_frames(tmp_path / "other", pan(range(0, 60, 6)))
    longer = type(CAMERA)(**CAMERA.to_dict() | {"fx_px": CAMERA.fx_px * change})
    both = selected(tmp_path, videos[0].triplets[0].shot, shot_of(folder, camera=longer))
    workdir = Workdir(tmp_path / "run")
    video_run(workdir, RECIPE, both)
    assert (workdir.run()["training_camera"] is not None) is is_shared
    assert (workdir.training_camera_or_none() is not None) is is_shared


def test_a_damaged_state_is_named(
    finished: Workdir, videos: tuple[TripletSet, TripletSet], tmp_path: Path
) -> None:
    workdir = Workdir(shutil.copytree(finished.path, tmp_path / "run"))
    workdir.resume_path.write_bytes(workdir.resume_path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"resume\.npz"):
        begun(workdir.path, videos).run()


def test_a_run_without_its_motion_gives_depth_alone(
    finished: Workdir, videos: tuple[TripletSet, TripletSet], tmp_path: Path
) -> None:
    source = Workdir(shutil.copytree(finished.path, tmp_path / "source"))
    source.pose_weights_path("best").unlink()
    recipe = overridden(RECIPE, [f"start_from={source.path}"])
    with pytest.raises(UserError, match=r"holds no motion.*depth_held_epochs=1"):
        begun(tmp_path / "run", videos, recipe)
    recipe = overridden(recipe, [f"depth_held_epochs={RECIPE.num_epochs}"])
    loop = begun(tmp_path / "run", videos, recipe)
    networks = loop.state.network
    before = {part: getattr(networks, part).get_weights() for part in ("depth_net", "pose_net")}
    expected = [each.numpy() for each in networks.depth_net.trainable_variables]
    loop.run()
    found = [each.numpy() for each in networks.depth_net.trainable_variables]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    moved = zip(networks.pose_net.get_weights(), before["pose_net"], strict=True)
    assert any(not np.array_equal(ours, theirs) for ours, theirs in moved)


def test_another_runs_networks_are_what_it_starts_from(
    finished: Workdir, videos: tuple[TripletSet, TripletSet], tmp_path: Path
) -> None:
    recipe = overridden(RECIPE, [f"start_from={finished.path}"])
    found = begun(tmp_path / "run", videos, recipe).state.network.get_weights()
    expected = stored(finished, "best")
    # Optimisers and counters aside, every weight of both networks.
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    nothing = overridden(RECIPE, [f"start_from={tmp_path / 'nowhere'}"])
    with pytest.raises(FileNotFoundError, match="nowhere is no workdir"):
        begun(tmp_path / "other", videos, nothing)
    assert not (tmp_path / "other").exists()
