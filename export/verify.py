r"""Checks on a device that an exported network arrived whole and answers as where it was exported.

Full example, on a Raspberry Pi, every model of a bundle:

    python -m export.verify --model models/export_s_int8/model.tflite

Looks at the file's digest, its contract, and its golden pairs (`golden.npz`): three pictures, each
asked of every decoder size of the file. Integer outputs may be off by --max_steps of their
smallest steps, float outputs by 1e-5 of their range (float16 files: 1e-2, since some processors
calculate in float16). Prints a verdict for each picture and size; the status is 1 unless all are
good. Numpy, OpenCV and the interpreter only (onnxruntime for `.onnx` files), no TensorFlow.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.golden import Answer, Array, ask, read_golden
from mtdepth.contract import Precision
from mtdepth.pretrained.names import exported_file
from mtdepth.runtime.command_line import USER_ERRORS, parser_of
from mtdepth.runtime.command_line import run as run_program
from mtdepth.runtime.formats import open_artefact

_LOG = logging.getLogger("export.verify")

# Of the range of an output, largest minus smallest: the last bits of sums in another order.
MAX_RELATIVE: dict[Precision, float] = {"float32": 1e-5, "float16": 1e-2, "int8": 1e-5}


@dataclass(frozen=True)
class Deviation:
    """How far an output is from the golden one.

    `largest` is in steps of an integer output, or in shares of a float output's range; `num_values`
    differ at all.
    """

    name: str
    largest: float
    num_values: int
    is_integer: bool
    is_good: bool

    def __str__(self) -> str:
        """For a verdict."""
        if not self.num_values:
            return f"{self.name} exact"
        if self.is_integer:
            return f"{self.name} off by {self.largest:.0f} step(s) in {self.num_values} value(s)"
        return f"{self.name} off by {self.largest:.1e} of its range"


def compare(name: str, found: Array, golden: Array, *, max_steps: int, share: float) -> Deviation:
    """Compares an output with the golden one; another shape, type or a NaN is infinitely far."""
    is_integer = bool(np.issubdtype(golden.dtype, np.integer))
    if (found.shape, found.dtype) != (golden.shape, golden.dtype):
        return Deviation(name, np.inf, max(found.size, golden.size), is_integer, is_good=False)
    difference = np.abs(found.astype(np.float64) - golden.astype(np.float64))
    # Written so that a NaN counts, and is outside.
    num_values = int(np.count_nonzero(~(difference == 0)))
    largest = float(difference.max())
    if is_integer:
        return Deviation(name, largest, num_values, is_integer, is_good=largest <= max_steps)
    largest /= float(np.ptp(golden)) or 1.0
    return Deviation(name, largest, num_values, is_integer, is_good=largest <= share)


def deviations(
    found: Answer, golden: Answer, *, precision: Precision, max_steps: int
) -> list[Deviation]:
    """Compares an answer with the golden one, output by output, and the metres made from them."""
    share = MAX_RELATIVE[precision]
    compared = [
        compare(name, found.raw[name], value, max_steps=max_steps, share=share)
        for name, value in golden.raw.items()
    ]
    is_exact = not any(deviation.num_values for deviation in compared)
    if is_exact or precision != "int8":
        # The codec: of the same integers come the same metres, up to the last bit.
        compared.append(
            compare("metres", found.depth_m, golden.depth_m, max_steps=max_steps, share=share)
        )
    return compared


def verify(path: Path, *, num_threads: int, max_steps: int) -> list[str]:
    """Checks a model; says what is good and returns what is not.

    Raises what opening the file and its golden pairs does.
    """
    backends = open_artefact(path, num_threads=num_threads)
    golden = read_golden(path)
    _LOG.info("%s: digest and contract are good; sizes %s", path, " ".join(backends))
    faults = []
    for size, backend in backends.items():
        if size not in golden.answers:
            faults.append(f"{size}: no golden pairs")
            _LOG.error("BAD  %s", faults[-1])
            continue
        for number, image in enumerate(golden.images):
            compared = deviations(
                ask(backend, image),
                golden.answers[size][number],
                precision=backend.contract.precision,
                max_steps=max_steps,
            )
            verdict = f"{size}, pair {number + 1}: {', '.join(map(str, compared))}"
            if all(deviation.is_good for deviation in compared):
                _LOG.info("good %s", verdict)
            else:
                _LOG.error("BAD  %s", verdict)
                faults.append(verdict)
    return faults


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = parser_of("export.verify", __doc__)
    add = parser.add_argument
    add("--model", type=Path, required=True, action="append", help="model.tflite; may be repeated")
    add("--num_threads", type=int, default=1, help="of the interpreter (default: 1)")
    add("--max_steps", type=int, default=1, help="allowed of an integer output (default: 1)")
    options = parser.parse_args(argv)
    if options.num_threads < 1:
        parser.error(f"--num_threads must be at least 1, got {options.num_threads}")
    if options.max_steps < 0:
        parser.error(f"--max_steps must not be negative, got {options.max_steps}")
    return options


def run(options: argparse.Namespace) -> int:
    """Verifies every model; returns the exit status."""
    num_bad = 0
    for path in options.model:
        try:
            file = exported_file(path, precision="int8")
            faults = verify(file, num_threads=options.num_threads, max_steps=options.max_steps)
        except USER_ERRORS as error:
            _LOG.error("%s", error)
            num_bad += 1
            continue
        num_bad += bool(faults)
        _LOG.info("%s: %s", path, f"{len(faults)} fault(s)" if faults else "all pairs are good")
    return 1 if num_bad else 0


def main() -> int:
    """The program."""
    return run_program(parse, run)


if __name__ == "__main__":
    sys.exit(main())
