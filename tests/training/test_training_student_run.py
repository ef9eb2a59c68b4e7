"""A run: learns, goes on where it stopped, refuses what would poison it."""

import errno
import importlib.metadata
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from fakes.interrupting import during_step
from fakes.label_store import build_label_store
from fakes.recipes import tiny_recipe

from mtdepth.data import supervised as data_supervised
from mtdepth.data.loader import item_rng
from mtdepth.datasets.label_store import LabelStore, depth_path, write_depth_png
from mtdepth.files import DataError, UserError
from mtdepth.recipes.base import TrainRecipe, overridden
from mtdepth.trained import load_training_graph
from mtdepth.training import student_objective
from mtdepth.training.journal import Journal
from mtdepth.training.step import NonFiniteLossError
from mtdepth.training.student_run import student_run
from mtdepth.versions import package_versions
from mtdepth.workdir import Workdir

RECIPE = tiny_recipe()
pytestmark = pytest.mark.usefixtures("tiny_students")


@pytest.fixture
def store(tree: Path, tmp_path: Path) -> LabelStore:
    return build_label_store(tmp_path / "labels", tree)


def train(path: Path, store: LabelStore, recipe: TrainRecipe = RECIPE) -> Workdir:
    workdir = Workdir(path)
    student_run(workdir, recipe, store, val_store=store).run()
    return workdir


