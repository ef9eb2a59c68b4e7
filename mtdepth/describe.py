r"""Prints what a network is made of and what it costs.

Parameters, multiply-accumulates and output shapes, of the network that runs on a device
(--graph detached, the default) or of the one that is trained (--graph training, with the heads of
every decoder block). Multiply-accumulates are for one image of --height x --width, both multiples
of 32. Papers' "FLOPs" are mostly twice that number.

Full example, a table to read:

  python -m mtdepth.describe --model student --decoder L --height 320 --width 480 \
      --tasks both --graph detached

The same as JSON with the keys params, trainable_params, macs and outputs (height, width, channels
by output name), to standard output (-) or into a file:

  python -m mtdepth.describe --decoder S --height 320 --width 480 --tasks depth --json -
"""

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any

from absl import flags, logging

from mtdepth import program
from mtdepth.files import write_json
from mtdepth.models.specs import NUM_BLOCKS, DecoderSize, StudentSpec, Task

TASKS: dict[str, tuple[Task, ...]] = {"depth": ("depth",), "both": ("depth", "segmentation")}
GRAPHS = ("detached", "training")
MODELS = ("student",)

_PARTS = (
    (re.compile(r"(bn_)?Conv1"), "encoder stem"),
    (re.compile(r"expanded_conv_"), "encoder block_0"),
    (re.compile(r"(block_\d+)_"), r"encoder \1"),
    (re.compile(r"(decoder_\d+)_(concat|shuffle)"), r"\1 concat + shuffle"),
    (re.compile(r"(decoder_\d+)_(?:(depth|segmentation)_)?(bottleneck_\d+)_"), r"\1 \2 \3"),
)


def build(
    *, decoder: DecoderSize, input_size: tuple[int, int], tasks: tuple[Task, ...], graph: str
) -> Any:
    """Builds the student of design A with random weights.

    Args:
      decoder: How many decoder blocks.
      input_size: Height and width, multiples of 32.
      tasks: As `StudentSpec.tasks`.
      graph: One of `GRAPHS`.

    Raises:
      ValueError: If an argument is not legal.
    """
    from mtdepth.models import student

    spec = StudentSpec(tasks=tasks).for_decoder(decoder)
    training_graph = student.build_training_graph(spec, input_size=input_size)
    if graph == "training":
        return training_graph
    return student.detach(training_graph, spec, decoder=decoder)


def describe(model: Any) -> dict[str, Any]:
    """The counts of a network as JSON values: params, trainable_params, macs, outputs."""
    from mtdepth.models import counting

    return dataclasses.asdict(counting.count(model))


def table(model: Any) -> str:
    """The counts of a network by part, as text: part, output size, parameters, MMAC."""
    from mtdepth.models import counting

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
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{name:<{widths[0]}}  {size:<{widths[1]}}  {params:>{widths[2]}}  {mmac:>{widths[3]}}"
        for name, size, params, mmac in rows
    ]
    lines.append(f"trainable parameters: {network.trainable_params:,}")
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


def main() -> int | None:
    """Builds the network, and prints or writes its counts."""
    values = flags.FLAGS
    model = build(
        decoder=values.decoder,
        input_size=(values.height, values.width),
        tasks=TASKS[values.tasks],
        graph=values.graph,
    )
    if values.json is None:
        sys.stdout.write(table(model))
    elif values.json == "-":
        sys.stdout.write(json.dumps(describe(model), indent=2) + "\n")
    else:
        write_json(Path(values.json), describe(model))
        logging.info("wrote %s", values.json)
    return None


def _define_flags() -> None:
    flags.DEFINE_enum("model", MODELS[0], MODELS, "Network.")
    flags.DEFINE_enum("decoder", "L", list(NUM_BLOCKS), "Decoder size: 4, 3, 2 or 1 blocks.")
    flags.DEFINE_integer("height", 320, "Input height in pixels, a multiple of 32.")
    flags.DEFINE_integer("width", 480, "Input width in pixels, a multiple of 32.")
    flags.DEFINE_enum("tasks", "depth", list(TASKS), "Depth alone, or with segmentation.")
    flags.DEFINE_enum("graph", GRAPHS[0], GRAPHS, "What runs on a device, or what is trained.")
    flags.DEFINE_string("json", None, "Write JSON there instead of a table; - is standard output.")


if __name__ == "__main__":
    # Defined here, not on import: two programs imported together must not clash.
    _define_flags()
    program.run(main)
