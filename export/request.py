"""What every exporter is asked for: run, decoder, size, checkpoint, pictures, and where to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absl import flags, logging

from export.frames import NUM_CALIBRATION, Pictures, open_pictures
from mtdepth import defaults
from mtdepth.contract import DECODERS, DECODERS_HELP
from mtdepth.pretrained.names import PRETRAINED_ROOT, run_folder
from mtdepth.workdir import Checkpoint, Workdir

ALL = "all"


@dataclass(frozen=True)
class ExportRequest:
    """A request whose words were understood: decoders, the largest first, at (height, width)."""

    workdir: Workdir
    decoders: tuple[str, ...]
    size: tuple[int, int]
    output: Path
    pictures: Pictures
    checkpoint: Checkpoint
    class_output: Any

    def export(
        self,
        write: Callable[..., dict[str, Any]],
        file_name: str,
        *,
        num_calibration: int | None = None,
    ) -> dict[str, Any]:
        """Exports, says what became of it, and returns the content of `parity.json`.

        `write` is a target's: it takes parts and folder, `class_output`, `parity_images` and, where
        a number of them is given, `calibration`, and writes the file of that name. The ExportError
        says that nothing was written.
        """
        # TensorFlow takes seconds to load, which a wrong flag should not cost.
        from export.artefact import Part
        from export.graph import ExportError
        from export.origin import origin_of
        from export.parity import Parity, in_words
        from mtdepth.trained import load_trained

        parts = {}
        for decoder in self.decoders:
            trained = load_trained(
                self.workdir, size=decoder, checkpoint=self.checkpoint, input_size=self.size
            )
            parts[decoder] = Part(trained, origin_of(trained))
        fit = self.workdir.recipe().fit
        calibration, shown = (
            self.pictures.fitted(names, size=self.size, fit=fit)
            for names in self.pictures.chosen(num_calibration=num_calibration or 0)
        )
        given = {} if num_calibration is None else {"calibration": calibration}
        try:
            report = write(
                parts, self.output, class_output=self.class_output, parity_images=shown, **given
            )
        except ExportError as error:
            raise ExportError(f"nothing was written to {self.output}: {error}") from error
        logging.info("wrote %s (%d bytes)", self.output / file_name, report["size_bytes"])
        for decoder, part in report.get("sizes", {"": report}).items():
            said = in_words(Parity(**part["measured"]), part["precision"])
            logging.info(
                "%son %d pictures %s", decoder and f"{decoder}: ", part["num_frames"], said
            )
        return report


def define_run_flags(
    *, default_output: str, has_all: bool = False, calibrates: bool = True, ids_are_found: str
) -> None:
    """Defines the flags of whatever begins with a run and ends with a file.

    With `has_all` several decoder sizes go into one file; what `calibrates` can be of integers.
    """
    sizes = [size for sizes in DECODERS.values() for size in sizes]
    flags.DEFINE_string(
        "workdir", None, "Run to begin with, or pretrained:NAME. Default: demo/run, or the paper's."
    )
    flags.DEFINE_enum(
        "decoder",
        None,
        [*sizes, ALL] if has_all else sizes,
        f"Size to detach: {DECODERS_HELP}"
        + ("; all: every one in one file" if has_all else "")
        + ". Default: as trained.",
    )
    flags.DEFINE_string(
        "output", None, f"Folder to write to. Default: beside the workdir, {default_output}."
    )
    flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Weights of the workdir.")
    if calibrates:
        flags.DEFINE_integer(
            "num_calibration",
            NUM_CALIBRATION,
            "Pictures that int8 takes its ranges from.",
            lower_bound=1,
        )
    flags.DEFINE_enum(
        "class_output",
        "scores",
        ["scores", "ids"],
        f"A score for each class, or the index of the largest, found {ids_are_found}.",
    )


def define_flags(**of_run: Any) -> None:
    """Defines the flags that every exporter has; see `define_run_flags`."""
    define_run_flags(**of_run)
    flags.DEFINE_integer("height", None, "Input height. Default: as trained.")
    flags.DEFINE_integer("width", None, "Input width. Default: as trained.")
    flags.DEFINE_string(
        "labels",
        None,
        "Label store whose pictures calibrate and check. Default: the workdir's own.",
    )
    flags.DEFINE_string(
        "pictures", None, "Folder of pictures for the same, in place of a label store."
    )


def asked_workdir() -> Workdir:
    """The run of `--workdir`."""
    given = flags.FLAGS.workdir or defaults.default_workdir(defaults.default_kitti_root())
    return Workdir(run_folder(given))


def folder_beside(workdir: Workdir) -> Path:
    """Where what is made of a run goes unasked; the package's own runs are nobody's to write to."""
    is_ours = workdir.path.parent == PRETRAINED_ROOT
    return defaults.RUNS / workdir.path.name if is_ours else workdir.path.parent


def asked_for(default_name: str) -> ExportRequest:
    """Understands the parsed flags, and says what will be done.

    In the name of the folder beside the workdir `{decoder}` stands for the decoder's size.
    """
    values = flags.FLAGS
    workdir = asked_workdir()
    height_px, width_px = workdir.recipe().input_size_px
    decoders: Sequence[str] = workdir.decoders()
    if values.decoder != ALL:
        decoders = [workdir.checked_size(values.decoder)]
    decoder = ALL if values.decoder == ALL else decoders[0]
    beside = folder_beside(workdir) / default_name.format(decoder=decoder)
    request = ExportRequest(
        workdir=workdir,
        decoders=tuple(decoders),
        size=(values.height or height_px, values.width or width_px),
        output=Path(values.output) if values.output else beside,
        pictures=open_pictures(workdir, labels=values.labels, folder=values.pictures),
        checkpoint=values.checkpoint,
        class_output=values.class_output,
    )
    logging.info("decoder %s of %s (%s)", decoder, workdir.path, request.checkpoint)
    logging.info("input %dx%d (height x width)", *request.size)
    pictures = request.pictures
    logging.info("%d pictures of %s, to %s", len(pictures.names), pictures.root, request.output)
    return request
