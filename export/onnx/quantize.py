"""Puts quantise/dequantise pairs where TensorRT builds integer layers from them.

TensorRT takes a scale for each channel of weights and one for each activation, all zero points 0
("explicit quantisation"). Placed here as NVIDIA's guide recommends:

- on the input of every convolution of a feature map, and on its weights;
- on the branch of an addition that skips a convolution, so that convolution and addition become one
  layer; the other branch stays float within it;
- not behind concatenations, shuffles and enlargements, past which TensorRT moves pairs by itself;
- not in squeeze-and-excite, whose maps are one pixel.

Weights stay float in the file and are quantised by a node: parsers before TensorRT 8.6 take no
integers there. Biases have no pair.
"""

from collections.abc import Mapping

import numpy as np

from export.onnx.calibrate import MAX_INTEGER
from export.onnx.graph import Array, Node, OnnxGraph

# A tensor or channel that is always 0 is right with any scale; TensorRT refuses 0.
_SCALE_OF_NOTHING = 1.0


def quantized_tensors(graph: OnnxGraph) -> dict[str, list[Node]]:
    """The activations that get a pair, with the nodes that read them through it."""
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.operator == "Conv" and _is_map(graph, node):
            found.setdefault(node.inputs[0], []).append(node)
        elif node.operator == "Add" and (skip := _skip_branch(graph, node)):
            found.setdefault(skip, []).append(node)
    return found


def quantize(graph: OnnxGraph, ranges: Mapping[str, float]) -> OnnxGraph:
    """A graph with pairs.

    Args:
      graph: The float network; not changed.
      ranges: Of each of `quantized_tensors`, the value that becomes 127.
    """
    made = OnnxGraph(
        constants=dict(graph.constants), shapes=dict(graph.shapes), outputs=dict(graph.outputs)
    )
    readers = quantized_tensors(graph)
    through = {(id(node), tensor) for tensor, nodes in readers.items() for node in nodes}
    paired: set[str] = set()
    for node in graph.nodes:
        inputs = list(node.inputs)
        for position, tensor in enumerate(inputs):
            if (id(node), tensor) not in through:
                continue
            if tensor not in paired:
                _add_pair(made, tensor, tensor, _scale(ranges[tensor]))
                paired.add(tensor)
            inputs[position] = f"{tensor}/dequantized"
        if node.operator == "Conv" and _is_map(graph, node):
            inputs[1] = _quantize_weights(made, inputs[1])
        made.nodes.append(Node(node.operator, inputs, node.output, dict(node.attributes)))
    _drop_needless_clips(made)
    return made


def _drop_needless_clips(graph: OnnxGraph) -> None:
    """Turns a clip into a rectifier where the integers behind it end at its upper limit anyway.

    The same function, but one for which TensorRT has integer kernels fused with the convolution.
    """
    for node in graph.nodes:
        if node.operator != "Clip":
            continue
        low, high = (float(graph.constants[name]) for name in node.inputs[1:])
        readers = graph.consumers(node.output)
        ends = [
            MAX_INTEGER * float(graph.constants[reader.inputs[1]])
            for reader in readers
            if reader.operator == "QuantizeLinear"
        ]
        is_saturated = len(ends) == len(readers) and all(end <= high * (1 + 1e-6) for end in ends)
        if low == 0 and is_saturated:
            node.operator, node.inputs = "Relu", node.inputs[:1]


def _quantize_weights(graph: OnnxGraph, name: str) -> str:
    if f"{name}/dequantized" in graph.shapes:  # of a layer that is used again
        return f"{name}/dequantized"
    kernel = graph.constants[name]
    largest = np.abs(kernel).reshape(len(kernel), -1).max(axis=1)
    scales = np.array([_scale(float(end)) for end in largest], np.float32)
    graph.shapes[name] = kernel.shape
    return _add_pair(graph, name, name, scales)


def _add_pair(graph: OnnxGraph, tensor: str, name: str, scale: Array) -> str:
    shape = graph.shapes[tensor]
    scale_name = graph.constant(f"{name}/scale", scale)
    zero = graph.constant(f"{name}/zero_point", np.zeros(scale.shape, np.int8))
    axis = {"axis": 0} if scale.ndim else {}
    integers = graph.add(
        "QuantizeLinear", [tensor, scale_name, zero], f"{name}/quantized", shape, **axis
    )
    return graph.add(
        "DequantizeLinear", [integers, scale_name, zero], f"{name}/dequantized", shape, **axis
    )


def _scale(end: float) -> Array:
    return np.array(end / MAX_INTEGER if end > 0 else _SCALE_OF_NOTHING, np.float32)


def _is_map(graph: OnnxGraph, conv: Node) -> bool:
    return graph.shapes[conv.inputs[0]][2:] != (1, 1)


def _skip_branch(graph: OnnxGraph, addition: Node) -> str | None:
    """The branch that skips; None where a constant is added."""
    branches = [tensor for tensor in addition.inputs if tensor not in graph.constants]
    if len(branches) < 2:
        return None
    for tensor in branches:
        producer = graph.producer(tensor)
        is_fused = producer is not None and producer.operator == "Conv"
        if not is_fused or len(graph.consumers(tensor)) > 1:
            return tensor
    return branches[0]
