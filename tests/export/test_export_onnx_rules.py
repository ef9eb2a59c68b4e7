"""A file that breaks a documented rule of TensorRT is refused, with the node and the rule."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from export.onnx.emit import emit
from export.onnx.graph import to_model
from export.onnx.quantize import quantize, quantized_tensors
from export.onnx.rules import oldest_tensorrt, violations
from mtdepth.models.layers import PixelShuffle
from mtdepth.models.normalisation import InputNormalisation


@cache
def good_model() -> Any:
    image = keras.Input((8, 8, 3))
    x = keras.layers.ReLU(max_value=6.0, name="clip")(
        keras.layers.Conv2D(16, 3, name="conv")(image)
    )
    x = keras.layers.UpSampling2D(name="up")(PixelShuffle(name="shuffle")(x))
    network = keras.Model(image, {"depth_code": keras.layers.Conv2D(1, 1, name="head")(x)})
    graph = emit(network, normalisation=InputNormalisation(scale=1.0, offset=0.0))
    graph = quantize(graph, dict.fromkeys(quantized_tensors(graph), 7.0))
    return to_model(graph, opset=13)


def node_of(model: Any, operator: str) -> Any:
    return next(node for node in model.graph.node if node.op_type == operator)


def attribute(node: Any, name: str, value: Any) -> None:
    kept = [entry for entry in node.attribute if entry.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute(name, value)])


def constant(model: Any, name: str, values: np.ndarray) -> None:
    tensor = next(entry for entry in model.graph.initializer if entry.name == name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))


def shape_of(model: Any, name: str, shape: list[int | str]) -> None:
    kinds = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    value = next(entry for entry in kinds if entry.name == name)
    value.CopyFrom(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))


def free_batch(model: Any) -> None:
    shape_of(model, "image", ["batch", 8, 8, 3])


def double_input(model: Any) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE


def free_inside(model: Any) -> None:
    shape_of(model, "shuffle", [1, 4, "rows", 12])


def unknown_operator(model: Any) -> None:
    node_of(model, "Clip").op_type = "Elu"


def own_operator(model: Any) -> None:
    node_of(model, "Clip").domain = "com.example"


def free_bound(model: Any) -> None:
    node_of(model, "Clip").input[2] = "conv"


def flat_shuffle(model: Any) -> None:
    shape_of(model, node_of(model, "DepthToSpace").input[0], [1, 16, 36])


def cubic(model: Any) -> None:
    attribute(node_of(model, "Resize"), "mode", "cubic")


def antialias(model: Any) -> None:
    attribute(node_of(model, "Resize"), "antialias", 1)


def shifted(model: Any) -> None:
    constant(model, "network_input/zero_point", np.array(3, np.int8))


def unsigned(model: Any) -> None:
    constant(model, "network_input/zero_point", np.array(0, np.uint8))


def no_scale(model: Any) -> None:
    constant(model, "conv/kernel/scale", np.zeros(16, np.float32))


def wrong_axis(model: Any) -> None:
    attribute(node_of(model, "QuantizeLinear"), "axis", 1)
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.attribute:
            attribute(node, "axis", 1)


def no_zero_point(model: Any) -> None:
    del node_of(model, "DequantizeLinear").input[2]


def free_weights(model: Any) -> None:
    node_of(model, "Conv").input[1] = "image"


def integer_bias(model: Any) -> None:
    node_of(model, "Conv").input[2] = "conv/kernel/dequantized"


def new_opset(model: Any) -> None:
    model.opset_import[0].version = 99


BREAKS: list[tuple[Callable[[Any], None], str]] = [
    (free_batch, "tensor image: its shape must be fixed, batch 1"),
    (double_input, "tensor image: an end must be FLOAT, is DOUBLE"),
    (free_inside, r"shuffle \(DepthToSpace\): the shape of shuffle must be fixed"),
    (unknown_operator, r"clip \(Elu\): not in the table of operators"),
    (own_operator, r"clip \(Clip\): not in the table of operators"),
    (free_bound, r"clip \(Clip\): the bounds must be constant"),
    (flat_shuffle, r"shuffle \(DepthToSpace\): the input must have 4 axes"),
    (cubic, r"up \(Resize\): mode must be one of nearest, linear, is cubic"),
    (antialias, r"up \(Resize\): antialias must be one of 0, is 1"),
    (shifted, r"network_input/quantized \(QuantizeLinear\): the zero point must be 0"),
    (unsigned, r"the zero point must be 0, of int8"),
    (no_scale, r"conv/kernel/quantized .*: every scale must be positive and float32"),
    (wrong_axis, r"conv/kernel/quantized .*: weights have their scales along axis 0"),
    (no_zero_point, r"\(DequantizeLinear\): TensorRT 8 needs all three inputs"),
    (free_weights, r"conv \(Conv\): the weights must be constant"),
    (integer_bias, r"conv \(Conv\): the bias must be a plain float constant"),
    (new_opset, "the file: opset 99 is newer than any TensorRT reads"),
]


def test_a_file_of_this_exporter_breaks_no_rule() -> None:
    assert violations(good_model()) == []


@pytest.mark.parametrize(("change", "message"), BREAKS, ids=lambda x: getattr(x, "__name__", ""))
def test_a_broken_rule_is_named_with_its_node(change: Any, message: str) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(good_model())
    change(model)
    found = violations(model)
    assert any(re.search(message, text) for text in found), found


def test_the_oldest_tensorrt_of_an_operator_set() -> None:
    assert [oldest_tensorrt(opset) for opset in (13, 14, 17, 19, 21)] == [
        *("8.2", "8.5", "8.5", "9.2", "10.15")
    ]
    with pytest.raises(ValueError, match="no TensorRT is known to read opset 25"):
        oldest_tensorrt(25)
