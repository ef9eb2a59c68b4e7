"""MobileNetV2 as a feature extractor with named taps.

Without the library's last 1x1 convolution. Layers carry the names that
keras.applications.MobileNetV2 gives them, so that its published weights fit; with the same weights
every tap equals the library's to float32 rounding.
"""

import re
from types import ModuleType
from typing import Any

from mtdepth.models import layers
from mtdepth.models.specs import StudentSpec, scaled_width

_ENCODER_LAYER = re.compile(r"Conv1$|bn_Conv1$|Conv1_relu$|expanded_conv_|block_\d+_")


def build_encoder(nn: ModuleType, image: Any, spec: StudentSpec) -> dict[str, Any]:
    """Builds the encoder on an image tensor.

    Args:
      nn: `keras` or `tf_keras`.
      image: `[B, H, W, 3]` in [-1, 1], H and W multiples of 32.
      spec: Widths and repeats.

    Returns:
      The output of every bottleneck by name, `"block_0"` first; the last is the deepest feature.
    """
    momentum = spec.batch_norm_momentum
    features = nn.layers.Conv2D(
        scaled_width(spec.stem_width, alpha=spec.alpha),
        3,
        strides=2,
        padding="same",
        use_bias=False,
        kernel_initializer=layers.fan_in_normal(nn, fan_in=27),  # 3x3 of 3 colours
        name="Conv1",
    )(image)
    features = layers.batch_norm(nn, features, momentum=momentum, name="bn_Conv1")
    features = layers.relu6(nn, features, name="Conv1_relu")
    taps: dict[str, Any] = {}
    for stage in spec.stages:
        for position in range(stage.num_bottlenecks):
            number = len(taps)
            features = layers.bottleneck(
                nn,
                features,
                num_channels=scaled_width(stage.width, alpha=spec.alpha),
                expansion=stage.expansion,
                stride=stage.stride if position == 0 else 1,
                momentum=momentum,
                prefix=f"block_{number}_" if number else "expanded_conv_",
            )
            taps[f"block_{number}"] = features
    return taps


def is_encoder_layer(name: str) -> bool:
    """Whether a layer of a training graph belongs to the encoder."""
    return _ENCODER_LAYER.match(name) is not None
