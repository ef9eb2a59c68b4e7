"""A file that is benchmarked: the whole way with its contract, or the bare network without one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.contract import contract_path
from mtdepth.files import DataError, UserError
from mtdepth.runtime.contracted import ContractedBackend
from mtdepth.runtime.formats import FORMATS, open_artefact
from mtdepth.runtime.onnx import open_session
from mtdepth.runtime.pipeline import Pipeline
from mtdepth.runtime.tflite import open_interpreter

Image = npt.NDArray[np.uint8]
ONNX = ".onnx"
# onnxruntime's names of types, of networks of any project.
_ONNX_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


@dataclass(frozen=True)
class TimedNetwork:
    """A network with the calls that are timed.

    Attributes:
      path: The file.
      name: For the table.
      about: What the contract says of it.
      stages: By name, in the order of the way: `preprocess`, `inference`, `postprocess` with a
        contract, else `inference` alone.
      signature: Of a size that is not the file's first; None for the first graph.
    """

    path: Path
    name: str
    about: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, Callable[[], Any]] = field(default_factory=dict)
    signature: str | None = None

    @property
    def is_onnx(self) -> bool:
        """Whether onnxruntime runs it; else LiteRT does."""
        return _is_onnx(self.path)


def open_network(path: Path, picture: Image, *, num_threads: int, size: str | None) -> TimedNetwork:
    """Opens an exported file; without a contract beside it, only the network itself is timed.

    Args:
      path: A `.tflite` or `.onnx` file, of this project or another.
      picture: `[height, width, 3]` RGB, as a camera gives it.
      num_threads: Of the runtime.
      size: Of a file with several; None for the largest.

    Raises:
      FileNotFoundError: If there is no such file.
      DataError: If it cannot be opened, its contract is another's, or it has no such size.
      UserError: If it is of no known kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: a file that is measured ends in {' or '.join(FORMATS)}")
    if not contract_path(path).is_file():
        bare = _bare_onnx if _is_onnx(path) else _bare
        return TimedNetwork(path, path.stem, {}, {"inference": bare(path, num_threads)})
    backends = open_artefact(path, num_threads=num_threads)
    if size is not None and size not in backends:
        raise DataError(path, f"has no size {size}; it has {', '.join(backends)}")
    first = next(iter(backends.values()))
    backend = backends[size] if size else first
    contract = backend.contract
    about: dict[str, Any] = {
        "network": contract.network,
        "decoder": contract.decoder,
        "precision": contract.precision,
        "treatment": contract.treatment,
        "input_size": list(contract.input_size),
        "picture_size": list(picture.shape[:2]),
    }
    if contract.keras_scores:
        about["keras_scores"] = contract.keras_scores
    name = f"{path.parent.name or path.stem} ({contract.decoder} {contract.precision})"
    signature = None if backend is first else contract.signature
    return TimedNetwork(path, name, about, _stages(backend, picture), signature)


def _stages(backend: ContractedBackend, picture: Image) -> dict[str, Callable[[], Any]]:
    predictor = Pipeline(backend)
    fitted = predictor.prepare(picture)
    raw = {name: value.copy() for name, value in backend.run(fitted).items()}

    def postprocess() -> Any:
        output = backend.decode(raw)
        return predictor.restore(output, image_size=picture.shape[:2], camera=None)

    return {
        "preprocess": partial(predictor.prepare, picture),
        "inference": partial(backend.run, fitted),
        "postprocess": postprocess,
    }


def _bare(path: Path, num_threads: int) -> Callable[[], Any]:
    interpreter = open_interpreter(path, num_threads=num_threads)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], synthetic(details["shape"], details["dtype"]))
    return interpreter.invoke


def _is_onnx(path: Path) -> bool:
    return path.suffix.lower() == ONNX


def _bare_onnx(path: Path, num_threads: int) -> Callable[[], Any]:
    session = open_session(path, num_threads=num_threads)
    fed = {}
    for value in session.get_inputs():
        if value.type not in _ONNX_DTYPES or any(type(side) is not int for side in value.shape):
            raise DataError(
                path,
                f"input {value.name!r} is {value.type} {value.shape}; what is timed has numbers or "
                "bytes of one fixed shape: export it again with that",
            )
        fed[value.name] = synthetic(value.shape, _ONNX_DTYPES[value.type])
    return partial(session.run, None, fed)


def synthetic(shape: npt.ArrayLike, dtype: Any) -> npt.NDArray[Any]:
    """Noise of an input's type: bytes, or floats around 0. The time does not depend on it."""
    random = np.random.default_rng(0)
    sides = tuple(int(side) for side in np.asarray(shape))
    if np.issubdtype(dtype, np.floating):
        return random.normal(0, 1, sides).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(max(limits.min, -128), min(limits.max, 255), sides).astype(dtype)
