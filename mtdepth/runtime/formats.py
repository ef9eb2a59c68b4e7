"""The kinds of exported files that are opened here, by their endings: one entry for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mtdepth.files import UserError
from mtdepth.runtime.contracted import ContractedBackend
from mtdepth.runtime.onnx import OnnxBackend
from mtdepth.runtime.tflite import open_sizes


@dataclass(frozen=True)
class Format:
    """A kind of exported file.

    Attributes:
      exporter: The program that makes it.
      open: From a path and a number of threads to its networks by decoder size, largest first.
    """

    exporter: str
    open: Callable[[Path, int], Mapping[str, ContractedBackend]]


def _open_onnx(path: Path, num_threads: int) -> Mapping[str, ContractedBackend]:
    backend = OnnxBackend(path, num_threads=num_threads)
    return {backend.contract.decoder: backend}


FORMATS = {
    ".tflite": Format("export.tflite", lambda path, number: open_sizes(path, num_threads=number)),
    ".onnx": Format("export.onnx", _open_onnx),
}


def open_artefact(path: Path, *, num_threads: int) -> Mapping[str, ContractedBackend]:
    """Opens an exported file with its contract.

    Args:
      path: The file.
      num_threads: Of its interpreter.

    Returns:
      Its networks by decoder size, the largest first.

    Raises:
      FileNotFoundError: If the file or its contract is missing.
      DataError: If a file is damaged or does not fit the others.
      ImportError: If the interpreter is not installed.
      UserError: If the file is of no known kind.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: an exported network is a {' or '.join(FORMATS)} file")
    return FORMATS[path.suffix.lower()].open(path, num_threads)
