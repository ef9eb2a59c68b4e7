"""TensorRT's documented rules for ONNX files, as far as they can be read off a file.

TensorRT's own parser needs an NVIDIA GPU. What it accepts is written down: by version in the table
of operators (onnx-tensorrt, docs/operators.md of the releases 8.2 to 10.15), in NVIDIA's guide
("Working with quantized types") and in the assertions of the open parser. A file that breaks none
of these rules has not been built yet; one that breaks any will not build.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from export.onnx.graph import load
from mtdepth.files import UserError

# The oldest TensorRT that reads an operator set: "TensorRT x supports operators up to opset y".
# The step to 10.15 is careful: what 10.0 to 10.14 say was not looked up.
# JetPack 4.6 has 8.2, JetPack 5.1 8.5, JetPack 6 8.6 to 10.3.
OLDEST_TENSORRT = ((13, "8.2"), (17, "8.5"), (19, "9.2"), (24, "10.15"))

# Of the operators in that table, those whose rules are checked below; others are refused. All of
# them are in the table of 8.2 already, and none was taken out since.
CHECKED_OPERATORS = frozenset(
    {"Add", "ArgMax", "Cast", "Clip", "Concat", "Conv", "DepthToSpace", "DequantizeLinear"}
    | {"GlobalAveragePool", "Mul", "QuantizeLinear", "Relu", "Reshape", "Resize", "Sigmoid"}
    | {"Transpose"}
)
# What must be constant of an operator's inputs, from the one of that number on.
_CONSTANT = {
    "Clip": (1, "the bounds"),
    "Resize": (1, "scales and sizes"),
    "Reshape": (1, "the shape"),
    "QuantizeLinear": (1, "scale and zero point"),
    "DequantizeLinear": (1, "scale and zero point"),
}
_FOUR_AXES = ("Conv", "DepthToSpace")
# Of Resize: attribute, what it is where it is not given, what TensorRT takes.
_RESIZE = (
    ("mode", "nearest", ("nearest", "linear")),
    (
        "coordinate_transformation_mode",
        "half_pixel",
        (
            *("half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric"),
            "align_corners",
        ),
    ),
    (
        "nearest_mode",
        "round_prefer_floor",
        ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"),
    ),
    ("keep_aspect_ratio_policy", "stretch", ("stretch",)),
    ("antialias", 0, (0,)),
)


def oldest_tensorrt(opset: int) -> str:
    """The oldest TensorRT that is documented to read an operator set; UserError if none is."""
    for newest, version in OLDEST_TENSORRT:
        if opset <= newest:
            return version
    raise UserError(f"no TensorRT is known to read opset {opset}")


def violations(model: Any) -> list[str]:
    """Every broken rule of an ONNX `ModelProto` with the shapes of its inner tensors."""
    file = _File(model)
    found = list(_about_ends(file))
    for node in model.graph.node:
        where = f"{node.name or node.output[0]} ({node.op_type})"
        found += [f"{where}: {rule}" for rule in _about_node(file, node)]
    return found


class _File:
    """A model's parts by name."""

    def __init__(self, model: Any) -> None:
        onnx = load("onnx")
        self.model = model
        self.opset = next(entry.version for entry in model.opset_import if not entry.domain)
        self.constants = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self.type_name = onnx.TensorProto.DataType.Name
        known = (*model.graph.input, *model.graph.output, *model.graph.value_info)
        self.types = {value.name: value.type.tensor_type for value in known}
        self.attribute_value = onnx.helper.get_attribute_value
        # A quantised weight is a constant too, behind its pair.
        self.from_constants = set(self.constants)
        for node in model.graph.node:
            is_pair = node.op_type in ("QuantizeLinear", "DequantizeLinear")
            if is_pair and node.input[0] in self.from_constants:
                self.from_constants.add(node.output[0])

    def shape(self, name: str) -> tuple[int, ...] | None:
        """None where a side is not a fixed number."""
        if name in self.constants:
            return tuple(self.constants[name].shape)
        if name not in self.types or not self.types[name].HasField("shape"):
            return None
        sides = self.types[name].shape.dim
        if any(not side.HasField("dim_value") or side.dim_value < 1 for side in sides):
            return None
        return tuple(side.dim_value for side in sides)

    def attribute(self, node: Any, name: str, default: Any) -> Any:
        values = {entry.name: self.attribute_value(entry) for entry in node.attribute}
        value = values.get(name, default)
        return value.decode() if isinstance(value, bytes) else value


