r"""Measures how long exported networks take on this machine, without TensorFlow.

Full example, two files in turn, so that their ratio holds on a machine that is not idle:

    python -m export.benchmark --model float32/model.tflite --model int8/model.tflite \
        --threads 1 --json result.json

Median, 90th percentile and least of the network and, apart from it, of the picture's way in and the
result's way out; CPU time beside the wall's; peak memory of a process that does nothing else; the
processor, its governor, frequency, temperature and throttling where the system says them; what
XNNPACK runs. `--json -` prints the record for machines alone. `--profile` adds the time of every
operator, by itself and by parts of the network. A file without a contract beside it (another
project's `.tflite` or `.onnx`) is measured without its ends.

For a README, a table of one row for each file, with board, runtime, bytes, heat and, where the
network's scores are known, its error:

    python -m export.benchmark --model pretrained --markdown
"""

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from export.benchmark.machine import describe_machine, describe_state
from export.benchmark.memory import peak_memory
from export.benchmark.network import TimedNetwork, open_network, synthetic
from export.benchmark.report import Measured, machine_line, markdown, profile_table, table
from export.benchmark.timing import Schedule, Times, time_in_turn
from mtdepth.files import UserError, write_json
from mtdepth.pictures import read_rgb
from mtdepth.pretrained.names import exported_file
from mtdepth.runtime.command_line import parser_of
from mtdepth.runtime.command_line import run as run_program

FORMAT_VERSION = 1


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = parser_of("export.benchmark", __doc__)
    add = parser.add_argument
    add(
        "--model",
        type=Path,
        action="append",
        required=True,
        help="a .tflite or .onnx file; repeatable",
    )
    add("--size", help="of a file with several (default: the largest)")
    add("--threads", type=int, default=1, help="of the interpreter (default: 1)")
    add("--rounds", type=int, default=10, help="turns of all models (default: 10)")
    add("--runs", type=int, default=5, help="counted runs of a model in each turn (default: 5)")
    add("--warm_up", type=int, default=5, help="runs that are not counted, at first (default: 5)")
    add("--picture", type=Path, help="what is predicted (default: noise)")
    add(
        "--picture_size",
        default="720x1280",
        help="height x width of the noise (default: 720x1280, a camera's)",
    )
    add("--profile", action="store_true", help="time every operator")
    add("--no_memory", action="store_true", help="start no process to measure its memory")
    add("--markdown", action="store_true", help="print a table that can be pasted, and no other")
    add("--json", help="file for the record, or - to print it and no table")
    options = parser.parse_args(argv)
    if options.threads < 1:
        parser.error(f"--threads must be at least 1, got {options.threads}")
    try:
        options.picture_size = _size(options.picture_size)
        options.schedule = Schedule(options.warm_up, options.rounds, options.runs)
    except ValueError as error:
        parser.error(str(error))
    return options


def run(options: argparse.Namespace) -> int:
    """Measures, writes and prints; returns the exit status."""
    # As many as the network's, or the picture's way in would be another machine's.
    cv2.setNumThreads(options.threads)
    noise = synthetic((*options.picture_size, 3), np.uint8)
    picture = noise if options.picture is None else read_rgb(options.picture)
    networks = [
        open_network(
            exported_file(path, precision="int8"),
            picture,
            num_threads=options.threads,
            size=options.size,
        )
        for path in options.model
    ]
    machine, before = describe_machine(), describe_state()
    results = [
        Measured(network, times)
        for network, times in zip(networks, _times(networks, options.schedule), strict=True)
    ]
    after = describe_state()
    for result in results:
        _complete(result, picture.shape[:2], options)
    record = {
        "format_version": FORMAT_VERSION,
        "machine": machine,
        "before": before,
        "after": after,
        "num_threads": options.threads,
        **options.schedule.to_dict(),
        "models": [result.to_dict(results[0]) for result in results],
    }
    if options.json == "-":
        sys.stdout.write(json.dumps(record, indent=1) + "\n")
        return 0
    if options.json:
        write_json(Path(options.json), record)
    if options.markdown:
        sys.stdout.write(markdown(record))
    else:
        sys.stdout.write(f"{machine_line(machine, after)}, threads {options.threads}\n")
        sys.stdout.write(table(results))
        sys.stdout.write("".join(profile_table(result) for result in results if result.profile))
    return 0


def _times(networks: Sequence[TimedNetwork], schedule: Schedule) -> list[dict[str, Times]]:
    """Every stage of all models in turn: first all networks, then their ends."""
    found: list[dict[str, Times]] = [{} for _ in networks]
    for stage in ("inference", "preprocess", "postprocess"):
        having = [index for index, network in enumerate(networks) if stage in network.stages]
        calls = [networks[index].stages[stage] for index in having]
        for index, times in zip(having, time_in_turn(calls, schedule, title=stage), strict=True):
            found[index][stage] = times
    return found


def _complete(result: Measured, picture_size: tuple[int, int], options: argparse.Namespace) -> None:
    path, signature = result.network.path, result.network.signature
    if not options.no_memory:
        result.memory = peak_memory(
            path, picture_size=picture_size, num_threads=options.threads, size=options.size
        )
    if result.network.is_onnx:
        return  # what follows looks into TFLite's files
    # Late: what they open must not be in memory, or in the caches, while the models are timed.
    from export.benchmark.operators import graph_alone, profile, report
    from export.tflite.delegation import delegation_of

    with tempfile.TemporaryDirectory() as folder:
        if signature is not None:
            # What looks into a file sees its first graph.
            content = graph_alone(path, signature)
            path = Path(folder) / path.name
            path.write_bytes(content)
        result.delegation = delegation_of(path).to_dict()
        if options.profile:
            result.profile = report(profile(path, num_threads=options.threads))


def _size(text: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdigit() and int(side) > 0 for side in sides):
        raise UserError(f"--picture_size must be HEIGHTxWIDTH, such as 720x1280, got {text!r}")
    return int(sides[0]), int(sides[1])


def main() -> int:
    """The program."""
    # What depth means without a camera does not matter to its time.
    logging.getLogger("mtdepth.runtime").setLevel(logging.ERROR)
    return run_program(parse, run)


if __name__ == "__main__":
    sys.exit(main())
