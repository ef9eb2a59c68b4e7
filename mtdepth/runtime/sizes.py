"""One `.tflite` file with several decoder sizes: a signature and a contract for each.

Beside `model.tflite` stand `model.json`, the contract of its largest size, and `model.M.json` and
so on for the others. A reader that knows nothing of sizes thus opens the largest.
"""

from pathlib import Path

from mtdepth.contract import DECODERS, Contract, contract_path
from mtdepth.files import DataError
from mtdepth.runtime.tflite import TfliteBackend


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
