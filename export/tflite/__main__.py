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

from pathlib import Path
from typing import Any

from absl import flags, logging

from export.request import asked_for, define_flags, say_parity
from mtdepth import program

define_flags(
    default_output="export_<decoder>_<precision>", has_all=True, ids_are_found="in the graph"
)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "float16", "int8"], "Arithmetic of the file."
)
_NUM_CALIBRATION = flags.DEFINE_integer(
    "num_calibration", 64, "Pictures that int8 takes its ranges from.", lower_bound=1
)


def main() -> int | None:
    """Exports."""
    request = asked_for(f"export_{{decoder}}_{_PRECISION.value}")
    # TensorFlow takes seconds to load, which a wrong flag should not cost.
    from export.artefact import Part, export_network
    from export.four_sizes import export_sizes
    from export.graph import ExportError
    from export.origin import origin_of

    trained = request.load()
    parts = {each.size: Part(each, origin_of(each)) for each in trained}
    is_int8 = _PRECISION.value == "int8"
    calibration, shown = request.images(num_calibration=_NUM_CALIBRATION.value if is_int8 else 0)
    options: dict[str, Any] = {
        "precision": _PRECISION.value,
        "class_output": request.class_output,
        "calibration": calibration,
        "parity_images": shown,
    }
    try:
        if len(parts) > 1:
            report = export_sizes(parts, request.output, **options)
        else:
            (part,) = parts.values()
            report = export_network(trained[0], request.output, origin=part.origin, **options)
    except ExportError as error:
        logging.error("nothing was written to %s: %s", request.output, error)
        return 1
    _say(report, request.output)
    return None


def _say(report: dict[str, Any], output: Path) -> None:
    logging.info("wrote %s (%d bytes)", output / "model.tflite", report["size_bytes"])
    if "sizes" in report:
        logging.info("the largest size alone would be %d bytes", report["largest_alone_bytes"])
    for decoder, part in report.get("sizes", {"": report}).items():
        say_parity(part, of=decoder)


if __name__ == "__main__":
    program.run(main)
