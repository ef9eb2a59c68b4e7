"""The arithmetic of an eight-bit device while a network is being trained."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.quantization import keras as keras_quantization

from export.fine_tune.quantisers import KERNELS, DeviceConfig, DeviceScheme
from export.fine_tune.tf_keras_copy import build_copy
from export.graph import Entry, NetworkGraph
from mtdepth.models.normalisation import InputNormalisation

# The converter's own choice for a sigmoid: 256 steps of 1/256 from 0.
_SIGMOID_RANGE = (0.0, 255.0 / 256.0)
_FIRST = "rounded_image"
# Layers whose output has the numbers of their input, so that it needs no range of its own.
_MOVERS = ("PixelShuffle", "ZeroPadding2D", "UpSampling2D")


@dataclasses.dataclass(frozen=True)
class Ranges:
    """(low, high) of the picture behind the normalisation, and of each of `rounded_entries`."""

    image: tuple[float, float]
    entries: dict[str, tuple[float, float]]


def rounded_entries(graph: NetworkGraph) -> tuple[str, ...]:
    """Entries whose output is rounded.

    Not where the only reader is a ReLU, which is fused, nor where numbers are only moved.
    """
    readers = graph.readers()
    outputs = set(graph.outputs.values())
    return tuple(
        entry.name
        for entry in graph.entries
        if entry.kind not in _MOVERS
        and not (
            entry.name not in outputs
            and len(readers[entry.name]) == 1
            and readers[entry.name][0].kind == "ReLU"
        )
    )


def calibrated(graph: NetworkGraph, fed: Any, *, image: tuple[float, float]) -> Ranges:
    """The ranges that activations take on some pictures.

    Args:
      graph: The network.
      fed: `[B, height, width, 3]`, through the normalisation; pictures of the training.
      image: Range of such numbers, whatever the pictures.
    """
    copy = build_copy(graph)
    names = rounded_entries(graph)
    probe = tf_keras.Model(copy.input, [copy.get_layer(name).output for name in names])
    lows, highs = np.zeros(len(names)), np.zeros(len(names))
    for picture in fed:
        values = probe(picture[None], training=False)
        lows = np.minimum(lows, [float(tf.reduce_min(value)) for value in values])
        highs = np.maximum(highs, [float(tf.reduce_max(value)) for value in values])
    return Ranges(
        image=image,
        entries={
            name: (float(low), float(high))
            for name, low, high in zip(names, lows, highs, strict=True)
        },
    )


def build_quantised(graph: NetworkGraph, ranges: Ranges) -> Any:
    """A `tf_keras` copy that rounds as an int8 file does; its weights are float and can be trained.

    The activations' ranges start at `ranges`.
    """
    rounded = set(rounded_entries(graph))

    def annotated(entry: Entry, layer: Any) -> Any:
        output: tuple[float, float, bool] | None = None
        if entry.kind == "Sigmoid":
            output = (*_SIGMOID_RANGE, True)
        elif entry.name in rounded:
            output = (*ranges.entries[entry.name], False)
        config = DeviceConfig(KERNELS.get(entry.kind, ""), output)
        return keras_quantization.quantize_annotate_layer(layer, config)

    first = keras_quantization.quantize_annotate_layer(
        tf_keras.layers.Activation("linear", name=_FIRST),
        DeviceConfig(output=(*ranges.image, True)),
    )
    with keras_quantization.quantize_scope({"DeviceConfig": DeviceConfig}):
        model = keras_quantization.quantize_apply(
            build_copy(graph, wrap=annotated, first=first), DeviceScheme()
        )
    refresh_kernel_ranges(model)
    return model


def refresh_kernel_ranges(model: Any) -> None:
    """Takes the kernels' ranges from their present values, as each training step does before it."""
    model(np.zeros((1, *model.input_shape[1:]), np.float32), training=True)


def ranges_of(model: Any, graph: NetworkGraph) -> Ranges:
    """The ranges that a network of `build_quantised` has learned."""
    found = {}
    for name in rounded_entries(graph):
        wrapper = model.get_layer(f"quant_{name}")
        variables = wrapper._output_quantizer_vars
        found[name] = (float(variables["min"]), float(variables["max"]))
    image = model.get_layer(f"quant_{_FIRST}")._output_quantizer_vars
    return Ranges(image=(float(image["min"]), float(image["max"])), entries=found)


def in_grey_levels(
    graph: NetworkGraph, ranges: Ranges, normalisation: InputNormalisation
) -> tuple[NetworkGraph, Ranges]:
    """The same network for pictures of which only a whole grey level was subtracted.

    The factor of the normalisation, a `centred` one, goes into the first convolutions, so that the
    device spends no operator on it.
    """
    weights = {
        entry.name: (np.asarray(entry.kernel * np.float32(normalisation.scale)), entry.bias)
        for entry in graph.first_convolutions()
        if entry.kernel is not None
    }
    low, high = (round(value / normalisation.scale) for value in ranges.image)
    return graph.with_weights(weights), dataclasses.replace(ranges, image=(low, high))


def centred(normalisation: InputNormalisation) -> InputNormalisation:
    """The normalisation with its zero at a whole grey level; see `InputNormalisation.centre`."""
    return InputNormalisation(normalisation.scale, -normalisation.scale * normalisation.centre)