def _about_ends(file: _File) -> Iterator[str]:
    if file.opset > OLDEST_TENSORRT[-1][0]:
        yield f"the file: opset {file.opset} is newer than any TensorRT reads"
    for value, allowed in (
        *((value, ("FLOAT",)) for value in file.model.graph.input),
        *((value, ("FLOAT", "INT32")) for value in file.model.graph.output),
    ):
        kind = file.type_name(value.type.tensor_type.elem_type)
        if kind not in allowed:
            yield f"tensor {value.name}: an end must be {allowed[0]}, is {kind}"
        shape = file.shape(value.name)
        if shape is None or shape[0] != 1:
            yield f"tensor {value.name}: its shape must be fixed, batch 1, is {shape}"


def _about_node(file: _File, node: Any) -> Iterator[str]:
    kind = node.op_type
    if node.domain or kind not in CHECKED_OPERATORS:
        yield "not in the table of operators that are known to build"
        return
    shape = file.shape(node.input[0])
    yield from _about_inputs(file, node, shape)
    if kind == "Conv":
        yield from _about_convolution(file, node)
    for name, default, allowed in _RESIZE if kind == "Resize" else ():
        if (value := file.attribute(node, name, default)) not in allowed:
            yield f"{name} must be one of {', '.join(map(str, allowed))}, is {value}"
    if kind in ("QuantizeLinear", "DequantizeLinear"):
        yield from _about_pair(file, node, shape)


def _about_inputs(file: _File, node: Any, shape: tuple[int, ...] | None) -> Iterator[str]:
    for name in (*node.input, *node.output):
        if name and file.shape(name) is None:
            yield f"the shape of {name} must be fixed"
    first, what = _CONSTANT.get(node.op_type, (len(node.input), ""))
    if any(name and name not in file.constants for name in node.input[first:]):
        yield f"{what} must be constant"
    if node.op_type in _FOUR_AXES and shape is not None and len(shape) != 4:
        yield f"the input must have 4 axes, has shape {shape}"


def _about_convolution(file: _File, node: Any) -> Iterator[str]:
    if node.input[1] not in file.from_constants:
        yield "the weights must be constant"
    if min(pads := file.attribute(node, "pads", [0])) < 0:
        yield f"padding must not be negative, is {pads}"
    if len(node.input) > 2 and node.input[2] not in file.constants:
        yield "the bias must be a plain float constant: TensorRT takes no integers of 32 bits there"


def _about_pair(file: _File, node: Any, shape: tuple[int, ...] | None) -> Iterator[str]:
    if file.opset < 13:
        yield "a scale for each channel needs opset 13"
    if len(node.input) != 3:
        yield "TensorRT 8 needs all three inputs: data, scale, zero point"
        return
    scale, zero_point = (file.constants.get(name) for name in node.input[1:])
    if scale is None or zero_point is None:
        return
    if scale.dtype != np.float32 or not (scale > 0).all():
        yield f"every scale must be positive and float32, found {scale.min()} of {scale.dtype}"
    if zero_point.dtype != np.int8 or zero_point.any():
        yield "the zero point must be 0, of int8: quantisation is symmetric"
    axis = file.attribute(node, "axis", 1)
    if scale.size == 1:
        return
    if node.input[0] not in file.from_constants:
        yield "an activation has one scale; only weights have one for each channel"
    elif shape is not None and (axis != 0 or scale.shape != (shape[0],)):
        yield (
            f"weights have their scales along axis 0, one for each of {shape[0]} output channels, "
            f"found {scale.shape} along axis {axis}"
        )
