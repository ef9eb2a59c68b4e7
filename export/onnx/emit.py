"""From a network's graph to ONNX's operators: NCHW within.

No general converter: one would leave exchanges of axes between the layers. The ends keep the layout
of every other file of this project, NHWC: the picture as the camera gives it, and one exchange of
axes at each end, which costs a GPU next to nothing and a board's processor more.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from export.graph import INPUT, ClassOutput, Entry, ExportError, read_graph
from export.onnx.graph import OnnxGraph
from mtdepth.models.normalisation import InputNormalisation

Padding = tuple[int, int, int, int]  # top, left, bottom, right: ONNX's order

_NO_PADDING: Padding = (0, 0, 0, 0)
_INT32 = 6  # of ONNX's types


def emit(
    network: Any, *, normalisation: InputNormalisation, class_output: ClassOutput = "scores"
) -> OnnxGraph:
    """Writes a network in ONNX's operators.

    The graph takes `image`, `[1, height, width, 3]` RGB float32 in 0..255. It gives `depth_code`
    `[1, h, w, 1]` float32, and with segmentation `class_scores` `[1, h, w, classes]` float32 or
    `train_id` `[1, h, w]` int32.

    Args:
      network: Of `mtdepth.trained.TrainedNetwork`, of a fixed size.
      normalisation: From bytes to its input.
      class_output: Scores, or the index of the largest.

    Raises:
      ExportError: If it has a layer that has no operator here; names it.
    """
    source, graph = read_graph(network), OnnxGraph()
    tensors = {INPUT: _take_image(graph, normalisation, source.input_size)}
    # Padding that the next convolution takes over.
    pending: dict[str, Padding] = {}
    for entry in source.entries:
        pads = pending.get(entry.inputs[0], _NO_PADDING)
        if entry.kernel is None and not pending.keys().isdisjoint(entry.inputs):
            raise _refused(entry, "no padding before it, which only a convolution takes")
        found = [tensors[name] for name in entry.inputs]
        if entry.kind == "ZeroPadding2D":
            (top, bottom), (left, right) = entry.arguments["padding"]
            pending[entry.name] = (top, left, bottom, right)
            tensors[entry.name] = found[0]
        elif entry.kernel is not None:
            tensors[entry.name] = _conv(graph, entry, found[0], pads)
        else:
            tensors[entry.name] = _WRITERS[entry.kind](graph, entry, found)
    for name, entry_name in source.outputs.items():
        _give(graph, tensors[entry_name], name, class_output)
    return graph


def _take_image(graph: OnnxGraph, normalisation: InputNormalisation, size: tuple[int, int]) -> str:
    """The picture's way to the first layer."""
    graph.shapes[graph.input] = (1, *size, 3)
    shape = (1, 3, *size)
    planes = graph.add("Transpose", [graph.input], "image_nchw", shape, perm=[0, 3, 1, 2])
    scale = graph.constant("input_scale", np.array([normalisation.scale], np.float32))
    offset = graph.constant("input_offset", np.array([normalisation.offset], np.float32))
    scaled = graph.add("Mul", [planes, scale], "image_scaled", shape)
    return graph.add("Add", [scaled, offset], "network_input", shape)


def _give(graph: OnnxGraph, tensor: str, name: str, class_output: ClassOutput) -> None:
    """Writes one output of the graph."""
    _, channels, height, width = graph.shapes[tensor]
    if name == "depth_code":
        shape = graph.constant("depth_shape", np.array([1, height, width, 1], np.int64))
        graph.add("Reshape", [tensor, shape], name, (1, height, width, 1))
    elif class_output == "scores":
        graph.add("Transpose", [tensor], name, (1, height, width, channels), perm=[0, 2, 3, 1])
    else:
        name, ids_shape = "train_id", (1, height, width)
        largest = graph.add("ArgMax", [tensor], "largest_score", ids_shape, axis=1, keepdims=0)
        # TensorRT before 9 gives outputs of 64 bits as 32: this type is read alike everywhere.
        graph.add("Cast", [largest], name, ids_shape, to=_INT32)
    graph.outputs[name] = "int32" if name == "train_id" else "float32"


def _conv(graph: OnnxGraph, entry: Entry, source: str, pads: Padding) -> str:
    is_depthwise = entry.kind == "DepthwiseConv2D"
    # From [rows, columns, in, out], depthwise [rows, columns, channels, 1].
    kernel = np.asarray(entry.kernel).transpose((2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1))
    num_out, (spans, strides) = kernel.shape[0], (kernel.shape[2:], entry.arguments["strides"])
    bias = np.zeros(num_out, np.float32) if entry.bias is None else entry.bias
    size = graph.shapes[source][2:]
    if entry.arguments["padding"] == "same":
        if pads != _NO_PADDING:
            raise _refused(entry, "padding of one kind")
        pads = _same_padding(size, spans, strides)
    height, width = (
        (side + before + after - span) // stride + 1
        for side, before, after, span, stride in zip(
            size, pads[:2], pads[2:], spans, strides, strict=True
        )
    )
    return graph.add(
        "Conv",
        [
            source,
            graph.constant(f"{entry.layer}/kernel", np.ascontiguousarray(kernel)),
            graph.constant(f"{entry.layer}/bias", bias),
        ],
        entry.name,
        (1, num_out, height, width),
        kernel_shape=list(spans),
        strides=list(strides),
        pads=list(pads),
        dilations=[1, 1],
        group=num_out if is_depthwise else 1,
    )


