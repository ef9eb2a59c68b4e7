"""A detached network as a list of plain layers, its batch normalisations folded away.

The one reading of a Keras network for all that is not a Keras network: fine-tuning builds a
`tf_keras` copy of the list, the ONNX export writes operators of it. Every call of a layer is an
entry of its own, so that a module that is called four times becomes four pieces with four ranges of
activations, as in a converted file. Entries of one layer know it (`layer`), so that their weights
can be trained as one and are written once.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from mtdepth.files import UserError

Array = npt.NDArray[np.float32]

# What a file says of the classes: a score for each, or the index of the largest.
ClassOutput = Literal["scores", "ids"]

INPUT = "image"
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")
# What is kept of a layer without weights: class -> names of its arguments.
_PLAIN: dict[str, tuple[str, ...]] = {
    "Add": (),
    "Concatenate": ("axis",),
    "GlobalAveragePooling2D": ("keepdims",),
    "Multiply": (),
    "PixelShuffle": (),
    "Rescaling": ("scale", "offset"),
    "UpSampling2D": ("size", "interpolation"),
    "ZeroPadding2D": ("padding",),
}
# A layer and the how-manieth of its calls: a layer that is used again gives another tensor.
_Call = tuple[str, int]


class ExportError(UserError):
    """A network that cannot be exported as asked, or whose export is not what it should be."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One call of one layer.

    Attributes:
      name: Of this call; later entries refer to it.
      kind: The layer's class; ReLU6 and the like are `ReLU`, the activation `Sigmoid`.
      inputs: Names of the entries whose outputs it takes; `INPUT` is the picture.
      arguments: Of the layer.
      kernel: `[kh, kw, in, out]`, depthwise `[kh, kw, channels, 1]`; None without.
      bias: `[out]`; None without.
      layer: Name of the layer that is called, the same for all its calls.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    arguments: dict[str, Any]
    kernel: Array | None = None
    bias: Array | None = None
    layer: str

    @property
    def is_pointwise(self) -> bool:
        """Whether it is a 1x1 convolution of stride 1, most of a mobile network's weights."""
        return (
            self.kind == "Conv2D"
            and self.kernel is not None
            and self.kernel.shape[:2] == (1, 1)
            and self.arguments["strides"] == (1, 1)
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkGraph:
    """A network without batch normalisation.

    Attributes:
      entries: In an order in which they can be computed.
      outputs: Output name to the entry that gives it.
      input_size: (height, width).
    """

    entries: tuple[Entry, ...]
    outputs: dict[str, str]
    input_size: tuple[int, int]

    def with_weights(self, weights: Mapping[str, tuple[Array, Array | None]]) -> "NetworkGraph":
        """The same network with other kernels and biases, by entry name."""
        entries = tuple(
            dataclasses.replace(entry, kernel=weights[entry.name][0], bias=weights[entry.name][1])
            if entry.name in weights
            else entry
            for entry in self.entries
        )
        return dataclasses.replace(self, entries=entries)

    def readers(self) -> dict[str, list[Entry]]:
        """The entries that read each entry and the picture."""
        found: dict[str, list[Entry]] = {
            name: [] for name in (INPUT, *(e.name for e in self.entries))
        }
        for entry in self.entries:
            for name in entry.inputs:
                found[name].append(entry)
        return found

    def tied(self) -> list[list[str]]:
        """Groups of entries that are calls of one layer and hold the same weights."""
        groups: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.kernel is not None:
                groups.setdefault(entry.layer, []).append(entry)
        return [
            [entry.name for entry in group]
            for group in groups.values()
            if len(group) > 1 and all(_equal_kernels(entry, group[0]) for entry in group)
        ]

    def first_convolutions(self) -> list[Entry]:
        """Those that read the picture, padded or not.

        Raises:
          ExportError: If anything else reads it.
        """
        pictures = {INPUT}
        found = []
        for entry in self.entries:
            if pictures.isdisjoint(entry.inputs):
                continue
            if entry.kind == "ZeroPadding2D":
                pictures.add(entry.name)
            elif entry.kernel is not None:
                found.append(entry)
            else:
                raise ExportError(f"layer {entry.name!r}, a {entry.kind}, reads the picture")
        return found


def read_graph(network: keras.Model) -> NetworkGraph:
    """Takes a functional Keras network, of one input and a dict of outputs, apart.

    Through its public configuration. A batch normalisation must follow a convolution without
    activation whose only reader it is; it becomes that convolution's scale and bias, with its
    stored statistics. A short fine-tuning estimates no better ones, and the file has none: what is
    trained is what runs.

    Raises:
      ExportError: If a layer is of no known kind; names it.
    """
    inputs_of, outputs = _calls(network)
    readers = [call for inputs in inputs_of.values() for call in inputs] + list(outputs.values())
    names: dict[_Call, str] = {}
    entries: dict[str, Entry] = {}
    for call, sources in inputs_of.items():
        layer = network.get_layer(call[0])
        inputs = tuple(names[source] for source in sources)
        if isinstance(layer, keras.layers.InputLayer):
            names[call] = INPUT
        elif isinstance(layer, keras.layers.BatchNormalization):
            source = entries.get(inputs[0])
            if not source or source.kind not in _CONVOLUTIONS or readers.count(sources[0]) > 1:
                raise ExportError(
                    f"batch normalisation {layer.name!r} does not follow a convolution of its own, "
                    "so it cannot be folded away"
                )
            names[call] = source.name
            entries[source.name] = _folded(source, layer)
        else:
            names[call] = f"{call[0]}_call_{call[1] + 1}" if call[1] else call[0]
            entries[names[call]] = _entry(layer, names[call], inputs)
    return NetworkGraph(
        entries=tuple(entries.values()),
        outputs={name: names[call] for name, call in outputs.items()},
        input_size=tuple(network.input_shape[1:3]),
    )


def _calls(network: keras.Model) -> tuple[dict[_Call, tuple[_Call, ...]], dict[str, _Call]]:
    """Every call with those that it takes, after them; and the call behind each output."""
    config = network.get_config()
    layers = {layer["config"]["name"]: layer for layer in config["layers"]}
    outputs = {name: (key[0], key[1]) for name, key in config["output_layers"].items()}
    calls: dict[_Call, tuple[_Call, ...]] = {}
    waiting = list(outputs.values())
    while waiting:
        name, index = call = waiting[-1]
        nodes = layers[name]["inbound_nodes"]
        inputs = tuple(_tensors(nodes[index])) if nodes else ()
        missing = [tensor for tensor in inputs if tensor not in calls]
        if call in calls or not missing:
            calls.setdefault(call, inputs)
            waiting.pop()
        # A deep network would exhaust the stack of a recursion.
        waiting += missing
    return calls, outputs


def _tensors(node: Any) -> Iterator[_Call]:
    """The tensors among a call's arguments, in their order."""
    if isinstance(node, Mapping):
        if node.get("class_name") == "__keras_tensor__":
            name, index, _ = node["config"]["keras_history"]
            yield name, index
            return
        node = node.values()
    elif not isinstance(node, list | tuple):
        return
    for part in node:
        yield from _tensors(part)


def _entry(layer: Any, name: str, inputs: tuple[str, ...]) -> Entry:
    kind = type(layer).__name__
    config = layer.get_config()
    arguments: dict[str, Any] = {}
    kernel = bias = None
    if kind in _CONVOLUTIONS:
        if config["activation"] != "linear" or tuple(config["dilation_rate"]) != (1, 1):
            raise ExportError(f"layer {name!r}: an activation or dilation inside is not known")
        if config.get("groups", 1) != 1 or config.get("depth_multiplier", 1) != 1:
            raise ExportError(f"layer {name!r}: groups or a depth multiplier are not known")
        arguments = {
            "kernel_size": tuple(config["kernel_size"]),
            "strides": tuple(config["strides"]),
            "padding": config["padding"],
        }
        kernel = np.asarray(layer.kernel, np.float32)
        bias = np.asarray(layer.bias, np.float32) if layer.use_bias else None
    elif kind == "ReLU":
        if config["negative_slope"] or config["threshold"]:
            raise ExportError(f"layer {name!r}: only a plain or a clipped ReLU is known")
        arguments = {"max_value": config["max_value"]}
    elif kind == "Activation" and config["activation"] == "sigmoid":
        kind = "Sigmoid"
    elif kind in _PLAIN:
        arguments = {argument: config[argument] for argument in _PLAIN[kind]}
    else:
        what = f"an activation {config['activation']!r}" if kind == "Activation" else f"a {kind}"
        raise ExportError(f"layer {name!r} is {what}, which is not known to export.graph")
    return Entry(
        name=name,
        kind=kind,
        inputs=inputs,
        arguments=arguments,
        kernel=kernel,
        bias=bias,
        layer=layer.name,
    )


def _folded(entry: Entry, norm: Any) -> Entry:
    """`norm(conv(x))` as one convolution: Jacob et al. 2018, equation 14."""
    num_out = norm.moving_mean.shape[0]
    scale = np.ones(num_out) if norm.gamma is None else np.asarray(norm.gamma, np.float64)
    scale = scale / np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    shift = np.zeros(num_out) if norm.beta is None else np.asarray(norm.beta, np.float64)
    old = np.zeros(num_out) if entry.bias is None else np.asarray(entry.bias, np.float64)
    shape = (-1, 1) if entry.kind == "DepthwiseConv2D" else (-1,)
    return dataclasses.replace(
        entry,
        kernel=np.asarray(np.asarray(entry.kernel) * scale.reshape(shape), np.float32),
        bias=np.asarray(shift + scale * (old - np.asarray(norm.moving_mean)), np.float32),
    )


def _equal_kernels(a: Entry, b: Entry) -> bool:
    return np.array_equal(np.asarray(a.kernel), np.asarray(b.kernel))
