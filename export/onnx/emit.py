"""From a Keras network to ONNX's operators: NCHW within, batch normalisation folded away.

No general converter: one would leave exchanges of axes between the layers. The ends keep the layout
of every other file of this project, NHWC: the picture as the camera gives it, and one exchange of
axes at each end, which costs a GPU next to nothing and a board's processor more.
"""

from typing import Any

import numpy as np

from export.inference_graph import ClassOutput
from export.onnx.calls import read_calls
from export.onnx.graph import Graph
from export.onnx.layers import LayerWriter
from mtdepth.models.normalisation import InputNormalisation

_INT32 = 6  # of ONNX's types


def emit(
    network: Any,
    *,
    normalisation: InputNormalisation,
    class_output: ClassOutput = "scores",
) -> Graph:
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
    calls, outputs = read_calls(network)
    graph = Graph()
    height_px, width_px = network.input_shape[1:3]
    image = _take_image(graph, normalisation, height_px=height_px, width_px=width_px)
    writer = LayerWriter(graph, calls, image=image)
    for call in calls:
        writer.write(call)
    for name, key in outputs.items():
        _give(graph, writer.tensor(key), name, class_output)
    return graph


def _take_image(graph: Graph, law: InputNormalisation, *, height_px: int, width_px: int) -> str:
    """The picture's way to the first layer."""
    graph.shapes[graph.input] = (1, height_px, width_px, 3)
    shape = (1, 3, height_px, width_px)
    planes = graph.add("Transpose", [graph.input], "image_nchw", shape, perm=[0, 3, 1, 2])
    scale = graph.constant("input_scale", np.array([law.scale], np.float32))
    offset = graph.constant("input_offset", np.array([law.offset], np.float32))
    scaled = graph.add("Mul", [planes, scale], "image_scaled", shape)
    return graph.add("Add", [scaled, offset], "network_input", shape)


def _give(graph: Graph, tensor: str, name: str, class_output: ClassOutput) -> None:
    """Writes one output of the graph."""
    _, channels, height, width = graph.shapes[tensor]
    if name == "depth_code":
        shape = graph.constant("depth_shape", np.array([1, height, width, 1], np.int64))
        graph.add("Reshape", [tensor, shape], name, (1, height, width, 1))
    elif class_output == "scores":
        shape4 = (1, height, width, channels)
        graph.add("Transpose", [tensor], name, shape4, perm=[0, 2, 3, 1])
    else:
        name, shape3 = "train_id", (1, height, width)
        largest = graph.add("ArgMax", [tensor], "largest_score", shape3, axis=1, keepdims=0)
        # TensorRT before 9 gives outputs of 64 bits as 32: this type is read alike everywhere.
        graph.add("Cast", [largest], name, shape3, to=_INT32)
    graph.outputs[name] = "int32" if name == "train_id" else "float32"
