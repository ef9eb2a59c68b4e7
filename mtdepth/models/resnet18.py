"""ResNet-18 and its published ImageNet weights.

The graph is keras-cv's generic backbone, built offline, with the padding that the weights were
trained with: "same" padding shifts what a stride of 2 reads by one pixel, and the two branches of a
residual block apart from each other. With it, features equal those of the published network.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from absl import logging

from mtdepth.files import DataError, check_finite
from mtdepth.models import weights
from mtdepth.models.encoder_weights import downloaded

FIRST_CONV = "conv1_conv"
FIRST_NORM = "conv1_bn"
NUM_STAGES, NUM_BLOCKS = 4, 2
# torchvision's ResNet18_Weights.IMAGENET1K_V1 (He et al. 2016, 69.76 % top-1)
IMAGENET_FILE = "resnet18-f37072fd.pth"
IMAGENET_URL = f"https://download.pytorch.org/models/{IMAGENET_FILE}"
# The name holds its first eight digits; the whole as published by projects that pin it.
IMAGENET_SHA256 = "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"
MOMENTUM = 0.9  # PyTorch's 0.1: settles in tens of steps

Tensors = Mapping[str, npt.NDArray[Any]]


def build_backbone(*, num_channels: int) -> keras.Model:
    """The backbone for any size, 11.2 M parameters: `[B, H, W, C]` to `[B, H/32, W/32, 512]`."""
    import keras_cv  # 3.5 s, and nothing else needs it

    backbone = keras_cv.models.ResNetBackbone(
        stackwise_filters=[64, 128, 256, 512],
        stackwise_blocks=[NUM_BLOCKS] * NUM_STAGES,
        stackwise_strides=[1, 2, 2, 2],
        block_type="basic_block",
        include_rescaling=False,
        input_tensor=keras.Input((None, None, num_channels), name="image"),
    )
    return keras.Model(backbone.input, backbone.output, name="resnet18")


def applied(backbone: keras.Model, image: Any) -> Any:
    """Runs a tensor through copies of a backbone's layers, weights included, as part of a graph.

    Args:
      backbone: Of `build_backbone`.
      image: `[B, H, W, C]`.

    Returns:
      `[B, ceil(H/32), ceil(W/32), 512]`.
    """
    graph = keras.models.clone_model(
        backbone,
        input_tensors=image,
        clone_function=_with_published_settings,
        call_function=_padded_call,
    )
    graph.set_weights(backbone.get_weights())
    return graph.output


def load_weights(backbone: keras.Model, source: str) -> None:
    """Gives a three-channel backbone its weights, all of them or none.

    Args:
      backbone: Of `build_backbone(num_channels=3)`.
      source: `"imagenet"`: the file that torchvision publishes, downloaded once. Else a path: a
        `.pth` of torchvision's ResNet-18, or a `.weights.h5` of such a backbone.

    Raises:
      ConnectionError: If the download fails; says how to do without.
      FileNotFoundError: If the path is missing.
      ImportError: If a `.pth` is to be read and PyTorch is missing.
      DataError: If the file is not such a file, its checksum is wrong, or a tensor is missing or
        has another shape; names it. The backbone is unchanged then.
    """
    path = Path(source)
    if source == "imagenet":
        path = downloaded(
            IMAGENET_FILE,
            IMAGENET_URL,
            sha256=IMAGENET_SHA256,
            what="the ImageNet weights of ResNet-18",
            way_around="get the file elsewhere and give its path, or start from random weights "
            "with none",
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights file {path}; the pose network's weights are none, imagenet or a path"
        )
    if path.suffix in (".pth", ".pt"):
        _set_published(backbone, path, _read_pth(path))
    elif path.name.endswith(".weights.h5"):
        weights.load_weights(backbone, path, what="this ResNet-18")
    else:
        raise DataError(path, "expected a .pth of torchvision's ResNet-18, or a Keras .weights.h5")
    logging.info("The pose network's encoder starts from %s.", path)


def published_names() -> dict[str, str]:
    """The published name of every layer with weights, by the backbone's name of it."""
    names = {FIRST_CONV: "conv1", FIRST_NORM: "bn1"}
    for stage in range(NUM_STAGES):
        for block in range(NUM_BLOCKS):
            ours = f"v2_stack_{stage}_block{block + 1}"
            theirs = f"layer{stage + 1}.{block}"
            for number in (1, 2):
                names[f"{ours}_{number}_conv"] = f"{theirs}.conv{number}"
                names[f"{ours}_{number}_bn"] = f"{theirs}.bn{number}"
            if stage and not block:  # the first block of a stage that changes the size
                names[f"{ours}_0_conv"] = f"{theirs}.downsample.0"
                names[f"{ours}_0_bn"] = f"{theirs}.downsample.1"
    return names


def _with_published_settings(layer: Any) -> Any:
    config = layer.get_config()
    if _is_padded(layer):
        config["padding"] = "valid"
    if isinstance(layer, keras.layers.BatchNormalization):
        config |= {"momentum": MOMENTUM, "epsilon": 1e-5}
    return layer.__class__.from_config(config)


def _padded_call(layer: Any, inputs: Any, **kwargs: Any) -> Any:
    if _is_padded(layer):
        # Zeros suit the pooling too: it follows a rectifier.
        padding = keras.layers.ZeroPadding2D(_window_px(layer) // 2, name=f"{layer.name}_pad")
        inputs = padding(inputs)
    return layer(inputs, **kwargs)


def _is_padded(layer: Any) -> bool:
    return _window_px(layer) > 1 and max(layer.strides) > 1


def _window_px(layer: Any) -> int:
    if isinstance(layer, keras.layers.Conv2D):
        return max(layer.kernel_size)
    return max(layer.pool_size) if isinstance(layer, keras.layers.MaxPooling2D) else 0


def _read_pth(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{path} is a PyTorch file; install PyTorch to read it: pip install '.[torch]'"
        ) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.numpy() for name, tensor in state.items()}
    except Exception as error:  # unpickling a foreign file can fail in any way
        raise DataError(path, f"not the tensors of a PyTorch model ({error})") from error


def _set_published(backbone: keras.Model, path: Path, tensors: Tensors) -> None:
    values_of = {}
    for ours, theirs in published_names().items():
        values = _values(path, tensors, theirs)
        shapes = [value.shape for value in values]
        wanted = [tuple(weight.shape) for weight in backbone.get_layer(ours).weights]
        if shapes != wanted:
            raise DataError(
                path, f"{theirs} has tensors of shapes {shapes}, a ResNet-18 needs {wanted}"
            )
        values_of[ours] = values
        for part, value in enumerate(values):
            check_finite(path, f"{theirs}, tensor {part},", value)
    for name, values in values_of.items():
        backbone.get_layer(name).set_weights(values)


def _values(path: Path, tensors: Tensors, name: str) -> list[npt.NDArray[Any]]:
    """A layer's tensors in Keras's order and layout."""
    is_norm = f"{name}.running_mean" in tensors
    parts = ("weight", "bias", "running_mean", "running_var") if is_norm else ("weight",)
    missing = [f"{name}.{part}" for part in parts if f"{name}.{part}" not in tensors]
    if missing:
        raise DataError(path, f"has no tensor {missing[0]!r}; is it torchvision's ResNet-18?")
    values = [tensors[f"{name}.{part}"] for part in parts]
    if is_norm:
        return values
    return (
        [np.ascontiguousarray(values[0].transpose(2, 3, 1, 0))] if values[0].ndim == 4 else values
    )
