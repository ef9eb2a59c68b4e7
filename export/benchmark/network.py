"""A file that is benchmarked: the whole way with its contract, or the bare network without one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.contract import contract_path
from mtdepth.files import DataError
from mtdepth.runtime.pipeline import Pipeline
from mtdepth.runtime.tflite import TfliteBackend, open_interpreter, open_sizes

Image = npt.NDArray[np.uint8]


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


def open_network(path: Path, picture: Image, *, num_threads: int, size: str | None) -> TimedNetwork:
    """Opens a `.tflite` file; without a contract beside it, only the network itself is timed.

    Args:
      path: The file.
      picture: `[height, width, 3]` RGB, as a camera gives it.
      num_threads: Of the interpreter.
      size: Of a file with several; None for the largest.

    Raises:
      FileNotFoundError: If there is no such file.
      DataError: If it cannot be opened, its contract is another's, or it has no such size.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if not contract_path(path).is_file():
        return TimedNetwork(path, path.stem, {}, {"inference": _bare(path, num_threads)})
    backends = open_sizes(path, num_threads=num_threads)
    if size is not None and size not in backends:
        raise DataError(path, f"has no size {size}; it has {', '.join(backends)}")
    first = next(iter(backends.values()))
    backend = backends[size] if size else first
    contract = backend.contract
    about = {
        "network": contract.network,
        "decoder": contract.decoder,
        "precision": contract.precision,
        "treatment": contract.treatment,
        "input_size": list(contract.input_size),
        "picture_size": list(picture.shape[:2]),
    }
    name = f"{path.parent.name or path.stem} ({contract.decoder} {contract.precision})"
    signature = None if backend is first else contract.signature
    return TimedNetwork(path, name, about, _stages(backend, picture), signature)


def _stages(backend: TfliteBackend, picture: Image) -> dict[str, Callable[[], Any]]:
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


def synthetic(shape: npt.ArrayLike, dtype: Any) -> npt.NDArray[Any]:
    """Noise of an input's type: bytes, or floats around 0. The time does not depend on it."""
    random = np.random.default_rng(0)
    sides = tuple(int(side) for side in np.asarray(shape))
    if np.issubdtype(dtype, np.floating):
        return random.normal(0, 1, sides).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(max(limits.min, -128), min(limits.max, 255), sides).astype(dtype)
