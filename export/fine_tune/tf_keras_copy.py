"""A planned network as a `tf_keras` model, which tensorflow-model-optimization wants."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from export.graph import INPUT, Entry, NetworkGraph
from mtdepth.models.layers import SHUFFLE_FACTOR

_WEIGHT_NAMES = ("kernel", "depthwise_kernel", "bias")
# What is put around a layer: for quantisation a wrapper, for a plain copy nothing.
Wrap = Callable[[Entry, Any], Any]


@tf_keras.saving.register_keras_serializable(package="mtdepth")
class PixelShuffle(tf_keras.layers.Layer):
    """`[B, H, W, 4*C]` to `[B, 2*H, 2*W, C]`; see `mtdepth.models.layers.PixelShuffle`."""

    def call(self, inputs: Any) -> Any:
        """Moves channels into space."""
        return tf.nn.depth_to_space(inputs, SHUFFLE_FACTOR)


def build_copy(graph: NetworkGraph, *, wrap: Wrap | None = None, first: Any = None) -> Any:
    """Builds a planned network with its weights.

    Args:
      graph: Of `export.graph.read_graph`.
      wrap: Called with every entry and its layer; what it returns is called in its place.
      first: A layer that the picture passes before the others.

    Returns:
      A `tf_keras` model: input `[B, height, width, 3]` float32, through the normalisation; its
      outputs, a dict, as the network's.
    """
    height_px, width_px = graph.input_size
    image = tf_keras.Input((height_px, width_px, 3), name=INPUT)
    tensors = {INPUT: image if first is None else first(image)}
    for entry in graph.entries:
        inputs = [tensors[name] for name in entry.inputs]
        layer = _layer(entry)
        if entry.kernel is not None:
            # Before it is wrapped: a quantising wrapper puts tensors in the variables' places.
            layer.build(inputs[0].shape)
            layer.set_weights([value for value in (entry.kernel, entry.bias) if value is not None])
        called = layer if wrap is None else wrap(entry, layer)
        tensors[entry.name] = called(inputs[0] if len(inputs) == 1 else inputs)
    outputs = {name: tensors[source] for name, source in graph.outputs.items()}
    return tf_keras.Model(image, outputs, name="copy")


def _layer(entry: Entry) -> Any:
    arguments: dict[str, Any] = {**entry.arguments, "name": entry.name}
    if entry.kind == "PixelShuffle":
        return PixelShuffle(name=entry.name)
    if entry.kind == "Sigmoid":
        return tf_keras.layers.Activation("sigmoid", **arguments)
    if entry.kernel is not None:
        arguments["use_bias"] = entry.bias is not None
        if entry.kind == "Conv2D":
            arguments["filters"] = entry.kernel.shape[-1]
    return getattr(tf_keras.layers, entry.kind)(**arguments)


def trained_graph(model: Any, graph: NetworkGraph) -> NetworkGraph:
    """The graph with the weights that a copy of it has now, whatever its layers are wrapped in."""
    weights = {}
    for entry, layer in kernel_layers(model, graph):
        kernel, *biases = (np.asarray(variable) for variable in weight_variables(layer, entry))
        weights[entry.name] = (kernel, biases[0] if biases else None)
    return graph.with_weights(weights)


def kernel_layers(model: Any, graph: NetworkGraph) -> list[tuple[Entry, Any]]:
    """Every entry with weights and its layer, out of its wrapper."""
    wrapped = {}
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        wrapped[inner.name] = layer
    return [(entry, wrapped[entry.name]) for entry in graph.entries if entry.kernel is not None]


def weight_variables(layer: Any, entry: Entry) -> list[Any]:
    """The kernel's and, where there is one, the bias's variable of a layer or its wrapper."""
    shapes = [value.shape for value in (entry.kernel, entry.bias) if value is not None]
    variables = [
        variable
        for variable in layer.trainable_weights
        if variable.name.split("/")[-1].split(":")[0] in _WEIGHT_NAMES
    ]
    variables.sort(key=lambda variable: len(variable.shape), reverse=True)
    if [tuple(variable.shape) for variable in variables] != shapes:
        raise ValueError(f"layer {layer.name!r} holds {variables}, need weights of {shapes}")
    return variables
