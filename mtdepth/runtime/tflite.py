"""The back end of an exported `.tflite` file: LiteRT, numpy, and the contract beside the file.

A file may hold several decoder sizes: a signature and a contract for each. Beside `model.tflite`
stand `model.json`, the contract of its largest size, and `model.M.json` and so on for the others. A
reader that knows nothing of sizes thus opens the largest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.contract import DECODERS, Contract, TensorContract, contract_path
from mtdepth.files import DataError
from mtdepth.geometry.depth_codec import DepthCodec
from mtdepth.runtime.contracted import ContractedBackend, checked_contract, largest_class
from mtdepth.runtime.pipeline import NetworkOutput

EXPORT_COMMAND = "python -m export.tflite --workdir W --decoder L --precision int8 --output D"

RawOutputs = Mapping[str, npt.NDArray[Any]]


class TfliteBackend(ContractedBackend):
    """A `.tflite` file with its contract, ready to run.

    Args:
      path: The `.tflite` file; `model.json` stands beside `model.tflite`.
      num_threads: Of the interpreter.
      contract_file: The side-car of one of the file's sizes (see `open_sizes`); None
        for `model.json`.
      interpreter: Of the same file, opened for another size; `num_threads` is then its.

    Raises:
      FileNotFoundError: If the file or its contract is missing.
      DataError: If the contract is of another file, or does not describe its tensors.
      ImportError: If LiteRT is not installed.
    """

    def __init__(
        self,
        path: Path,
        *,
        num_threads: int = 2,
        contract_file: Path | None = None,
        interpreter: Any = None,
    ) -> None:
        side_car = contract_file or contract_path(path)
        contract = checked_contract(path, side_car, export_command=EXPORT_COMMAND)
        super().__init__(path, contract)
        self.interpreter = interpreter or open_interpreter(path, num_threads=num_threads)
        self._runner = _open_runner(path, self.contract, self.interpreter)
        self._depth_table_m = depth_table(self.contract.depth, self.contract.codec)

    def run(self, image: npt.NDArray[np.uint8]) -> RawOutputs:
        """The network alone: its output tensors as they are, by their names in the signature."""
        self.check_image(image)
        return self._runner(**{self.contract.input.name: image[None]})

    def decode(self, raw: RawOutputs) -> NetworkOutput:
        """Metres and class ids from the output tensors."""
        depth = raw[self.contract.depth.name][0, :, :, 0]
        if self._depth_table_m is not None:
            # An int8 value looks itself up as the byte that it is.
            depth_m = self._depth_table_m.take(depth.view(np.uint8))
        elif self.contract.depth.kind == "depth_code":
            depth_m = self.codec.decode(depth)
        else:
            depth_m = depth
        classes = self.contract.classes
        if classes is None:
            return NetworkOutput(depth_m, None)
        return NetworkOutput(depth_m, _train_id(raw[classes.name][0], classes))


def depth_table(tensor: TensorContract, codec: DepthCodec) -> npt.NDArray[np.float32] | None:
    """Metres of each of the 256 values of an 8-bit depth output.

    Args:
      tensor: The depth output.
      codec: Its depth law.

    Returns:
      `[256]`, indexed by the value's byte (so -1 is at 255); None for a float output.

    Raises:
      ValueError: If the tensor's type is neither float32 nor 8 bits with a scale.
    """
    if tensor.dtype == "float32":
        return None
    if tensor.dtype not in ("int8", "uint8") or tensor.scale is None or tensor.zero_point is None:
        raise ValueError(f"depth output {tensor.name!r} has unusable type {tensor.dtype}")
    values = np.arange(256, dtype=np.uint8).view(tensor.dtype).astype(np.float64)
    real = (values - tensor.zero_point) * tensor.scale
    depth_m = codec.decode(real) if tensor.kind == "depth_code" else real
    return np.asarray(depth_m, np.float32)


def _train_id(raw: npt.NDArray[Any], tensor: TensorContract) -> npt.NDArray[np.uint8]:
    # One scale for all scores: the largest integer is the largest score.
    return largest_class(raw) if tensor.kind == "class_scores" else raw.astype(np.uint8)


def open_interpreter(path: Path, *, num_threads: int) -> Any:
    """A LiteRT interpreter of a file, unchecked.

    Raises:
      DataError: If LiteRT cannot open it.
      ImportError: If LiteRT is not installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ImportError(
            f"{path.name} needs LiteRT, which cannot be imported ({error}): "
            "pip install ai-edge-litert"
        ) from error
    try:
        return Interpreter(model_path=str(path), num_threads=num_threads)
    except ValueError as error:
        raise DataError(path, f"LiteRT cannot open it ({error}); export it again") from error


