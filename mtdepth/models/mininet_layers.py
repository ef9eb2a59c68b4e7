"""The pieces that MiniNet is made of, for either layer namespace.

As in `mtdepth.models.layers`, every builder takes `nn`, the module `keras` or `tf_keras`, and every
layer has a name, the same in both. There is no batch normalisation anywhere: how the kernels start
(`MiniNetSpec.initial_gain`, `.depthwise_fans`) decides whether a signal comes out.
"""

import dataclasses
import math
from types import ModuleType
from typing import Any

from mtdepth.models.layers import MAX_ACTIVATION, pixel_shuffle
from mtdepth.models.mininet_spec import NUM_CHANNELS, InvertedBlock, MiniNetSpec

SQUEEZE_RATIO = 16  # hidden channels per channel of the squeeze in squeeze-and-excite


@dataclasses.dataclass(frozen=True)
class LayerMaker:
    """Makes MiniNet's layers with weights, started as its spec says.

    Args:
      nn: `keras` or `tf_keras`.
      spec: The network.
    """

    nn: ModuleType
    spec: MiniNetSpec

    def conv(
        self,
        *,
        num_in: int,
        num_out: int,
        name: str,
        kernel_px: int = 1,
        use_bias: bool = True,
    ) -> Any:
        """A convolution of stride 1."""
        area = kernel_px**2
        return self.nn.layers.Conv2D(
            num_out,
            kernel_px,
            padding="same",
            use_bias=use_bias,
            kernel_initializer=self._xavier(fan_in=area * num_in, fan_out=area * num_out),
            name=name,
        )

    def logit(self, *, name: str) -> Any:
        """The convolution to one channel that a head ends in, float32 under any policy."""
        kernel_px = 3 if self.spec.dense_decoder else 1
        area = kernel_px**2
        return self.nn.layers.Conv2D(
            1,
            kernel_px,
            padding="same",
            kernel_initializer=self._xavier(
                fan_in=area * NUM_CHANNELS, fan_out=area, gain=self.spec.head_gain
            ),
            dtype="float32",
            name=name,
        )

    def stem(self, *, name: str) -> Any:
        """The 3x3 convolution of stride 2 that takes the picture, padded by 1 already."""
        return self.nn.layers.Conv2D(
            NUM_CHANNELS,
            3,
            strides=2,
            padding="valid",
            kernel_initializer=self._xavier(fan_in=9 * 3, fan_out=9 * NUM_CHANNELS),
            name=name,
        )

    def depthwise(self, *, num_channels: int, stride: int, use_bias: bool, name: str) -> Any:
        """A 3x3 depthwise convolution; stride 2 expects its input padded by 1 already."""
        is_group = self.spec.depthwise_fans == "group"
        return self.nn.layers.DepthwiseConv2D(
            3,
            strides=stride,
            padding="same" if stride == 1 else "valid",
            use_bias=use_bias,
            depthwise_initializer=self._xavier(
                fan_in=9, fan_out=9 if is_group else 9 * num_channels
            ),
            name=name,
        )

    def pad(self, *, name: str) -> Any:
        """One pixel on every side, as the paper's framework pads before a stride of 2.

        "Same" padding would put it below and to the right only, half a pixel away.
        """
        return self.nn.layers.ZeroPadding2D(1, name=name)

    def relu(self, *, name: str, max_value: float | None = None) -> Any:
        """A rectifier."""
        return self.nn.layers.ReLU(max_value=max_value, name=name)

    def _xavier(self, *, fan_in: int, fan_out: int, gain: float | None = None) -> Any:
        """Glorot and Bengio 2010, equation 16, times the gain; a new object for every layer."""
        gain = self.spec.initial_gain if gain is None else gain
        limit = gain * math.sqrt(6.0 / (fan_in + fan_out))
        return self.nn.initializers.RandomUniform(-limit, limit)


class RecurrentModule:
    """The module's layers, made once; every call runs a feature map through the same ones.

    Args:
      make: The maker.
      blocks: Its inverted residual blocks.
      prefix: Of the layers' names.
    """

    def __init__(self, make: LayerMaker, blocks: tuple[InvertedBlock, ...], *, prefix: str) -> None:
        self._blocks = [
            _InvertedResidual(make, block, prefix=f"{prefix}_block_{number}")
            for number, block in enumerate(blocks, start=1)
        ]

    def __call__(self, features: Any) -> Any:
        """`[B, h, w, 64]` to `[B, h/2, w/2, 64]`."""
        for block in self._blocks:
            features = block(features)
        return features


