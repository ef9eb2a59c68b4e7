"""The counts of a network as JSON values and as a table to read."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from mtdepth.models import counting, mininet
from mtdepth.models.mininet_spec import MiniNetSpec

GRAPHS = ("detached", "training")

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


def describe(model: Any) -> dict[str, Any]:
    """The counts of a network as JSON values: params, trainable_params, macs, outputs."""
    return dataclasses.asdict(counting.count(model))


def describe_mininet(
    spec: MiniNetSpec, *, output: str, input_size: tuple[int, int], graph: str = "detached"
) -> tuple[Any, dict[str, Any]]:
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


def table(model: Any) -> str:
    """The counts of a network by part, as text: part, output size, parameters, MMAC."""
    parts: dict[str, tuple[str, int, int]] = {}
    for layer in counting.count_layers(model):
        name = part_of(layer.name)
        _, params, macs = parts.get(name, ("", 0, 0))
        size = "x".join(str(side) for side in layer.output_shape)
        parts[name] = (size, params + layer.params, macs + layer.macs)
    network = counting.count(model)
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
