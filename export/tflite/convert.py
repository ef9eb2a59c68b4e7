"""A detached Keras network as the bytes of a `.tflite` file."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from export.graph import ClassOutput, ExportError
from export.inference_graph import INPUT_NAME, quiet, write_inference_graph
from export.tflite.flatbuffer import (
    foreign_operators,
    with_delegated_input,
    with_dequantized_input,
)
from mtdepth.contract import Precision
from mtdepth.files import UserError
from mtdepth.trained import InferenceNetwork

Image = npt.NDArray[np.uint8]


def convert(
    network: InferenceNetwork,
    *,
    precision: Precision,
    class_output: ClassOutput = "scores",
    representative: Iterable[Image] = (),
    is_rounded: bool = False,
    scratch: Path | None = None,
) -> bytes:
    """Converts a network; nothing is checked against it yet (see `export.parity`).

    | precision | weights | arithmetic | depth output |
    | --- | --- | --- | --- |
    | float32 | float32 | float32 | metres |
    | float16 | float16 | float32 (float16 on processors with it, on request) | metres |
    | int8 | int8, one scale a channel | integers throughout | code, one byte |

    The int8 file gives the code because equal steps of it are equal *ratios* of depth: 256 steps
    between 1 m and 80 m are 1.7 % each. Equal steps of metres would be 31 cm everywhere.

    Args:
      network: The network.
      precision: See the table.
      class_output: Scores, or the index of the largest in the graph.
      representative: int8 only: fitted pictures that the ranges of the activations are taken from.
      is_rounded: int8 only: the network was trained with ranges of its own, and they are taken.
      scratch: Folder for what is written on the way; the system's by default.

    Returns:
      A model that takes `[1, height, width, 3]` RGB uint8 as it is, in every precision.

    Raises:
      ExportError: If an operator has no built-in LiteRT kernel; names it.
      UserError: If int8 is asked for without pictures.
    """
    is_int8 = precision == "int8"
    pictures = list(representative)
    if is_int8 and not (pictures or is_rounded):
        raise UserError("int8 needs representative pictures; give a label store with frames")
    with quiet(), tempfile.TemporaryDirectory(dir=scratch) as folder:
        write_inference_graph(
            network,
            Path(folder),
            image_dtype=tf.float32 if is_int8 else tf.uint8,
            depth_output="depth_code" if is_int8 else "depth_m",
            class_output=class_output,
            is_rounded=is_rounded,
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        _set_precision(converter, precision, () if is_rounded else pictures)
        content = _run(converter)
    if foreign := foreign_operators(content):
        raise ExportError(f"operators without a LiteRT kernel: {', '.join(foreign)}")
    return with_delegated_input(content) if is_int8 else with_dequantized_input(content)


def _set_precision(converter: Any, precision: Precision, pictures: Sequence[Image]) -> None:
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return
    if pictures:
        # Without them the ranges are those that the graph holds; the converter then takes no set of
        # integer operators, but what it leaves in float is seen by the parity and the delegation.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _calibration(pictures)
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8


def _calibration(pictures: Sequence[Image]) -> Iterator[dict[str, Any]]:
    for number, picture in enumerate(pictures):
        image = picture[None].astype(np.float32)
        if number == 0:
            # Two pixels span the whole range, so that the input's scale is exactly 1: bytes go in
            # as they are, however dark the pictures.
            image[0, 0, 0], image[0, 0, 1] = 0, 255
        yield {INPUT_NAME: image}


def _run(converter: Any) -> bytes:
    try:
        return bytes(converter.convert())
    except Exception as error:
        message = str(error)
        names = sorted(set(re.findall(r"'(tf\.\w+)' op", message)))
        named = f"operators without a LiteRT kernel: {', '.join(names)}" if names else message
        raise ExportError(f"the TFLite converter failed: {named}") from error
