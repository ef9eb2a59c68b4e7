"""The two teachers' own part of a training: their losses fall, their files serve the teachers."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from fakes.interrupting import during_step
from fakes.labelled_sets import build_demo_set, pair_and_truth

from mtdepth.recipes.base import Augmentation, overridden
from mtdepth.training.loop import TrainingLoop
from mtdepth.training.step import TrainingStep, adam
from mtdepth.workdir import Workdir
from teachers.deeplab_v3.teacher import DeepLabTeacher
from teachers.interface import StereoSample
from teachers.psmnet.checkpoint import read_checkpoint
from teachers.psmnet.teacher import PsmnetTeacher
from teachers.training.class_task import ClassTask
from teachers.training.examples import PairExample
from teachers.training.labelled_sets import LabelledSet, open_classes, open_pairs
from teachers.training.pair_task import PairTask
from teachers.training.recipes import DeepLabRecipe, PsmnetRecipe, TeacherRecipe
from teachers.training.run import TeacherTask, teacher_run

PLAIN = Augmentation(flip_probability=0.0)
CLASSES = DeepLabRecipe(
    name="tiny",
    backbone="mobilenet_v3_small",
    crop_px=(32, 32),
    batch_size=2,
    num_epochs=2,
    steps_per_epoch=2,
    learning_rate=3e-3,
    statistics_batches=2,
    augmentation=PLAIN,
)
PAIRS = PsmnetRecipe(
    name="tiny",
    crop_px=(32, 32),
    batch_size=1,
    max_disparity_px=16,
    num_epochs=2,
    steps_per_epoch=2,
    learning_rate=1e-3,
    statistics_batches=1,
    augmentation=PLAIN,
)


@pytest.fixture
def _eagerly() -> Iterator[None]:
    """Compiling PSMNet's step takes longer than some steps without."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_demo_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def class_task() -> ClassTask:
    keras.utils.set_random_seed(0)
    return ClassTask(CLASSES)


@pytest.fixture(scope="module")
def pair_task() -> PairTask:
    keras.utils.set_random_seed(0)
    return PairTask(PAIRS)


def losses_on_one_batch(
    task: TeacherTask, recipe: TeacherRecipe, labels: LabelledSet, *, num_steps: int
) -> list[float]:
    step = TrainingStep(task.graph, task.losses, adam(recipe), clip_norm=0.0)
    examples = [task.example(files, np.random.default_rng(0)) for files in labels.train]
    examples = examples[: recipe.batch_size]
    batch = {key: np.stack([example[key] for example in examples]) for key in examples[0]}
    return [step.take(batch, rate=recipe.learning_rate).losses["total"] for _ in range(num_steps)]


@pytest.mark.usefixtures("_eagerly")
def test_deeplab_learns_one_batch(class_task: ClassTask, root: Path) -> None:
    labels = open_classes("demo_world", root)
    losses = losses_on_one_batch(class_task, CLASSES, labels, num_steps=4)
    # From about ln 19 = 2.9; sky and road of one batch are told apart in a few steps.
    assert losses[0] > 1.5
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.slow
@pytest.mark.usefixtures("_eagerly")
def test_psmnet_learns_one_batch(pair_task: PairTask, root: Path) -> None:
    labels = open_pairs("demo_world", root)
    statistics = pair_task.graph.get_layer("dres0_0_1").moving_mean
    before = np.array(statistics)
    losses = losses_on_one_batch(pair_task, PAIRS, labels, num_steps=3)
    assert losses[-1] < 0.7 * losses[0]
    assert np.abs(np.array(statistics) - before).max() > 0


@pytest.mark.slow
def test_a_saved_deeplab_answers_like_the_trained_one(
    class_task: ClassTask, tmp_path: Path
) -> None:
    path = tmp_path / "best.keras"
    class_task.save(path, origin="a test")
    # 48 x 80 is no multiple of 32: both pad.
    image = pair_and_truth(3)[0]
    expected = class_task._predict(image)
    sample = StereoSample(frame=None, image=image, partner=None, focal_px=1.0, baseline_m=1.0)
    np.testing.assert_array_equal(DeepLabTeacher(path).predict(sample), expected)


@pytest.mark.slow
def test_a_saved_psmnet_answers_like_the_trained_one(pair_task: PairTask, tmp_path: Path) -> None:
    path = tmp_path / "best.npz"
    pair_task.save(path, origin="a test")
    checkpoint = read_checkpoint(path)
    assert checkpoint.max_disparity_px == 16
    assert checkpoint.align_corners is False
    assert checkpoint.origin == "a test"
    left, right, disparity_px, _ = pair_and_truth(3, size=(40, 56))
    expected = pair_task._predict(PairExample(left, right, disparity_px))
    assert expected.shape == (40, 56)
    found = PsmnetTeacher(path).disparity_px(left, right)
    # The teacher folds the batch normalisations, which rounds otherwise.
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_saved_psmnet_starts_the_next_training(pair_task: PairTask, tmp_path: Path) -> None:
    path = tmp_path / "best.npz"
    pair_task.save(path, origin="a test")
    start = f"start_from={path}"
    again = PairTask(overridden(PAIRS, [start, "max_disparity_px=32"]))
    for found, wanted in zip(again.graph.get_weights(), pair_task.graph.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)
    with pytest.raises(ValueError, match="give --override align_corners=false"):
        PairTask(overridden(PAIRS, [start, "align_corners=true"]))
    with pytest.raises(ValueError, match=r"convert it first: .*teachers\.psmnet\.convert"):
        PairTask(overridden(PAIRS, ["start_from=authors.tar"]))


def test_the_floor_of_disparity_is_the_median_of_training(pair_task: PairTask, root: Path) -> None:
    labels = open_pairs("demo_world", root)
    baseline = pair_task.baseline(labels.train, labels.val)
    # Half of the pixels are 4 px, half 9: the median of the even count is their mean, 2.5 from
    # either, which is within 3 px.
    assert baseline == {"val_epe_px": 2.5, "val_d1": 0.0}


@pytest.mark.slow
def test_a_stopped_training_of_psmnet_ends_as_it_would_have(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # DeepLab's like is test_teachers_train.py's, a process each: keras-cv numbers its layers
    # through a process, and the order of a gradient's sum follows those names.
    def begin(name: str) -> TrainingLoop:
        labels = open_pairs("demo_world", root)
        return teacher_run(Workdir(tmp_path / name), PAIRS, labels, lambda: PairTask(PAIRS))

    whole = begin("whole")
    assert whole.run()
    stopped = begin("stopped")
    during_step(monkeypatch, stopped.step, number=3, act=stopped.ask_to_stop)
    assert stopped.run() is False
    again = begin("stopped")
    assert stopped.state.progress.step == 3
    assert again.run()
    for found, wanted in zip(
        again.state.network.get_weights(), whole.state.network.get_weights(), strict=True
    ):
        # The same numbers in the same order; threads may add in another one.
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
