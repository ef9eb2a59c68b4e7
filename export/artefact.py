"""Writes an exported network: file, contract, parity report and golden pairs, together or not.

The one writer of all targets. A target says how its file is made (`Made`); what is the same for
all, comparison with the network, report, golden pairs and the change of places, is here.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.golden import write_golden
from export.graph import ExportError
from export.origin import Origin
from export.parity import BOUNDS, check_parity, measure_parity
from mtdepth.contract import DECODERS, Precision
from mtdepth.files import disk_errors_named, remove_leftovers, temporary_folder, write_json
from mtdepth.runtime.contracted import ContractedBackend
from mtdepth.runtime.tflite import size_contract_path
from mtdepth.trained import InferenceNetwork

PARITY_NAME = "parity.json"
# What goes to a board beside a file; each stands alone there.
BOARD = Path(__file__).parent / "board"

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """A network as it goes into a file, which may hold several.

    `reference` is the float network that a treated one began as; the report says how far it is.
    """

    network: InferenceNetwork
    origin: Origin
    reference: InferenceNetwork | None = None


@dataclass(frozen=True)
class Made:
    """What a target has made in a folder.

    Attributes:
      path: The file; what else it needs, and its contracts, stand beside it.
      backends: The file, opened, by decoder size, the largest first.
      facts: What the report of each size says beside the comparison.
      whole: What the report says of a file with several sizes.
    """

    path: Path
    backends: Mapping[str, ContractedBackend]
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    whole: Mapping[str, Any] = field(default_factory=dict)


def write_artefact(
    output: Path,
    make: Callable[[Path], Made],
    *,
    parts: Mapping[str, Part],
    precision: Precision,
    parity_images: Sequence[Image],
    board_programs: Sequence[str] = (),
) -> dict[str, Any]:
    """Makes a file, compares it with what it was made from, and only then puts it in its place.

    Everything is made in a folder beside the place first. What `output` held before stays when
    anything fails. The files are then renamed one by one, the network's own last; a machine that
    stops between two of them leaves a file and a contract that do not belong together, which the
    runtime refuses.

    Args:
      output: Folder for the file, its contracts (`mtdepth.runtime.tflite`), `parity.json`,
        `golden.npz` and the board's programs.
      make: Makes the file in a folder.
      parts: What it is made from, by decoder size.
      precision: Of the file.
      parity_images: Fitted pictures that file and networks are compared on.
      board_programs: Files of `export/board` that go along.

    Returns:
      The content of `parity.json`; of several networks a report for each size below `sizes`.

    Raises:
      ExportError: If one says something else than its network; what `make` raises.
    """
    with workplace(output, prefix=".export.") as folder:
        made = make(folder)
        reports = {
            size: {
                **_compared(parts[size], backend, size, precision, parity_images),
                **made.facts.get(size, {}),
            }
            for size, backend in made.backends.items()
        }
        report = (
            {"size_bytes": made.path.stat().st_size, **made.whole, "sizes": reports}
            if len(reports) > 1
            else next(iter(reports.values()))
        )
        write_json(folder / PARITY_NAME, report)
        write_golden(made.path, made.backends, parity_images)
        for program in board_programs:
            shutil.copyfile(BOARD / program, folder / program)
        _place(folder, output, last=made.path.name)
    return report


@contextlib.contextmanager
def workplace(output: Path, *, prefix: str) -> Iterator[Path]:
    """A folder in `output` that is gone afterwards; those of killed programs go at the start.

    Raises:
      OSError: Of a disk that takes no more, naming `output`.
    """
    output.mkdir(parents=True, exist_ok=True)
    remove_leftovers(output)
    with disk_errors_named(output), temporary_folder(output, prefix=prefix) as folder:
        yield folder


def _compared(
    part: Part,
    backend: ContractedBackend,
    size: str,
    precision: Precision,
    images: Sequence[Image],
) -> dict[str, Any]:
    measured = measure_parity(part.network, backend, images)
    try:
        check_parity(measured, precision)
    except ExportError as error:
        raise ExportError(f"size {size}: {error}") from error
    report = {
        "precision": precision,
        "num_frames": len(images),
        "measured": measured.to_dict(),
        "allowed": BOUNDS[precision].to_dict(),
        "size_bytes": backend.path.stat().st_size,
    }
    if part.reference is not None:
        report["against_float"] = measure_parity(part.reference, backend, images).to_dict()
    return report


def _place(made: Path, output: Path, *, last: str) -> None:
    """Moves all of a folder to its place."""
    for path in made.rglob("*"):
        if path.is_file():
            # After a power cut a name stands for what it should.
            with path.open("rb") as file:
                os.fsync(file.fileno())
    entries = sorted(made.iterdir(), key=lambda entry: entry.name == last)
    names = {entry.name for entry in entries}
    for entry in entries:
        target = output / entry.name
        if target.is_dir():
            shutil.rmtree(target)
        entry.replace(target)
    # Of an earlier file with more sizes than this one.
    for size in {size for sizes in DECODERS.values() for size in sizes}:
        stale = size_contract_path(output / last, size)
        if stale.name not in names:
            stale.unlink(missing_ok=True)
