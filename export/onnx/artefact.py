"""Writes an ONNX file with contract, parity report, golden pairs and the board's programs."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.description import contract_of
from export.golden import golden_path, write_golden
from export.graph import ExportError
from export.inference_graph import ClassOutput
from export.onnx.calibrate import find_ranges
from export.onnx.emit import emit
from export.onnx.graph import load, to_model
from export.onnx.quantize import quantize, quantized_tensors
from export.onnx.rules import oldest_tensorrt, violations
from export.origin import Origin
from export.parity import BOUNDS, check_parity, measure_parity
from mtdepth.contract import Precision, contract_path
from mtdepth.files import write_json
from mtdepth.runtime.onnx import OnnxBackend, open_session, tensors_of
from mtdepth.trained import InferenceNetwork

FILE_NAME = "model.onnx"
PARITY_NAME = "parity.json"
BOARD = Path(__file__).parents[1] / "board"
# What goes to the board beside the file; each stands alone there.
BOARD_PROGRAMS = ("build_engine.py", "run_engine.py")

Image = npt.NDArray[np.uint8]


def convert(
    subject: InferenceNetwork,
    *,
    precision: Precision,
    opset: int,
    class_output: ClassOutput,
    calibration: Sequence[Image],
) -> Any:
    """A network as an ONNX model that breaks none of TensorRT's rules.

    Args:
      subject: The network.
      precision: `float32`, or `int8` with quantise/dequantise pairs.
      opset: ONNX operator set.
      class_output: Scores, or the index of the largest.
      calibration: Fitted pictures for int8.

    Raises:
      ExportError: If a layer has no operator, or a rule is broken; names it.
      ImportError: If onnx or onnxruntime is not installed.
      ValueError: If int8 is asked for without pictures, or the opset was not tried.
    """
    if precision == "int8" and not calibration:
        raise ValueError("int8 needs representative pictures; give a label store with frames")
    load("onnx"), load("onnxruntime")  # now, not after the work
    graph = emit(subject.network, normalisation=subject.normalisation, class_output=class_output)
    if precision == "int8":
        graph = quantize(graph, find_ranges(graph, list(quantized_tensors(graph)), calibration))
    model = to_model(graph, opset=opset)
    if broken := violations(model):
        listed = "; ".join(map(str, broken[:5]))
        raise ExportError(
            f"TensorRT {oldest_tensorrt(opset)} will not build it, {len(broken)} rule(s): {listed}"
        )
    return model


def export_onnx(
    subject: InferenceNetwork,
    output: Path,
    *,
    origin: Origin,
    precision: Precision,
    opset: int,
    class_output: ClassOutput,
    calibration: Sequence[Image],
    parity_images: Sequence[Image],
) -> dict[str, Any]:
    """Converts a network, compares the file with it, and only then puts it in its place.

    As `export.artefact.export_network`: everything is made in a folder beside `output` first.

    Args:
      subject: The network, at the size to export.
      output: Folder for `model.onnx`, `model.json`, `parity.json`, `golden.npz` and the board's
        programs.
      origin: What the contract says of the network.
      precision: `float32` or `int8`.
      opset: ONNX operator set.
      class_output: Scores, or the index of the largest.
      calibration: Fitted pictures for int8.
      parity_images: Fitted pictures that file and network are compared on.

    Returns:
      The content of `parity.json`.

    Raises:
      ExportError: If it cannot be converted, or says something else than the network.
    """
    model = convert(
        subject,
        precision=precision,
        opset=opset,
        class_output=class_output,
        calibration=calibration,
    )
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".export.") as folder:
        path = Path(folder) / FILE_NAME
        path.write_bytes(model.SerializeToString())
        image, outputs = tensors_of(open_session(path, num_threads=1))
        contract_of(path, origin=origin, precision=precision, image=image, outputs=outputs).save(
            contract_path(path)
        )
        backend = OnnxBackend(path, num_threads=1)
        report = _compare(subject, backend, model, precision, parity_images)
        write_json(path.with_name(PARITY_NAME), report)
        write_golden(path, {origin.decoder: backend}, parity_images)
        for program in BOARD_PROGRAMS:
            shutil.copyfile(BOARD / program, path.with_name(program))
        made = (FILE_NAME, contract_path(path).name, PARITY_NAME, golden_path(path).name)
        for name in (*made, *BOARD_PROGRAMS):
            path.with_name(name).replace(output / name)
    return report


def _compare(
    subject: InferenceNetwork,
    backend: OnnxBackend,
    model: Any,
    precision: Precision,
    images: Sequence[Image],
) -> dict[str, Any]:
    measured = measure_parity(subject, backend, images)
    check_parity(measured, precision)
    opset = model.opset_import[0].version
    operators: dict[str, int] = {}
    for node in model.graph.node:
        operators[node.op_type] = operators.get(node.op_type, 0) + 1
    return {
        "precision": precision,
        "num_frames": len(images),
        "measured": measured.to_dict(),
        "allowed": BOUNDS[precision].to_dict(),
        "size_bytes": backend.path.stat().st_size,
        "opset": opset,
        "tensorrt_at_least": oldest_tensorrt(opset),
        "operators": dict(sorted(operators.items())),
    }
