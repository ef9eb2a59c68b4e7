"""The networks that may run: one file, one file with several sizes, or a folder of files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mtdepth.contract import DECODERS
from mtdepth.files import DataError, UserError, visible_files
from mtdepth.runtime.pipeline import Pipeline
from mtdepth.runtime.tflite import TfliteBackend, open_sizes


class SizedModels:
    """Networks by size, the largest first, one of which runs. To be used by one thread."""

    def __init__(self, backends: Mapping[str, TfliteBackend]) -> None:
        if not backends:
            raise ValueError("there is no model")
        self._backends: dict[str, TfliteBackend] = dict(backends)
        self._predictors = {size: Pipeline(each) for size, each in self._backends.items()}
        self._warm: set[str] = set()
        self.size = self.sizes[0]

    @property
    def sizes(self) -> tuple[str, ...]:
        """All there are, largest first."""
        return tuple(self._backends)

    @property
    def backend(self) -> TfliteBackend:
        """The one that runs."""
        return self._backends[self.size]

    @property
    def predictor(self) -> Pipeline:
        """Around the one that runs."""
        return self._predictors[self.size]

    def select(self, size: str) -> None:
        """Lets another one run.

        Its first run lays out its memory and is not the usual one: it is made here, on nothing.

        Raises:
          UserError: If there is no such size.
        """
        if size not in self._backends:
            raise UserError(f"size must be one of {', '.join(self.sizes)}, got {size!r}")
        if size not in self._warm:
            backend = self._backends[size]
            backend.run(np.zeros((*backend.contract.input_size, 3), np.uint8))
            self._warm.add(size)
        self.size = size


def open_models(path: Path, *, num_threads: int) -> SizedModels:
    """Opens what `--model` named.

    A `.tflite` file of one or of several sizes, or a folder that holds `.tflite` files of different
    sizes, directly or each in a folder of its own.

    Raises:
      FileNotFoundError: If there is none, or a contract is missing.
      DataError: If a file is damaged, does not fit its contract, or two are of one size.
      ImportError: If LiteRT is not installed.
    """
    if not path.is_dir():
        return SizedModels(open_sizes(path, num_threads=num_threads))
    files = visible_files(path, "*.tflite") or visible_files(path, "*/*.tflite")
    if not files:
        raise FileNotFoundError(
            f"{path}: holds no .tflite file, nor does a folder in it; a run is exported first, for "
            f"films and cameras: `python -m export.tflite --workdir {path} --output "
            f"{path / 'tflite'}`"
        )
    backends: dict[str, TfliteBackend] = {}
    for file in files:
        for size, backend in open_sizes(file, num_threads=num_threads).items():
            _check_new(size, backend, backends)
            backends[size] = backend
    network = next(iter(backends.values())).contract.network
    ordered = [size for size in DECODERS[network] if size in backends]
    return SizedModels({size: backends[size] for size in ordered})


def _check_new(size: str, backend: TfliteBackend, others: Mapping[str, TfliteBackend]) -> None:
    if size in others:
        raise DataError(
            backend.path,
            f"is of size {size}, as {others[size].path} is; give one of the files, or a folder "
            "with one file of each size",
        )
    kinds = {each.contract.network for each in (backend, *others.values())}
    if len(kinds) > 1:
        raise DataError(backend.path, f"is of another network than the others: {sorted(kinds)}")
