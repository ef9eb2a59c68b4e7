"""DeepLabV3 and DeepLabV3+ as Keras graphs, made of keras-cv's backbones, pyramid and decoder.

Sources: Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation"
(DeepLabV3); Chen et al. 2018, "Encoder-Decoder with Atrous Separable Convolution" (DeepLabV3+);
the backbones are those of He et al. 2015 and Howard et al. 2019.

keras-cv's named backbones download weights; its generic ones, which are used here, take every
number as an argument and build offline.
"""

import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args

import keras
import numpy as np

from mtdepth.datasets.label_map import NUM_CLASSES
from mtdepth.files import DataError, UserError
from mtdepth.models.weights import load_every_weight
from teachers import imagenet
from teachers.deeplab_v3.checkpoint import DeepLabInfo, read_info

BackboneName = Literal["resnet18", "resnet50", "mobilenet_v3_small", "mobilenet_v3_large"]
HeadName = Literal["v3plus", "v3"]
BACKBONE_NAMES: tuple[str, ...] = get_args(BackboneName)
HEAD_NAMES: tuple[str, ...] = get_args(HeadName)

SIZE_MULTIPLE_PX = 32
"""Pictures fed to the network have sides that are multiples of this."""

ATROUS_RATES = (6, 12, 18)  # Chen et al. 2017, sec. 4.1, for an output stride of 16
BATCH_NORM_MOMENTUM = 0.99  # ours: MobileNetV3's 0.999 outlasts a short fine-tuning


def build_deeplab(
    *,
    backbone: str,
    head: str,
    num_classes: int = NUM_CLASSES,
    backbone_weights: Path | None = None,
) -> keras.Model:
    """Builds a segmentation network with fresh weights.

    `v3plus` is keras-cv's `DeepLabV3Plus`: backbone features at an output stride of 32, joined
    with those at 4, bilinear to the picture's size. `v3` is DeepLabV3 as its paper has it: no
    decoder, the backbone's last stage dilated instead of strided (output stride 16), bilinear to
    the picture's size.

    Args:
      backbone: One of `BACKBONE_NAMES`.
      head: One of `HEAD_NAMES`.
      num_classes: Channels of the output.
      backbone_weights: A file of keras-cv's own weights for the backbone; None draws them.

    Returns:
      A model from `image` `[b, h, w, 3]`, float32, ImageNet-normalised, sides that are multiples
      of 32, to `[b, h, w, num_classes]` logits, float32.

    Raises:
      UserError: If a name is unknown.
      FileNotFoundError: If the weight file is missing.
      DataError: If it does not hold this backbone.
    """
    if backbone not in BACKBONE_NAMES:
        raise UserError(f"backbone is one of {', '.join(BACKBONE_NAMES)}; got {backbone!r}")
    if head not in HEAD_NAMES:
        raise UserError(f"head is one of {', '.join(HEAD_NAMES)}; got {head!r}")
    extractor = _backbone(backbone)
    if backbone_weights is not None:
        _load_backbone(extractor, backbone_weights)
    if head == "v3plus":
        logits = _decoded_logits(extractor, num_classes=num_classes)
    else:
        logits = _dilated_logits(extractor, num_classes=num_classes)
    # Plain and functional, so that the saved file holds every layer as it is, dilations included;
    # keras-cv's own classes would rebuild themselves from their arguments.
    model = keras.Model(extractor.input, logits, name=f"deeplab_{head}_{backbone}")
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    return model


def load_deeplab(path: Path) -> tuple[keras.Model, DeepLabInfo]:
    """Reads what `save_deeplab` wrote.

    Returns:
      The `keras.Model`, ready for inference or for more training, and its record.

    Raises:
      FileNotFoundError: If the file is missing.
      DataError: If it is no file of `save_deeplab`, or damaged.
    """
    info = read_info(path)
    model = build_deeplab(backbone=info.backbone, head=info.head, num_classes=info.num_classes)
    try:
        load_every_weight(model, path)
    except ValueError as error:
        raise DataError(
            path, f"holds no {info.head} on {info.backbone} as it says: {error}"
        ) from error
    return model, info


