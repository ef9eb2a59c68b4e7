"""BerHu on log-depth codes, against loops in float64."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from mtdepth.geometry.depth_codec import LinearDepthCodec, LogDepthCodec
from mtdepth.losses.depth import (
    berhu_depth_loss,
    gradient_matching_loss,
    scale_invariant_loss,
)

CODEC = LogDepthCodec(near_m=4.0, far_m=80.0)


def _oracle(
    depth_m: np.ndarray, code: np.ndarray, near_m: float = 4.0, far_m: float = 80.0
) -> float:
    """The paper's equations, pixel by pixel."""
    errors = []
    for truth, predicted in zip(depth_m.ravel().tolist(), code.ravel().tolist(), strict=True):
        if truth > 0 and math.isfinite(truth):
            true_code = far_m * math.log(min(truth, far_m) / near_m) / math.log(far_m / near_m)
            errors.append(predicted - true_code)
    if not errors:
        return 0.0
    c = max(max(abs(x) for x in errors) / 5, 1e-6)
    terms = [abs(x) if abs(x) <= c else (x * x + c * c) / (2 * c) for x in errors]
    return sum(terms) / len(errors)


def _batch(seed: int = 0, shape: tuple[int, ...] = (2, 5, 7, 1)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    depth_m = rng.uniform(1.0, 120.0, shape).astype(np.float32)  # both limits are passed
    depth_m[rng.random(shape) < 0.4] = 0
    return depth_m, rng.normal(40, 25, shape).astype(np.float32)


def _value_and_gradient(depth_m, code, codec=CODEC) -> tuple[float, np.ndarray]:
    predicted = tf.constant(code)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = berhu_depth_loss(depth_m, predicted, codec)
    return float(loss), tape.gradient(loss, predicted).numpy()


def test_two_pixels_by_hand() -> None:
    # G(4) = 0 and G(80) = 80, so x = 10 and x = -1; c = 2.
    # |x| = 10 > c: (100 + 4) / 4 = 26. |x| = 1 <= c: 1. Mean 13.5.
    depth_m = np.array([4.0, 80.0, 0.0], np.float32).reshape(1, 1, 3, 1)
    code = np.array([10.0, 79.0, 500.0], np.float32).reshape(1, 1, 3, 1)
    assert float(berhu_depth_loss(depth_m, code, CODEC)) == pytest.approx(13.5, rel=1e-5)


def test_a_linear_codes_error_is_in_metres() -> None:
    # x = 10 - 4 = 6 and 79 - min(90, 80) = -1; c = 6 / 5 = 1.2.
    # |x| = 6 > c: (36 + 1.44) / 2.4 = 15.6. |x| = 1 <= c: 1. Mean 8.3.
    depth_m = np.array([4.0, 90.0, 0.0], np.float32).reshape(1, 1, 3, 1)
    code = np.array([10.0, 79.0, 500.0], np.float32).reshape(1, 1, 3, 1)
    codec = LinearDepthCodec(near_m=4.0, far_m=80.0)
    assert float(berhu_depth_loss(depth_m, code, codec)) == pytest.approx(8.3, rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("near_m", "far_m"), [(4.0, 80.0), (1.0, 40.0)])
def test_equals_the_equations(seed: int, near_m: float, far_m: float) -> None:
    depth_m, code = _batch(seed)
    loss = berhu_depth_loss(depth_m, code, LogDepthCodec(near_m=near_m, far_m=far_m))
    # float32 logarithms and sums of 70 values
    assert float(loss) == pytest.approx(_oracle(depth_m, code, near_m, far_m), rel=1e-5)


def test_gradient_is_that_of_a_fixed_threshold() -> None:
    depth_m, code = _batch(2)
    _, gradient = _value_and_gradient(depth_m, code)
    measured = depth_m > 0
    true_code = np.where(
        measured, 80 * np.log(np.clip(depth_m, 1e-9, 80) / 4.0) / math.log(20), 0.0
    )
    c = np.abs(np.where(measured, code - true_code, 0)).max() / 5

    def loss_at(values: np.ndarray) -> float:
        x = np.abs(values - true_code)
        return float(np.where(x <= c, x, (x**2 + c**2) / (2 * c))[measured].sum() / measured.sum())

    step = 1e-4
    for index in np.ndindex(code.shape):
        shift = np.zeros(code.shape)
        shift[index] = step
        central = (loss_at(code + shift) - loss_at(code - shift)) / (2 * step)
        assert gradient[index] == pytest.approx(central, abs=1e-5)


def test_threshold_comes_from_measured_pixels_of_the_whole_batch() -> None:
    depth_m, code = _batch(3)
    code[1] += 200  # the largest error is in the second image
    halves = [berhu_depth_loss(depth_m[i : i + 1], code[i : i + 1], CODEC) for i in (0, 1)]
    together = float(berhu_depth_loss(depth_m, code, CODEC))
    assert together == pytest.approx(_oracle(depth_m, code), rel=1e-5)
    counts = [(depth_m[i] > 0).sum() for i in (0, 1)]
    apart = sum(float(h) * n for h, n in zip(halves, counts, strict=True)) / sum(counts)
    assert abs(apart - together) > 0.1


@settings(max_examples=20, deadline=None)
@given(
    wild=st.sampled_from([0.0, 1e30, -1e30, float("inf"), float("nan")]), seed=st.integers(0, 99)
)
def test_unmeasured_pixels_have_no_influence(wild: float, seed: int) -> None:
    depth_m, code = _batch(seed)
    loss, gradient = _value_and_gradient(depth_m, code)
    changed = np.where(depth_m > 0, code, np.float32(wild))
    other_loss, other_gradient = _value_and_gradient(depth_m, changed)
    assert other_loss == loss
    np.testing.assert_array_equal(other_gradient, gradient)
    assert not other_gradient[depth_m <= 0].any()


@pytest.mark.parametrize("unmeasured", [0.0, -1.0, float("nan"), float("inf")])
def test_a_batch_without_labels_is_zero_with_zero_gradient(unmeasured: float) -> None:
    depth_m, code = _batch()
    loss, gradient = _value_and_gradient(np.full_like(depth_m, unmeasured), code)
    assert loss == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


def test_an_image_without_labels_leaves_the_others_alone() -> None:
    depth_m, code = _batch()
    depth_m[0] = 0
    loss, gradient = _value_and_gradient(depth_m, code)
    assert loss == pytest.approx(_oracle(depth_m, code), rel=1e-5)
    assert np.isfinite(gradient).all()
    assert not gradient[0].any()
    assert gradient[1].any()


def test_a_perfect_prediction_is_zero_with_zero_gradient() -> None:
    depth_m = np.full((1, 2, 2, 1), 4.0, np.float32)
    loss, gradient = _value_and_gradient(depth_m, np.zeros_like(depth_m))
    assert loss == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


def test_far_labels_count_as_the_far_limit_and_near_ones_as_themselves() -> None:
    code = np.full((1, 1, 1, 1), 30.0, np.float32)

    def loss(metres: float) -> float:
        return float(berhu_depth_loss(np.full_like(code, metres), code, CODEC))

    assert loss(500.0) == loss(80.0)
    # A single pixel: x = 5c, so the loss is (25 + 1) / 2 * c = 2.6 |x|; G(2) = -18.514.
    assert loss(2.0) == pytest.approx(2.6 * (30 + 18.5102), rel=1e-4)
    assert loss(2.0) > loss(4.0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_predictions_are_scored_in_float32(dtype: str) -> None:
    depth_m, code = _batch()
    loss = berhu_depth_loss(depth_m, tf.cast(code, dtype), CODEC)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    rounded = tf.cast(tf.cast(code, dtype), tf.float32).numpy()
    assert float(loss) == pytest.approx(_oracle(depth_m, rounded), rel=1e-5)


def test_shapes_that_would_broadcast_are_refused() -> None:
    depth_m, code = _batch()
    with pytest.raises(ValueError, match="one shape"):
        berhu_depth_loss(depth_m[..., 0], code, CODEC)


def _log_errors(depth_m: np.ndarray, code: np.ndarray) -> np.ndarray:
    """ln of predicted minus ln of true depth, float64; NaN where nothing is measured."""
    error = np.full(depth_m.shape, np.nan)
    for index in np.ndindex(depth_m.shape):
        if depth_m[index] > 0:
            predicted = math.log(4) + float(code[index]) * math.log(20) / 80
            error[index] = predicted - math.log(min(float(depth_m[index]), 80.0))
    return error


def _scale_invariant_oracle(depth_m: np.ndarray, code: np.ndarray) -> float:
    """Eigen et al. 2014, eq. 4 as its second form: every pair of pixels."""
    of_pictures = []
    for error in _log_errors(depth_m, code):
        d = error[np.isfinite(error)]
        if d.size:
            # mean(d^2) - mean(d)^2 = mean over pairs of (d_i - d_j)^2 / 2
            spread = np.mean((d[:, None] - d[None]) ** 2) / 2
            of_pictures.append(spread + np.mean(d) ** 2 / 2)
    return 80 / math.log(20) * float(np.mean(of_pictures))


def _gradient_oracle(depth_m: np.ndarray, code: np.ndarray) -> float:
    errors = _log_errors(depth_m, code)[..., 0] * 80 / math.log(20)
    total = 0.0
    for stride in (1, 2, 4, 8):
        for down, right in ((0, stride), (stride, 0)):
            steps = []
            for picture in errors:
                for row in range(0, picture.shape[0], stride):
                    for column in range(0, picture.shape[1], stride):
                        if row + down < picture.shape[0] and column + right < picture.shape[1]:
                            steps.append(picture[row, column] - picture[row + down, column + right])
            steps = [abs(step) for step in steps if math.isfinite(step)]
            total += sum(steps) / max(len(steps), 1)
    return total


TERMS = {
    scale_invariant_loss: _scale_invariant_oracle,
    gradient_matching_loss: _gradient_oracle,
}


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("shape", [(2, 5, 7, 1), (3, 17, 20, 1), (1, 1, 4, 1)])
def test_a_term_equals_its_equation(term, shape: tuple[int, ...]) -> None:
    depth_m, code = _batch(6, shape)
    assert float(term(depth_m, code, CODEC)) == pytest.approx(TERMS[term](depth_m, code), rel=1e-4)
    depth_m[0] = 0  # a picture without labels
    if len(depth_m) > 1:
        wanted = TERMS[term](depth_m, code)
        assert float(term(depth_m, code, CODEC)) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("term", TERMS)
def test_a_terms_gradient_is_that_of_its_equation(term) -> None:
    depth_m, code = _batch(7, (2, 3, 5, 1))
    predicted = tf.constant(code)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = term(depth_m, predicted, CODEC)
    gradient = tape.gradient(loss, predicted).numpy()
    step = 1e-4
    for index in np.ndindex(code.shape):
        shift = np.zeros(code.shape)
        shift[index] = step
        rise = TERMS[term](depth_m, code + shift) - TERMS[term](depth_m, code - shift)
        assert gradient[index] == pytest.approx(rise / (2 * step), abs=1e-4)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("wild", [1e30, float("inf"), float("nan")])
def test_unmeasured_pixels_have_no_influence_on_a_term(term, wild: float) -> None:
    depth_m, code = _batch()
    results = []
    for values in (code, np.where(depth_m > 0, code, np.float32(wild))):
        predicted = tf.constant(values)
        with tf.GradientTape() as tape:
            tape.watch(predicted)
            loss = term(depth_m, predicted, CODEC)
        results.append((float(loss), tape.gradient(loss, predicted).numpy()))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
    nothing = np.full_like(depth_m, np.nan)
    assert float(term(nothing, code, CODEC)) == 0


def test_what_all_pixels_share_costs_half_or_nothing() -> None:
    depth_m, _ = _batch(8)
    depth_m = np.clip(depth_m, 0, 79)
    # Every depth told a tenth too far: x = ln 1.1.
    code = CODEC.encode(np.where(depth_m > 0, depth_m, 5.0) * 1.1).astype(np.float32)
    scale_invariant = float(scale_invariant_loss(depth_m, code, CODEC))
    assert scale_invariant == pytest.approx(CODEC.slope * math.log(1.1) ** 2 / 2, rel=1e-3)
    assert float(gradient_matching_loss(depth_m, code, CODEC)) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("near_weight", [0.5, 3.0])
def test_near_pixels_weigh_more_in_the_mean(near_weight: float) -> None:
    depth_m, code = _batch(9)
    total = weights = 0.0
    measured = depth_m > 0
    x = _log_errors(depth_m, code) * 80 / math.log(20)
    c = np.nanmax(np.abs(x)) / 5
    for index in zip(*np.nonzero(measured), strict=True):
        size = abs(x[index])
        distance = size if size <= c else (size**2 + c**2) / (2 * c)
        weight = 1 + near_weight * (1 if depth_m[index] <= 10 else 10 / depth_m[index])
        total, weights = total + weight * distance, weights + weight
    loss = berhu_depth_loss(depth_m, code, CODEC, near_weight=near_weight)
    assert float(loss) == pytest.approx(total / weights, rel=1e-5)
    nothing = np.zeros_like(depth_m)
    assert float(berhu_depth_loss(nothing, code, CODEC, near_weight=near_weight)) == 0
