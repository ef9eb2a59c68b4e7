"""How unlike a rebuilt picture is: structure and colour together."""

from collections.abc import Callable
from typing import Any

from keras import ops

Tensor = Any

SSIM_C1 = 0.01**2  # paper: printed as 0.012
SSIM_C2 = 0.03**2  # paper: printed as 0.032


def ssim_dissimilarity(image: Tensor, other: Tensor) -> Tensor:
    """Half of 1 - SSIM (Wang et al. 2004) over 3x3 means, the border reflected.

    Args:
      image: `[..., H, W, C]`, values 0..1.
      other: Likewise; leading sides that only one of them has go with every picture of the other.

    Returns:
      `[..., H, W, C]`, 0 (the same) to 1.
    """
    image, other = _reflected(image), _reflected(other)
    mean, other_mean = _mean_3x3(image), _mean_3x3(other)
    variance = _mean_3x3(image * image) - mean * mean
    other_variance = _mean_3x3(other * other) - other_mean * other_mean
    covariance = _mean_3x3(image * other) - mean * other_mean
    above = (2 * mean * other_mean + SSIM_C1) * (2 * covariance + SSIM_C2)
    # The paper prints a sum of these two; Wang et al. have their product.
    below = (mean * mean + other_mean * other_mean + SSIM_C1) * (
        variance + other_variance + SSIM_C2
    )
    return ops.clip((1 - above / below) / 2, 0.0, 1.0)


def colour_error(image: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference over the colours.

    Args:
      image: `[..., H, W, C]`, values 0..1.
      other: Likewise; see `ssim_dissimilarity`.

    Returns:
      `[..., H, W]`, 0..1.
    """
    return ops.mean(ops.abs(image - other), axis=-1)


def photometric_error(image: Tensor, other: Tensor, *, ssim_weight: float) -> Tensor:
    """Weighs structure and colour (MiniNet, eq. 6); both are means over the colours.

    Args:
      image: `[..., H, W, C]`, values 0..1.
      other: Likewise; see `ssim_dissimilarity`.
      ssim_weight: Of structure, 0..1; the rest is of colour. The paper's alpha.

    Returns:
      `[..., H, W]`, 0..1.
    """
    structure = ops.mean(ssim_dissimilarity(image, other), axis=-1)
    return ssim_weight * structure + (1 - ssim_weight) * colour_error(image, other)


def _reflected(image: Tensor) -> Tensor:
    sides = [[0, 0], [1, 1], [1, 1], [0, 0]]
    return _on_pictures(lambda pictures: ops.pad(pictures, sides, mode="reflect"), image)


def _mean_3x3(image: Tensor) -> Tensor:
    def mean(pictures: Tensor) -> Tensor:
        ones = ops.ones((3, 3, pictures.shape[-1], 1), dtype=pictures.dtype)
        # Forward and back on a CPU, pooling takes three times as long.
        summed = ops.depthwise_conv(pictures, ones, padding="valid", data_format="channels_last")
        return summed / 9

    return _on_pictures(mean, image)


def _on_pictures(function: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """Applies a function of `[B, H, W, C]` whatever the number of leading sides."""
    leading = tuple(image.shape[:-3])
    found = function(ops.reshape(image, (-1, *image.shape[-3:])))
    return ops.reshape(found, (*leading, *found.shape[1:]))
