"""Writes one `.tflite` file with every decoder size of a network, weights shared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from export.artefact import Image, Part, converted, write_artefact
from export.inference_graph import ClassOutput
from mtdepth.contract import Precision


def export_sizes(
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

    Args:
      parts: The networks by decoder size, largest first, cut from the same weights.
      output: Folder for what `export.artefact.write_artefact` writes.
      precision: Of the file.
      class_output: Scores, or the index of the largest.
      calibration: Fitted pictures for int8.
      parity_images: Fitted pictures that file and networks are compared on.

    Returns:
      The content of `parity.json`: a report for each size, and `largest_alone_bytes`, how large
      the file of the largest size alone would be.

    Raises:
      ExportError: If a size cannot be converted, or says something else than its network.
    """
    contents = {
        size: converted(
            part, precision=precision, class_output=class_output, calibration=calibration
        )
        for size, part in parts.items()
    }
    return write_artefact(
        contents, output, parts=parts, precision=precision, parity_images=parity_images
    )
