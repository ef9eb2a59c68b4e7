"""Assembles MiniNet's training graph and cuts inference graphs out of it.

MiniNet (Liu et al. 2020) is a network for depth from one picture that learns from video alone. Its
encoder is one small module through which the features run four times, each time coming out at half
the size; its decoder is five blocks of depthwise separable convolutions. There is no batch
normalisation anywhere: how the kernels start (`MiniNetSpec.initial_gain`, `.depthwise_fans`)
decides whether a signal comes out.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from mtdepth.files import UserError
from mtdepth.models.layers import MAX_ACTIVATION, PixelShuffle
from mtdepth.models.normalisation import MININET_INPUT
from mtdepth.models.student import INPUT_NAME, checked_input_size
from mtdepth.specs.mininet import (
    MODULES,
    NUM_CHANNELS,
    NUM_PASSES,
    OUTPUT_STRIDE,
    InvertedBlock,
    MiniNetSpec,
)

OUTPUT_NAME = "depth_code"
SQUEEZE_RATIO = 16  # hidden channels per channel of the squeeze in squeeze-and-excite


def build_training_graph(spec: MiniNetSpec, *, input_size: tuple[int, int]) -> keras.Model:
    """Builds the network with all four heads.

    Args:
      spec: The network.
      input_size: Height and width in pixels, multiples of 32.

    Returns:
      A model named `mininet`. Input `image`: `[B, H, W, 3]` float32, RGB through
      `mtdepth.models.normalisation.MININET_INPUT`. Outputs, a dict: `depth_code_F` `[B, H, W, 1]`,
      `depth_code_H`, `_Q`, `_E` at 1/2, 1/4 and 1/8 of the size: logits of the disparity, float32.

    Raises:
      UserError: If a side is not a positive multiple of 32; names the nearest legal size.
    """
    image = keras.Input((*checked_input_size(input_size), 3), name=INPUT_NAME)
    features, *skips = reversed(_encoder(image, spec))
    heads: dict[str, Any] = {}
    stride = 2 ** (NUM_PASSES + 1)
    for skip in (*skips, None):  # nothing to concatenate at the picture's own size
        stride //= 2
        features = _upsample_block(features, skip, spec, prefix=f"up_{stride}")
        for size, output_stride in OUTPUT_STRIDE.items():
            if output_stride == stride:
                name = f"{OUTPUT_NAME}_{size}"
                heads[name] = _head(features, spec, name=name)
    return keras.Model(image, dict(reversed(heads.items())), name="mininet")


def detach(
    training_graph: keras.Model,
    spec: MiniNetSpec,  # noqa: ARG001  (the student's needs it; one call for both)
    *,
    output: str,
) -> keras.Model:
    """Cuts the inference network of an output size out of a training graph.

    It shares the training graph's layers, so nothing is copied or trained. Blocks above the output
    and the other heads are left out.

    Args:
      training_graph: Of `build_training_graph`.
      spec: What it was built from.
      output: `"F"`, `"H"`, `"Q"` or `"E"`: the input's size, 1/2, 1/4 or 1/8 of it.

    Returns:
      A model with the same input and a dict of one output: `depth_code` `[B, h, w, 1]`.

    Raises:
      UserError: If there is no such output size.
    """
    if output not in OUTPUT_STRIDE:
        raise UserError(f"output must be one of {', '.join(OUTPUT_STRIDE)}, got {output!r}")
    code = training_graph.get_layer(f"{OUTPUT_NAME}_{output}").output
    name = f"mininet_{output.lower()}"
    return keras.Model(training_graph.inputs[0], {OUTPUT_NAME: code}, name=name)


def signal_stds(
    spec: MiniNetSpec, *, input_size: tuple[int, int], seed: int = 0
) -> dict[int, float]:
    """Standard deviation of the encoder's features at every stride, freshly initialised.

    Without normalisation nothing restores a feature map that an initialisation made too small:
    with the libraries' stock one the deepest features are a millionth of the first, and no gradient
    gets through them. The picture is uniform noise. Sets Keras's global seed.

    Args:
      spec: The network.
      input_size: Height and width in pixels, multiples of 32.
      seed: Of the kernels and the picture.

    Returns:
      By stride, 2 to 32.
    """
    height_px, width_px = input_size
    keras.utils.set_random_seed(seed)
    image = keras.Input((height_px, width_px, 3))
    encoder = keras.Model(image, _encoder(image, spec))
    noise = np.random.default_rng(seed).integers(0, 256, (1, height_px, width_px, 3))
    taps = encoder(MININET_INPUT(noise.astype(np.float32)))
    return {
        2**number: float(keras.ops.convert_to_numpy(keras.ops.std(tap)))
        for number, tap in enumerate(taps, start=1)
    }


def _encoder(image: Any, spec: MiniNetSpec) -> list[Any]:
    """The stem and the module's passes: features at 1/2, 1/4, 1/8, 1/16, 1/32, 64 channels each."""
    padded = _pad("stem")(image)
    stem = layers.Conv2D(
        NUM_CHANNELS,
        3,
        strides=2,
        padding="valid",
        kernel_initializer=_xavier(spec, fan_in=9 * 3, fan_out=9 * NUM_CHANNELS),
        name="stem",
    )
    taps = [layers.ReLU(name="stem_relu")(stem(padded))]
    modules = [_module(spec, "module")] * NUM_PASSES
    if not spec.reuse:
        modules = [_module(spec, f"module_{number}") for number in range(1, NUM_PASSES + 1)]
    for module in modules:
        taps.append(module(taps[-1]))
    return taps


