"""A step learns, and refuses what would poison the weights, for both kinds of Keras."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from fakes.recipes import tiny_recipe

from export.fine_tune.loop import Adam as FineTuneAdam
from mtdepth.recipes.base import overridden
from mtdepth.training.step import TrainingStep, adam

BATCH = {
    "x": np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32),
    "poison": np.zeros((), np.float32),
}


def network_of(kind: Any) -> Any:
    x = kind.Input((3,))
    normed = kind.layers.BatchNormalization(momentum=0.5)(kind.layers.Dense(2)(x))
    return kind.Model(x, normed)


def losses_of(network: Any) -> Any:
    def losses(batch: dict[str, Any]) -> dict[str, Any]:
        outputs = network(batch["x"], training=True)
        # The square root of nothing: a finite loss whose gradient is none.
        hidden = tf.sqrt(batch["poison"] * tf.reduce_sum(tf.square(outputs)))
        return {"total": tf.reduce_mean(tf.square(outputs - 1.0)) + hidden}

    return losses


@pytest.mark.parametrize("kind", [keras, tf_keras])
def test_a_gradient_that_is_no_number_leaves_every_variable_as_it_was(kind: Any) -> None:
    network, optimizer = network_of(kind), kind.optimizers.Adam()
    step = TrainingStep(network, losses_of(network), optimizer)
    fine = BATCH | {"poison": np.float32(1e-3)}
    assert step.take(fine, rate=0.1).is_finite
    before = [np.array(each) for each in (*network.variables, *optimizer.variables)]
    result = step.take(BATCH, rate=0.1)
    assert np.isfinite(result.losses["total"])
    assert np.isnan(result.gradient_norm)
    assert not result.is_finite
    after = [np.array(each) for each in (*network.variables, *optimizer.variables)]
    for value, wanted in zip(after, before, strict=True):
        np.testing.assert_array_equal(value, wanted)
    first = step.take(fine, rate=0.1).losses["total"]
    for _ in range(20):
        last = step.take(fine, rate=0.1).losses["total"]
    assert last < first


def test_another_back_end_of_keras_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(keras)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"Keras runs on jax \(KERAS_BACKEND\).*unset it"):
        TrainingStep(network, losses_of(network), keras.optimizers.Adam())


def adam_by_hand(
    weight: np.ndarray, gradients: list[np.ndarray], *, rate: float, decay: float
) -> np.ndarray:
    """Loshchilov and Hutter 2019, algorithm 2 with the rate as its schedule, in float64."""
    first = second = np.zeros_like(weight)
    for t, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        step = (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-7)
        weight = weight - rate * decay * weight - rate * step
    return weight


def optimizer_of(kind: Any, decay: float) -> Any:
    """The optimiser of trainings, and of fine-tunings."""
    if kind is keras:
        return adam(overridden(tiny_recipe(), [f"weight_decay={decay}"]))
    return FineTuneAdam(beta_1=0.9, beta_2=0.999)


@pytest.mark.parametrize(("kind", "decay"), [(keras, 0.0), (keras, 0.5), (tf_keras, 0.0)])
def test_kernels_decay_beside_adam_but_no_bias_and_no_scale(kind: Any, decay: float) -> None:
    network = network_of(kind)
    optimizer = optimizer_of(kind, decay)
    optimizer.build(network.trainable_variables)
    optimizer.learning_rate.assign(0.01)
    rng = np.random.default_rng(0)
    before = [rng.normal(size=weight.shape) for weight in network.trainable_variables]
    gradients = [[rng.normal(size=value.shape) for value in before] for _ in range(3)]
    for weight, value in zip(network.trainable_variables, before, strict=True):
        weight.assign(value)
    for of_step in gradients:
        optimizer.apply_gradients(
            [
                (tf.constant(gradient, tf.float32), weight)
                for gradient, weight in zip(of_step, network.trainable_variables, strict=True)
            ]
        )
    # Those of `tf_keras` have their layer's name too: "dense/kernel:0".
    names = [w.name.split("/")[-1].split(":")[0] for w in network.trainable_variables]
    assert sorted(names) == ["beta", "bias", "gamma", "kernel"]
    for number, name in enumerate(names):
        wanted = adam_by_hand(
            before[number],
            [of_step[number] for of_step in gradients],
            rate=0.01,
            decay=decay if name == "kernel" else 0.0,
        )
        found = np.asarray(network.trainable_variables[number])
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("kind", [keras, tf_keras])
def test_some_gradients_may_be_changed_and_others_not(kind: Any) -> None:
    network = network_of(kind)
    step = TrainingStep(
        network,
        losses_of(network),
        kind.optimizers.Adam(),
        change_gradients=lambda gradients: [0.0 * gradients[0], *gradients[1:]],
    )
    before = [np.array(each) for each in network.trainable_variables]
    batch = BATCH | {"poison": np.ones((), np.float32)}
    assert step.take(batch, rate=0.1).is_finite
    changed = [
        not np.allclose(now, then)
        for now, then in zip(network.trainable_variables, before, strict=True)
    ]
    assert not changed[0]
    assert any(changed[1:])
