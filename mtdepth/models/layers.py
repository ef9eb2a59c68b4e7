"""The pieces that encoder and decoder are made of, for either layer namespace.

Every builder takes `nn`, the module `keras` or `tf_keras`: quantisation-aware training accepts
only `tf_keras` layers, everything else uses `keras`. A network built from both has the same layer
names, so that weights move by name.
"""

import math
from types import ModuleType
from typing import Any

from mtdepth.models.specs import Activation

BATCH_NORM_EPSILON = 1e-3  # of the published MobileNetV2 weights
MAX_ACTIVATION = 6.0  # ReLU6


def fan_in_normal(nn: ModuleType, *, fan_in: int) -> Any:
    """A normal initialiser that keeps a ReLU's signal at the size it came in.

    The paper says "normal" without a deviation. Ours is `sqrt(2 / fan_in)` (He et al. 2015), the
    inputs that meet in *one* output: 9 for a depthwise 3x3 filter. The libraries' own initialisers
    multiply a depthwise filter's fan by its channels; the response then shrinks to the epsilon of
    the batch normalisation behind it, which would no longer restore it.

    A new object for every layer: `tf_keras` warns when an unseeded one is used twice.
    """
    return nn.initializers.RandomNormal(mean=0.0, stddev=math.sqrt(2.0 / fan_in))


def pointwise(nn: ModuleType, features: Any, num_channels: int, *, name: str) -> Any:
    """A 1x1 convolution without bias; a batch normalisation follows."""
    return nn.layers.Conv2D(
        num_channels,
        1,
        padding="same",
        use_bias=False,
        kernel_initializer=fan_in_normal(nn, fan_in=int(features.shape[-1])),
        name=name,
    )(features)


def depthwise(nn: ModuleType, features: Any, *, stride: int, name: str) -> Any:
    """A 3x3 depthwise convolution without bias; stride 2 expects its input padded already."""
    return nn.layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        depthwise_initializer=fan_in_normal(nn, fan_in=9),
        name=name,
    )(features)


def batch_norm(nn: ModuleType, features: Any, *, momentum: float, name: str) -> Any:
    """Batch normalisation over the channels."""
    layer = batch_norm_class(nn)(epsilon=BATCH_NORM_EPSILON, momentum=momentum, name=name)
    return layer(features)


def batch_norm_class(nn: ModuleType) -> Any:
    """The layer class of a namespace: Keras's own is slow to train on a CPU, tf_keras's is not."""
    if nn.__name__ == "keras":
        from mtdepth.models import batch_norm_keras

        return batch_norm_keras.BatchNormalization
    return nn.layers.BatchNormalization


def relu6(nn: ModuleType, features: Any, *, name: str) -> Any:
    """The rectifier that stops at 6, which keeps int8 scales small."""
    return nn.layers.ReLU(max_value=MAX_ACTIVATION, name=name)(features)


def hard_swish(nn: ModuleType, features: Any, *, name: str) -> Any:
    """`x * relu6(x + 3)`, six times MobileNetV3's (Howard et al. 2019, section 5.2).

    The batch normalisation of the convolution behind it takes the six out again. In these three
    layers, since what converters make of hard swish is an operator that XNNPACK lacks in int8.
    """
    shifted = nn.layers.Rescaling(scale=1.0, offset=3.0, name=f"{name}_shift")(features)
    gate = relu6(nn, shifted, name=f"{name}_gate")
    return nn.layers.Multiply(name=name)([features, gate])


_ACTIVATIONS = {"relu6": ("relu", relu6), "hard_swish": ("hard_swish", hard_swish)}


def bottleneck(
    nn: ModuleType,
    features: Any,
    *,
    num_channels: int,
    expansion: int,
    stride: int,
    momentum: float,
    prefix: str,
    activation: Activation = "relu6",
) -> Any:
    """An inverted residual block: expand 1x1, filter 3x3, project 1x1 linearly.

    The input is added where it has the output's shape. `expansion` 1 leaves the first convolution
    out. Layers are named as keras.applications names MobileNetV2's, after `prefix`.
    Source: Sandler et al. 2018, section 3.
    """
    suffix, activate = _ACTIVATIONS[activation]
    hidden = features
    num_in = int(features.shape[-1])
    if expansion != 1:
        hidden = pointwise(nn, hidden, expansion * num_in, name=f"{prefix}expand")
        hidden = batch_norm(nn, hidden, momentum=momentum, name=f"{prefix}expand_BN")
        hidden = activate(nn, hidden, name=f"{prefix}expand_{suffix}")
    if stride == 2:
        # keras.applications' `correct_pad` of an even size; the published weights expect it.
        hidden = nn.layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{prefix}pad")(hidden)
    hidden = depthwise(nn, hidden, stride=stride, name=f"{prefix}depthwise")
    hidden = batch_norm(nn, hidden, momentum=momentum, name=f"{prefix}depthwise_BN")
    hidden = activate(nn, hidden, name=f"{prefix}depthwise_{suffix}")
    hidden = pointwise(nn, hidden, num_channels, name=f"{prefix}project")
    hidden = batch_norm(nn, hidden, momentum=momentum, name=f"{prefix}project_BN")
    if stride == 1 and num_in == num_channels:
        return nn.layers.Add(name=f"{prefix}add")([features, hidden])
    return hidden


def pixel_shuffle(nn: ModuleType, features: Any, *, name: str) -> Any:
    """Twice the height and width from a quarter of the channels.

    Channel `(2*dy + dx) * C + c` of the input becomes channel `c` at offset `(dy, dx)`:
    TensorFlow's order, which is not that of PyTorch's `PixelShuffle`.
    """
    return pixel_shuffle_class(nn)(name=name)(features)


def pixel_shuffle_class(nn: ModuleType) -> Any:
    """The layer class of a namespace; imports that namespace only.

    Raises:
      ValueError: If `nn` is neither `keras` nor `tf_keras`.
    """
    if nn.__name__ == "keras":
        from mtdepth.models import pixel_shuffle_keras

        return pixel_shuffle_keras.PixelShuffle
    if nn.__name__ == "tf_keras":
        from mtdepth.models import pixel_shuffle_tf_keras

        return pixel_shuffle_tf_keras.PixelShuffle
    raise ValueError(f"nn must be the module keras or tf_keras, got {nn.__name__}")
