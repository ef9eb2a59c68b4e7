"""Where a network's time goes: each operator of a `.tflite` file cut out and timed by itself.

The Python wheel of LiteRT has no profiler of its own to ask. It does bring the file's published
schema, which is all that this needs: no TensorFlow.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from tqdm import tqdm

from export.benchmark.network import synthetic
from export.benchmark.timing import Schedule, time_in_turn
from mtdepth.files import DataError

# One operator is small: many runs are cheap, and its tensors stay in the caches as in the network.
SCHEDULE = Schedule(warm_up=3, rounds=1, runs_per_round=30)

# The parts of a network that its layers' names say; the first that fits counts.
_PARTS = (
    (re.compile(r"decoder_(\d)_"), r"D\1"),
    (re.compile(r"depth_code|class_scores|PartitionedCall|StatefulPartitionedCall"), "heads"),
    (re.compile(r"block_\d+_|expanded_conv_|[_/]?Conv1|bn_Conv1"), "encoder"),
)


@dataclass(frozen=True)
class SingleOperator:
    """One operator of a file, runnable.

    Attributes:
      kind: `CONV_2D` and so on.
      part: Part of the network: `encoder /4` is its layers at a quarter of the input's side,
        `D4` a decoder block, `heads`; `other` where the names do not say.
      output_shape: Of its first output.
      kernel_shape: Of its weights, `()` without.
      macs: Multiply-accumulates of a convolution, 0 of all else.
      content: A file with this operator alone.
    """

    kind: str
    part: str
    output_shape: tuple[int, ...]
    kernel_shape: tuple[int, ...]
    macs: int
    content: bytes


def single_operators(path: Path) -> Iterator[SingleOperator]:
    """Each operator of a file's first graph, in the order in which they run.

    Operators that read weights alone (the DEQUANTIZEs of a float16 file) run once: left out.
    """
    schema, utils = _schema()
    model = _model(path, utils)
    if not model.subgraphs:
        raise DataError(path, "is no .tflite file (it has no graph)")
    graph = model.subgraphs[0]
    names = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if isinstance(value, int)
    }
    written = {int(tensor) for operator in graph.operators for tensor in operator.outputs}
    moving = written | {int(tensor) for tensor in graph.inputs}
    moving -= _folded(graph, moving)
    input_height_px = int(graph.tensors[graph.inputs[0]].shape[1])
    whole = (graph.operators, graph.inputs, graph.outputs)
    model.signatureDefs = []
    for operator in whole[0]:
        inputs = list(dict.fromkeys(int(tensor) for tensor in operator.inputs if tensor in moving))
        if not inputs:
            continue
        graph.operators, graph.inputs, graph.outputs = [operator], inputs, list(operator.outputs)
        content = bytes(utils.convert_object_to_bytearray(model))
        graph.operators, graph.inputs, graph.outputs = whole
        code = model.operatorCodes[operator.opcodeIndex]
        kind = names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
        yield _described(kind, operator, graph.tensors, input_height_px, content)


def graph_alone(path: Path, signature: str) -> bytes:
    """A file with the graph of one signature alone, of a file that has several."""
    _, utils = _schema()
    model = _model(path, utils)
    found = [each for each in model.signatureDefs or () if each.signatureKey == signature.encode()]
    if not found:
        raise DataError(path, f"has no signature {signature!r}")
    model.subgraphs, model.signatureDefs = [model.subgraphs[found[0].subgraphIndex]], found
    found[0].subgraphIndex = 0
    return bytes(utils.convert_object_to_bytearray(model))


def _model(path: Path, utils: Any) -> Any:
    content = bytearray(path.read_bytes())
    try:
        return utils.convert_bytearray_to_object(content)
    except Exception as error:
        raise DataError(path, f"is no .tflite file ({error})") from error


def _described(
    kind: str, operator: Any, tensors: list[Any], input_height_px: int, content: bytes
) -> SingleOperator:
    output = tensors[operator.outputs[0]]
    shape = _shape(output)
    is_filter = kind in ("CONV_2D", "DEPTHWISE_CONV_2D")
    kernel = _shape(tensors[operator.inputs[1]]) if is_filter else ()
    # CONV_2D: [out, h, w, in]; DEPTHWISE_CONV_2D: [1, h, w, out].
    num_taps = math.prod(kernel[1:] if kind == "CONV_2D" else kernel[1:3]) if kernel else 0
    return SingleOperator(
        kind=kind,
        part=part_of(output.name.decode(errors="replace"), shape, input_height_px),
        output_shape=shape,
        kernel_shape=kernel,
        macs=math.prod(shape[1:]) * num_taps if len(shape) == 4 else 0,
        content=content,
    )


def part_of(name: str, shape: tuple[int, ...], input_height_px: int) -> str:
    """The part of a network that an operator belongs to, by name and shape of its output.

    The converter joins the names of layers that it fused. See `SingleOperator`.
    """
    stride = f" /{input_height_px // shape[1]}" if len(shape) == 4 and shape[1] else ""
    for pattern, part in _PARTS:
        if found := pattern.search(name):
            return found.expand(part) + (stride if part == "encoder" else "")
    return "input" if stride == " /1" else f"other{stride}"


def _folded(graph: Any, moving: set[int]) -> set[int]:
    """Tensors that are computed from weights alone."""
    folded: set[int] = set()
    for operator in graph.operators:
        if not any(tensor in moving - folded for tensor in operator.inputs):
            folded |= {int(tensor) for tensor in operator.outputs}
    return folded


def _shape(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(int(side) for side in tensor.shape)


def _schema() -> tuple[Any, Any]:
    try:
        from ai_edge_litert import schema_py_generated
        from ai_edge_litert.tools import flatbuffer_utils
    except ImportError as error:
        raise ImportError(
            f"--profile reads the file by LiteRT's schema, which this LiteRT does not bring "
            f"({error}): pip install 'ai-edge-litert>=2.3'"
        ) from error
    return schema_py_generated, flatbuffer_utils


@dataclass(frozen=True)
class OperatorTime:
    """One operator of a network and how long it takes."""

    operator: SingleOperator
    cpu_ms: float

    def to_dict(self) -> dict[str, Any]:
        """For a report."""
        return {
            "kind": self.operator.kind,
            "part": self.operator.part,
            "output_shape": list(self.operator.output_shape),
            "kernel_shape": list(self.operator.kernel_shape),
            "mmac": round(self.operator.macs / 1e6, 3),
            "cpu_ms": round(self.cpu_ms, 4),
        }


def profile(path: Path, *, num_threads: int) -> list[OperatorTime]:
    """Times every operator of a file's first graph, each in an interpreter of its own.

    What it does not show: operators that XNNPACK joins, and a tensor that fell out of the caches
    between two operators. The sum against the whole network's time says how much that is.
    """
    operators = list(single_operators(path))
    return [
        OperatorTime(operator, _milliseconds(operator.content, num_threads))
        for operator in tqdm(operators, "operators", leave=False, disable=None)
    ]


def summary(times: Iterable[OperatorTime], key: Callable[[SingleOperator], str]) -> dict[str, Any]:
    """Times and operations added up by a property of the operators, the longest first."""
    found: dict[str, list[float]] = {}
    for item in times:
        total = found.setdefault(key(item.operator), [0.0, 0.0])
        total[0] += item.cpu_ms
        total[1] += item.operator.macs / 1e6
    ordered = sorted(found.items(), key=lambda row: -row[1][0])
    return {
        name: {
            "cpu_ms": round(total_ms, 4),
            "mmac": round(mmac, 2),
            "gmac_per_s": round(mmac / total_ms, 1) if total_ms else 0.0,
        }
        for name, (total_ms, mmac) in ordered
    }


def report(times: list[OperatorTime]) -> dict[str, Any]:
    """What the benchmark's JSON says of a profile."""
    return {
        "sum_cpu_ms": round(sum(item.cpu_ms for item in times), 4),
        "parts": summary(times, lambda operator: operator.part),
        "kinds": summary(times, lambda operator: operator.kind),
        "operators": [item.to_dict() for item in times],
    }


def _milliseconds(content: bytes, num_threads: int) -> float:
    interpreter = Interpreter(model_content=content, num_threads=num_threads)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], synthetic(details["shape"], details["dtype"]))
    (times,) = time_in_turn([interpreter.invoke], SCHEDULE, title="operator")
    # Low, since a neighbour on the machine can only add; not the least, which is luck.
    return float(np.quantile(times.cpu_ms, 0.25))
