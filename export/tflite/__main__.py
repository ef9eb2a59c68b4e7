r"""Exports a trained network as a TFLite file with its contract.

Full example, the small decoder of a run as integers, calibrated on the run's own labels:

    python -m export.tflite --workdir runs/multitask_kitti --decoder S --precision int8 \
        --height 320 --width 480 --output runs/export_s_int8

The folder then holds `model.tflite`, `model.json` (the contract that every runtime needs),
`parity.json` (how far the file is from the Keras network on real frames) and `golden.npz` (what it
answers to three of them, for `python -m export.verify` on the device). Where it is too far,
nothing is written and the status is 1. Run it by `python -m export.device`, score it by
`python -m mtdepth.evaluate --model runs/export_s_int8/model.tflite`.

With `--decoder all` one file holds every size that the network can be cut to, a signature and a
contract (`model.json` of the largest, `model.M.json`, ...) for each. They share their weights, so
that it is hardly larger than the file of the largest size; the device changes size while it runs.
"""

from functools import partial

from absl import flags, logging

from export.request import asked_for, define_flags
from mtdepth import program

define_flags(
    default_output="export_<decoder>_<precision>", has_all=True, ids_are_found="in the graph"
)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "float16", "int8"], "Arithmetic of the file."
)


def main() -> None:
    """Exports."""
    precision = _PRECISION.value
    request = asked_for(f"export_{{decoder}}_{precision}")
    # TensorFlow takes seconds to load, which a wrong flag should not cost.
    from export.tflite.target import FILE_NAME, export_tflite

    report = request.export(
        partial(export_tflite, precision=precision),
        FILE_NAME,
        num_calibration=flags.FLAGS.num_calibration if precision == "int8" else 0,
    )
    if "sizes" in report:
        logging.info("the largest size alone would be %d bytes", report["largest_alone_bytes"])


if __name__ == "__main__":
    program.run(main)
