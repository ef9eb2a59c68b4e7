"""The fused batch normalisation against Keras's own."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mtdepth.models.layers import BatchNormalization

RNG = np.random.default_rng(0)
FEATURES = (RNG.normal(size=(2, 5, 7, 4)) * [1, 3, 0.1, 10] + [0, 5, -1, 2]).astype(np.float32)


def built(kind: Any) -> Any:
    layer = kind(epsilon=1e-3, momentum=0.9)
    layer.build(FEATURES.shape)
    layer.set_weights([np.array(v, np.float32) for v in ([1, 2, 0.5, -1], [0, 1, 2, 3])] * 2)
    layer.moving_variance.assign([1.0, 2.0, 3.0, 4.0])
    return layer


def gradients(layer: Any) -> tuple[Any, list[Any]]:
    features = tf.constant(FEATURES)
    weight = tf.constant(RNG.normal(size=FEATURES.shape).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(features)
        outputs = layer(features, training=True)
        loss = tf.reduce_sum(outputs * tf.sin(outputs) + 0 * weight)
    return outputs, tape.gradient(loss, [features, layer.gamma, layer.beta])


def test_training_is_that_of_keras() -> None:
    ours, theirs = built(BatchNormalization), built(keras.layers.BatchNormalization)
    (found, found_gradients), (expected, expected_gradients) = gradients(ours), gradients(theirs)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for ours_one, theirs_one in zip(found_gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(ours_one, theirs_one, atol=2e-4)
    # The stored statistics too: with the biased variance.
    for ours_one, theirs_one in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(ours_one, theirs_one, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        ours.moving_variance, 0.9 * np.arange(1, 5) + 0.1 * FEATURES.var(axis=(0, 1, 2)), rtol=1e-5
    )


def test_inference_and_frozen_layers_are_those_of_keras() -> None:
    ours, theirs = built(BatchNormalization), built(keras.layers.BatchNormalization)
    np.testing.assert_array_equal(ours(FEATURES), theirs(FEATURES))
    ours.trainable = theirs.trainable = False
    before = ours.get_weights()
    np.testing.assert_array_equal(ours(FEATURES, training=True), theirs(FEATURES, training=True))
    np.testing.assert_array_equal(ours.get_weights(), before)


def test_the_fused_operation_is_what_trains() -> None:
    layer = built(BatchNormalization)
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(FEATURES).graph
    assert "FusedBatchNormV3" in {operation.type for operation in graph.get_operations()}
