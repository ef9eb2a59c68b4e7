"""Several networks in one `.tflite` file, what they have in common written once.

The sizes of one trained network share most of their weights, byte for byte, also as integers: their
weights are quantised alike, and their activations by ranges that the same pictures gave.
The converter nevertheless writes a whole network for each. Here finished files become the
subgraphs of one, each with a signature of its own, through TensorFlow Lite's published schema:

- equal weights, biases and other constants are one buffer;
- equal tensor descriptions are one table, equal vectors (shapes, scales, zero points) and names one
  vector. A flatbuffer is a graph of offsets, and nothing forbids two of them to meet.
"""

import collections
from collections.abc import Mapping
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

_FILE_IDENTIFIER = b"TFL3"
# The schema's `force_align` of buffers, which the Python builder does not know.
_BUFFER_ALIGNMENT_BYTES = 16


def merged(parts: Mapping[str, bytes]) -> bytes:
    """One file of several converted networks, by the names that their signatures get.

    Each has one subgraph and one signature; the subgraphs stand in the order of `parts`.
    """
    if not parts:
        raise ValueError("expected at least one network")
    pool = _Pool()
    graphs: list[Any] = []
    signatures: list[Any] = []
    for name, content in parts.items():
        model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
        if len(model.subgraphs) != 1 or len(model.signatureDefs or ()) != 1:
            raise ValueError(
                f"network {name} must have one subgraph and one signature, found "
                f"{len(model.subgraphs)} and {len(model.signatureDefs or ())}"
            )
        (graph,), (signature,) = model.subgraphs, model.signatureDefs
        signature.signatureKey, signature.subgraphIndex = name.encode(), len(graphs)
        pool.adopt(graph, model)
        graph.name = name.encode()
        graphs.append(graph)
        signatures.append(signature)
    whole = schema.ModelT()
    whole.version, whole.description = model.version, model.description
    whole.subgraphs, whole.signatureDefs = graphs, signatures
    whole.operatorCodes, whole.buffers = pool.codes, pool.buffers
    return serialised(whole)


def serialised(model: Any) -> bytes:
    """Writes a model of the schema; equal strings, vectors and tensors are written once."""
    for graph in model.subgraphs:
        graph.tensors = [_PackedOnce(tensor) for tensor in graph.tensors]
        for operator in graph.operators:
            if operator.builtinOptions is not None:
                operator.builtinOptions = _PackedOnce(operator.builtinOptions)
    builder = _SharingBuilder(1024)
    builder.Finish(model.Pack(builder), file_identifier=_FILE_IDENTIFIER)
    return bytes(builder.Output())


class _Pool:
    """The buffers and operator codes of the whole file, each once."""

    def __init__(self) -> None:
        # The schema: buffer 0 is empty and stands for "no constant".
        self.buffers = [schema.BufferT()]
        self.codes: list[Any] = []
        self._buffer_of: dict[bytes, int] = {b"": 0}
        self._code_of: dict[tuple[Any, ...], int] = {}

    def adopt(self, graph: Any, model: Any) -> None:
        """Makes a subgraph of another model one of this file; changes it in place."""
        scope = _scope(graph)
        for tensor in graph.tensors:
            tensor.buffer = self._buffer(model.buffers[tensor.buffer])
            tensor.name = tensor.name.replace(scope, b"")
        for operator in graph.operators:
            operator.opcodeIndex = self._code(model.operatorCodes[operator.opcodeIndex])

    def _buffer(self, buffer: Any) -> int:
        content = b"" if buffer.data is None else bytes(buffer.data)
        if content not in self._buffer_of:
            self._buffer_of[content] = len(self.buffers)
            self.buffers.append(buffer)
        return self._buffer_of[content]

    def _code(self, code: Any) -> int:
        key = tuple(sorted(vars(code).items(), key=str))
        if key not in self._code_of:
            self._code_of[key] = len(self.codes)
            self.codes.append(code)
        return self._code_of[key]


def _scope(graph: Any) -> bytes:
    """The network's own name, which the converter puts before the name of every layer.

    It differs between the sizes, `student_l_1/` and `student_s_1/`, and would be all that differs.
    """
    scopes = collections.Counter(
        name.split(b"/")[0] + b"/"
        for tensor in graph.tensors
        for name in tensor.name.split(b";")
        if b"/" in name
    )
    ((scope, number),) = scopes.most_common(1) or ((b"", 0),)
    # Not the name of a layer.
    return scope if number > len(graph.tensors) // 2 else b""


class _PackedOnce:
    """A table of the schema that is written only if no equal one was."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def Pack(self, builder: "_SharingBuilder") -> int:  # noqa: N802 - the schema's own name
        alone = flatbuffers.Builder(256)
        alone.Finish(self._table.Pack(alone))
        key = (type(self._table), bytes(alone.Output()))
        if key not in builder.offset_of_table:
            builder.offset_of_table[key] = self._table.Pack(builder)
        return builder.offset_of_table[key]


class _SharingBuilder(flatbuffers.Builder):
    """Writes equal strings and vectors of numbers once, and aligns long ones."""

    def __init__(self, initial_size: int) -> None:
        super().__init__(initial_size)
        self.offset_of_table: dict[tuple[type, bytes], int] = {}
        self._offset_of_string: dict[bytes, int] = {}
        self._offset_of_vector: dict[tuple[str, bytes], int] = {}

    def CreateString(self, s: str | bytes, *options: Any) -> int:  # noqa: N802 - overridden
        key = s.encode() if isinstance(s, str) else s
        if key not in self._offset_of_string:
            self._offset_of_string[key] = super().CreateString(s, *options)
        return self._offset_of_string[key]

    def CreateNumpyVector(self, x: npt.NDArray[Any]) -> int:  # noqa: N802 - overridden
        key = (x.dtype.str, x.tobytes())
        if key not in self._offset_of_vector:
            if x.dtype == np.uint8:
                self.Prep(_BUFFER_ALIGNMENT_BYTES, x.size)
            self._offset_of_vector[key] = super().CreateNumpyVector(x)
        return self._offset_of_vector[key]
