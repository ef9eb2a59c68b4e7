"""Smoothness of a disparity, but for the picture's edges."""

from typing import Any

from keras import ops

Tensor = Any

_MIN_MEAN = 1e-7  # of a disparity; keeps the quotient finite


def normalised(disparity: Tensor) -> Tensor:
    """Divides each disparity by its mean, so that shrinking it does not make it smoother.

    Args:
      disparity: `[..., H, W]`, positive.

    Returns:
      The same shape, of mean 1.
    """
    return disparity / (ops.mean(disparity, axis=(-2, -1), keepdims=True) + _MIN_MEAN)


def edge_aware_steps(disparity: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """Steps of the disparity from pixel to pixel, forgiven where the picture has an edge.

    MiniNet, eq. 8, its two terms apart; the picture's step is a mean over the colours.

    Args:
      disparity: `[..., B, H, W]`.
      image: `[B, H, W, C]`, values 0..1.

    Returns:
      Along the rows `[..., B, H, W - 1]` and down the columns `[..., B, H - 1, W]`.
    """
    steps_x = ops.abs(disparity[..., 1:] - disparity[..., :-1])
    steps_y = ops.abs(disparity[..., 1:, :] - disparity[..., :-1, :])
    edges_x = ops.mean(ops.abs(image[..., 1:, :] - image[..., :-1, :]), axis=-1)
    edges_y = ops.mean(ops.abs(image[..., 1:, :, :] - image[..., :-1, :, :]), axis=-1)
    return steps_x * ops.exp(-edges_x), steps_y * ops.exp(-edges_y)


def smoothness(disparity: Tensor, image: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean edge-aware step of the disparity divided by its mean (MiniNet, eq. 8 and 10).

    Args:
      disparity: `[..., B, H, W]`.
      image: `[B, H, W, C]`, values 0..1.
      weight: `[..., B, H, W]`, of each pixel; None counts all alike.

    Returns:
      `[...]`, a mean over the batch each.
    """
    steps_x, steps_y = edge_aware_steps(normalised(disparity), image)
    if weight is not None:
        steps_x, steps_y = steps_x * weight[..., :-1], steps_y * weight[..., :-1, :]
    every_picture = (-3, -2, -1)
    return ops.mean(steps_x, axis=every_picture) + ops.mean(steps_y, axis=every_picture)


def model_driven_weight(colour_error: Tensor, *, sharpness: float) -> Tensor:
    """Trusts smoothness where the rebuilt picture is already right (MiniNet, eq. 9).

    `exp(-sharpness * r / mean(r))`, the mean over each picture. It is a constant to the gradient.
    Since it divides by the mean, it does not grow while the error falls everywhere, against what
    the paper's text says of it.

    Args:
      colour_error: `[..., H, W]`.
      sharpness: The paper's c, 10; 0 counts all pixels alike.

    Returns:
      `[..., H, W]`, 0..1.
    """
    colour_error = ops.stop_gradient(colour_error)
    mean = ops.mean(colour_error, axis=(-2, -1), keepdims=True)
    # A picture rebuilt without any error is trusted everywhere.
    return ops.exp(-sharpness * colour_error / ops.maximum(mean, _MIN_MEAN))
