"""How much of an exported network XNNPACK, LiteRT's fast CPU back end, takes over."""

import collections
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter

_DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class Delegation:
    """What runs when the network is called.

    Of the parts that XNNPACK runs one is best, since each border copies its tensors; `undelegated`
    are the operators that LiteRT's own kernels run, with their number.
    """

    num_partitions: int
    undelegated: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """For a report."""
        return {"xnnpack_partitions": self.num_partitions, "undelegated": self.undelegated}


def delegation_of(path: Path) -> Delegation:
    """Finds what of a `.tflite` file runs in XNNPACK on this machine.

    LiteRT lists every operator of the file, also those that were replaced by a delegate's node,
    which comes after them. So the graph is walked back from its outputs, and of the nodes that
    write a tensor the last is the one that runs.
    """
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    # Not a public function of LiteRT; there is no other way to ask for a delegate's nodes.
    operators = interpreter._get_ops_details()
    writer = {int(tensor): operator for operator in operators for tensor in operator["outputs"]}
    waiting = [int(output["index"]) for output in interpreter.get_output_details()]
    running: dict[int, str] = {}
    while waiting:
        operator = writer.get(waiting.pop())
        if operator is None or operator["index"] in running:
            continue
        running[operator["index"]] = operator["op_name"]
        waiting += [int(tensor) for tensor in operator["inputs"]]
    counts = collections.Counter(running.values())
    num_partitions = counts.pop(_DELEGATE, 0)
    return Delegation(num_partitions, dict(sorted(counts.items())))
