"""The stacked-hourglass stereo network of Chang & Chen 2018 ("Pyramid Stereo Matching Network").

Layers are named as the authors name their parameters, with "_" for "." (`dres2.conv1.0.0.weight`
is the kernel of `dres2_conv1_0_0`), which is all that `teachers.psmnet.checkpoint` needs to know.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from teachers.psmnet.layers import CostVolume, PyramidLevel, ResizeLike, SoftArgmin
from teachers.psmnet.sizes import Precision, check_max_disparity

Floats = npt.NDArray[np.float32]
Outputs = Literal["final", "all"]

SCALE = 4  # picture size / feature size
NUM_PARAMETERS = 5_224_768  # trainable

NORM_EPSILON = 1e-5  # of the released weights
_NORM_MOMENTUM = 0.9  # PyTorch counts the other share, 0.1
_FEATURE_CHANNELS = 32
_PYRAMID_SIDES = {"branch4": 8, "branch3": 16, "branch2": 32, "branch1": 64}


def build_psmnet(
    *,
    max_disparity_px: int,
    align_corners: bool,
    outputs: Outputs = "final",
    dtype: Precision = "float32",
    is_folded: bool = False,
) -> keras.Model:
    """Builds the network with random weights.

    Inputs `left` and `right` are `[b, h, w, 3]`, normalised by `teachers.imagenet`; h and w are any
    multiples of 16, known when a graph is traced.

    Args:
      max_disparity_px: Searched disparities are 0..max_disparity_px - 1.
      align_corners: The rule of every bilinear and trilinear upsampling, a property of the weights:
        true of those trained before PyTorch 0.4 (the 2018 releases), false later.
      outputs: `"final"` is one disparity, `[b, h, w]` px; `"all"` a list of three, coarse to fine,
        one behind each hourglass, as training needs them.
      dtype: Of the convolutions; weights, upsampling and soft argmin are float32 always.
      is_folded: Leaves the batch normalisations out and gives the convolutions before them biases,
        for `weights.assign_weights` to fill: the same function, for inference only.

    Raises:
      ValueError: If `max_disparity_px` is not a positive multiple of 16.
    """
    check_max_disparity(max_disparity_px)
    policy = dtype if dtype == "float32" else f"mixed_{dtype}"
    blocks = _Blocks(policy=policy, is_folded=is_folded)
    left = keras.Input((None, None, 3), name="left")
    right = keras.Input((None, None, 3), name="right")
    extractor = _feature_extractor(blocks, align_corners=align_corners)
    volume = CostVolume(
        num_disparities=max_disparity_px // SCALE, dtype=policy, name="cost_volume"
    )([extractor(left), extractor(right)])
    disparities_px = [
        SoftArgmin(
            num_disparities=max_disparity_px,
            scale=SCALE,
            align_corners=align_corners,
            dtype="float32",
            name=f"disparity_{index}",
        )(scores)
        for index, scores in enumerate(_matching_scores(blocks, volume), start=1)
        if outputs == "all" or index == 3
    ]
    return keras.Model(
        [left, right], disparities_px if outputs == "all" else disparities_px[0], name="psmnet"
    )


def compiled(network: keras.Model) -> Callable[[Floats, Floats], Floats]:
    """A function of the left and right pictures, `[b, h, w, 3]` each, to `[b, h, w]` pixels.

    Keras's own `predict` would relax the shapes of its graph after the second size, and layers
    that need a known size would fail.
    """
    if keras.backend.backend() != "tensorflow":  # operation by operation
        return lambda left, right: ops.convert_to_numpy(network([left, right], training=False))
    import tensorflow as tf

    @functools.cache
    def graph_of(shape: tuple[int, ...]) -> Any:
        spec = tf.TensorSpec(shape, tf.float32)
        # Compiled by XLA the volume convolutions are six times slower on a CPU than by oneDNN.
        function = tf.function(lambda *views: network(list(views), training=False), autograph=False)
        return function.get_concrete_function(spec, spec)

    return lambda left, right: graph_of(left.shape)(tf.constant(left), tf.constant(right)).numpy()


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Blocks:
    """Convolutions with what follows them, for maps (2 axes) and volumes (3 axes)."""

    policy: str
    is_folded: bool

    def conv(
        self,
        x: Any,
        channels: int,
        *,
        name: str,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        has_bias: bool = False,
    ) -> Any:
        """A convolution, padded by as many zeros before as behind."""
        layers, axes = keras.layers, len(x.shape) - 2
        if stride > 1 and kernel > 1:  # "same" would put all zeros behind
            x = (layers.ZeroPadding2D if axes == 2 else layers.ZeroPadding3D)(
                kernel // 2, dtype=self.policy, name=f"{name}_pad"
            )(x)
        return (layers.Conv2D if axes == 2 else layers.Conv3D)(
            channels,
            kernel,
            strides=stride,
            padding="valid" if stride > 1 else "same",
            dilation_rate=dilation,
            use_bias=has_bias,
            kernel_initializer="he_normal",  # the authors' fan is the outputs'; nearly the same
            dtype=self.policy,
            name=name,
        )(x)

    def conv_norm(self, x: Any, channels: int, *, name: str, **settings: int) -> Any:
        """A convolution and its batch normalisation: the authors' `convbn`."""
        x = self.conv(x, channels, name=f"{name}_0", has_bias=self.is_folded, **settings)
        return self._norm(x, name=f"{name}_1")

    def upconv_norm(self, x: Any, channels: int, *, name: str) -> Any:
        """A transposed convolution that doubles all three axes, and its normalisation."""
        x = keras.layers.Conv3DTranspose(
            channels,
            3,
            strides=2,
            padding="valid",
            use_bias=self.is_folded,
            kernel_initializer="he_normal",
            dtype=self.policy,
            name=f"{name}_0",
        )(x)
        # PyTorch's padding 1 with output padding 1: without the first sample, with the last.
        x = keras.layers.Cropping3D(((1, 0),) * 3, dtype=self.policy, name=f"{name}_crop")(x)
        return self._norm(x, name=f"{name}_1")

    def relu(self, x: Any, *, name: str) -> Any:
        """The plain rectifier."""
        return keras.layers.ReLU(dtype=self.policy, name=name)(x)

    def add(self, *terms: Any, name: str) -> Any:
        """The sum."""
        return keras.layers.Add(dtype=self.policy, name=name)(list(terms))

    def _norm(self, x: Any, *, name: str) -> Any:
        if self.is_folded:
            return x
        return keras.layers.BatchNormalization(
            epsilon=NORM_EPSILON, momentum=_NORM_MOMENTUM, dtype=self.policy, name=name
        )(x)