def _open_runner(path: Path, contract: Contract, interpreter: Any) -> Any:
    signatures = sorted(interpreter.get_signature_list())
    if contract.signature not in signatures:
        raise DataError(
            path, f"has signatures {signatures}, not its contract's {contract.signature!r}"
        )
    runner = interpreter.get_signature_runner(contract.signature)
    found = {**runner.get_input_details(), **runner.get_output_details()}
    promised = (contract.input, *contract.outputs)
    if sorted(found) != sorted(tensor.name for tensor in promised):
        raise DataError(path, f"has tensors {sorted(found)}, which are not those of its contract")
    for tensor in promised:
        _check_tensor(path, tensor, found[tensor.name])
    return runner


def _check_tensor(path: Path, tensor: TensorContract, details: Mapping[str, Any]) -> None:
    scale, zero_point = details["quantization"]
    found = (
        tuple(int(side) for side in details["shape"]),
        np.dtype(details["dtype"]).name,
        # LiteRT says scale 0 for "not quantised". It stores scales as float32.
        float(scale) or None,
        int(zero_point) if scale else None,
    )
    scale_promised = None if tensor.scale is None else float(np.float32(tensor.scale))
    promised = (tensor.shape, tensor.dtype, scale_promised, tensor.zero_point)
    if found != promised:
        raise DataError(
            path,
            f"tensor {tensor.name!r} is (shape, type, scale, zero point) {found}, "
            f"but its contract says {promised}; export it again",
        )


def size_contract_path(artefact_path: Path, size: str) -> Path:
    """The side-car of a size that is not the file's largest."""
    return artefact_path.with_suffix(f".{size}.json")


def contract_files(artefact_path: Path) -> dict[str, Path]:
    """The side-cars of a file by decoder size, largest size first; one for an ordinary file.

    Raises:
      FileNotFoundError: If it has none.
      DataError: If one is damaged, of another file, or of another size than its name says.
    """
    main = contract_path(artefact_path)
    contract = Contract.load(main)
    found = {contract.decoder: main}
    for size in DECODERS[contract.network]:
        path = size_contract_path(artefact_path, size)
        if not path.is_file():
            continue
        other = Contract.load(path)
        if (other.decoder, other.sha256) != (size, contract.sha256):
            raise DataError(
                path,
                f"is the contract of size {other.decoder} of a file {other.sha256[:12]}..., not of "
                f"size {size} of {main.name}'s {contract.sha256[:12]}...: copy all files again",
            )
        found[size] = path
    return found


def open_sizes(artefact_path: Path, *, num_threads: int = 2) -> dict[str, TfliteBackend]:
    """Opens every size of a file, largest first; one for an ordinary file.

    All run in one interpreter of one loaded file, so only one at a time. LiteRT lays out the
    memory of a size when it first runs.

    Raises:
      FileNotFoundError: If the file or a contract is missing.
      DataError: If a contract is of another file, or does not describe its tensors.
      ImportError: If LiteRT is not installed.
    """
    largest = TfliteBackend(artefact_path, num_threads=num_threads)
    others = list(contract_files(artefact_path).items())[1:]
    return {largest.contract.decoder: largest} | {
        size: TfliteBackend(artefact_path, contract_file=path, interpreter=largest.interpreter)
        for size, path in others
    }
