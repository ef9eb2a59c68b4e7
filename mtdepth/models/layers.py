"""The layers and blocks that the students are made of."""

import math
from typing import Any

import keras
from keras import layers

from mtdepth.specs.student import Activation

BATCH_NORM_EPSILON = 1e-3  # of the published MobileNetV2 weights
MAX_ACTIVATION = 6.0  # ReLU6
SHUFFLE_FACTOR = 2


@keras.saving.register_keras_serializable(package="mtdepth")
class PixelShuffle(layers.Layer):
    """`[B, H, W, 4*C]` to `[B, 2*H, 2*W, C]`: twice the size from a quarter of the channels.

    Channel `(2*dy + dx) * C + c` of the input becomes channel `c` at offset `(dy, dx)`:
    TensorFlow's order, which is not that of PyTorch's `PixelShuffle`. On TensorFlow it is the
    operation that TFLite has as a builtin; elsewhere the same by reshaping.
    """

    def call(self, inputs: Any) -> Any:
        """`[B, H, W, 4*C]` to `[B, 2*H, 2*W, C]`."""
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            return tf.nn.depth_to_space(inputs, SHUFFLE_FACTOR)
        return depth_to_space(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of `call`'s result; sizes that are not known stay so."""
        batch, height, width, num_channels = input_shape
        return (
            batch,
            None if height is None else SHUFFLE_FACTOR * height,
            None if width is None else SHUFFLE_FACTOR * width,
            None if num_channels is None else num_channels // SHUFFLE_FACTOR**2,
        )


def depth_to_space(features: Any) -> Any:
    """TensorFlow's `depth_to_space` of factor 2 in back-end independent operations.

    Args:
      features: `[B, H, W, 4*C]` with H, W and C known.

    Returns:
      `[B, 2*H, 2*W, C]`.
    """
    _, height, width, num_channels = features.shape
    factor = SHUFFLE_FACTOR
    depth = num_channels // factor**2
    split = keras.ops.reshape(features, (-1, height, width, factor, factor, depth))
    interleaved = keras.ops.transpose(split, (0, 1, 3, 2, 4, 5))
    return keras.ops.reshape(interleaved, (-1, factor * height, factor * width, depth))


@keras.saving.register_keras_serializable(package="mtdepth")
class BatchNormalization(layers.BatchNormalization):
    """`keras.layers.BatchNormalization` over the last of four axes, the same to rounding.

    Keras 3 computes mean, variance and the normalisation one after the other, which on a CPU takes
    three times as long as TensorFlow's fused operation, and longer than a network's convolutions.
    This one is fused where a batch's own statistics are used on TensorFlow; all else is Keras's.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalises `[B, H, W, C]`; in training also moves the stored statistics."""
        is_fused = (
            keras.backend.backend() == "tensorflow"
            and training
            and self.trainable
            and mask is None
            and len(inputs.shape) == 4
            and inputs.dtype == "float32"
        )
        return self._fused(inputs) if is_fused else super().call(inputs, training, mask)

    def _fused(self, inputs: Any) -> Any:
        import tensorflow as tf

        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            is_training=True,
        )
        # The operation gives the unbiased variance of the batch, Keras stores the biased one.
        num_values = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)
        variance = variance * ((num_values - 1) / num_values)
        kept = self.momentum
        self.moving_mean.assign(self.moving_mean * kept + mean * (1 - kept))
        self.moving_variance.assign(self.moving_variance * kept + variance * (1 - kept))
        return outputs


def fan_in_normal(fan_in: int) -> keras.initializers.Initializer:
    """A normal initialiser that keeps a ReLU's signal at the size it came in.

    The paper says "normal" without a deviation. Ours is `sqrt(2 / fan_in)` (He et al. 2015), the
    inputs that meet in *one* output: 9 for a depthwise 3x3 filter. Keras's own initialisers
    multiply a depthwise filter's fan by its channels; the response then shrinks to the epsilon of
    the batch normalisation behind it, which would no longer restore it.
    """
    return keras.initializers.RandomNormal(mean=0.0, stddev=math.sqrt(2.0 / fan_in))


def batch_norm(features: Any, *, momentum: float, name: str) -> Any:
    """Batch normalisation over the channels of `[B, h, w, C]`."""
    layer = BatchNormalization(epsilon=BATCH_NORM_EPSILON, momentum=momentum, name=name)
    return layer(features)


def relu6(features: Any, *, name: str) -> Any:
    """The rectifier of any shape that stops at 6, which keeps int8 scales small."""
    return layers.ReLU(max_value=MAX_ACTIVATION, name=name)(features)


def hard_swish(features: Any, *, name: str) -> Any:
    """`x * relu6(x + 3)`, six times MobileNetV3's (Howard et al. 2019, section 5.2).

    The batch normalisation of the convolution behind it takes the six out again. In these three
    layers, since what converters make of hard swish is an operator that XNNPACK lacks in int8.
    """
    shifted = layers.Rescaling(scale=1.0, offset=3.0, name=f"{name}_shift")(features)
    return layers.Multiply(name=name)([features, relu6(shifted, name=f"{name}_gate")])


_ACTIVATIONS = {"relu6": ("relu", relu6), "hard_swish": ("hard_swish", hard_swish)}


def bottleneck(
    features: Any,
    *,
    num_channels: int,
    expansion: int,
    stride: int = 1,
    momentum: float,
    prefix: str,
    activation: Activation = "relu6",
) -> Any:
    """An inverted residual block: expand 1x1, filter 3x3, project 1x1 linearly.

    The input is added where it has the output's shape. `expansion` 1 leaves the first convolution
    out. Layers are named as keras.applications names MobileNetV2's, after `prefix`.
    Source: Sandler et al. 2018, section 3.

    Args:
      features: `[B, h, w, C]`.
      num_channels: Out.
      expansion: Hidden channels per channel in.
      stride: 1 or 2.
      momentum: Of the batch normalisations.
      prefix: Of the layers' names.
      activation: After the first two convolutions.

    Returns:
      `[B, h / stride, w / stride, num_channels]`.
    """
    suffix, activate = _ACTIVATIONS[activation]
    hidden = features
    num_in = int(features.shape[-1])
    if expansion != 1:
        hidden = _pointwise(hidden, expansion * num_in, name=f"{prefix}expand")
        hidden = batch_norm(hidden, momentum=momentum, name=f"{prefix}expand_BN")
        hidden = activate(hidden, name=f"{prefix}expand_{suffix}")
    if stride == 2:
        # keras.applications' `correct_pad` of an even size; the published weights expect it.
        hidden = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{prefix}pad")(hidden)
    hidden = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        depthwise_initializer=fan_in_normal(9),
        name=f"{prefix}depthwise",
    )(hidden)
    hidden = batch_norm(hidden, momentum=momentum, name=f"{prefix}depthwise_BN")
    hidden = activate(hidden, name=f"{prefix}depthwise_{suffix}")
    hidden = _pointwise(hidden, num_channels, name=f"{prefix}project")
    hidden = batch_norm(hidden, momentum=momentum, name=f"{prefix}project_BN")
    if stride == 1 and num_in == num_channels:
        return layers.Add(name=f"{prefix}add")([features, hidden])
    return hidden


def _pointwise(features: Any, num_channels: int, *, name: str) -> Any:
    return layers.Conv2D(
        num_channels,
        1,
        padding="same",
        use_bias=False,
        kernel_initializer=fan_in_normal(int(features.shape[-1])),
        name=name,
    )(features)