def _decoded_logits(extractor: Any, *, num_classes: int) -> Any:
    import keras_cv

    layers = keras.layers
    head = keras.Sequential(
        [
            layers.Conv2D(256, 1, use_bias=False, name="head_conv"),
            layers.BatchNormalization(name="head_norm"),
            layers.ReLU(name="head_relu"),
            layers.UpSampling2D(4, interpolation="bilinear", name="head_upsampling"),
            # keras-cv's own head ends in a softmax here; ours keeps the logits.
            layers.Conv2D(num_classes, 1, use_bias=False, dtype="float32", name="head_output"),
        ],
        name="logits",
    )
    return keras_cv.models.DeepLabV3Plus(
        extractor,
        num_classes,
        spatial_pyramid_pooling=_pyramid(),
        segmentation_head=head,
    ).output


def _dilated_logits(extractor: Any, *, num_classes: int) -> Any:
    layers = keras.layers
    names = extractor.pyramid_level_inputs
    _stride_to_dilation(extractor, after=names["P4"], until=names["P5"])
    features = _pyramid()(extractor.get_layer(names["P5"]).output)
    coarse = layers.Conv2D(num_classes, 1, dtype="float32", name="coarse_logits")(features)
    return layers.UpSampling2D(16, interpolation="bilinear", dtype="float32", name="logits")(coarse)


def _pyramid() -> Any:
    import keras_cv

    return keras_cv.layers.SpatialPyramidPooling(list(ATROUS_RATES), name="pyramid")


def _stride_to_dilation(extractor: Any, *, after: str, until: str) -> None:
    """Keeps the resolution of the stage between two layers: its stride becomes dilation.

    Convolutions behind the one that strode read every second feature, so they see what they saw
    before (Chen et al. 2017, sec. 3.1). The graph's sizes are unknown when it is built, so that
    changing its layers changes no shape that was inferred.
    """
    names = [layer.name for layer in extractor.layers]
    stage = extractor.layers[names.index(after) + 1 : names.index(until) + 1]
    is_behind = False
    padding = None
    for layer in stage:
        if isinstance(layer, keras.layers.ZeroPadding2D):
            padding = layer
        if not isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            continue
        if is_behind and max(layer.kernel_size) > 1:
            layer.dilation_rate = (2, 2)
        if max(layer.strides) > 1:
            layer.strides = (1, 1)
            is_behind = True
            if layer.padding == "valid" and max(layer.kernel_size) > 1 and padding is not None:
                # Padded for a stride of two, one less before than after.
                half = layer.kernel_size[0] // 2
                padding.padding = ((half, half), (half, half))


def _backbone(name: str) -> Any:
    import keras_cv

    image = keras.Input((None, None, 3), name="image")
    common = {"include_rescaling": False, "input_tensor": image}
    if name.startswith("resnet"):
        resnet = _RESNETS[name]
        return keras_cv.models.ResNetBackbone(
            stackwise_filters=[64, 128, 256, 512],
            stackwise_blocks=list(resnet.blocks),
            stackwise_strides=[1, 2, 2, 2],
            block_type=resnet.block_type,
            **common,
        )
    stages = _MOBILENETS[name]
    return keras_cv.models.MobileNetV3Backbone(
        stackwise_kernel_size=[row.kernel_px for row in stages],
        stackwise_expansion=[row.expanded / row.num_inputs for row in stages],
        stackwise_filters=[row.filters for row in stages],
        stackwise_se_ratio=[0.25 if row.has_squeeze else None for row in stages],
        stackwise_activation=[row.activation for row in stages],
        stackwise_stride=[row.stride for row in stages],
        **common,
    )


