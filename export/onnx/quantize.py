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

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from export.onnx.graph import Array, Node, OnnxGraph, to_model
from mtdepth.runtime.onnx import open_session

Image = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]

MAX_INTEGER = 127
NUM_BINS = 2048
# Of a feature map, every so many-th value is counted: there are millions.
_STRIDE = 5
# Ends that are tried, as parts of the largest value seen.
_TRIED_ENDS = np.linspace(0.3, 1.0, 71)
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


def find_ranges(
    graph: OnnxGraph, tensors: Sequence[str], pictures: Sequence[Image]
) -> dict[str, float]:
    """Finds, for each tensor, the end of its range that costs least when it becomes integers.

    Args:
      graph: The float network.
      tensors: Which.
      pictures: Fitted.

    Returns:
      The value that becomes 127, by tensor; 0 for one that is always 0.
    """
    largest = dict.fromkeys(tensors, 0.0)
    for values in _observed(graph, tensors, pictures, label="largest activations"):
        for name, found in values.items():
            largest[name] = max(largest[name], float(np.abs(found).max()))
    counts = {name: np.zeros(NUM_BINS, np.int64) for name in tensors if largest[name] > 0}
    for values in _observed(graph, list(counts), pictures, label="their distribution"):
        for name, found in values.items():
            counts[name] += _histogram(found, largest[name])
    return {
        name: best_end(counts[name], largest[name]) if name in counts else 0.0 for name in tensors
    }


def best_end(counts: Counts, largest: float) -> float:
    """The end of the range with the least mean squared error.

    What lies beyond the end is cut off; a larger end makes the steps between coarser.

    Args:
      counts: Of magnitudes, in equal bins from 0 to `largest`.
      largest: Magnitude.
    """
    magnitudes = (np.arange(len(counts)) + 0.5) * largest / len(counts)
    ends = largest * _TRIED_ENDS
    steps = ends[:, None] / MAX_INTEGER
    integers = np.minimum(np.rint(magnitudes / steps), MAX_INTEGER)
    errors = ((integers * steps - magnitudes) ** 2 @ counts).astype(np.float64)
    # Not the least of all, which would cut off for a gain of nothing.
    good = errors <= errors.min() * 1.001
    return float(ends[good].max())


def _observed(
    graph: OnnxGraph, tensors: Sequence[str], pictures: Iterable[Image], *, label: str
) -> Iterator[Mapping[str, npt.NDArray[np.float32]]]:
    names = [name for name in tensors if name not in graph.outputs]
    # Opset 13 whatever the file's: it is the same arithmetic.
    model = to_model(graph, opset=13, extra_outputs=names)
    session = open_session(model.SerializeToString(), num_threads=os.cpu_count() or 1)
    for picture in tqdm(pictures, desc=label, unit="picture", leave=False):
        found = session.run(list(tensors), {graph.input: picture[None].astype(np.float32)})
        yield dict(zip(tensors, found, strict=True))


def _histogram(values: npt.NDArray[np.float32], largest: float) -> Counts:
    magnitudes = np.abs(values.ravel()[::_STRIDE])
    bins = (magnitudes * (NUM_BINS / largest)).astype(np.int64)
    return np.bincount(np.minimum(bins, NUM_BINS - 1), minlength=NUM_BINS)
