"""Writes an exported network: file, contract, parity report and golden pairs, together or not."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.description import describe
from export.golden import write_golden
from export.graph import ExportError
from export.inference_graph import SIGNATURE, ClassOutput
from export.origin import Origin
from export.parity import BOUNDS, check_parity, measure_parity
from export.tflite.convert import convert
from export.tflite.delegation import Delegation, delegation_of
from export.tflite.shared_buffers import merged
from mtdepth.contract import DECODERS, Precision, contract_path
from mtdepth.files import visible_files, write_json
from mtdepth.runtime.sizes import open_sizes, size_contract_path
from mtdepth.runtime.tflite import TfliteBackend
from mtdepth.trained import InferenceNetwork

FILE_NAME = "model.tflite"
PARITY_NAME = "parity.json"
# Trained while their numbers were rounded.
ROUNDED_TREATMENTS = ("qat", "pruned_qat")
_ARG_MAX = "ARG_MAX"

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """A network as it goes into a file, which may hold several.

    Attributes:
      subject: The network, at the size to export.
      origin: What its contract says of it.
      reference: The float network that a treated one began as; the report says how far it is.
    """

    subject: InferenceNetwork
    origin: Origin
    reference: InferenceNetwork | None = None


def export_network(
    subject: InferenceNetwork,
    output: Path,
    *,
    origin: Origin,
    precision: Precision,
    class_output: ClassOutput,
    calibration: Sequence[Image],
    parity_images: Sequence[Image],
    reference: InferenceNetwork | None = None,
) -> dict[str, Any]:
    """Converts a network, compares the file with it, and only then puts it in its place.

    Args:
      subject: The network, at the size to export.
      output: Folder for what `write_artefact` writes.
      origin: What the contract says of the network.
      precision: Of the file.
      class_output: Scores, or the index of the largest.
      calibration: Fitted pictures for int8.
      parity_images: Fitted pictures that file and network are compared on.
      reference: The float network that a treated one began as; the report says how far it is.

    Returns:
      The content of `parity.json`.

    Raises:
      ExportError: If it cannot be converted, or says something else than the network.
    """
    part = Part(subject, origin, reference)
    content = converted(
        part, precision=precision, class_output=class_output, calibration=calibration
    )
    return write_artefact(
        {SIGNATURE: content},
        output,
        parts={SIGNATURE: part},
        precision=precision,
        parity_images=parity_images,
    )


def converted(
    part: Part, *, precision: Precision, class_output: ClassOutput, calibration: Sequence[Image]
) -> bytes:
    """A network as a file of its own; see `export.tflite.convert.convert`."""
    return convert(
        part.subject,
        precision=precision,
        class_output=class_output,
        representative=calibration,
        is_rounded=precision == "int8" and part.origin.treatment in ROUNDED_TREATMENTS,
    )


def write_artefact(
    contents: Mapping[str, bytes],
    output: Path,
    *,
    parts: Mapping[str, Part],
    precision: Precision,
    parity_images: Sequence[Image],
) -> dict[str, Any]:
    """Writes converted networks as one file, compared with what they were converted from.

    Everything is made in a folder beside `output` first. What `output` held before stays when
    anything fails. The files are then renamed one by one; a machine that stops between two of them
    leaves a file and a contract that do not belong together, which the runtime refuses.

    Args:
      contents: The converted networks by the names of their signatures, the largest first.
      output: Folder for `model.tflite`, its contracts (`mtdepth.runtime.sizes`), `parity.json` and
        `golden.npz`.
      parts: What they were converted from, by the same names.
      precision: Of the file.
      parity_images: Fitted pictures that file and networks are compared on.

    Returns:
      The content of `parity.json`; of several networks a report for each size below `sizes`.

    Raises:
      ExportError: If one says something else than its network, or is not one part of XNNPACK.
    """
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".export.") as name:
        path = Path(name) / FILE_NAME
        path.write_bytes(merged(contents))
        side_car = contract_path(path)
        for signature, part in parts.items():
            contract = describe(path, origin=part.origin, precision=precision, signature=signature)
            contract.save(
                side_car if not side_car.exists() else size_contract_path(path, signature)
            )
        backends = open_sizes(path, num_threads=1)
        reports = {
            part.origin.decoder: _compare(
                part, contents[signature], backends[part.origin.decoder], precision, parity_images
            )
            for signature, part in parts.items()
        }
        report = _whole_report(reports, path, largest_alone=next(iter(contents.values())))
        write_json(path.with_name(PARITY_NAME), report)
        write_golden(path, backends, parity_images)
        _place(path, output)
    return report


def _compare(
    part: Part,
    content: bytes,
    backend: TfliteBackend,
    precision: Precision,
    images: Sequence[Image],
) -> dict[str, Any]:
    measured = measure_parity(part.subject, backend, images)
    with tempfile.NamedTemporaryFile(suffix=".tflite") as alone:
        Path(alone.name).write_bytes(content)
        delegation = delegation_of(Path(alone.name))
    classes = backend.contract.classes
    try:
        check_parity(measured, precision)
        check_delegation(delegation, gives_ids=classes is not None and classes.kind == "train_id")
    except ExportError as error:
        raise ExportError(f"size {part.origin.decoder}: {error}") from error
    report = {
        "precision": precision,
        "num_frames": len(images),
        "measured": measured.to_dict(),
        "allowed": BOUNDS[precision].to_dict(),
        "size_bytes": backend.path.stat().st_size,
        **delegation.to_dict(),
    }
    if part.reference is not None:
        report["against_float"] = measure_parity(part.reference, backend, images).to_dict()
    return report


def check_delegation(found: Delegation, *, gives_ids: bool) -> None:
    """Accepts a network that XNNPACK runs as one part, with nothing outside it.

    Args:
      found: Of the file on this machine.
      gives_ids: Whether the graph ends in the index of the largest score, as the user chose: for
        that XNNPACK has no operator.

    Raises:
      ExportError: Naming the operators outside it.
    """
    outside = dict(found.undelegated)
    if gives_ids:
        outside.pop(_ARG_MAX, None)
    if outside or found.num_partitions != 1:
        listed = ", ".join(f"{number} {name}" for name, number in outside.items()) or "nothing"
        raise ExportError(
            f"XNNPACK, LiteRT's fast back end, runs the network in {found.num_partitions} part(s) "
            f"and not in one; outside it: {listed}"
        )


def _whole_report(
    reports: Mapping[str, dict[str, Any]], path: Path, *, largest_alone: bytes
) -> dict[str, Any]:
    if len(reports) == 1:
        (report,) = reports.values()
        return report
    return {
        "size_bytes": path.stat().st_size,
        "largest_alone_bytes": len(merged({SIGNATURE: largest_alone})),
        "sizes": dict(reports),
    }


def _place(path: Path, output: Path) -> None:
    """Moves a file and what was made beside it to its place."""
    made = visible_files(path.parent)
    names = {each.name for each in made}
    for each in made:
        each.replace(output / each.name)
    # Of an earlier file with more sizes than this one.
    for size in {size for sizes in DECODERS.values() for size in sizes}:
        stale = size_contract_path(output / path.name, size)
        if stale.name not in names:
            stale.unlink(missing_ok=True)
