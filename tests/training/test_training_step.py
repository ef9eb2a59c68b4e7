"""A step learns, and refuses what would poison the weights, for both kinds of Keras."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from mtdepth.training.step import TrainingStep

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