def _load_backbone(extractor: Any, path: Path) -> None:
    """Loads ImageNet weights and fits them to our normalisation.

    keras-cv trained its backbones on pictures in 0..1. What the first convolution saw there,
    `rgb`, is `x * std + mean` of what it sees here, so its kernel takes the factor and the
    normalisation behind it the offset: the same features, but for the outermost pixels, whose
    padding was black there and is the mean colour here.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weight file; --backbone_weights names one")
    try:
        load_every_weight(extractor, path)
    except ValueError as error:
        raise DataError(path, f"does not hold the weights of this backbone: {error}") from error
    convolution = next(
        layer for layer in extractor.layers if isinstance(layer, keras.layers.Conv2D)
    )
    norm = next(
        layer for layer in extractor.layers if isinstance(layer, keras.layers.BatchNormalization)
    )
    kernel = keras.ops.convert_to_numpy(convolution.kernel)
    offset = (kernel * np.reshape(imagenet.MEAN, (1, 1, 3, 1))).sum(axis=(0, 1, 2))
    convolution.kernel.assign(kernel * np.reshape(imagenet.STANDARD_DEVIATION, (1, 1, 3, 1)))
    norm.moving_mean.assign(keras.ops.convert_to_numpy(norm.moving_mean) - offset)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _ResNet:
    blocks: tuple[int, int, int, int]
    block_type: str


_RESNETS = {
    "resnet18": _ResNet(blocks=(2, 2, 2, 2), block_type="basic_block"),  # He et al. 2015, table 1
    "resnet50": _ResNet(blocks=(3, 4, 6, 3), block_type="block"),
}


@dataclasses.dataclass(frozen=True)
class _Bottleneck:
    """One row of Howard et al. 2019, tables 1 and 2."""

    kernel_px: int
    num_inputs: int
    expanded: int
    filters: int
    has_squeeze: bool
    activation: str
    stride: int


_MOBILENETS = {
    "mobilenet_v3_small": (
        _Bottleneck(3, 16, 16, 16, True, "relu", 2),
        _Bottleneck(3, 16, 72, 24, False, "relu", 2),
        _Bottleneck(3, 24, 88, 24, False, "relu", 1),
        _Bottleneck(5, 24, 96, 40, True, "hard_swish", 2),
        _Bottleneck(5, 40, 240, 40, True, "hard_swish", 1),
        _Bottleneck(5, 40, 240, 40, True, "hard_swish", 1),
        _Bottleneck(5, 40, 120, 48, True, "hard_swish", 1),
        _Bottleneck(5, 48, 144, 48, True, "hard_swish", 1),
        _Bottleneck(5, 48, 288, 96, True, "hard_swish", 2),
        _Bottleneck(5, 96, 576, 96, True, "hard_swish", 1),
        _Bottleneck(5, 96, 576, 96, True, "hard_swish", 1),
    ),
    "mobilenet_v3_large": (
        _Bottleneck(3, 16, 16, 16, False, "relu", 1),
        _Bottleneck(3, 16, 64, 24, False, "relu", 2),
        _Bottleneck(3, 24, 72, 24, False, "relu", 1),
        _Bottleneck(5, 24, 72, 40, True, "relu", 2),
        _Bottleneck(5, 40, 120, 40, True, "relu", 1),
        _Bottleneck(5, 40, 120, 40, True, "relu", 1),
        _Bottleneck(3, 40, 240, 80, False, "hard_swish", 2),
        _Bottleneck(3, 80, 200, 80, False, "hard_swish", 1),
        _Bottleneck(3, 80, 184, 80, False, "hard_swish", 1),
        _Bottleneck(3, 80, 184, 80, False, "hard_swish", 1),
        _Bottleneck(3, 80, 480, 112, True, "hard_swish", 1),
        _Bottleneck(3, 112, 672, 112, True, "hard_swish", 1),
        _Bottleneck(5, 112, 672, 160, True, "hard_swish", 2),
        _Bottleneck(5, 160, 960, 160, True, "hard_swish", 1),
        _Bottleneck(5, 160, 960, 160, True, "hard_swish", 1),
    ),
}