def _same_padding(size: Sequence[int], spans: Sequence[int], strides: Sequence[int]) -> Padding:
    """TensorFlow's "same": what is odd of it goes below and to the right."""
    totals = [
        max((math.ceil(side / stride) - 1) * stride + span - side, 0)
        for side, span, stride in zip(size, spans, strides, strict=True)
    ]
    top, left = (total // 2 for total in totals)
    return top, left, totals[0] - top, totals[1] - left


def _relu(graph: OnnxGraph, entry: Entry, sources: list[str]) -> str:
    most = entry.arguments["max_value"]
    if most is None:
        return _same_shape("Relu", graph, entry, sources)
    low = graph.constant("zero", np.array(0, np.float32))
    high = graph.constant(f"clip_at_{most:g}", np.array(most, np.float32))
    return _same_shape("Clip", graph, entry, [*sources, low, high])


def _rescaling(graph: OnnxGraph, entry: Entry, sources: list[str]) -> str:
    if entry.arguments["scale"] != 1:
        raise _refused(entry, "scale 1")
    value = entry.arguments["offset"]
    offset = graph.constant(f"offset_{value:g}", np.array([value], np.float32))
    return _same_shape("Add", graph, entry, [*sources, offset])


def _same_shape(operator: str, graph: OnnxGraph, entry: Entry, inputs: list[str]) -> str:
    return graph.add(operator, inputs, entry.name, graph.shapes[inputs[0]])


def _binary(operator: str, graph: OnnxGraph, entry: Entry, sources: list[str]) -> str:
    if len(sources) != 2:
        raise _refused(entry, "two inputs")
    shapes = [graph.shapes[source] for source in sources]
    shape = tuple(max(sides) for sides in zip(*shapes, strict=True))
    return graph.add(operator, sources, entry.name, shape)


def _concat(graph: OnnxGraph, entry: Entry, sources: list[str]) -> str:
    if entry.arguments["axis"] not in (-1, 3):
        raise _refused(entry, "the channels as its axis")
    shapes = [graph.shapes[source] for source in sources]
    shape = (1, sum(shape[1] for shape in shapes), *shapes[0][2:])
    return graph.add("Concat", sources, entry.name, shape, axis=1)


def _pixel_shuffle(graph: OnnxGraph, entry: Entry, sources: list[str]) -> str:
    _, channels, height, width = graph.shapes[sources[0]]
    shape = (1, channels // 4, 2 * height, 2 * width)
    # Depth, column, row is the order of TensorFlow's operator, whose channels are the blocks.
    return graph.add("DepthToSpace", sources, entry.name, shape, blocksize=2, mode="DCR")


def _up_sampling(graph: OnnxGraph, entry: Entry, sources: list[str]) -> str:
    if entry.arguments["interpolation"] != "nearest":
        raise _refused(entry, "interpolation 'nearest'")
    _, channels, height, width = graph.shapes[sources[0]]
    rows, columns = entry.arguments["size"]
    scales = np.array([1, 1, rows, columns], np.float32)
    return graph.add(
        "Resize",
        [*sources, "", graph.constant(f"scales_{rows}_{columns}", scales)],
        entry.name,
        (1, channels, rows * height, columns * width),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _average(graph: OnnxGraph, entry: Entry, sources: list[str]) -> str:
    if not entry.arguments["keepdims"]:
        raise _refused(entry, "keepdims")
    shape = (1, graph.shapes[sources[0]][1], 1, 1)
    return graph.add("GlobalAveragePool", sources, entry.name, shape)


_Write = Callable[[OnnxGraph, Entry, list[str]], str]
# Every kind of `export.graph.Entry` without weights; padding goes into the convolution after it.
_WRITERS: dict[str, _Write] = {
    "Add": lambda *call: _binary("Add", *call),
    "Concatenate": _concat,
    "GlobalAveragePooling2D": _average,
    "Multiply": lambda *call: _binary("Mul", *call),
    "PixelShuffle": _pixel_shuffle,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Sigmoid": lambda *call: _same_shape("Sigmoid", *call),
    "UpSampling2D": _up_sampling,
}


def _refused(entry: Entry, rule: str) -> ExportError:
    return ExportError(f"layer {entry.name!r} ({entry.kind}) needs {rule} for ONNX")
