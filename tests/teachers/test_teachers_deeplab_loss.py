"""The training loss of DeepLab."""

import math

import keras
import numpy as np
import pytest

from teachers.deeplab_v3.loss import cross_entropy


def test_by_hand_over_the_counted_pixels() -> None:
    # Two classes, logits (0, ln 3): probabilities 1/4 and 3/4. The third pixel is ignored.
    logits = np.tile(np.array([0.0, math.log(3)], np.float32), (1, 1, 3, 1))
    train_id = np.array([[[0, 1, 255]]], np.uint8)
    expected = (math.log(4) + math.log(4 / 3)) / 2
    assert float(cross_entropy(train_id, logits)) == pytest.approx(expected, rel=1e-6)


def test_ignored_pixels_change_nothing() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 4, 6, 19)).astype(np.float32)
    train_id = rng.integers(0, 19, (2, 4, 6)).astype(np.uint8)
    train_id[0] = 255
    other = logits.copy()
    other[0] = 1e4
    assert float(cross_entropy(train_id, logits)) == float(cross_entropy(train_id, other))


def test_nothing_to_count_is_no_loss() -> None:
    logits = np.ones((1, 2, 2, 19), np.float32)
    assert float(cross_entropy(np.full((1, 2, 2), 255, np.uint8), logits)) == 0


def test_the_gradient_is_finite_and_zero_where_ignored() -> None:
    import tensorflow as tf

    logits = tf.Variable(np.random.default_rng(0).normal(size=(1, 2, 2, 19)).astype(np.float32))
    train_id = np.array([[[3, 255], [18, 255]]], np.uint8)
    with tf.GradientTape() as tape:
        loss = cross_entropy(train_id, logits)
    gradient = keras.ops.convert_to_numpy(tape.gradient(loss, logits))
    assert np.isfinite(gradient).all()
    assert (gradient[0, :, 1] == 0).all()
    assert (np.abs(gradient[0, :, 0]).sum(-1) > 0).all()
