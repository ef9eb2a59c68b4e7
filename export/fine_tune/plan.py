"""A detached network as a list of plain layers, its batch normalisations folded away.

The list is what a device runs: every call of a layer is an entry of its own, so that a module that
is called four times becomes four pieces with four ranges of activations, as in the converted file.
Entries of one layer know it (`shared`), so that their weights can be trained as one.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")
# What is copied of a layer without weights: class -> names of its arguments.
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


INPUT = "image"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlannedLayer:
    """One call of one layer.

    Attributes:
      name: Of this call; later entries refer to it.
      kind: The layer's class; ReLU6 and the like are `ReLU`.
      inputs: Names of the entries whose outputs it takes; `INPUT` is the picture.
      arguments: For the constructor.
      kernel: `[kh, kw, in, out]`, depthwise `[kh, kw, channels, 1]`; None without.
      bias: `[out]`; None without.
      shared: Name of the layer that is called, the same for all its calls.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    arguments: dict[str, Any]
    kernel: Array | None = None
    bias: Array | None = None
    shared: str

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
class NetworkPlan:
    """A network without batch normalisation.

    Attributes:
      layers: In an order in which they can be computed.
      outputs: Output name to the entry that gives it.
      input_size: (height, width).
    """

    layers: tuple[PlannedLayer, ...]
    outputs: dict[str, str]
    input_size: tuple[int, int]

    def with_weights(self, weights: dict[str, tuple[Array, Array | None]]) -> "NetworkPlan":
        """The same network with other kernels and biases, by entry name."""
        return dataclasses.replace(
            self,
            layers=tuple(
                dataclasses.replace(
                    entry, kernel=weights[entry.name][0], bias=weights[entry.name][1]
                )
                if entry.name in weights
                else entry
                for entry in self.layers
            ),
        )

    def tied(self) -> list[list[str]]:
        """Groups of entries that are calls of one layer and hold the same weights."""
        groups: dict[str, list[PlannedLayer]] = {}
        for entry in self.layers:
            if entry.kernel is not None:
                groups.setdefault(entry.shared, []).append(entry)
        return [
            [entry.name for entry in group]
            for group in groups.values()
            if len(group) > 1 and all(_are_equal(entry.kernel, group[0].kernel) for entry in group)
        ]

    def first_convolutions(self) -> list[PlannedLayer]:
        """Those that read the picture, padded or not."""
        pictures = {INPUT}
        found = []
        for entry in self.layers:
            if pictures.isdisjoint(entry.inputs):
                continue
            if entry.kind == "ZeroPadding2D":
                pictures.add(entry.name)
            elif entry.kernel is not None:
                found.append(entry)
            else:
                raise PlanError(f"layer {entry.name!r}, a {entry.kind}, reads the picture")
        return found


class PlanError(ValueError):
    """A network with a layer that cannot be fine-tuned for a device."""


def plan_of(network: keras.Model) -> NetworkPlan:
    """Takes a functional Keras network apart.

    A batch normalisation must follow a convolution without activation whose only reader it is; it
    becomes that convolution's scale and bias, with its stored statistics. A short fine-tuning
    estimates no better ones, and the file has none: what is trained is what runs.

    Args:
      network: One input, a dict of outputs, such as `mtdepth.trained.TrainedNetwork.network`.

    Raises:
      PlanError: If a layer is of no known kind; names it.
    """
    return _Planner(network).plan()


class _Planner:
    def __init__(self, network: keras.Model) -> None:
        self._network = network
        self._names = {id(network.inputs[0]): INPUT}
        self._layers: dict[str, PlannedLayer] = {}
        self._readers: dict[int, int] = {}
        for node in self._nodes():
            for tensor in node.input_tensors:
                self._readers[id(tensor)] = self._readers.get(id(tensor), 0) + 1
        for tensor in network.output.values():
            self._readers[id(tensor)] = self._readers.get(id(tensor), 0) + 1

    def plan(self) -> NetworkPlan:
        for node in self._nodes():
            self._add(node)
        _, height_px, width_px, _ = self._network.input_shape
        return NetworkPlan(
            layers=tuple(self._layers.values()),
            outputs={name: self._names[id(out)] for name, out in self._network.output.items()},
            input_size=(height_px, width_px),
        )

    def _nodes(self) -> list[Any]:
        depths = sorted(self._network._nodes_by_depth, reverse=True)
        nodes = [node for depth in depths for node in self._network._nodes_by_depth[depth]]
        return [node for node in nodes if not node.is_input]

    def _add(self, node: Any) -> None:
        layer = node.operation
        inputs = tuple(self._names[id(tensor)] for tensor in node.input_tensors)
        if type(layer).__name__ == "BatchNormalization":
            source = self._foldable(layer, inputs[0], node.input_tensors[0])
            self._layers[source.name] = _folded(source, layer)
            self._names[id(node.outputs[0])] = source.name
            return
        name = layer.name
        calls = sum(entry.shared == layer.name for entry in self._layers.values())
        if calls:
            name = f"{layer.name}_call_{calls + 1}"
        self._layers[name] = _planned(layer, name=name, inputs=inputs)
        self._names[id(node.outputs[0])] = name

    def _foldable(self, norm: Any, source: str, tensor: Any) -> PlannedLayer:
        entry = self._layers.get(source)
        if entry is None or entry.kind not in _CONVOLUTIONS or self._readers[id(tensor)] > 1:
            raise PlanError(
                f"batch normalisation {norm.name!r} does not follow a convolution of its own, so "
                "it cannot be folded away"
            )
        return entry


def _planned(layer: Any, *, name: str, inputs: tuple[str, ...]) -> PlannedLayer:
    kind = type(layer).__name__
    config = layer.get_config()
    arguments: dict[str, Any] = {}
    kernel = bias = None
    if kind in _CONVOLUTIONS:
        if config["activation"] != "linear" or tuple(config["dilation_rate"]) != (1, 1):
            raise PlanError(f"layer {layer.name!r}: an activation or dilation inside is not known")
        arguments = {
            "kernel_size": tuple(config["kernel_size"]),
            "strides": tuple(config["strides"]),
            "padding": config["padding"],
        }
        kernel = np.asarray(layer.kernel, np.float32)
        bias = np.asarray(layer.bias, np.float32) if layer.use_bias else None
    elif kind == "ReLU":
        if config["negative_slope"] or config["threshold"]:
            raise PlanError(f"layer {layer.name!r}: only a plain or a clipped ReLU is known")
        arguments = {"max_value": config["max_value"]}
    elif kind == "Activation" and config["activation"] == "sigmoid":
        kind = "Sigmoid"
    elif kind in _PLAIN:
        arguments = {argument: config[argument] for argument in _PLAIN[kind]}
    else:
        raise PlanError(f"layer {layer.name!r} is a {kind}, which cannot be fine-tuned here")
    return PlannedLayer(
        name=name,
        kind=kind,
        inputs=inputs,
        arguments=arguments,
        kernel=kernel,
        bias=bias,
        shared=layer.name,
    )


def _folded(entry: PlannedLayer, norm: Any) -> PlannedLayer:
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


def _are_equal(a: Array | None, b: Array | None) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))