def _feature_extractor(blocks: _Blocks, *, align_corners: bool) -> keras.Model:
    """`[b, h, w, 3]` to `[b, h/4, w/4, 32]`; one set of weights for both views."""
    image = keras.Input((None, None, 3), name="image")
    prefix = "feature_extraction_"
    x = image
    for index, stride in ((0, 2), (2, 1), (4, 1)):
        x = blocks.conv_norm(x, 32, stride=stride, name=f"{prefix}firstconv_{index}")
        x = blocks.relu(x, name=f"{prefix}firstconv_{index + 1}")
    x = _residual_stage(blocks, x, 32, num_blocks=3, name=f"{prefix}layer1")
    raw = _residual_stage(blocks, x, 64, num_blocks=16, stride=2, name=f"{prefix}layer2")
    x = _residual_stage(blocks, raw, 128, num_blocks=3, name=f"{prefix}layer3")
    skip = _residual_stage(blocks, x, 128, num_blocks=3, dilation=2, name=f"{prefix}layer4")
    pyramid = [
        _pyramid_branch(blocks, skip, side=side, align_corners=align_corners, name=prefix + branch)
        for branch, side in _PYRAMID_SIDES.items()
    ]
    x = keras.layers.Concatenate(dtype=blocks.policy, name=f"{prefix}concat")([raw, skip, *pyramid])
    x = blocks.relu(
        blocks.conv_norm(x, 128, name=f"{prefix}lastconv_0"), name=f"{prefix}lastconv_1"
    )
    features = blocks.conv(x, _FEATURE_CHANNELS, kernel=1, name=f"{prefix}lastconv_2")
    return keras.Model(image, features, name="feature_extraction")


