"""The flags that `export.qat` and `export.prune` share."""

import dataclasses
from pathlib import Path
from typing import Any

from absl import flags, logging

from export.frames import Pictures, open_pictures
from export.request import asked_workdir, define_run_flags, folder_beside
from mtdepth.contract import DECODERS
from mtdepth.datasets.label_store import LabelStore
from mtdepth.files import UserError
from mtdepth.workdir import Workdir


def define_flags() -> None:
    """Defines them, for the program that is run."""
    define_run_flags(default_output="export_<decoder>_<treatment>", ids_are_found="in the graph")
    flags.DEFINE_string(
        "data", None, "Label store to learn from. Default: the workdir's own, where it has one."
    )
    flags.DEFINE_string(
        "pictures",
        None,
        "Folder of pictures to learn from in place of labels: the float network alone teaches.",
    )
    flags.DEFINE_string(
        "val_data",
        None,
        "Label store of other drives: its Abs Rel chooses the state that is kept, and refuses a "
        "result that is worse than --max_rise allows. Default: the last state, whatever it is.",
    )
    flags.DEFINE_integer("steps", 300, "Length of each fine-tuning.", lower_bound=1)
    flags.DEFINE_float(
        "learning_rate",
        1e-4,
        "Adam's at the start. A trained student stays nearer to its float self with 3e-5.",
        lower_bound=0.0,
    )
    flags.DEFINE_integer("batch_size", 8, "Pictures of a step.", lower_bound=1)
    flags.DEFINE_integer(
        "score_every", 50, "Steps from one score on --val_data to the next.", lower_bound=1
    )
    flags.DEFINE_enum(
        "teach",
        "float",
        ["float", "labels", "both"],
        "What is learned: the float network's answers, the labels, or the sum of both.",
    )
    flags.DEFINE_integer("seed", 0, "Of the order of the pictures and their variation.")
    flags.DEFINE_float(
        "max_rise",
        0.05,
        "Largest rise of the held-out Abs Rel over the float network's, as a share of it.",
        lower_bound=0.0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for, checked as far as it goes without TensorFlow.

    Attributes:
      workdir: Run to begin with.
      decoder: Size to detach.
      pictures: That calibrate, check and, without labels, teach.
      store: Labels to learn from; None where pictures alone are.
      val_store: Held-out labels, or None.
      label_weight, teacher_weight: Of the two losses.
    """

    workdir: Workdir
    decoder: str
    pictures: Pictures
    store: LabelStore | None
    val_store: LabelStore | None
    label_weight: float
    teacher_weight: float

    def __getattr__(self, name: str) -> Any:
        """Any other flag's value."""
        return getattr(flags.FLAGS, name)


def options() -> Options:
    """Reads the flags; UserError if they contradict each other."""
    values = flags.FLAGS
    workdir = asked_workdir()
    decoder = workdir.checked_size(values.decoder)
    # Refused here, not an epoch later.
    workdir.weights(values.checkpoint)
    pictures = open_pictures(workdir, labels=values.data, folder=values.pictures)
    labels = None if values.pictures else values.data or workdir.run().get("labels")
    is_student = decoder in DECODERS["student"]
    if values.teach != "float" and (labels is None or not is_student):
        raise UserError(
            f"--teach {values.teach} needs a student and its labels; a MiniNet, or pictures "
            "without labels, are taught by the float network"
        )
    return Options(
        workdir=workdir,
        decoder=decoder,
        pictures=pictures,
        store=LabelStore.open(Path(labels)) if labels and is_student else None,
        val_store=LabelStore.open(Path(values.val_data)) if values.val_data else None,
        label_weight=0.0 if values.teach == "float" else 1.0,
        teacher_weight=0.0 if values.teach == "labels" else 1.0,
    )


def output_folder(options: Options, *, treatment: str) -> Path:
    """Where the result goes: `--output`, or beside the workdir; says so, and what goes there."""
    name = f"export_{options.decoder}_{treatment}"
    output = (
        Path(flags.FLAGS.output) if flags.FLAGS.output else folder_beside(options.workdir) / name
    )
    logging.info("decoder %s of %s (%s)", options.decoder, options.workdir.path, options.checkpoint)
    logging.info(
        "%d pictures of %s, to %s", len(options.pictures.names), options.pictures.root, output
    )
    return output
