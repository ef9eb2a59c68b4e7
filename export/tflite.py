r"""Exports a trained network as a TFLite file with its contract.

Full example, the small decoder of a run as integers, calibrated on the run's own labels:

    python -m export.tflite --workdir runs/multitask_kitti --decoder S --precision int8 \
        --height 320 --width 480 --output runs/export_s_int8

The folder then holds `model.tflite`, `model.json` (the contract that every runtime needs) and
`parity.json` (how far the file is from the Keras network on real frames). Where it is too far,
nothing is written and the status is 1. Run it by `python -m export.device`, score it by
`python -m mtdepth.evaluate --model runs/export_s_int8/model.tflite`.
"""

from pathlib import Path

from absl import flags, logging

from mtdepth import defaults, program
from mtdepth.kitti.label_store import LabelStore
from mtdepth.models.specs import NUM_BLOCKS, DecoderSize, checked_num_blocks
from mtdepth.workdir import Workdir

_WORKDIR = flags.DEFINE_string("workdir", None, "Run to export. Default: demo/run, or the paper's.")
_DECODER = flags.DEFINE_enum(
    "decoder", None, list(NUM_BLOCKS), "Size to detach. Default: as trained."
)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "float16", "int8"], "Arithmetic of the file."
)
_HEIGHT = flags.DEFINE_integer("height", None, "Input height. Default: as trained.")
_WIDTH = flags.DEFINE_integer("width", None, "Input width. Default: as trained.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder to write to. Default: beside the workdir, export_<decoder>_<precision>."
)
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Weights of the workdir.")
_LABELS = flags.DEFINE_string(
    "labels", None, "Label store whose pictures calibrate and check. Default: the workdir's own."
)
_NUM_CALIBRATION = flags.DEFINE_integer(
    "num_calibration", 64, "Pictures that int8 takes its ranges from.", lower_bound=1
)
_CLASS_OUTPUT = flags.DEFINE_enum(
    "class_output",
    "scores",
    ["scores", "ids"],
    "A score for each class, or the index of the largest, found in the graph.",
)


def main() -> int | None:
    """Exports."""
    workdir = Workdir(
        Path(_WORKDIR.value or defaults.default_workdir(defaults.default_kitti_root()))
    )
    recipe = workdir.recipe()
    decoder: DecoderSize = _DECODER.value or recipe.decoder
    checked_num_blocks(recipe.spec, decoder)
    height_px, width_px = recipe.input_size_px
    size = (_HEIGHT.value or height_px, _WIDTH.value or width_px)
    name = f"export_{decoder}_{_PRECISION.value}"
    output = Path(_OUTPUT.value) if _OUTPUT.value else workdir.path.parent / name
    store = LabelStore.open(Path(_LABELS.value or workdir.run()["labels"]))
    logging.info("decoder %s of %s (%s)", decoder, workdir.path, _CHECKPOINT.value)
    logging.info("%s, input %dx%d (height x width)", _PRECISION.value, *size)
    logging.info("pictures of %s, to %s", store.root, output)
    return _export(workdir, store, output, decoder=decoder, size=size)


def _export(
    workdir: Workdir,
    store: LabelStore,
    output: Path,
    *,
    decoder: DecoderSize,
    size: tuple[int, int],
) -> int | None:
    # TensorFlow takes seconds to load, which a wrong flag should not cost.
    from export.artefact import export_network
    from export.convert import ExportError
    from export.frames import choose_frames, fitted_images
    from export.origin import origin_of
    from mtdepth.models.student import detach
    from mtdepth.training.restore import load_training_graph

    recipe = workdir.recipe()
    graph = load_training_graph(workdir, _CHECKPOINT.value, input_size=size)
    num_calibration = _NUM_CALIBRATION.value if _PRECISION.value == "int8" else 0
    calibration, shown = choose_frames(store.frames, num_calibration=num_calibration)
    try:
        report = export_network(
            detach(graph, recipe.spec, decoder=decoder),
            output,
            origin=origin_of(workdir, decoder=decoder, checkpoint=_CHECKPOINT.value, size=size),
            precision=_PRECISION.value,
            class_output=_CLASS_OUTPUT.value,
            calibration=fitted_images(store, calibration, size=size, fit=recipe.fit),
            parity_images=fitted_images(store, shown, size=size, fit=recipe.fit),
        )
    except ExportError as error:
        logging.error("nothing was written to %s: %s", output, error)
        return 1
    measured = report["measured"]
    logging.info("wrote %s (%d bytes)", output / "model.tflite", report["size_bytes"])
    logging.info(
        "depth differs from Keras by %.2g %% (median of %d pictures), %.2g %% (99 %% of pixels)",
        100 * measured["median_relative"],
        report["num_frames"],
        100 * measured["p99_relative"],
    )
    return None


if __name__ == "__main__":
    program.run(main)