def _module(spec: MiniNetSpec, prefix: str) -> Callable[[Any], Any]:
    """Its layers, made once; every call runs `[B, h, w, 64]` through them, to half the size."""
    blocks = [
        _inverted_residual(spec, block, prefix=f"{prefix}_block_{number}")
        for number, block in enumerate(MODULES[spec.variant], start=1)
    ]
    return lambda features: _chain(blocks, features)


def _inverted_residual(
    spec: MiniNetSpec, block: InvertedBlock, *, prefix: str
) -> Callable[[Any], Any]:
    """Expand 1x1, filter 3x3, squeeze-and-excite, project 1x1 linearly; no bias but the SE's."""
    hidden = block.expansion * NUM_CHANNELS
    squeezed = hidden // SQUEEZE_RATIO
    widen = [
        _conv(spec, num_in=NUM_CHANNELS, num_out=hidden, use_bias=False, name=f"{prefix}_expand"),
        layers.ReLU(max_value=MAX_ACTIVATION, name=f"{prefix}_expand_relu"),
        *([_pad(prefix)] if block.stride == 2 else []),
        _depthwise(spec, hidden, stride=block.stride, name=f"{prefix}_depthwise"),
        layers.ReLU(max_value=MAX_ACTIVATION, name=f"{prefix}_depthwise_relu"),
    ]
    weigh = [
        layers.GlobalAveragePooling2D(keepdims=True, name=f"{prefix}_se_mean"),
        _conv(spec, num_in=hidden, num_out=squeezed, name=f"{prefix}_se_squeeze"),
        layers.ReLU(name=f"{prefix}_se_relu"),
        _conv(spec, num_in=squeezed, num_out=hidden, name=f"{prefix}_se_excite"),
        layers.Activation("sigmoid", name=f"{prefix}_se_sigmoid"),
    ]
    scale = layers.Multiply(name=f"{prefix}_se_scale")
    project = _conv(
        spec, num_in=hidden, num_out=NUM_CHANNELS, use_bias=False, name=f"{prefix}_project"
    )
    add = layers.Add(name=f"{prefix}_add") if block.stride == 1 else None

    def run(features: Any) -> Any:
        filtered = _chain(widen, features)
        projected = project(scale([filtered, _chain(weigh, filtered)]))
        return projected if add is None else add([features, projected])

    return run


