r"""Exports a trained network as an ONNX file for TensorRT, with its contract.

Full example, the large decoder of a run for a Jetson Orin as integers:

    python -m export.onnx --workdir runs/multitask_kitti --decoder L --precision int8 \
        --height 320 --width 480 --output runs/export_l_onnx

The folder then holds `model.onnx`, `model.json` (the contract that every runtime needs),
`parity.json` (how far the file is from the Keras network on real frames), `golden.npz` (three
pictures with the file's answers) and two programs for the board, which need nothing of this
project: copy the folder there, then

    python3 build_engine.py                    # trtexec with the flags of the board's TensorRT
    python3 run_engine.py --check              # does it say what was exported?
    python3 run_engine.py --source pictures --output results

`--precision float32` is for every board: the engine is built in half precision, which is all that a
Jetson Nano or TX2 has. `int8` (Xavier, Orin and newer) has quantise/dequantise pairs of zero point
0. Operator set 13 is what TensorRT 8.2 (JetPack 4.6) reads. TensorRT itself cannot run here: the
file is held to the documented rules of its operators, checked by onnx and run by onnxruntime.
"""

from absl import flags, logging

from export.request import asked_for, define_flags, say_parity
from mtdepth import program

define_flags(default_output="onnx_<decoder>_<precision>", ids_are_found="on the GPU")
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "int8"],
    "float32 for every board (built in half precision); int8 for Xavier, Orin and newer.",
)
_OPSET = flags.DEFINE_integer(
    "opset", 13, "ONNX operator set, 13 (TensorRT 8.2) to 21.", lower_bound=13, upper_bound=21
)
_NUM_CALIBRATION = flags.DEFINE_integer(
    "num_calibration", 64, "Pictures that int8 takes its ranges from.", lower_bound=1
)


def main() -> int | None:
    """Exports."""
    request = asked_for(f"onnx_{{decoder}}_{_PRECISION.value}")
    # TensorFlow takes seconds to load, which a wrong flag should not cost.
    from export.graph import ExportError
    from export.onnx.artefact import FILE_NAME, export_onnx
    from export.origin import origin_of

    (trained,) = request.load()
    is_int8 = _PRECISION.value == "int8"
    calibration, shown = request.images(num_calibration=_NUM_CALIBRATION.value if is_int8 else 0)
    try:
        report = export_onnx(
            trained,
            request.output,
            origin=origin_of(trained),
            precision=_PRECISION.value,
            opset=_OPSET.value,
            class_output=request.class_output,
            calibration=calibration,
            parity_images=shown,
        )
    except ExportError as error:
        logging.error("nothing was written to %s: %s", request.output, error)
        return 1
    logging.info("wrote %s (%d bytes)", request.output / FILE_NAME, report["size_bytes"])
    say_parity(report)
    logging.info(
        "opset %d: for TensorRT %s and newer; on the board: python3 build_engine.py",
        report["opset"],
        report["tensorrt_at_least"],
    )
    return None


if __name__ == "__main__":
    program.run(main)
