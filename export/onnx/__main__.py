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

from functools import partial

from absl import flags, logging

from export.request import asked_for, define_flags
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


def main() -> None:
    """Exports."""
    precision = _PRECISION.value
    request = asked_for(f"onnx_{{decoder}}_{precision}")
    # TensorFlow takes seconds to load, which a wrong flag should not cost.
    from export.onnx.target import FILE_NAME, export_onnx

    report = request.export(
        partial(export_onnx, precision=precision, opset=_OPSET.value),
        FILE_NAME,
        num_calibration=flags.FLAGS.num_calibration if precision == "int8" else 0,
    )
    logging.info(
        "opset %d: for TensorRT %s and newer; on the board: python3 build_engine.py",
        report["opset"],
        report["tensorrt_at_least"],
    )


if __name__ == "__main__":
    program.run(main)
