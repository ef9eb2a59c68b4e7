"""Moves PSMNet's weights between the Keras network and tensors of the authors' names."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from teachers.psmnet.network import NORM_EPSILON, build_psmnet
from teachers.psmnet.sizes import SIZE_MULTIPLE

Floats = npt.NDArray[np.float32]

# Attribute of a Keras normalisation -> the authors' parameter.
_NORM_PARAMETERS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@functools.cache
def parameter_shapes() -> dict[str, tuple[int, ...]]:
    """The authors' name and PyTorch's shape of every weight and statistic, in network order."""
    network = build_psmnet(max_disparity_px=SIZE_MULTIPLE, align_corners=True)
    return {name: tensor.shape for name, tensor in tensors_of(network).items()}


def tensors_of(network: keras.Model) -> dict[str, Floats]:
    """Reads a network's weights, for `checkpoint.save` after training.

    Args:
      network: Of `build_psmnet`, not folded.

    Returns:
      float32 by the authors' names, in PyTorch's layout.
    """
    tensors = {}
    for layer in _weighted_layers(network):
        name = _authors_name(layer)
        if isinstance(layer, keras.layers.BatchNormalization):
            for attribute, parameter in _NORM_PARAMETERS.items():
                tensors[f"{name}.{parameter}"] = _array(getattr(layer, attribute))
        else:
            tensors[f"{name}.weight"] = _kernel_to_torch(_array(layer.kernel))
    return tensors


def assign_weights(network: keras.Model, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    """Gives a network its weights.

    A folded network's kernels take their normalisation's scale, its biases the shift.

    Args:
      network: Of `build_psmnet`.
      tensors: Of a `PsmnetCheckpoint`.
    """
    for layer in _weighted_layers(network):
        name = _authors_name(layer)
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([tensors[f"{name}.{p}"] for p in _NORM_PARAMETERS.values()])
        elif layer.use_bias:
            scale, shift = _scale_and_shift(tensors, norm=f"{name[:-1]}1")
            kernel = _kernel_from_torch(tensors[f"{name}.weight"])
            # A transposed convolution's outputs are the last axis but one.
            is_transposed = isinstance(layer, keras.layers.Conv3DTranspose)
            layer.set_weights([kernel * (scale[:, None] if is_transposed else scale), shift])
        else:
            layer.set_weights([_kernel_from_torch(tensors[f"{name}.weight"])])


def _weighted_layers(network: keras.Model) -> Iterator[Any]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _weighted_layers(layer)
        elif layer.weights:
            yield layer


def _authors_name(layer: Any) -> str:
    return layer.name.replace("_", ".").replace("feature.extraction", "feature_extraction")


def _scale_and_shift(
    tensors: Mapping[str, npt.NDArray[Any]], *, norm: str
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    weight, bias, mean, variance = (
        tensors[f"{norm}.{parameter}"].astype(np.float64) for parameter in _NORM_PARAMETERS.values()
    )
    scale = weight / np.sqrt(variance + NORM_EPSILON)
    return scale, bias - mean * scale


def _kernel_to_torch(kernel: Floats) -> Floats:
    """`[*sides, in, out]` to `[out, in, *sides]`; transposed ones `[*sides, out, in]` likewise."""
    return np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1)))


def _kernel_from_torch(tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.moveaxis(tensor, (0, 1), (-1, -2))


def _array(variable: Any) -> Floats:
    return keras.ops.convert_to_numpy(variable).astype(np.float32)
