"""Parameters and multiply-accumulates of a network, as records, JSON values and a table."""

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

import keras

from mtdepth.models import mininet
from mtdepth.specs.mininet import MiniNetSpec

GRAPHS = ("detached", "training")

# Each multiplies every weight of its kernel once per output position.
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")

_PARTS = (
    (re.compile(r"(bn_)?Conv1"), "encoder stem"),
    (re.compile(r"expanded_conv_"), "encoder block_0"),
    (re.compile(r"(block_\d+)_"), r"encoder \1"),
    (re.compile(r"(decoder_\d+)_(concat|shuffle)"), r"\1 concat + shuffle"),
    (re.compile(r"(decoder_\d+)_(?:(depth|segmentation)_)?(bottleneck_\d+)_"), r"\1 \2 \3"),
    (re.compile(r"stem_"), "stem"),
    (re.compile(r"(module(?:_\d+)?)_(block_\d+)_"), r"\1 \2"),
    (re.compile(r"(up_\d+)_(low|high)_"), r"\1 \2"),
    (re.compile(r"(up_\d+)_"), r"\1 nearest + concat"),
    (re.compile(r"(depth_code_[FHQE])_"), r"\1"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerCount:
    """What one layer with weights, or without, costs.

    Attributes:
      name: The layer's.
      kind: Its class.
      output_shape: Of its first call, without the batch.
      params: All numbers, trainable or not.
      macs: Multiply-accumulates of all its calls in the network, for one image.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    params: int
    macs: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkCount:
    """What a network costs.

    Attributes:
      params: All numbers stored, batch-norm statistics included, as Keras counts them.
      trainable_params: Those that training moves.
      macs: Multiply-accumulates of convolutions and dense layers for one image, at the model's
        input size; batch normalisation and activations, which are fused away, cost nothing. Papers'
        "FLOPs" are mostly twice this.
      outputs: Shape of every output by name, without the batch.
    """

    params: int
    trainable_params: int
    macs: int
    outputs: dict[str, tuple[int | None, ...]]


def count(model: keras.Model) -> NetworkCount:
    """Counts a functional model with a dict of outputs.

    A layer that is called several times has its parameters counted once and its operations per
    call.

    Raises:
      ValueError: As `count_layers`.
    """
    return NetworkCount(
        params=model.count_params(),
        trainable_params=_num_values(model.trainable_weights),
        macs=sum(layer.macs for layer in count_layers(model)),
        outputs={name: tuple(tensor.shape[1:]) for name, tensor in model.output.items()},
    )


def count_layers(model: keras.Model) -> list[LayerCount]:
    """Counts every layer of a functional model, in the order of its computation.

    Raises:
      ValueError: If a layer has a kernel and no known rule (it names it), is a model itself, or the
        input size is not fixed.
    """
    calls: dict[str, list[tuple[int | None, ...]]] = {}
    layers: dict[str, Any] = {layer.name: layer for layer in model.layers}
    # The layers' own call records also hold calls that belong to other models.
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            shape = tuple(node.output_tensors[0].shape[1:])
            calls.setdefault(node.operation.name, []).append(shape)
    return [
        LayerCount(
            name=name,
            kind=type(layers[name]).__name__,
            output_shape=shapes[0],
            params=_num_values(layers[name].weights),
            macs=sum(_macs(layers[name], shape) for shape in shapes),
        )
        for name, shapes in calls.items()
    ]


def describe(model: keras.Model) -> dict[str, Any]:
    """The counts of a network as JSON values: params, trainable_params, macs, outputs."""
    return dataclasses.asdict(count(model))


def describe_mininet(
    spec: MiniNetSpec, *, output: str, input_size: tuple[int, int], graph: str = "detached"
) -> tuple[keras.Model, dict[str, Any]]:
    """Builds a MiniNet with random weights and counts it.

    Args:
      spec: The network.
      output: Its output size, F, H, Q or E; without meaning for the training graph.
      input_size: Height and width, multiples of 32.
      graph: One of `GRAPHS`.

    Returns:
      The network that `graph` names, and `describe`'s values of it. The two numbers of parameters
      count all four heads even where blocks below them are left out, as the paper does;
      `params_inference` is added, that of the network with its one head (F's for the training
      graph), and `macs` are its own.

    Raises:
      ValueError: If an argument is not legal.
    """
    training_graph = mininet.build_training_graph(spec, input_size=input_size)
    exported = mininet.detach(training_graph, spec, output=output)
    model = exported if graph == "detached" else training_graph
    kept = {layer.name for layer in model.layers}
    left_out = sum(
        layer.count_params()
        for layer in training_graph.layers
        if layer.name.startswith(mininet.OUTPUT_NAME) and layer.name not in kept
    )
    counts = describe(model)
    counts["params"] += left_out
    counts["trainable_params"] += left_out
    return model, {**counts, "params_inference": exported.count_params()}


def table(model: keras.Model) -> str:
    """The counts of a network by part, as text: part, output size, parameters, MMAC."""
    parts: dict[str, tuple[str, int, int]] = {}
    for layer in count_layers(model):
        name = part_of(layer.name)
        _, params, macs = parts.get(name, ("", 0, 0))
        size = "x".join(str(side) for side in layer.output_shape)
        parts[name] = (size, params + layer.params, macs + layer.macs)
    network = count(model)
    rows = [("part", "output", "parameters", "MMAC")]
    rows += [(name, size, f"{p:,}", f"{m / 1e6:.2f}") for name, (size, p, m) in parts.items()]
    rows.append(("total", "", f"{network.params:,}", f"{network.macs / 1e6:.1f}"))
    lines = [aligned(rows), f"trainable parameters: {network.trainable_params:,}"]
    for name, shape in network.outputs.items():
        lines.append(f"output {name}: {'x'.join(str(side) for side in shape)}")
    return "\n".join(lines) + "\n"


def part_of(layer_name: str) -> str:
    """The part of the network that a layer is a row of: itself, where no rule knows it."""
    for pattern, part in _PARTS:
        match = pattern.match(layer_name)
        if match:
            return " ".join(match.expand(part).split())
    return layer_name


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of words as lines; the first says what a column is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    num_left = 2 if rows[0][1] == "output" else 1  # words to the left, numbers to the right
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < num_left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def _macs(layer: Any, output_shape: tuple[int | None, ...]) -> int:
    if hasattr(layer, "layers"):
        raise ValueError(f"layer {layer.name!r} is a model itself; count it on its own")
    kernels = [weight for weight in layer.weights if len(weight.shape) > 1]
    if not kernels:
        return 0
    kind = type(layer).__name__
    if kind not in (*_CONVOLUTIONS, "Dense") or len(kernels) != 1:
        raise ValueError(f"no rule for the operations of layer {layer.name!r}, a {kind}")
    positions = output_shape[:-1]
    if None in positions:
        raise ValueError(f"layer {layer.name!r} has no fixed size {output_shape}; fix the input's")
    return math.prod(side for side in positions if side is not None) * math.prod(kernels[0].shape)


def _num_values(weights: Any) -> int:
    return sum(math.prod(weight.shape) for weight in weights)
