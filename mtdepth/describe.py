r"""Prints what a network is made of and what it costs.

Parameters, multiply-accumulates and output shapes, of the network that runs on a device
(--graph detached, the default) or of the one that is trained (--graph training, with every head).
Multiply-accumulates are for one image of --height x --width, both multiples of 32. Papers' "FLOPs"
are mostly twice that number.

Full example, a table to read:

  python -m mtdepth.describe --model student --decoder L --height 320 --width 480 \
      --tasks both --graph detached

The same as JSON with the keys params, trainable_params, macs and outputs (height, width, channels
by output name), to standard output (-) or into a file:

  python -m mtdepth.describe --decoder S --height 320 --width 480 --tasks depth --json -

MiniNet, the network that learns from video alone. Its paper counts all four heads whatever the
output, and so does params; params_inference is what is exported:

  python -m mtdepth.describe --model mininet --variant small --output E --height 192 --width 640

What is left of a random picture at every scale before any training, with our initialisation and
with the libraries' stock one:

  python -m mtdepth.describe --model mininet --variant small --signal
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from absl import flags, logging

from mtdepth import program
from mtdepth.files import UserError, write_json
from mtdepth.models import mininet, student
from mtdepth.models.counting import GRAPHS, aligned, describe, describe_mininet, table
from mtdepth.specs.mininet import MODULES, OUTPUT_STRIDE, MiniNetSpec
from mtdepth.specs.student import DESIGNS, NUM_BLOCKS, DecoderSize, StudentSpec, Task, designed

TASKS: dict[str, tuple[Task, ...]] = {"depth": ("depth",), "both": ("depth", "segmentation")}
DEFAULT_SIZE = {"student": (320, 480), "mininet": (192, 640)}
MODELS = tuple(DEFAULT_SIZE)

_FLAGS_OF = {
    "student": ("decoder", "design", "tasks"),
    "mininet": ("variant", "output", "no_reuse", "dense_decoder", "signal"),
}


def build(
    *,
    decoder: DecoderSize,
    input_size: tuple[int, int],
    tasks: tuple[Task, ...],
    graph: str,
    design: str = "paper",
) -> Any:
    """Builds a student with random weights.

    Args:
      decoder: How many decoder blocks.
      input_size: Height and width, multiples of 32.
      tasks: As `StudentSpec.tasks`.
      graph: One of `GRAPHS`.
      design: One of `mtdepth.specs.student.DESIGNS`.

    Raises:
      UserError: If an argument is not legal.
    """
    spec = designed(StudentSpec(tasks=tasks), design).for_decoder(decoder)
    training_graph = student.build_training_graph(spec, input_size=input_size)
    if graph == "training":
        return training_graph
    return student.detach(training_graph, spec, decoder=decoder)


def signals(spec: MiniNetSpec, *, input_size: tuple[int, int]) -> dict[str, dict[str, float]]:
    """Deviation of the features by scale ("1/2" to "1/32"), of a spec's start and of the stock one.

    Raises:
      UserError: If the size is not legal.
    """
    return {
        name: {
            f"1/{stride}": std
            for stride, std in mininet.signal_stds(start, input_size=input_size).items()
        }
        for name, start in (("ours", spec), ("stock", spec.stock_start()))
    }


def main() -> int | None:
    """Builds the network, and prints or writes its counts."""
    report(flags.FLAGS)
    return None


def report(values: flags.FlagValues) -> None:
    """Does what parsed flags ask for.

    Raises:
      UserError: If a flag has no meaning beside the others, or its value is not legal.
    """
    _check_flags(values)
    height_px, width_px = DEFAULT_SIZE[values.model]
    if values.height is not None:
        height_px = values.height
    if values.width is not None:
        width_px = values.width
    make = _mininet_report if values.model == "mininet" else _student_report
    content, text = make(values, (height_px, width_px))
    if values.json is None:
        sys.stdout.write(text)
    elif values.json == "-":
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        write_json(Path(values.json), content)
        logging.info("wrote %s", values.json)


def _student_report(values: Any, input_size: tuple[int, int]) -> tuple[dict[str, Any], str]:
    model = build(
        decoder=values.decoder,
        input_size=input_size,
        tasks=TASKS[values.tasks],
        graph=values.graph,
        design=values.design,
    )
    return describe(model), table(model)


def _mininet_report(values: Any, input_size: tuple[int, int]) -> tuple[dict[str, Any], str]:
    spec = MiniNetSpec(
        variant=values.variant, reuse=not values.no_reuse, dense_decoder=values.dense_decoder
    )
    if values.signal:
        stds = signals(spec, input_size=input_size)
        rows = [("initialisation", *stds["ours"])]
        rows += [(name, *(f"{std:.1e}" for std in row.values())) for name, row in stds.items()]
        return dict(stds), aligned(rows) + "\n"
    model, counts = describe_mininet(
        spec, output=values.output, input_size=input_size, graph=values.graph
    )
    note = f"parameters with all four heads, as the paper counts: {counts['params']:,}\n"
    return counts, table(model) + note


def _check_flags(values: Any) -> None:
    meaningless = {
        name: f"--model {values.model}"
        for model, names in _FLAGS_OF.items()
        for name in names
        if model != values.model
    }
    if values.signal:
        meaningless |= {"output": "--signal", "graph": "--signal"}
    if values.model == "mininet" and values.graph == "training":
        meaningless["output"] = "--graph training, which has all four"
    for name, cause in meaningless.items():
        if values[name].present:
            raise UserError(f"--{name} has no meaning for {cause}; leave one of the two out")


def _define_flags(values: flags.FlagValues) -> None:
    def enum(name: str, default: str, choices: Iterable[str], text: str) -> None:
        flags.DEFINE_enum(name, default, list(choices), text, flag_values=values)

    def switch(name: str, text: str) -> None:
        flags.DEFINE_bool(name, False, text, flag_values=values)

    enum("model", MODELS[0], MODELS, "Network.")
    enum("decoder", "L", NUM_BLOCKS, "Student: its size, the largest first.")
    enum("design", "paper", DESIGNS, "Student: the paper's decoder, or another; see README.")
    enum("tasks", "depth", TASKS, "Student: depth alone, or segmentation too.")
    enum("variant", "original", MODULES, "MiniNet: which blocks its module has.")
    enum("output", "F", OUTPUT_STRIDE, "MiniNet: output of the input's size, 1/2, 1/4 or 1/8.")
    switch("no_reuse", "MiniNet: four modules instead of one (ablation).")
    switch("dense_decoder", "MiniNet: 3x3 convolutions in the decoder (ablation).")
    switch("signal", "MiniNet: print what is left of a signal at every scale.")
    for name, text in (
        ("height", "student 320, MiniNet 192"),
        ("width", "student 480, MiniNet 640"),
    ):
        flags.DEFINE_integer(
            name, None, f"Input {name} in pixels, a multiple of 32; {text}.", flag_values=values
        )
    enum("graph", GRAPHS[0], GRAPHS, "What runs on a device, or what is trained.")
    flags.DEFINE_string(
        "json",
        None,
        "Write JSON there instead of a table; - is standard output.",
        flag_values=values,
    )


if __name__ == "__main__":
    # Defined here, not on import: two programs imported together must not clash.
    _define_flags(flags.FLAGS)
    program.run(main)
