"""Losses on depth codes: BerHu, and two that ours can add to it on dense labels."""

from typing import Any

import numpy as np
from keras import ops

from mtdepth.geometry.depth_codec import LinearDepthCodec, LogDepthCodec, StudentCodec

BERHU_THRESHOLD_PER_MAXIMUM = 1 / 5  # paper: c = max|x| / 5 (as Laina et al. 2016, section 3.2)
# ours: where every error is 0, so is the loss, instead of 0/0.
MIN_BERHU_THRESHOLD = 1e-6
NEAR_WEIGHT_M = 10.0  # ours: what a robot must soon stop for; up to it a pixel has its full weight
SCALE_INVARIANCE = 0.5  # Eigen et al. 2014, eq. 4: lambda
GRADIENT_SCALES = 4  # Li and Snavely 2018, eq. 5; MiDaS, eq. 11


def berhu_depth_loss(
    depth_m: Any, depth_code: Any, codec: StudentCodec, *, near_weight: float = 0.0
) -> Any:
    """Mean BerHu distance between predicted and true depth code, over the measured pixels.

    With `x = depth_code - G(depth_m)`: `|x|` up to `c` and `(x^2 + c^2) / (2*c)` beyond, where
    `c = max|x| / 5` over the measured pixels of the batch. `c` is a constant to the gradient.

    Truth beyond `codec.far_m` counts as `far_m`. Truth nearer than `codec.near_m` keeps its own,
    negative code. Predictions are not clipped. A linear codec's code is depth itself.

    Args:
      depth_m: `[B, h, w, 1]`; 0 or not finite is not measured.
      depth_code: `[B, h, w, 1]`, the network's output. Where nothing is measured, any value, NaN
        too, leaves loss and gradient unchanged.
      codec: Of the code.
      near_weight: Makes the mean a weighted one, of `1 + near_weight * min(1, 10 / depth_m)`: full
        up to 10 m, then falling with distance. 0 counts all pixels alike.

    Returns:
      A float32 scalar; 0 with a zero gradient where nothing is measured.

    Raises:
      ValueError: If the shapes differ.
    """
    error, is_measured = _error(depth_m, depth_code, codec)
    size = ops.abs(error)
    threshold = ops.stop_gradient(
        ops.maximum(BERHU_THRESHOLD_PER_MAXIMUM * ops.max(size), MIN_BERHU_THRESHOLD)
    )
    quadratic = (ops.square(error) + ops.square(threshold)) / (2 * threshold)
    # Unmeasured pixels have error 0, so their |x| branch adds nothing.
    distance = ops.where(size <= threshold, size, quadratic)
    weight = ops.cast(is_measured, "float32")
    if near_weight:
        safe_m = ops.where(is_measured, ops.cast(depth_m, "float32"), NEAR_WEIGHT_M)
        weight = weight * (1 + near_weight * ops.minimum(1.0, NEAR_WEIGHT_M / safe_m))
        distance = distance * weight
    return ops.sum(distance) / ops.maximum(ops.sum(weight), 1.0)


def scale_invariant_loss(depth_m: Any, depth_code: Any, codec: LogDepthCodec) -> Any:
    """Scale-invariant error of the logarithm of depth (Eigen et al. 2014, eq. 4).

    With `x` the difference of the natural logarithms, over a picture's measured pixels:
    `slope * (mean(x^2) - mean(x)^2 / 2)`, and the mean over the pictures that have any. An error
    that all pixels share costs half. The codec's slope brings it to BerHu's unit, so that a weight
    means the same for every `near_m`.

    Args:
      depth_m: `[B, h, w, 1]`; 0 or not finite is not measured.
      depth_code: `[B, h, w, 1]`, the network's output; any value where nothing is measured.
      codec: Of the code.

    Returns:
      A float32 scalar; 0 with a zero gradient where nothing is measured.

    Raises:
      ValueError: If the shapes differ.
    """
    error, is_measured = _error(depth_m, depth_code, codec)
    error = error / codec.slope
    counts = ops.sum(ops.cast(is_measured, "float32"), axis=(1, 2, 3))
    pixels = ops.maximum(counts, 1.0)
    mean = ops.sum(error, axis=(1, 2, 3)) / pixels
    mean_square = ops.sum(ops.square(error), axis=(1, 2, 3)) / pixels
    of_pictures = mean_square - SCALE_INVARIANCE * ops.square(mean)
    num_pictures = ops.maximum(ops.sum(ops.cast(counts > 0, "float32")), 1.0)
    return codec.slope * ops.sum(of_pictures) / num_pictures


def gradient_matching_loss(depth_m: Any, depth_code: Any, codec: LogDepthCodec) -> Any:
    """Steps of log depth from pixel to pixel against the labels' (Li and Snavely 2018, eq. 5).

    The sum over four scales, each every second row and column of the one before, of the mean
    `|x(i, j) - x(i, j + 1)|` and the mean `|x(i, j) - x(i + 1, j)|`, with `x` BerHu's difference of
    codes, which is `slope` times that of the logarithms. A pair counts where both are measured.

    Args:
      depth_m: `[B, h, w, 1]`; 0 or not finite is not measured.
      depth_code: `[B, h, w, 1]`, the network's output; any value where nothing is measured.
      codec: Of the code.

    Returns:
      A float32 scalar; 0 with a zero gradient where no pair is measured.

    Raises:
      ValueError: If the shapes differ.
    """
    x, is_measured = _error(depth_m, depth_code, codec)
    m = ops.cast(is_measured, "float32")
    total: Any = 0.0
    for scale in range(GRADIENT_SCALES):
        if scale:
            x, m = x[:, ::2, ::2], m[:, ::2, ::2]
        for before, after in ((np.s_[:, :, :-1], np.s_[:, :, 1:]), (np.s_[:, :-1], np.s_[:, 1:])):
            pairs = m[before] * m[after]
            steps = ops.abs(x[before] - x[after]) * pairs
            total = total + ops.sum(steps) / ops.maximum(ops.sum(pairs), 1.0)
    return total


def _error(depth_m: Any, depth_code: Any, codec: StudentCodec) -> tuple[Any, Any]:
    """Predicted minus true code, float32 and 0 where nothing is measured, and where it is."""
    if tuple(depth_m.shape[1:]) != tuple(depth_code.shape[1:]):
        raise ValueError(
            f"depth_m and depth_code must have one shape, got {tuple(depth_m.shape)} and "
            f"{tuple(depth_code.shape)}"
        )
    depth_m = ops.cast(depth_m, "float32")
    is_measured = ops.logical_and(depth_m > 0, ops.isfinite(depth_m))
    error = ops.cast(depth_code, "float32") - true_code(depth_m, is_measured, codec)
    return ops.where(is_measured, error, 0.0), is_measured


def true_code(depth_m: Any, is_measured: Any, codec: StudentCodec) -> Any:
    """The code of labels, at most `far_m`'s; the near limit's where nothing is measured.

    Args:
      depth_m: Any shape, float32.
      is_measured: Of that shape, boolean.
      codec: Of the code.

    Returns:
      Of that shape, float32; `codec.encode` in back-end independent operations.
    """
    limited_m = ops.minimum(depth_m, codec.far_m)
    safe_m = ops.where(is_measured, limited_m, codec.near_m)
    if isinstance(codec, LinearDepthCodec):
        return safe_m
    return codec.slope * ops.log(safe_m) + codec.offset
