"""The average of the weights, against the same law in numpy, and a run that keeps it."""

from pathlib import Path

import keras
import numpy as np
import pytest
from fakes.interrupting import during_step
from fakes.label_store import build_label_store
from fakes.recipes import tiny_recipe

from mtdepth.datasets.label_store import LabelStore
from mtdepth.recipes.base import overridden
from mtdepth.trained import load_training_graph
from mtdepth.training.student_run import student_run
from mtdepth.training.weight_average import WeightAverage
from mtdepth.workdir import Workdir


def expected_average(values: np.ndarray, decay: float) -> np.ndarray:
    """Weights as sums over all steps, in float64: no recursion."""
    decays = [min(decay, n / (n + 9)) for n in range(len(values))]
    shares = [(1 - d) * np.prod(decays[n + 1 :]) for n, d in enumerate(decays)]
    assert sum(shares) == pytest.approx(1)
    return np.tensordot(shares, values.astype(np.float64), 1)


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.999])
def test_the_average_is_the_weighted_sum_of_all_steps(decay: float) -> None:
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    average = WeightAverage(network, decay)
    kernel = network.trainable_variables[0]
    values = np.random.default_rng(0).normal(size=(30, 3, 2)).astype(np.float32)
    for value in values:
        kernel.assign(value)
        average.update()
    with average.in_place():
        wanted = expected_average(values, decay)
        np.testing.assert_allclose(np.asarray(kernel), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(kernel), values[-1])


def test_before_the_first_step_the_weights_stay() -> None:
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    before = network.get_weights()
    with WeightAverage(network, 0.9).in_place():
        np.testing.assert_array_equal(network.get_weights()[0], before[0])


# With everything else that a recipe can add to the paper's loss and Adam.
RECIPE = overridden(
    tiny_recipe(),
    [
        *("ema_decay=0.5", "weight_decay=0.1", "near_weight=1", "hard_share=0.5"),
        *("scale_invariant_weight=0.5", "gradient_weight=0.25", f"class_weights={[2] * 19}"),
    ],
)


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> LabelStore:
    return build_label_store(tmp_path_factory.mktemp("labels") / "labels", tree)


@pytest.mark.usefixtures("tiny_students")
def test_a_run_saves_the_average_of_its_steps_and_goes_on_with_it_after_a_stop(
    store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workdir = Workdir(tmp_path / "run")
    run = student_run(workdir, RECIPE, store, val_store=store)
    graph, seen = run.state.network, []
    take = run.step.take

    def remember(*args: object, **kwargs: object) -> object:
        result = take(*args, **kwargs)
        seen.append([np.asarray(weight).copy() for weight in graph.trainable_variables])
        return result

    monkeypatch.setattr(run.step, "take", remember)
    assert run.run()
    saved = load_training_graph(workdir, "last")
    for number, weight in enumerate(saved.trainable_variables):
        values = np.stack([step[number] for step in seen])
        np.testing.assert_allclose(
            np.asarray(weight), expected_average(values, 0.5), rtol=1e-4, atol=1e-6
        )
        # The run itself goes on from its last step.
        np.testing.assert_array_equal(graph.trainable_variables[number], values[-1])

    stopped = Workdir(tmp_path / "stopped")
    run = student_run(stopped, RECIPE, store, val_store=store)
    during_step(monkeypatch, run.step, number=4, act=run.ask_to_stop)
    assert run.run() is False
    assert student_run(stopped, RECIPE, store, val_store=store).run()
    for checkpoint in ("last", "best"):
        pairs = zip(
            load_training_graph(stopped, checkpoint).get_weights(),
            load_training_graph(workdir, checkpoint).get_weights(),
            strict=True,
        )
        for found, wanted in pairs:
            # The same numbers in the same order; threads may add in another one.
            np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
