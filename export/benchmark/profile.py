"""Where a network's time goes: each operator timed by itself, then added up by parts and kinds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from tqdm import tqdm

from export.benchmark.operators import SingleOperator, single_operators
from export.benchmark.subject import synthetic
from export.benchmark.timing import Schedule, time_in_turn

# One operator is small: many runs are cheap, and its tensors stay in the caches as in the network.
SCHEDULE = Schedule(warm_up=3, rounds=1, runs_per_round=30)


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

    Raises:
      DataError: If it is no `.tflite` file.
      ImportError: If this LiteRT brings no schema.
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
