"""Writes an ONNX file for TensorRT."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from export.artefact import Image, Made, Part, write_artefact
from export.graph import ClassOutput, ExportError
from export.inference_graph import SIGNATURE
from export.onnx.emit import emit
from export.onnx.graph import load, to_model
from export.onnx.quantize import find_ranges, quantize, quantized_tensors
from export.onnx.rules import oldest_tensorrt, violations
from mtdepth.contract import Precision, contract_path
from mtdepth.files import UserError
from mtdepth.runtime.onnx import OnnxBackend, open_session, tensors_of
from mtdepth.trained import InferenceNetwork

FILE_NAME = "model.onnx"


def export_onnx(
    parts: Mapping[str, Part],
    output: Path,
    *,
    precision: Precision,
    opset: int,
    class_output: ClassOutput,
    calibration: Sequence[Image],
    parity_images: Sequence[Image],
) -> dict[str, Any]:
    """Converts the one network of `parts` and writes it by `export.artefact.write_artefact`.

    Arguments are those of `convert` and of that, which also says what is returned and raised.
    """
    ((size, part),) = parts.items()
    model = convert(
        part.network,
        precision=precision,
        opset=opset,
        class_output=class_output,
        calibration=calibration,
    )

    def make(folder: Path) -> Made:
        path = folder / FILE_NAME
        path.write_bytes(model.SerializeToString())
        image, outputs = tensors_of(open_session(path, num_threads=1))
        part.origin.contract(
            path, precision=precision, signature=SIGNATURE, image=image, outputs=outputs
        ).save(contract_path(path))
        facts = {
            "opset": opset,
            "tensorrt_at_least": oldest_tensorrt(opset),
            "operators": dict(sorted(Counter(node.op_type for node in model.graph.node).items())),
        }
        return Made(path, {size: OnnxBackend(path, num_threads=1)}, {size: facts})

    return write_artefact(
        output,
        make,
        parts=parts,
        precision=precision,
        parity_images=parity_images,
        board_programs=("build_engine.py", "run_engine.py"),
    )


def convert(
    network: InferenceNetwork,
    *,
    precision: Precision,
    opset: int,
    class_output: ClassOutput,
    calibration: Sequence[Image],
) -> Any:
    """A network of a fixed size as an ONNX model that breaks none of TensorRT's rules.

    int8 is by quantise/dequantise pairs, for which `calibration` holds fitted pictures.

    Raises:
      ExportError: If a layer has no operator, or a rule is broken; names it.
      ImportError: If onnx or onnxruntime is not installed.
      UserError: If int8 is asked for without pictures, or the opset was not tried.
    """
    if precision == "int8" and not calibration:
        raise UserError("int8 needs representative pictures; give a label store with frames")
    load("onnx"), load("onnxruntime")  # now, not after the work
    graph = emit(network.network, normalisation=network.normalisation, class_output=class_output)
    if precision == "int8":
        graph = quantize(graph, find_ranges(graph, list(quantized_tensors(graph)), calibration))
    model = to_model(graph, opset=opset)
    if broken := violations(model):
        listed = "; ".join(broken[:5])
        raise ExportError(
            f"TensorRT {oldest_tensorrt(opset)} will not build it, {len(broken)} rule(s): {listed}"
        )
    return model