def _upsample_block(features: Any, skip: Any, spec: MiniNetSpec, *, prefix: str) -> Any:
    features = _separable(features, spec, prefix=f"{prefix}_low")
    # Nearest neighbour: four copies of the channels, shuffled. Keras's own upsampling becomes TILE
    # on a device, which XNNPACK lacks: the network would fall into eleven parts. This one is whole,
    # equals it to the bit, and trains as fast.
    four = layers.Concatenate(name=f"{prefix}_four")([features] * 4)
    features = PixelShuffle(name=f"{prefix}_nearest")(four)
    if skip is not None:
        features = layers.Concatenate(name=f"{prefix}_concat")([features, skip])
    return _separable(features, spec, prefix=f"{prefix}_high")


def _separable(features: Any, spec: MiniNetSpec, *, prefix: str) -> Any:
    """The decoder's residual depthwise separable convolution to 64 channels.

    Depthwise 3x3, ReLU, pointwise, the input added where it has 64 channels too, ReLU; with
    `dense_decoder` a 3x3 convolution and ReLU.
    """
    num_in = int(features.shape[-1])
    relu = layers.ReLU(name=f"{prefix}_relu")
    if spec.dense_decoder:
        name = f"{prefix}_conv"
        conv = _conv(spec, num_in=num_in, num_out=NUM_CHANNELS, kernel_px=3, name=name)
        return relu(conv(features))
    conv = _conv(spec, num_in=num_in, num_out=NUM_CHANNELS, name=f"{prefix}_pointwise")
    hidden = conv(_filtered(features, spec, prefix=prefix))
    if num_in == NUM_CHANNELS:
        hidden = layers.Add(name=f"{prefix}_add")([features, hidden])
    return relu(hidden)


def _head(features: Any, spec: MiniNetSpec, *, name: str) -> Any:
    """A depthwise separable convolution to one channel without activation: the logit, float32.

    The last layer carries the name. The sigmoid belongs to the loss and to the depth codec: in
    eight bits the logit is worth more than what comes out of it.
    """
    kernel_px = 3
    if not spec.dense_decoder:
        features = _filtered(features, spec, prefix=name)
        kernel_px = 1
    area = kernel_px**2
    start = _xavier(spec, fan_in=area * NUM_CHANNELS, fan_out=area, gain=spec.head_gain)
    return layers.Conv2D(
        1, kernel_px, padding="same", kernel_initializer=start, dtype="float32", name=name
    )(features)


def _filtered(features: Any, spec: MiniNetSpec, *, prefix: str) -> Any:
    num_channels = int(features.shape[-1])
    filtering = _depthwise(spec, num_channels, use_bias=True, name=f"{prefix}_depthwise")
    return layers.ReLU(name=f"{prefix}_depthwise_relu")(filtering(features))


def _conv(
    spec: MiniNetSpec,
    *,
    num_in: int,
    num_out: int,
    name: str,
    kernel_px: int = 1,
    use_bias: bool = True,
) -> Any:
    area = kernel_px**2
    return layers.Conv2D(
        num_out,
        kernel_px,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=_xavier(spec, fan_in=area * num_in, fan_out=area * num_out),
        name=name,
    )


def _depthwise(
    spec: MiniNetSpec, num_channels: int, *, name: str, stride: int = 1, use_bias: bool = False
) -> Any:
    """A 3x3 depthwise convolution; stride 2 expects its input padded by 1 already."""
    fan_out = 9 if spec.depthwise_fans == "group" else 9 * num_channels
    return layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=use_bias,
        depthwise_initializer=_xavier(spec, fan_in=9, fan_out=fan_out),
        name=name,
    )


def _pad(prefix: str) -> Any:
    """One pixel on every side, as the paper's framework pads before a stride of 2.

    "Same" padding would put it below and to the right only, half a pixel away.
    """
    return layers.ZeroPadding2D(1, name=f"{prefix}_pad")


def _xavier(spec: MiniNetSpec, *, fan_in: int, fan_out: int, gain: float | None = None) -> Any:
    """Glorot and Bengio 2010, equation 16, times the gain; a new object for every layer."""
    limit = (gain or spec.initial_gain) * math.sqrt(6.0 / (fan_in + fan_out))
    return keras.initializers.RandomUniform(-limit, limit)


def _chain(steps: list[Any], features: Any) -> Any:
    for step in steps:
        features = step(features)
    return features
