"""Gradients of what MiniNet learns from, against finite differences."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from mtdepth.losses import photometric, view_synthesis
from mtdepth.losses.video import VideoLossWeights, target_to_sources, video_loss

PAPERS = VideoLossWeights(
    ssim=0.85, smoothness=0.001, sharpness=10.0, scale_decay=1.0, auto_mask=False
)

SHAPE = (1, 8, 12)
K = np.array([[[10.0, 0, 5.2], [0, 12.0, 3.4], [0, 0, 1]]], np.float32)


def smooth_image(seed: int) -> np.ndarray:
    """Long waves: a difference of 1e-3 stays between the same four pixels almost everywhere."""
    rng = np.random.default_rng(seed)
    _, height, width = SHAPE
    v, u = np.indices((height, width))[..., None] + rng.random((2, 1, 1, 3))
    return (0.5 + 0.4 * np.sin(u / 2.1) * np.cos(v / 2.7))[None].astype(np.float32)


def check(loss: Callable[[tf.Tensor], tf.Tensor], at: np.ndarray, *, step: float) -> None:
    """Compares slopes along random directions: float32 loses too much along single numbers."""
    value = tf.Variable(at, dtype=tf.float32)
    with tf.GradientTape() as tape:
        total = loss(value)
    gradient = tape.gradient(total, value).numpy()
    assert np.isfinite(gradient).all()
    rng = np.random.default_rng(5)
    for _ in range(3):
        direction = np.sign(gradient) * rng.random(at.shape)
        above, below = (
            float(loss(tf.constant(at + s * direction, tf.float32))) for s in (step, -step)
        )
        slope = (above - below) / (2 * step)
        assert slope == pytest.approx((gradient * direction).sum(), rel=0.02)


def test_of_the_coordinates_of_a_sample() -> None:
    image = smooth_image(0)
    # Away from whole numbers, where a bilinear picture has kinks.
    rng = np.random.default_rng(3)
    _, height, width = SHAPE
    cell = np.stack([rng.integers(0, width - 1, SHAPE), rng.integers(0, height - 1, SHAPE)])
    at = (cell + rng.uniform(0.2, 0.8, cell.shape)).astype(np.float32)
    check(lambda uv: tf.reduce_sum(view_synthesis.sample(image, uv[0], uv[1]) ** 2), at, step=1e-3)


def test_outside_the_picture_a_sample_has_no_slope() -> None:
    uv = tf.Variable(np.array([-5.0, 100.0], np.float32).reshape(2, 1, 1, 1))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(view_synthesis.sample(smooth_image(0), uv[0], uv[1]))
    np.testing.assert_array_equal(tape.gradient(total, uv).numpy(), 0.0)


def test_of_structure() -> None:
    other = smooth_image(1)
    check(
        lambda image: tf.reduce_mean(photometric.ssim_dissimilarity(image, other)),
        smooth_image(0),
        step=1e-3,
    )


@pytest.mark.parametrize("part", ["pose", "depth"])
def test_of_the_loss(part: str) -> None:
    frames = np.stack([smooth_image(i) for i in range(3)], axis=1)
    rng = np.random.default_rng(4)
    code = rng.normal(-1, 0.2, (*SHAPE, 1)).astype(np.float32)
    pose = rng.normal(0, 0.01, (1, 2, 6)).astype(np.float32)

    def loss(value: tf.Tensor) -> tf.Tensor:
        codes, poses = (code, value) if part == "pose" else (value, pose)
        return video_loss(
            [tf.convert_to_tensor(codes)],
            frames,
            K,
            target_to_sources(tf.convert_to_tensor(poses)),
            # The weight beta has no gradient, but changes: sharpness 0 holds it at 1.
            dataclasses.replace(PAPERS, smoothness=0.1, sharpness=0.0),
        )[0]

    check(loss, pose if part == "pose" else code, step=1e-4 if part == "pose" else 1e-3)


def test_at_no_motion_at_all_is_finite_and_not_zero() -> None:
    frames = np.stack([smooth_image(i) for i in range(3)], axis=1)
    pose = tf.Variable(np.zeros((1, 2, 6), np.float32))
    with tf.GradientTape() as tape:
        total = video_loss([tf.zeros((*SHAPE, 1))], frames, K, target_to_sources(pose), PAPERS)[0]
    gradient = tape.gradient(total, pose).numpy()
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient) > 1e-6).all()
