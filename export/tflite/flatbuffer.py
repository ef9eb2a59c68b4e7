"""Small surgery on a converted model, through TensorFlow Lite's published schema."""

from typing import Any

from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils


def foreign_operators(content: bytes) -> list[str]:
    """Names of the operators that LiteRT alone cannot run: TensorFlow's (Flex) and custom ones."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    return sorted(
        code.customCode.decode()
        for code in model.operatorCodes
        if code.customCode is not None or _builtin(code) == schema.BuiltinOperator.CUSTOM
    )


def with_dequantized_input(content: bytes) -> bytes:
    """Reads the uint8 picture by DEQUANTIZE (scale 1, zero point 0) instead of CAST.

    Both give the same floats. But XNNPACK takes no CAST from uint8, so that the operator runs
    outside it, and in a float16 file cuts the graph in two: the weights' own DEQUANTIZEs are then
    a part by themselves, and the convolutions see weights that are no constants.

    Raises:
      ValueError: If the model's only CAST does not read its only input.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    (graph,) = model.subgraphs
    (image,) = graph.inputs
    casts = [
        operator
        for operator in graph.operators
        if _builtin(model.operatorCodes[operator.opcodeIndex]) == schema.BuiltinOperator.CAST
    ]
    if len(casts) != 1 or list(casts[0].inputs) != [image]:
        raise ValueError(f"expected one CAST, of the picture, found {len(casts)}")
    quantization = schema.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = [1.0], [0]
    graph.tensors[image].quantization = quantization
    (cast,) = casts
    cast.opcodeIndex = _operator_code(model, schema.BuiltinOperator.DEQUANTIZE, version=2)
    cast.builtinOptions, cast.builtinOptionsType = None, 0
    # First, so that no operator stands between the picture and the rest.
    graph.operators.remove(cast)
    graph.operators.insert(0, cast)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def with_delegated_input(content: bytes) -> bytes:
    """Turns the bytes of an int8 file's picture by DEQUANTIZE and QUANTIZE instead of one QUANTIZE.

    From uint8 to int8 in one step XNNPACK takes no QUANTIZE, and LiteRT's own goes byte by byte.
    Through floats it is two steps that XNNPACK runs, to the same integers: a third of a millisecond
    less of 480x320 on one core, and nothing is left outside XNNPACK.

    Raises:
      ValueError: If the model's only input is not read by one QUANTIZE alone.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    (graph,) = model.subgraphs
    (image,) = graph.inputs
    readers = [operator for operator in graph.operators if image in operator.inputs]
    kinds = [_builtin(model.operatorCodes[operator.opcodeIndex]) for operator in readers]
    if kinds != [schema.BuiltinOperator.QUANTIZE]:
        raise ValueError(f"expected one QUANTIZE to read the picture, found operators {kinds}")
    floats = schema.TensorT()
    floats.shape = list(graph.tensors[image].shape)
    floats.type = schema.TensorType.FLOAT32
    floats.name = graph.tensors[image].name + b"_floats"
    graph.tensors.append(floats)
    dequantize = schema.OperatorT()
    dequantize.opcodeIndex = _operator_code(model, schema.BuiltinOperator.DEQUANTIZE, version=2)
    dequantize.inputs, dequantize.outputs = [image], [len(graph.tensors) - 1]
    (quantize,) = readers
    quantize.inputs = list(dequantize.outputs)
    graph.operators.insert(0, dequantize)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _operator_code(model: Any, operator: int, *, version: int) -> int:
    """Index of an operator among the model's codes, added where it is missing."""
    for index, code in enumerate(model.operatorCodes):
        if _builtin(code) == operator and code.version >= version:
            return index
    code = schema.OperatorCodeT()
    # Readers older than 2020 know only the deprecated field.
    code.builtinCode = code.deprecatedBuiltinCode = operator
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _builtin(code: Any) -> int:
    return max(code.builtinCode, code.deprecatedBuiltinCode)
