"""Cross-entropy over the labelled pixels, against loops in float64."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtdepth.losses.segmentation import segmentation_loss


def _oracle(train_id: np.ndarray, scores: np.ndarray) -> float:
    terms = []
    flat = scores.reshape(-1, scores.shape[-1]).astype(np.float64)
    for label, logits in zip(train_id.ravel().tolist(), flat, strict=True):
        if label < scores.shape[-1]:
            log_sum = math.log(sum(math.exp(z - logits.max()) for z in logits)) + logits.max()
            terms.append(log_sum - logits[label])
    return sum(terms) / len(terms) if terms else 0.0


def _batch(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    train_id = rng.integers(0, 19, (2, 4, 5, 1)).astype(np.uint8)
    train_id[rng.random(train_id.shape) < 0.4] = 255
    return train_id, rng.normal(0, 3, (2, 4, 5, 19)).astype(np.float32)


def _value_and_gradient(train_id, scores) -> tuple[float, np.ndarray]:
    predicted = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = segmentation_loss(train_id, predicted)
    return float(loss), tape.gradient(loss, predicted).numpy()


def test_equal_scores_cost_the_logarithm_of_the_class_count() -> None:
    train_id = np.array([3, 255], np.uint8).reshape(1, 1, 2, 1)
    scores = np.zeros((1, 1, 2, 19), np.float32)
    assert float(segmentation_loss(train_id, scores)) == pytest.approx(math.log(19), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_equals_the_equation(dtype) -> None:
    train_id, scores = _batch(4)
    loss = segmentation_loss(train_id.astype(dtype), scores)
    assert float(loss) == pytest.approx(_oracle(train_id, scores), rel=1e-5)


def test_gradient_is_softmax_minus_truth_over_the_count() -> None:
    train_id, scores = _batch(5)
    _, gradient = _value_and_gradient(train_id, scores)
    labelled = train_id[..., 0] != 255
    softmax = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    truth = np.eye(19)[np.where(labelled, train_id[..., 0], 0)]
    expected = np.where(labelled[..., None], softmax - truth, 0) / labelled.sum()
    np.testing.assert_allclose(gradient, expected, atol=1e-6)  # float32 softmax


@pytest.mark.parametrize("wild", [1e30, float("inf"), float("nan")])
def test_ignored_pixels_have_no_influence(wild: float) -> None:
    train_id, scores = _batch()
    loss, gradient = _value_and_gradient(train_id, scores)
    changed = np.where(train_id == 255, np.float32(wild), scores)
    other_loss, other_gradient = _value_and_gradient(train_id, changed)
    assert other_loss == loss
    np.testing.assert_array_equal(other_gradient, gradient)


def test_a_batch_without_labels_is_zero_with_zero_gradient() -> None:
    train_id, scores = _batch()
    loss, gradient = _value_and_gradient(np.full_like(train_id, 255), scores)
    assert loss == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


def test_half_precision_scores_are_scored_in_float32() -> None:
    train_id, scores = _batch()
    loss = segmentation_loss(train_id, tf.cast(scores, tf.bfloat16))
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"


def test_shapes_that_would_broadcast_are_refused() -> None:
    train_id, scores = _batch()
    with pytest.raises(ValueError, match="height and width of scores"):
        segmentation_loss(train_id[:, :2], scores)


def _costs(train_id: np.ndarray, scores: np.ndarray) -> list[tuple[float, int]]:
    pixels = zip(train_id.ravel().tolist(), scores.reshape(-1, 19).astype(np.float64), strict=True)
    return [
        (math.log(np.exp(logits - logits[label]).sum()), label)
        for label, logits in pixels
        if label < 19
    ]


CLASS_WEIGHTS = tuple(np.random.default_rng(1).uniform(0.1, 50, 19).tolist())


@pytest.mark.parametrize("class_weights", [(), CLASS_WEIGHTS])
@pytest.mark.parametrize("hard_share", [1e-6, 0.25, 0.5, 1.0])
def test_the_hardest_pixels_are_counted_by_the_weight_of_their_class(
    hard_share: float, class_weights: tuple[float, ...]
) -> None:
    train_id, scores = _batch(6)
    weighed = [
        (cost * weight, weight)
        for cost, label in _costs(train_id, scores)
        for weight in [class_weights[label] if class_weights else 1.0]
    ]
    number = max(1, math.ceil(hard_share * len(weighed)))
    hardest = sorted(weighed, reverse=True)[:number]
    wanted = sum(cost for cost, _ in hardest) / sum(weight for _, weight in hardest)
    settings = {"hard_share": hard_share, "class_weights": class_weights}
    assert float(segmentation_loss(train_id, scores, **settings)) == pytest.approx(wanted, rel=1e-5)
    predicted = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = segmentation_loss(train_id, predicted, **settings)
    reached = np.abs(tape.gradient(loss, predicted).numpy()).sum(-1) > 0
    assert reached.sum() == number
    nothing = np.full_like(train_id, 255)
    assert float(segmentation_loss(nothing, scores, **settings)) == 0


def test_pixels_as_hard_as_the_last_of_the_hard_ones_count_too() -> None:
    train_id = np.zeros((1, 2, 2, 1), np.uint8)
    scores = np.zeros((1, 2, 2, 19), np.float32)
    loss = segmentation_loss(train_id, scores, hard_share=0.25)
    assert float(loss) == pytest.approx(math.log(19), rel=1e-6)
