"""A teacher's run with a tiny network: learns, goes on where it stopped, refuses poison."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from fakes.interrupting import during_step
from fakes.labelled_sets import build_demo_set

from mtdepth.data import loader
from mtdepth.recipes.base import Augmentation, overridden
from mtdepth.training.loop import TrainingLoop
from mtdepth.training.step import NonFiniteLossError
from mtdepth.workdir import Workdir
from teachers.deeplab_v3 import network as network_module
from teachers.deeplab_v3.network import load_deeplab
from teachers.training import class_task
from teachers.training.class_task import IMAGE, ClassTask
from teachers.training.labelled_sets import ClassFiles, open_classes
from teachers.training.recipes import DeepLabRecipe
from teachers.training.run import teacher_run

RECIPE = DeepLabRecipe(
    name="tiny",
    crop_px=(32, 32),
    batch_size=2,
    num_epochs=2,
    steps_per_epoch=4,
    learning_rate=0.02,
    statistics_batches=2,
    augmentation=Augmentation(flip_probability=0.5, brightness=0.1),
)


def tiny_network(**_: object) -> keras.Model:
    layers = keras.layers
    inner_input = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(inner_input)
    x = layers.BatchNormalization(momentum=0.999)(x)
    inner = keras.Model(inner_input, layers.ReLU()(x), name="inner")
    image = keras.Input((None, None, 3), name="image")
    return keras.Model(image, layers.Conv2D(19, 1)(inner(image)))


@pytest.fixture(scope="module", autouse=True)
def _tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (class_task, network_module):
            patch.setattr(module, "build_deeplab", tiny_network)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_demo_set(tmp_path_factory.mktemp("set"))


def begin(path: Path, root: Path, recipe: DeepLabRecipe = RECIPE) -> TrainingLoop:
    labels = open_classes("demo_world", root)
    return teacher_run(Workdir(path), recipe, labels, lambda: ClassTask(recipe))


def weights_of(path: Path, checkpoint: str) -> list[np.ndarray]:
    return load_deeplab(path / f"{checkpoint}.keras")[0].get_weights()


def history_of(path: Path) -> list[dict]:
    lines = (path / "history.jsonl").read_text().splitlines()
    # How long the data was waited for differs.
    return [{k: v for k, v in json.loads(line).items() if k != "data_wait_s"} for line in lines]


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("finished") / "run"
    assert begin(path, root).run()
    return path


def test_a_run_learns_and_leaves_its_record(finished: Path) -> None:
    history = history_of(finished)
    assert [entry["step"] for entry in history] == [4, 8]
    assert history[1]["train_loss"] < history[0]["train_loss"]
    run = json.loads((finished / "run.json").read_text())
    # Road fills half of every picture: always saying it is right on one half, IoU 1/2 and 0.
    assert run["baseline"]["val_pixel_accuracy"] == pytest.approx(0.5)
    assert run["baseline"]["val_mean_iou"] == pytest.approx(0.25)
    assert (run["num_frames"], run["num_val_frames"]) == (4, 2)
    checkpoints = json.loads((finished / "checkpoints.json").read_text())
    best = max(entry["val_mean_iou"] for entry in history)
    assert checkpoints["best"]["val_mean_iou"] == pytest.approx(best)
    _, info = load_deeplab(finished / "best.keras")
    assert "recipe tiny, from scratch" in info.origin
    assert re.search(r"on 4 frames of demo_world; [48] steps, val_mean_iou", info.origin)


def assert_same(path: Path, expected: Path) -> None:
    for checkpoint in ("last", "best"):
        pairs = zip(weights_of(path, checkpoint), weights_of(expected, checkpoint), strict=True)
        for found, wanted in pairs:
            np.testing.assert_array_equal(found, wanted)
    assert history_of(path) == history_of(expected)


class KilledError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("killed_at", [2, 6])
def test_a_killed_run_ends_as_it_would_have(
    killed_at: int, finished: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(tmp_path / "run", root)

    def kill() -> None:
        raise KilledError

    during_step(monkeypatch, run.step, number=killed_at, act=kill)
    with pytest.raises(KilledError):
        run.run()
    assert begin(tmp_path / "run", root).run()
    assert_same(tmp_path / "run", finished)


def test_a_run_that_is_asked_to_stop_saves_and_goes_on(
    finished: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(tmp_path / "run", root)
    during_step(monkeypatch, run.step, number=1, act=run.ask_to_stop)
    assert run.run() is False
    assert begin(tmp_path / "run", root).run()
    assert_same(tmp_path / "run", finished)


def test_a_run_killed_while_an_epoch_ends_ends_it_again(
    finished: Path, root: Path, tmp_path: Path
) -> None:
    run = begin(tmp_path / "run", root)

    def killed(*_: object) -> dict[str, float]:
        raise KilledError

    run.judge = killed
    with pytest.raises(KilledError):
        run.run()
    assert begin(tmp_path / "run", root).run()
    assert_same(tmp_path / "run", finished)


def test_a_finished_run_is_left_alone(finished: Path, root: Path) -> None:
    before = (finished / "resume.npz").stat().st_mtime_ns
    assert begin(finished, root).run()
    assert (finished / "resume.npz").stat().st_mtime_ns == before


def test_a_trained_file_starts_the_next_training(
    finished: Path, root: Path, tmp_path: Path
) -> None:
    start = f"start_from={finished / 'best.keras'}"
    task = ClassTask(overridden(RECIPE, [start]))
    for found, wanted in zip(task.graph.get_weights(), weights_of(finished, "best"), strict=True):
        np.testing.assert_array_equal(found, wanted)
    with pytest.raises(ValueError, match=r"holds v3plus on resnet18 .*--override backbone"):
        ClassTask(overridden(RECIPE, [start, "backbone=resnet50"]))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        begin(tmp_path / "run", root, overridden(RECIPE, ["start_from=nowhere.keras"]))
    assert not (tmp_path / "run").exists()


def test_another_recipe_or_other_labels_are_refused(
    finished: Path, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"learning_rate: there 0\.02, now 0\.1"):
        begin(finished, root, overridden(RECIPE, ["learning_rate=0.1"]))
    other = shutil.copytree(root, tmp_path / "other")
    split = other / "splits/train.txt"
    split.write_text("".join(split.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(ValueError, match="other labels"):
        begin(finished, other)


def test_pictures_smaller_than_the_crop_leave_no_run_behind(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"drive_91.*smaller than the crop 64x64"):
        begin(tmp_path / "run", root, overridden(RECIPE, ["crop_px=[64,64]"]))
    assert not (tmp_path / "run").exists()


def test_a_set_that_holds_nothing_out_is_judged_by_its_training_loss(
    root: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(root, tmp_path / "other")
    (other / "splits/val.txt").write_text("")
    assert begin(tmp_path / "run", other, overridden(RECIPE, ["num_epochs=1"])).run()
    checkpoints = json.loads((tmp_path / "run" / "checkpoints.json").read_text())
    assert checkpoints["score"] == "train_loss"


def test_a_nan_names_its_frames_and_keeps_the_state_before_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = ClassTask.example
    names = []

    def poisoned(task: ClassTask, files: ClassFiles, rng: np.random.Generator) -> dict:
        found = example(task, files, rng)
        names.append(files.name)
        if len(names) == 5:  # the first is read once before; so in the second batch of two
            found[IMAGE][:] = np.nan
        return found

    monkeypatch.setattr(ClassTask, "example", poisoned)
    monkeypatch.setattr(loader, "num_processors", lambda: 1)
    run = begin(tmp_path / "run", root)
    with pytest.raises(NonFiniteLossError, match=r"step 1: total is not finite.*drive_91"):
        run.run()
    again = begin(tmp_path / "run", root)
    again.state.restore()
    assert again.state.progress.step == 1
    assert all(np.isfinite(value).all() for value in again.state.network.get_weights())


def test_a_damaged_frame_ends_the_run_by_name(root: Path, tmp_path: Path) -> None:
    other = shutil.copytree(root, tmp_path / "other")
    path = sorted((other / "truth/train_id").rglob("*.png"))[1]
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(Exception, match=path.name):
        begin(tmp_path / "run", other).run()
