"""The back end of an exported `.onnx` file: onnxruntime on the processor, and the contract.

It says what the file says wherever onnxruntime runs. On a Jetson TensorRT runs the file, by
`run_engine.py` beside it.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.contract import Contract, TensorContract, contract_path
from mtdepth.files import DataError
from mtdepth.runtime.contracted import ContractedBackend, checked_contract, largest_class
from mtdepth.runtime.pipeline import NetworkOutput

EXPORT_COMMAND = "python -m export.onnx --workdir W --decoder L --precision float32 --output D"
INSTALL_COMMAND = "pip install onnxruntime==1.31.1"
# onnxruntime's names of types.
_DTYPES = {"tensor(float)": "float32", "tensor(int32)": "int32"}

RawOutputs = Mapping[str, npt.NDArray[Any]]


class OnnxBackend(ContractedBackend):
    """An `.onnx` file with its contract, ready to run; as `TfliteBackend`.

    Args:
      path: The `.onnx` file; `model.json` stands beside `model.onnx`.
      num_threads: Of onnxruntime.

    Raises:
      FileNotFoundError: If the file or its contract is missing.
      DataError: If the contract is of another file, or does not describe its tensors.
      ImportError: If onnxruntime is not installed.
    """

    def __init__(self, path: Path, *, num_threads: int = 2) -> None:
        contract = checked_contract(path, contract_path(path), export_command=EXPORT_COMMAND)
        super().__init__(path, contract)
        self._session = open_session(path, num_threads=num_threads)
        _check_tensors(path, self.contract, tensors_of(self._session))

    def run(self, image: npt.NDArray[np.uint8]) -> RawOutputs:
        """The network alone: its output tensors as they are, by name."""
        self.check_image(image)
        names = [output.name for output in self.contract.outputs]
        found = self._session.run(names, {self.contract.input.name: image[None].astype(np.float32)})
        return dict(zip(names, found, strict=True))

    def decode(self, raw: RawOutputs) -> NetworkOutput:
        """Metres and class ids from the output tensors."""
        code = raw[self.contract.depth.name][0, :, :, 0]
        depth_m = np.asarray(self.codec.decode(code), np.float32)
        classes = self.contract.classes
        if classes is None:
            return NetworkOutput(depth_m, None)
        ids = raw[classes.name][0]
        if classes.kind == "class_scores":
            return NetworkOutput(depth_m, largest_class(ids))
        return NetworkOutput(depth_m, ids.astype(np.uint8))


def open_session(model: Path | bytes, *, num_threads: int) -> Any:
    """An onnxruntime session of a file or of its content, unchecked.

    Raises:
      DataError: If onnxruntime cannot open it.
      ImportError: If onnxruntime is not installed.
    """
    path = model if isinstance(model, Path) else Path("the model in memory")
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise ImportError(
            f"{path.name} needs onnxruntime, which cannot be imported ({error}): {INSTALL_COMMAND}"
        ) from error
    options = runtime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3  # errors; the rest is about its own optimisations
    # Quantise and dequantise pairs are computed as written, as TensorRT does. Fused into integer
    # kernels they saturate 16-bit sums on x86-64 without VNNI (onnxruntime, "Quantize ONNX
    # models", U8S8), and the same file would answer otherwise from one processor to the next.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        content = str(model) if isinstance(model, Path) else model
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    # Of several classes without a public name; the first line says it.
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise DataError(path, f"onnxruntime cannot open it ({reason}); export it again") from error


def tensors_of(session: Any) -> tuple[TensorContract, tuple[TensorContract, ...]]:
    """The picture and the outputs of a session, depth first.

    Raises:
      ValueError: If they are not of this project's kinds and types.
    """
    inputs = [_tensor(value) for value in session.get_inputs()]
    outputs = [_tensor(value) for value in session.get_outputs()]
    if len(inputs) != 1:
        raise ValueError(f"expected one input, found {[tensor.name for tensor in inputs]}")
    by_depth = sorted(outputs, key=lambda tensor: not tensor.kind.startswith("depth"))
    return inputs[0], tuple(by_depth)


def _tensor(value: Any) -> TensorContract:
    if value.type not in _DTYPES:
        raise ValueError(f"tensor {value.name!r} has type {value.type}")
    if any(type(side) is not int for side in value.shape):
        raise ValueError(f"tensor {value.name!r} has no fixed shape: {value.shape}")
    return TensorContract(
        name=value.name, kind=value.name, shape=tuple(value.shape), dtype=_DTYPES[value.type]
    )


def _check_tensors(
    path: Path,
    contract: Contract,
    found: tuple[TensorContract, tuple[TensorContract, ...]],
) -> None:
    promised = (contract.input, *contract.outputs)
    for tensor, real in zip(promised, (found[0], *found[1]), strict=False):
        if tensor != real:
            raise DataError(path, f"holds {real}, but its contract says {tensor}; export it again")
    if len(promised) != 1 + len(found[1]):
        raise DataError(path, "has not as many tensors as its contract; export it again")
