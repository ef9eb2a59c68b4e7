"""Writes a `.tflite` file, of one decoder size or of all with their weights shared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.artefact import Image, Made, Part, write_artefact
from export.graph import ClassOutput, ExportError
from export.inference_graph import SIGNATURE
from export.origin import Origin
from export.tflite.convert import convert
from export.tflite.delegation import Delegation, delegation_of
from export.tflite.shared_buffers import merged
from mtdepth.contract import Contract, Precision, TensorContract, contract_path
from mtdepth.runtime.tflite import open_interpreter, open_sizes, size_contract_path

FILE_NAME = "model.tflite"
# Trained while their numbers were rounded.
_ROUNDED_TREATMENTS = ("qat", "pruned_qat")
_ARG_MAX = "ARG_MAX"


def export_tflite(
    parts: Mapping[str, Part],
    output: Path,
    *,
    precision: Precision,
    class_output: ClassOutput,
    calibration: Sequence[Image],
    parity_images: Sequence[Image],
) -> dict[str, Any]:
    """Converts every size by itself, puts them into one file, and compares each with its network.

    A size's arithmetic is that of a file of its own, bit for bit: all are calibrated on the same
    pictures, so that what they have in common is quantised alike and is stored once.

    Args are those of `convert`, for networks by decoder size, largest first, cut from the same
    weights, and of `export.artefact.write_artefact`. Of several sizes the report has one for each,
    and `largest_alone_bytes`, how large the file of the largest alone would be.

    Raises:
      ExportError: If a size cannot be converted, says something else than its network, or is not
        one part of XNNPACK.
    """

    def make(folder: Path) -> Made:
        contents = {
            size: convert(
                part.network,
                precision=precision,
                class_output=class_output,
                representative=calibration,
                is_rounded=precision == "int8" and part.origin.treatment in _ROUNDED_TREATMENTS,
                # What a kill leaves of it goes with the folder.
                scratch=folder,
            )
            for size, part in parts.items()
        }
        return _made(folder, contents, parts, precision, class_output)

    return write_artefact(
        output,
        make,
        parts=parts,
        precision=precision,
        parity_images=parity_images,
    )


def _made(
    folder: Path,
    contents: Mapping[str, bytes],
    parts: Mapping[str, Part],
    precision: Precision,
    class_output: ClassOutput,
) -> Made:
    path = folder / FILE_NAME
    signatures = {size: size if len(parts) > 1 else SIGNATURE for size in parts}
    path.write_bytes(merged({signatures[size]: content for size, content in contents.items()}))
    facts = {}
    for number, (size, part) in enumerate(parts.items()):
        contract = describe(path, part.origin, precision=precision, signature=signatures[size])
        contract.save(size_contract_path(path, size) if number else contract_path(path))
        alone = folder / f".{size}.tflite"
        alone.write_bytes(contents[size])
        delegation = delegation_of(alone)
        alone.unlink()
        try:
            check_delegation(delegation, gives_ids=class_output == "ids")
        except ExportError as error:
            raise ExportError(f"size {size}: {error}") from error
        facts[size] = delegation.to_dict()
    largest = next(iter(contents.values()))
    whole = {"largest_alone_bytes": len(merged({SIGNATURE: largest}))} if len(parts) > 1 else {}
    return Made(path, open_sizes(path, num_threads=1), facts, whole)


def check_delegation(found: Delegation, *, gives_ids: bool) -> None:
    """Accepts a network that XNNPACK runs as one part, with nothing outside it.

    Where it `gives_ids` the graph ends in the index of the largest score, as the user chose: for
    that XNNPACK has no operator. The ExportError names the operators outside it.
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


def describe(path: Path, origin: Origin, *, precision: Precision, signature: str) -> Contract:
    """The contract of one signature of a converted file, its tensors as LiteRT finds them.

    Raises:
      ExportError: If the file does not take picture bytes as they are.
    """
    runner = open_interpreter(path, num_threads=1).get_signature_runner(signature)
    (image,) = (_tensor(*item) for item in runner.get_input_details().items())
    if (image.dtype, image.scale, image.zero_point) != ("uint8", 1.0, 0):
        raise ExportError(f"the input does not take bytes as they are: {image}")
    return origin.contract(
        path,
        precision=precision,
        signature=signature,
        image=image,
        outputs=[_tensor(*item) for item in runner.get_output_details().items()],
    )


def _tensor(name: str, details: dict[str, Any]) -> TensorContract:
    scale, zero_point = details["quantization"]
    return TensorContract(
        name=name,
        kind=name,  # type: ignore[arg-type]  # checked by TensorContract
        shape=tuple(int(side) for side in details["shape"]),
        dtype=np.dtype(details["dtype"]).name,
        # LiteRT says scale 0 for "not quantised".
        scale=float(scale) if scale else None,
        zero_point=int(zero_point) if scale else None,
    )
