"""Labels at the size of a coarser output.

The paper does not say how its labels reach the four scales. `nearest` picks, from every block of
`factor` x `factor` pixels, the one at row and column `factor // 2`: the lower right of the four
around the block's centre, where also the encoder's padded stride-2 filters are centred.
`valid_mean` averages a block's measured depths in metres, which suits dense labels; across an edge
it makes a depth at which nothing stands. Class ids have no mean and are always picked.
"""

from typing import Any

from keras import ops


def depth_target(depth_m: Any, *, factor: int, rule: str) -> Any:
    """Shrinks depth labels.

    Args:
      depth_m: `[B, H, W, 1]`; 0 or not finite is not measured.
      factor: Divides H and W.
      rule: `"nearest"` or `"valid_mean"`; see the module.

    Returns:
      `[B, H/factor, W/factor, 1]` float32; 0 where the block's pixel, or by `valid_mean` the whole
      block, is not measured.

    Raises:
      ValueError: If `factor` does not divide the size or the rule is unknown.
    """
    _check_factor(depth_m, factor)
    depth_m = ops.cast(depth_m, "float32")
    if rule == "nearest":
        return _pick(depth_m, factor)
    if rule != "valid_mean":
        raise ValueError(f"rule must be nearest or valid_mean, got {rule!r}")
    is_measured = ops.logical_and(depth_m > 0, ops.isfinite(depth_m))
    total_m = _block_sum(ops.where(is_measured, depth_m, 0.0), factor)
    count = _block_sum(ops.cast(is_measured, "float32"), factor)
    return total_m / ops.maximum(count, 1.0)


def train_id_target(train_id: Any, *, factor: int) -> Any:
    """Shrinks class ids by picking; see the module for which pixel.

    Args:
      train_id: `[B, H, W, 1]`, any integer type.
      factor: Divides H and W.

    Returns:
      `[B, H/factor, W/factor, 1]` of the same type.

    Raises:
      ValueError: If `factor` does not divide the size.
    """
    _check_factor(train_id, factor)
    return _pick(train_id, factor)


def _pick(labels: Any, factor: int) -> Any:
    first = factor // 2
    return labels[:, first::factor, first::factor]


def _block_sum(values: Any, factor: int) -> Any:
    _, height, width, _ = values.shape
    shape = (-1, height // factor, factor, width // factor, factor, 1)
    return ops.sum(ops.reshape(values, shape), axis=(2, 4))


def _check_factor(labels: Any, factor: int) -> None:
    _, height, width, _ = labels.shape
    if factor < 1 or height % factor or width % factor:
        raise ValueError(f"factor must divide height {height} and width {width}, got {factor}")
