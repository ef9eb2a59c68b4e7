"""The 1x1 convolutions that turn features into a depth code and class scores."""

from types import ModuleType
from typing import Any

from mtdepth.models.layers import fan_in_normal


def depth_head(nn: ModuleType, features: Any, *, initial_code: float, name: str) -> Any:
    """A linear map to one channel, the depth code of `mtdepth.geometry.depth_codec`.

    Args:
      nn: `keras` or `tf_keras`.
      features: `[B, h, w, C]`.
      initial_code: Start of the bias.
      name: Of the layer.

    Returns:
      `[B, h, w, 1]` float32, also under mixed precision: a code of 80 has steps of 1/16 in half
      precision.
    """
    bias = nn.initializers.Constant(initial_code)
    return _head(nn, features, 1, bias_initializer=bias, name=name)


def segmentation_head(nn: ModuleType, features: Any, *, num_classes: int, name: str) -> Any:
    """A linear map to one score per class: logits, no softmax.

    Loss and class id need none, and it costs a small device more than the head itself.

    Returns:
      `[B, h, w, num_classes]` float32.
    """
    bias = nn.initializers.Zeros()
    return _head(nn, features, num_classes, bias_initializer=bias, name=name)


def _head(
    nn: ModuleType, features: Any, num_channels: int, *, bias_initializer: Any, name: str
) -> Any:
    return nn.layers.Conv2D(
        num_channels,
        1,
        padding="same",
        kernel_initializer=fan_in_normal(nn, fan_in=int(features.shape[-1])),
        bias_initializer=bias_initializer,
        dtype="float32",
        name=name,
    )(features)
