"""A network in ONNX's operators, before it becomes an ONNX file."""

import importlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.files import UserError

Array = npt.NDArray[Any]

INSTALL_COMMAND = "pip install onnx==1.23.2 onnxruntime==1.31.1"
OPSETS = (13, 21)  # the first has a scale for each channel; the last was tried
OLDEST_OPSET, NEWEST_OPSET = OPSETS


def load(name: str) -> Any:
    """Imports `onnx`, one of its modules, or `onnxruntime`; the ImportError says how to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"the ONNX export needs {name.partition('.')[0]}, which cannot be imported ({error}): "
            f"{INSTALL_COMMAND}"
        ) from error


@dataclass
class Node:
    """One operator, by ONNX's name; `output` is also the node's, an empty input is left out."""

    operator: str
    inputs: list[str]
    output: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class OnnxGraph:
    """A network of static shapes in NCHW, apart from its ends.

    Attributes:
      nodes: In the order in which they run.
      constants: Weights by name.
      shapes: Of every tensor that is no constant.
      input: Name of the picture.
      outputs: Names, with numpy's names of their types.
    """

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    input: str = "image"
    outputs: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        operator: str,
        inputs: Iterable[str],
        output: str,
        shape: tuple[int, ...],
        **attributes: Any,
    ) -> str:
        """Appends a node and returns the name of its output."""
        self.nodes.append(Node(operator, list(inputs), output, attributes))
        self.shapes[output] = shape
        return output

    def constant(self, name: str, values: Array) -> str:
        """Stores weights and returns their name; the same weights twice are stored once.

        A layer that is used again may come with other values (a scale that was folded into it).
        """
        candidate, number = name, 1
        while candidate in self.constants:
            if np.array_equal(self.constants[candidate], values):
                return candidate
            number += 1
            candidate = f"{name}_{number}"
        self.constants[candidate] = values
        return candidate

    def consumers(self, tensor: str) -> list[Node]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if tensor in node.inputs]

    def producer(self, tensor: str) -> Node | None:
        """The node that makes a tensor; None for the picture and constants."""
        return next((node for node in self.nodes if node.output == tensor), None)

    def operators(self) -> dict[str, int]:
        """How many nodes of each operator."""
        return dict(sorted(Counter(node.operator for node in self.nodes).items()))


def to_model(graph: OnnxGraph, *, opset: int, extra_outputs: Iterable[str] = ()) -> Any:
    """The graph as an ONNX `ModelProto`, checked, with the shape of every tensor inside.

    Calibration looks at `extra_outputs`, inner tensors. UserError of an opset that was not tried.
    """
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise UserError(f"opset must be {OLDEST_OPSET} to {NEWEST_OPSET}, got {opset}")
    onnx = load("onnx")
    helper = load("onnx.helper")
    types = {**graph.outputs, **dict.fromkeys(extra_outputs, "float32")}
    read = {name for node in graph.nodes for name in node.inputs}
    proto = helper.make_graph(
        [
            helper.make_node(
                node.operator, node.inputs, [node.output], name=node.output, **node.attributes
            )
            for node in graph.nodes
        ],
        "mtdepth",
        [_value(graph.input, "float32", graph.shapes)],
        [_value(name, dtype, graph.shapes) for name, dtype in types.items()],
        [
            load("onnx.numpy_helper").from_array(values, name)
            for name, values in graph.constants.items()
            if name in read
        ],
    )
    imports = [helper.make_opsetid("", opset)]
    # An old parser warns of, or refuses, a newer format than its operators need.
    version = helper.find_min_ir_version_for(imports)
    model = helper.make_model(
        proto, opset_imports=imports, ir_version=version, producer_name="mtdepth"
    )
    model = load("onnx.shape_inference").infer_shapes(
        model, check_type=True, strict_mode=True, data_prop=True
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _value(name: str, dtype: str, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    helper = load("onnx.helper")
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shapes[name]
    )