@pytest.fixture(scope="module")
def finished(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Workdir:
    root = tmp_path_factory.mktemp("finished")
    return train(root / "run", build_label_store(root / "labels", tree))


def stored_weights(workdir: Workdir, checkpoint: str = "last") -> list[np.ndarray]:
    return load_training_graph(workdir, checkpoint).get_weights()


def tensorboard_tags(workdir: Workdir) -> set[str]:
    return {
        value.tag
        for path in workdir.logs_path.glob("events*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }


def test_without_held_out_labels_the_training_loss_chooses_and_training_frames_are_shown(
    store: LabelStore, tmp_path: Path
) -> None:
    workdir = Workdir(tmp_path / "run")
    assert student_run(workdir, RECIPE, store).run()
    checkpoints = json.loads(workdir.checkpoints_path.read_text())
    assert checkpoints["score"] == "train_loss"
    assert checkpoints["best"]["train_loss"] == min(
        entry["train_loss"] for entry in history_of(workdir)
    )
    assert any("training: image" in tag for tag in tensorboard_tags(workdir))


def test_a_run_leaves_everything_that_a_workdir_promises(finished: Workdir) -> None:
    workdir = finished
    assert workdir.recipe() == RECIPE
    assert workdir.training_camera().width_px == 96
    history = [json.loads(line) for line in workdir.history_path.read_text().splitlines()]
    assert [entry["step"] for entry in history] == [3, 6]
    assert {"train_loss", "val_loss", "val_abs_rel", "val_pixel_accuracy"} <= set(history[0])
    best = json.loads(workdir.checkpoints_path.read_text())["best"]
    assert best["val_abs_rel"] == min(entry["val_abs_rel"] for entry in history)
    assert np.load(workdir.training_mean_path)["mean_depth_m"].shape == (64, 96)
    tags = tensorboard_tags(workdir)
    assert any("held-out" in tag for tag in tags)
    assert "epoch/val_abs_rel" in tags


def assert_same_weights(workdir: Workdir, expected: Workdir) -> None:
    for checkpoint in ("last", "best"):
        pairs = zip(
            stored_weights(workdir, checkpoint), stored_weights(expected, checkpoint), strict=True
        )
        for found, wanted in pairs:
            # The same numbers in the same order; threads may add in another one.
            np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)


def history_of(workdir: Workdir) -> list[dict]:
    return [json.loads(line) for line in workdir.history_path.read_text().splitlines()]


def test_a_stopped_run_ends_as_it_would_have(
    finished: Workdir, store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workdir = Workdir(tmp_path / "stopped")
    run = student_run(workdir, RECIPE, store, val_store=store)
    taken = during_step(monkeypatch, run.step, number=4, act=run.ask_to_stop)
    assert run.run() is False
    assert len(taken) == 4
    train(workdir.path, store)
    assert_same_weights(workdir, finished)
    losses = [entry["train_loss"] for entry in history_of(workdir)]
    wanted = [entry["train_loss"] for entry in history_of(finished)]
    # The second epoch's loss counts its step before the stop too.
    np.testing.assert_allclose(losses, wanted, rtol=1e-4)


class KilledError(Exception):
    """Stands for a kill."""


def test_a_run_killed_while_its_last_epoch_ends_is_not_taken_for_finished(
    finished: Workdir, store: LabelStore, tmp_path: Path
) -> None:
    workdir = Workdir(tmp_path / "killed")
    run = student_run(workdir, RECIPE, store, val_store=store)
    assert run.statistics
    estimate, num_estimates = run.statistics.estimate, 0

    def killed_the_second_time(batches: Iterable[object]) -> None:
        nonlocal num_estimates
        num_estimates += 1
        if num_estimates == 2:
            raise KilledError
        estimate(batches)

    with (
        mock.patch.object(run.statistics, "estimate", killed_the_second_time),
        pytest.raises(KilledError),
    ):
        run.run()
    train(workdir.path, store)
    assert [entry["step"] for entry in history_of(workdir)] == [3, 6]
    assert_same_weights(workdir, finished)


def test_another_recipe_in_the_same_workdir_is_refused(
    finished: Workdir, store: LabelStore
) -> None:
    other = overridden(RECIPE, ["learning_rate=0.001"])
    with pytest.raises(ValueError, match=r"learning_rate: there 0\.004, now 0\.001"):
        student_run(finished, other, store, val_store=store)


def test_other_labels_in_the_same_workdir_are_refused(finished: Workdir, store: LabelStore) -> None:
    with pytest.raises(ValueError, match="other val_labels"):
        student_run(finished, RECIPE, store)
    path = depth_path(store.root, store.frames[0])
    write_depth_png(path, np.full_like(store.read_depth(store.frames[0]), 3.0))
    with pytest.raises(ValueError, match="other labels"):
        student_run(finished, RECIPE, store, val_store=store)


def test_a_wrong_weight_file_leaves_no_run_behind(store: LabelStore, tmp_path: Path) -> None:
    workdir = Workdir(tmp_path / "run")
    wrong = overridden(RECIPE, [f"encoder_weights={tmp_path / 'nowhere.h5'}"])
    with pytest.raises(FileNotFoundError, match=r"nowhere\.h5"):
        student_run(workdir, wrong, store)
    assert not workdir.exists()


def test_held_out_labels_whose_pictures_are_gone_are_found_out_at_the_start(
    store: LabelStore, tmp_path: Path
) -> None:
    tree = shutil.copytree(store.kitti_root, tmp_path / "tree")
    moved = build_label_store(tmp_path / "moved", tree)
    shutil.rmtree(next(tree.glob("*/*/image_02")))
    with pytest.raises(FileNotFoundError):
        student_run(Workdir(tmp_path / "run"), RECIPE, store, val_store=moved)


def test_a_bare_server_without_opencv_python_can_train(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def without_opencv_python(package: str) -> str:
        if package == "opencv-python":
            raise importlib.metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(importlib.metadata, "version", without_opencv_python)
    assert "opencv-python" not in package_versions()


def test_segmentation_without_class_labels_is_refused_with_the_way_out(
    tree: Path, tmp_path: Path
) -> None:
    store = build_label_store(tmp_path / "labels", tree, with_train_ids=False)
    with pytest.raises(ValueError, match=r"student\.tasks"):
        student_run(Workdir(tmp_path / "run"), RECIPE, store)
    student_run(Workdir(tmp_path / "run"), overridden(RECIPE, ['student.tasks=["depth"]']), store)


def test_a_nan_loss_names_its_frames_and_keeps_the_weights_before_it(
    store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = data_supervised.training_example

    third = item_rng(3, seed=RECIPE.seed).bit_generator.state

    def marked(*args: object, rng: np.random.Generator, **kwargs: object) -> object:
        is_third = rng.bit_generator.state == third
        found = example(*args, rng=rng, **kwargs)
        if is_third:  # in the second batch of two
            found.depth_m[:] = 9999.0
        return found

    total_loss = student_objective.total_loss

    def poisoned(outputs: dict, depth_m: tf.Tensor, *args: object, **kwargs: object) -> object:
        total, parts = total_loss(outputs, depth_m, *args, **kwargs)
        poison = tf.where(tf.reduce_max(depth_m) > 9000, np.nan, 0.0)
        return total + poison, parts | {"depth_1": parts["depth_1"] + poison}

    monkeypatch.setattr(data_supervised, "training_example", marked)
    monkeypatch.setattr(student_objective, "total_loss", poisoned)
    workdir = Workdir(tmp_path / "run")
    run = student_run(workdir, RECIPE, store)
    good: list[np.ndarray] = []
    take = run.step.take

    def remember(*args: object, **kwargs: object) -> object:
        good[:] = run.state.network.get_weights()
        return take(*args, **kwargs)

    monkeypatch.setattr(run.step, "take", remember)
    with pytest.raises(NonFiniteLossError, match=r"step 1: .*depth.*drive_\d+_sync"):
        run.run()
    kept = stored_weights(workdir)
    assert all(np.isfinite(value).all() for value in kept)
    trainable = [weight.name for weight in run.state.network.weights if weight.trainable]
    assert trainable
    for weight, before, after in zip(run.state.network.weights, good, kept, strict=True):
        if weight.trainable:
            np.testing.assert_array_equal(after, before)


def test_a_damaged_state_is_named(finished: Workdir, store: LabelStore, tmp_path: Path) -> None:
    workdir = Workdir(shutil.copytree(finished.path, tmp_path / "run"))
    workdir.resume_path.write_bytes(workdir.resume_path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"resume\.npz"):
        student_run(workdir, RECIPE, store, val_store=store).run()


def test_a_finished_run_is_left_alone_and_trained_in_by_one_process_at_a_time(
    finished: Workdir, store: LabelStore
) -> None:
    before = finished.resume_path.stat().st_mtime_ns
    run = student_run(finished, RECIPE, store, val_store=store)
    with finished.locked(), pytest.raises(UserError, match="another process trains there"):
        run.run()
    assert run.run()
    assert finished.resume_path.stat().st_mtime_ns == before


def test_a_disk_without_room_is_refused_before_the_first_step(
    store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = student_run(Workdir(tmp_path / "run"), RECIPE, store)
    left = tmp_path / "run" / ".last-0123abcd.weights.h5"
    left.write_text("of a killed run")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: mock.Mock(free=1000))
    with pytest.raises(UserError, match=r"0\.0 MB free, this run needs .* MB; make room"):
        run.run()
    assert not left.exists()
    assert not run.state.progress.step


@pytest.mark.slow
def test_a_score_that_is_no_number_is_never_the_best(store: LabelStore, tmp_path: Path) -> None:
    workdir = Workdir(tmp_path / "run")
    run = student_run(workdir, RECIPE, store, val_store=store)
    scores = iter([{"val_abs_rel": float("nan")}, {"val_abs_rel": 0.5}])
    run.judge = lambda *_: next(scores)
    run.run()
    assert [entry["val_abs_rel"] for entry in history_of(workdir)] == [None, 0.5]
    assert json.loads(workdir.checkpoints_path.read_text())["best"]["step"] == 6


@pytest.mark.parametrize("line", ["{}", '{"epoch": 1, "step": "3"}', '{"epoch": true, "step": 3}'])
def test_a_history_without_its_numbers_is_refused_by_its_line(tmp_path: Path, line: str) -> None:
    workdir = Workdir(tmp_path)
    workdir.history_path.write_text(line + "\n")
    with pytest.raises(DataError, match=r"history\.jsonl: line 1 lacks its epoch or step"):
        workdir.history()


def test_logs_on_a_full_disk_are_told_like_any_other_file(tmp_path: Path) -> None:
    journal = Journal(Workdir(tmp_path), first_step=0)
    full = tf.errors.ResourceExhaustedError(None, None, "No space left on device")
    with (
        mock.patch.object(tf.summary, "scalar", side_effect=full),
        pytest.raises(OSError, match="No space left") as told,
    ):
        journal.scalars(1, {"loss": 1.0})
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(tmp_path / "logs"))
