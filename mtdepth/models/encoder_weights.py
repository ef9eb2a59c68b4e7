"""Published weight files, and the encoder started from one instead of from random numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import numpy.typing as npt
from absl import logging

from mtdepth.files import DAMAGE, DataError, check_finite, check_regular, sha256_of
from mtdepth.models.student import is_encoder_layer
from mtdepth.models.weights import check_heaps

IMAGENET_FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
IMAGENET_URL = (
    f"https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/{IMAGENET_FILE}"
)
# As published by a project that pins it.
IMAGENET_SHA256 = "df1c3db1d0d9193719c4c70f707c56f7021f999f825bdc57454c275cf6def19f"


def start_encoder(graph: Any, source: str) -> None:
    """Gives the encoder of a training graph its first weights, all of them or none.

    Args:
      graph: Of `mtdepth.models.student.build_training_graph`.
      source: `"none"` leaves it as it is. `"imagenet"` is the file that keras.applications
        publishes for MobileNetV2 0.35, downloaded once. Else a path: a legacy Keras `.h5` of
        MobileNetV2 with or without top, or a Keras 3 `.weights.h5`, a workdir's for instance.

    Raises:
      ConnectionError: If the download fails; says how to do without.
      FileNotFoundError: If the path is missing.
      DataError: If the file is not such a file, its checksum is wrong, or a tensor is missing or
        has another shape; names it. The graph is unchanged then.
    """
    if source == "none":
        logging.info("The encoder starts from random weights.")
        return
    path = Path(source)
    if source == "imagenet":
        path = downloaded(
            IMAGENET_FILE,
            IMAGENET_URL,
            sha256=IMAGENET_SHA256,
            what="the ImageNet weights",
            way_around="get the file elsewhere and pass --encoder_weights PATH, or start from "
            "random weights with --encoder_weights none",
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights file {path}; --encoder_weights is none, imagenet or a path"
        )
    layers = [layer for layer in graph.layers if is_encoder_layer(layer.name) and layer.weights]
    weights = _read_encoder(path, layers)
    for layer, values in zip(layers, weights, strict=True):
        layer.set_weights(values)
    logging.info("The encoder starts from %s (%d layers).", path, len(layers))


def downloaded(name: str, url: str, *, sha256: str, what: str, way_around: str) -> Path:
    """Fetches a file into Keras's cache, or finds it there.

    Args:
      name: Of the file in the cache.
      url: Where it is published.
      sha256: Its digest.
      what: What could not be had, for the message.
      way_around: What the user can do without it, for the message.

    Raises:
      ConnectionError: If it cannot be fetched.
      DataError: If it is another file than the one meant.
    """
    try:
        path = Path(keras.utils.get_file(name, url, cache_subdir="models"))
    except Exception as error:  # Keras raises no narrower one
        raise ConnectionError(
            f"{what} could not be downloaded from {url} ({error}); {way_around}"
        ) from error
    if (digest := sha256_of(path)) != sha256:
        raise DataError(
            path,
            f"SHA-256 is {digest}, that of {url} is {sha256}; delete the file and start again, or "
            f"{way_around}",
        )
    return path


def _read_encoder(path: Path, layers: Sequence[Any]) -> list[list[npt.NDArray[Any]]]:
    check_regular(path)
    check_heaps(path, path.read_bytes())
    try:
        with h5py.File(path, "r") as file:
            if "layers" in file:
                return _of_keras3(path, layers, file["layers"])
            legacy = file.get("model_weights", file)
            if "layer_names" in legacy.attrs:
                return _of_legacy(path, layers, legacy)
    except DAMAGE as error:
        raise DataError(path, f"not a readable HDF5 file ({error})") from error
    raise DataError(path, "neither a legacy Keras .h5 nor a Keras 3 .weights.h5 file")


def _of_keras3(path: Path, layers: Sequence[Any], group: Any) -> list[list[npt.NDArray[Any]]]:
    values_of = {}
    for stored in group.values():
        variables = stored.get("vars")
        if variables is not None and len(variables) and "name" in variables.attrs:
            values = [np.asarray(variables[str(index)]) for index in range(len(variables))]
            values_of[_text(variables.attrs["name"])] = values
    for layer in layers:
        if layer.name not in values_of:
            raise DataError(path, f"has no weights of encoder layer {layer.name!r}")
        _check_shapes(path, layer, layer.name, values_of[layer.name])
    return [values_of[layer.name] for layer in layers]


def _of_legacy(path: Path, layers: Sequence[Any], group: Any) -> list[list[npt.NDArray[Any]]]:
    """Matches by position, as keras.applications itself does: its files hold older layer names."""
    stored = []
    for layer_name in group.attrs["layer_names"]:
        name = _text(layer_name)
        tensors = [_text(tensor) for tensor in group[name].attrs["weight_names"]]
        if tensors:
            stored.append((name, [np.asarray(group[name][tensor]) for tensor in tensors]))
    names = {layer.name for layer in layers}
    for position, layer in enumerate(layers):
        if position >= len(stored):
            raise DataError(
                path, f"ends after {len(stored)} layers, before encoder layer {layer.name!r}"
            )
        stored_name, values = stored[position]
        if stored_name in names and stored_name != layer.name:
            raise DataError(path, f"has {stored_name!r} where encoder layer {layer.name!r} belongs")
        _check_shapes(path, layer, stored_name, values)
    return [values for _, values in stored[: len(layers)]]


def _check_shapes(
    path: Path, layer: Any, stored_name: str, values: Sequence[npt.NDArray[Any]]
) -> None:
    if len(values) != len(layer.weights):
        raise DataError(
            path,
            f"layer {stored_name!r} holds {len(values)} tensors, encoder layer {layer.name!r} "
            f"needs {len(layer.weights)}",
        )
    for index, (weight, value) in enumerate(zip(layer.weights, values, strict=True)):
        if tuple(weight.shape) != value.shape:
            raise DataError(
                path,
                f"tensor {index} of layer {stored_name!r} has shape {value.shape}, encoder layer "
                f"{layer.name!r} needs {tuple(weight.shape)}; is it MobileNetV2 of this width?",
            )
        check_finite(path, f"tensor {index} of layer {stored_name!r}", value)


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else value