class _InvertedResidual:
    """Expand 1x1, filter 3x3, squeeze-and-excite, project 1x1 linearly; no bias but the SE's."""

    def __init__(self, make: LayerMaker, block: InvertedBlock, *, prefix: str) -> None:
        hidden = block.expansion * NUM_CHANNELS
        layers = make.nn.layers
        self._expand = [
            make.conv(num_in=NUM_CHANNELS, num_out=hidden, use_bias=False, name=f"{prefix}_expand"),
            make.relu(max_value=MAX_ACTIVATION, name=f"{prefix}_expand_relu"),
        ]
        self._filter = [
            make.depthwise(
                num_channels=hidden, stride=block.stride, use_bias=False, name=f"{prefix}_depthwise"
            ),
            make.relu(max_value=MAX_ACTIVATION, name=f"{prefix}_depthwise_relu"),
        ]
        if block.stride == 2:
            self._filter.insert(0, make.pad(name=f"{prefix}_pad"))
        squeezed = hidden // SQUEEZE_RATIO
        self._weigh = [
            layers.GlobalAveragePooling2D(keepdims=True, name=f"{prefix}_se_mean"),
            make.conv(num_in=hidden, num_out=squeezed, name=f"{prefix}_se_squeeze"),
            make.relu(name=f"{prefix}_se_relu"),
            make.conv(num_in=squeezed, num_out=hidden, name=f"{prefix}_se_excite"),
            layers.Activation("sigmoid", name=f"{prefix}_se_sigmoid"),
        ]
        self._scale = layers.Multiply(name=f"{prefix}_se_scale")
        self._project = make.conv(
            num_in=hidden, num_out=NUM_CHANNELS, use_bias=False, name=f"{prefix}_project"
        )
        self._add = layers.Add(name=f"{prefix}_add") if block.stride == 1 else None

    def __call__(self, features: Any) -> Any:
        hidden = _chain(self._filter, _chain(self._expand, features))
        hidden = self._project(self._scale([hidden, _chain(self._weigh, hidden)]))
        return hidden if self._add is None else self._add([features, hidden])


def separable(make: LayerMaker, features: Any, *, prefix: str) -> Any:
    """The decoder's residual depthwise separable convolution to 64 channels.

    Depthwise 3x3, ReLU, pointwise, the input added where it has 64 channels too, ReLU; with
    `dense_decoder` a 3x3 convolution and ReLU.
    """
    num_in = int(features.shape[-1])
    if make.spec.dense_decoder:
        conv = make.conv(num_in=num_in, num_out=NUM_CHANNELS, kernel_px=3, name=f"{prefix}_conv")
        return make.relu(name=f"{prefix}_relu")(conv(features))
    hidden = _filtered(make, features, prefix=prefix)
    conv = make.conv(num_in=num_in, num_out=NUM_CHANNELS, name=f"{prefix}_pointwise")
    hidden = conv(hidden)
    if num_in == NUM_CHANNELS:
        hidden = make.nn.layers.Add(name=f"{prefix}_add")([features, hidden])
    return make.relu(name=f"{prefix}_relu")(hidden)


def head(make: LayerMaker, features: Any, *, name: str) -> Any:
    """A depthwise separable convolution to one channel without activation: the logit, float32.

    The last layer carries the name. The sigmoid belongs to the loss and to the depth codec: in
    eight bits the logit is worth more than what comes out of it.
    """
    if not make.spec.dense_decoder:
        features = _filtered(make, features, prefix=name)
    return make.logit(name=name)(features)


def nearest_twice(make: LayerMaker, features: Any, *, prefix: str) -> Any:
    """Twice the height and width, every value four times: four copies of the channels, shuffled.

    The libraries' own upsampling becomes TILE on a device, which XNNPACK lacks: the network would
    fall into eleven parts. This one is whole, equals it to the bit, and trains as fast.
    """
    four = make.nn.layers.Concatenate(name=f"{prefix}_four")([features] * 4)
    return pixel_shuffle(make.nn, four, name=f"{prefix}_nearest")


def _filtered(make: LayerMaker, features: Any, *, prefix: str) -> Any:
    filtering = make.depthwise(
        num_channels=int(features.shape[-1]), stride=1, use_bias=True, name=f"{prefix}_depthwise"
    )
    return make.relu(name=f"{prefix}_depthwise_relu")(filtering(features))


def _chain(layers: list[Any], features: Any) -> Any:
    for layer in layers:
        features = layer(features)
    return features