def _residual_stage(
    blocks: _Blocks,
    x: Any,
    channels: int,
    *,
    num_blocks: int,
    name: str,
    stride: int = 1,
    dilation: int = 1,
) -> Any:
    for index in range(num_blocks):
        block, step = f"{name}_{index}", stride if index == 0 else 1
        y = blocks.conv_norm(x, channels, stride=step, dilation=dilation, name=f"{block}_conv1_0")
        y = blocks.relu(y, name=f"{block}_conv1_1")
        y = blocks.conv_norm(y, channels, dilation=dilation, name=f"{block}_conv2")
        if step > 1 or x.shape[-1] != channels:
            x = blocks.conv_norm(x, channels, kernel=1, stride=step, name=f"{block}_downsample")
        x = blocks.add(y, x, name=f"{block}_add")  # no rectifier behind the sum
    return x


def _pyramid_branch(blocks: _Blocks, x: Any, *, side: int, align_corners: bool, name: str) -> Any:
    pooled = PyramidLevel(side=side, dtype=blocks.policy, name=f"{name}_0")(x)
    pooled = blocks.conv_norm(pooled, 32, kernel=1, name=f"{name}_1")
    pooled = blocks.relu(pooled, name=f"{name}_2")
    return ResizeLike(align_corners=align_corners, dtype=blocks.policy, name=f"{name}_resize")(
        [pooled, x]
    )


def _matching_scores(blocks: _Blocks, volume: Any) -> list[Any]:
    """`[b, d/4, h/4, w/4, 64]` to three scores `[b, d/4, h/4, w/4, 1]`, coarse to fine."""
    x = _conv_relu_conv(blocks, volume, name="dres0")
    x = blocks.relu(x, name="dres0_3")
    base = blocks.add(_conv_relu_conv(blocks, x, name="dres1"), x, name="dres1_add")
    out, first_inner, outer = _hourglass(blocks, base, name="dres2")
    outs = [blocks.add(out, base, name="dres2_add")]
    for name in ("dres3", "dres4"):
        out, _, outer = _hourglass(
            blocks, outs[-1], inner_skip=first_inner, outer_skip=outer, name=name
        )
        outs.append(blocks.add(out, base, name=f"{name}_add"))
    scores: list[Any] = []
    for index, out in enumerate(outs, start=1):
        name = f"classif{index}"
        x = blocks.relu(blocks.conv_norm(out, 32, name=f"{name}_0"), name=f"{name}_1")
        x = blocks.conv(x, 1, name=f"{name}_2")
        scores.append(blocks.add(x, scores[-1], name=f"{name}_add") if scores else x)
    return scores


def _conv_relu_conv(blocks: _Blocks, x: Any, *, name: str) -> Any:
    x = blocks.relu(blocks.conv_norm(x, 32, name=f"{name}_0"), name=f"{name}_1")
    return blocks.conv_norm(x, 32, name=f"{name}_2")


def _hourglass(
    blocks: _Blocks, x: Any, *, name: str, inner_skip: Any = None, outer_skip: Any = None
) -> tuple[Any, Any, Any]:
    """Down to 1/4 of the volume and back, with the earlier hourglasses' maps added on the way.

    Returns:
      The output at the input's size, and two maps at half of it: the one on the way down and the
      one on the way up.
    """
    down = blocks.relu(
        blocks.conv_norm(x, 64, stride=2, name=f"{name}_conv1_0"), name=f"{name}_conv1_1"
    )
    down = blocks.conv_norm(down, 64, name=f"{name}_conv2")
    if outer_skip is not None:
        down = blocks.add(down, outer_skip, name=f"{name}_conv2_add")
    down = blocks.relu(down, name=f"{name}_conv2_relu")
    bottom = blocks.relu(
        blocks.conv_norm(down, 64, stride=2, name=f"{name}_conv3_0"), name=f"{name}_conv3_1"
    )
    bottom = blocks.relu(
        blocks.conv_norm(bottom, 64, name=f"{name}_conv4_0"), name=f"{name}_conv4_1"
    )
    up = blocks.add(
        blocks.upconv_norm(bottom, 64, name=f"{name}_conv5"),
        down if inner_skip is None else inner_skip,
        name=f"{name}_conv5_add",
    )
    up = blocks.relu(up, name=f"{name}_conv5_relu")
    return blocks.upconv_norm(up, 32, name=f"{name}_conv6"), down, up
