"""BerHu loss on log-depth codes."""

from typing import Any

from keras import ops

from mtdepth.geometry.depth_codec import LogDepthCodec

BERHU_THRESHOLD_PER_MAXIMUM = 1 / 5  # paper: c = max|x| / 5 (as Laina et al. 2016, section 3.2)
# ours: where every error is 0, so is the loss, instead of 0/0.
MIN_BERHU_THRESHOLD = 1e-6


def berhu_log_depth_loss(depth_m: Any, depth_code: Any, codec: LogDepthCodec) -> Any:
    """Mean BerHu distance between predicted and true depth code, over the measured pixels.

    With `x = depth_code - G(depth_m)`: `|x|` up to `c` and `(x^2 + c^2) / (2*c)` beyond, where
    `c = max|x| / 5` over the measured pixels of the batch. `c` is a constant to the gradient.

    Truth beyond `codec.far_m` counts as `far_m`. Truth nearer than `codec.near_m` keeps its own,
    negative code. Predictions are not clipped.

    Args:
      depth_m: `[B, h, w, 1]`; 0 or not finite is not measured.
      depth_code: `[B, h, w, 1]`, the network's output. Where nothing is measured, any value, NaN
        too, leaves loss and gradient unchanged.
      codec: Of the code.

    Returns:
      A float32 scalar; 0 with a zero gradient where nothing is measured.

    Raises:
      ValueError: If the shapes differ.
    """
    if tuple(depth_m.shape[1:]) != tuple(depth_code.shape[1:]):
        raise ValueError(
            f"depth_m and depth_code must have one shape, got {tuple(depth_m.shape)} and "
            f"{tuple(depth_code.shape)}"
        )
    depth_m = ops.cast(depth_m, "float32")
    is_measured = ops.logical_and(depth_m > 0, ops.isfinite(depth_m))
    error = ops.cast(depth_code, "float32") - true_code(depth_m, is_measured, codec)
    error = ops.where(is_measured, error, 0.0)
    size = ops.abs(error)
    threshold = ops.stop_gradient(
        ops.maximum(BERHU_THRESHOLD_PER_MAXIMUM * ops.max(size), MIN_BERHU_THRESHOLD)
    )
    quadratic = (ops.square(error) + ops.square(threshold)) / (2 * threshold)
    # Unmeasured pixels have error 0, so their |x| branch adds nothing.
    distance = ops.where(size <= threshold, size, quadratic)
    count = ops.sum(ops.cast(is_measured, "float32"))
    return ops.sum(distance) / ops.maximum(count, 1.0)


def true_code(depth_m: Any, is_measured: Any, codec: LogDepthCodec) -> Any:
    """The code of labels, at most `far_m`'s; the near limit's (0) where nothing is measured.

    Args:
      depth_m: Any shape, float32.
      is_measured: Of that shape, boolean.
      codec: Gives slope and offset.

    Returns:
      Of that shape, float32; `codec.encode` in back-end independent operations.
    """
    limited_m = ops.minimum(depth_m, codec.far_m)
    safe_m = ops.where(is_measured, limited_m, codec.near_m)
    return codec.slope * ops.log(safe_m) + codec.offset
