r"""Trains a student on a label store, or MiniNet on video without labels.

Full example, the paper's training on KITTI, with labels of some training drives that were held out
(two list files made by hand) to choose the best weights:

    python -m mtdepth.train --decoder L --recipe multitask_kitti \
        --data runs/labels_train --val_data runs/labels_held_out --workdir runs/paper

Without arguments it trains on the demo data (after `make demo`), or on `$MTDEPTH_KITTI_ROOT`. The
same command again goes on where a stopped run left off. A recipe says how; see
`mtdepth/recipes/`, and change single numbers with --override:

    python -m mtdepth.train --recipe small_data --data LABELS --workdir runs/robot \
        --override near_m=1.0 --override augmentation.max_zoom=1.3 \
        --override student.tasks=[depth]

MiniNet learns depth from monocular video alone. A --video is what lies there: KITTI raw recordings
or one drive of them, KITTI's odometry or one sequence, a folder of frames (each folder in it is a
shot of its own), or a film. KITTI brings its camera; the other two need a file of six numbers:

    echo '{"width_px": 1280, "height_px": 720, "fx_px": 910.0, "fy_px": 910.0,
           "cx_px": 639.5, "cy_px": 359.5}' > camera.json
    python -m mtdepth.train --model mininet --variant small --recipe mininet_small_data \
        --video walk.mp4 --video frames/ --intrinsics camera.json --workdir runs/walk

    python -m mtdepth.train --model mininet --recipe mininet_kitti --video KITTI \
        --video_split eigen_train --val_video KITTI --val_split zhou_val.txt --workdir runs/mininet

Before the first step, look at WORKDIR/preview.png: what is learned from and how it moves;
--preview_only makes it and stops. Watch either training with `tensorboard --logdir WORKDIR/logs`.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from absl import flags, logging

from mtdepth import defaults, program
from mtdepth.data.video_preview import write_preview
from mtdepth.data.video_request import VideoRequest
from mtdepth.data.video_samples import write_samples
from mtdepth.datasets.eigen import EIGEN_TEST_DRIVES
from mtdepth.datasets.label_store import LabelStore
from mtdepth.files import UserError
from mtdepth.recipes.base import Recipe, TrainRecipe, overridden
from mtdepth.recipes.registry import (
    RECIPES,
    VIDEO_RECIPES,
    find_recipe,
    find_video_recipe,
    with_design,
)
from mtdepth.specs.mininet import OutputSize, Variant
from mtdepth.specs.student import DESIGNS, NUM_BLOCKS
from mtdepth.training.process import warn_of_little_memory
from mtdepth.workdir import Workdir

if TYPE_CHECKING:
    from mtdepth.training.loop import TrainingLoop

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "model",
    "student",
    ["student", "mininet"],
    "student: depth and classes from labels (--data). mininet: depth from video (--video).",
)
flags.DEFINE_string(
    "workdir",
    None,
    "Folder of this run. Default: demo/run, or runs/multitask_kitti; of mininet demo/run_mininet, "
    "or runs/mininet_kitti.",
)
flags.DEFINE_string(
    "recipe",
    None,
    f"Student: one of {', '.join(sorted(RECIPES))}; mininet: {', '.join(sorted(VIDEO_RECIPES))}. "
    "Default: a short one on demo data, the paper's on KITTI.",
)
flags.DEFINE_multi_string("override", [], "A recipe field to change, key=value; repeatable.")
flags.DEFINE_integer("seed", None, "Same as --override seed=N.")
flags.DEFINE_float("cache_gb", 2.0, "Memory for decoded training frames.")
flags.DEFINE_float("checkpoint_s", 120.0, "Seconds of work that a kill may cost at the most.")

flags.DEFINE_enum(
    "decoder",
    "L",
    list(NUM_BLOCKS),
    "Student: decoder size to train; from an L the smaller ones can be detached later without "
    "training.",
)
flags.DEFINE_string(
    "data",
    None,
    "Student: label store to train on. Default: the demo's, or "
    "runs/labels_eigen_train where $MTDEPTH_KITTI_ROOT is set.",
)
flags.DEFINE_string(
    "val_data",
    None,
    "Student: label store of other drives; its Abs Rel chooses the best "
    "weights. Without one the training loss does.",
)
flags.DEFINE_enum(
    "design",
    None,
    list(DESIGNS),
    "Student: the paper's decoder; one with narrower expansions; one that takes half the time on a "
    "small machine; or one with hard swish (README, 'Where the time goes'). Default: the recipe's.",
)
flags.DEFINE_string(
    "encoder_weights",
    None,
    "Student: imagenet (downloaded), none, or a weight file of "
    "MobileNetV2-0.35. Same as --override encoder_weights=...",
)
flags.DEFINE_string(
    "start_from",
    None,
    "Workdir of another run of the same network to go on from, `pretrained` for the one that comes "
    "with mtdepth (of mininet: `pretrained:mininet`), or none. A student's may be a weight file, "
    "too; its depth is carried over to this run's camera and limits. Default: the recipe's.",
)

flags.DEFINE_enum(
    "variant",
    None,
    list(get_args(Variant)),
    "Mininet: size of the network. Same as --override mininet.variant=...; default: the recipe's.",
)
flags.DEFINE_enum(
    "output",
    None,
    list(get_args(OutputSize)),
    "Mininet: the output (full, half, quarter, eighth of the size) that chooses the best weights; "
    "all four are trained, and any can be exported. Same as --override output=...",
)
flags.DEFINE_multi_string(
    "video",
    [],
    "Mininet: KITTI raw recordings, another rig's or one drive of either; KITTI's odometry or one "
    "sequence; a folder of frames; a film. Repeatable. Default: the demo's streets and clip, or "
    "$MTDEPTH_KITTI_ROOT.",
)
flags.DEFINE_multi_string(
    "video_split",
    [],
    "Mininet: the frames of recordings and odometry that are learned from: eigen_train, all, a "
    "list file (`2011_09_26/2011_09_26_drive_0001_sync 5 l`, one frame a line); train and val of "
    "another rig; of odometry train (00-08), test, numbers (00,02), a list file (`2 5 l`). Once "
    "for all, or once for each --video that has splits, in their order.",
)
flags.DEFINE_multi_string(
    "val_video",
    [],
    "Mininet: video of other drives; its loss chooses the best weights. Default: the demo's held-"
    "out streets where those are learned from; else none, and the training loss chooses.",
)
flags.DEFINE_multi_string("val_split", [], "Mininet: as --video_split, of --val_video.")
flags.DEFINE_string(
    "intrinsics",
    None,
    "Mininet: JSON file of the camera of folders of frames and films, in pixels at any size of "
    "their aspect ratio. Default: intrinsics.json in the folder, or beside the film.",
)
flags.DEFINE_integer(
    "frame_step",
    1,
    "Mininet: frames between those of a triplet; raise it where the camera moves slowly.",
    lower_bound=1,
)
flags.DEFINE_string(
    "video_cache",
    None,
    "Mininet: folder for decoded films and measured motion. Default: runs/video_cache, of the "
    "demo's own videos demo/video_cache.",
)

flags.DEFINE_bool(
    "preview_only", False, "Mininet: draws what would be learned from, and trains nothing."
)

_ONLY_STUDENT = ("decoder", "design", "data", "val_data", "encoder_weights")
_ONLY_MININET = (
    *("variant", "output", "video", "video_split", "val_video", "val_split"),
    *("intrinsics", "frame_step", "video_cache", "preview_only"),
)


def check_flags() -> None:
    """Refuses flags and recipes that say nothing of the chosen model.

    Raises:
      UserError: Naming them.
    """
    is_student = FLAGS.model == "student"
    other = "mininet" if is_student else "student"
    names = _ONLY_MININET if is_student else _ONLY_STUDENT
    if wrong := [f"--{name}" for name in names if FLAGS[name].present]:
        raise UserError(
            f"{', '.join(wrong)}: no meaning for --model {FLAGS.model}, only for --model {other}"
        )
    if FLAGS.recipe in (VIDEO_RECIPES if is_student else RECIPES):
        raise UserError(f"recipe {FLAGS.recipe} is for --model {other}, not {FLAGS.model}")


def resolve(recipe: Recipe, same_as: Sequence[tuple[str, str | int | None]]) -> Recipe:
    """Returns a recipe with the --override of the command line and of its shorter spellings.

    Args:
      recipe: To start from.
      same_as: Fields and the values that flags give them; None leaves the field alone.
    """
    short = [f"{field}={value}" for field, value in same_as if value is not None]
    return overridden(recipe, [*FLAGS.override, *short])


def resolve_recipe(name: str) -> TrainRecipe:
    """Returns the student's recipe that the flags ask for."""
    recipe = with_design(find_recipe(name), FLAGS.design)
    recipe = dataclasses.replace(recipe, decoder=FLAGS.decoder)
    names = ("encoder_weights", "seed")
    return resolve(
        recipe, [("start_from", chosen_start()), *((name, FLAGS[name].value) for name in names)]
    )


def chosen_start() -> str | None:
    """`--start_from` as a recipe holds it: None where it is not given, empty for nothing."""
    if FLAGS.start_from is None and FLAGS.encoder_weights:
        return ""  # a recipe's own start gives the encoder its weights, too
    return "" if FLAGS.start_from == "none" else FLAGS.start_from


def open_stores(kitti_root: Path) -> tuple[LabelStore, LabelStore | None]:
    """Opens the training labels and the held-out ones, and warns where they are not apart."""
    store = LabelStore.open(FLAGS.data or defaults.default_labels(kitti_root))
    val_store = LabelStore.open(FLAGS.val_data) if FLAGS.val_data else None
    drives = {frame.drive for frame in store.frames}
    val_drives = {frame.drive for frame in val_store.frames} if val_store else set()
    if shared := sorted(drives & val_drives):
        logging.warning("%s: in --data and in --val_data, so nothing is held out", shared)
    if tested := sorted((drives | val_drives) & EIGEN_TEST_DRIVES):
        logging.warning("%s: Eigen test drives, so a score on eigen_test is no test", tested)
    for each in (store, val_store):
        if each and (why := each.depth_problem()):
            logging.warning("%s", why)
    return store, val_store


def choose_recipe(store: LabelStore) -> TrainRecipe:
    """Returns the recipe that the flags ask for, or the one that suits the labels."""
    if FLAGS.recipe:
        return resolve_recipe(FLAGS.recipe)
    recipe = resolve_recipe(defaults.default_recipe(store.kitti_root))
    if store.has_train_ids or "segmentation" not in recipe.tasks:
        return recipe
    logging.info("%s has no train ids: training depth alone", store.root)
    return overridden(recipe, ["student.tasks=[depth]"])


def train_student(kitti_root: Path) -> "TrainingLoop":
    """Prepares the training of a student."""
    store, val_store = open_stores(kitti_root)
    recipe = choose_recipe(store)
    workdir = Workdir(Path(FLAGS.workdir or defaults.default_workdir(store.kitti_root)))
    logging.info(
        "labels %s (%d frames), held out %s, recipe %s, decoder %s, workdir %s",
        store.root,
        len(store.frames),
        val_store.root if val_store else "none",
        recipe.name,
        recipe.decoder,
        workdir.path,
    )
    # TensorFlow takes seconds to load, which a wrong flag should not cost.
    from mtdepth.training.loop import RunOptions
    from mtdepth.training.student_run import student_run

    options = RunOptions(
        cache_bytes=int(FLAGS.cache_gb * 1e9), checkpoint_seconds=FLAGS.checkpoint_s
    )
    return student_run(workdir, recipe, store, val_store=val_store, options=options)


def train_mininet(kitti_root: Path) -> "TrainingLoop | None":
    """Draws what MiniNet learns from, and prepares its training unless that is all."""
    recipe = resolve(
        find_video_recipe(FLAGS.recipe or defaults.default_video_recipe(kitti_root)),
        [
            ("mininet.variant", FLAGS.variant),
            ("output", FLAGS.output),
            ("start_from", chosen_start()),
            ("seed", FLAGS.seed),
        ],
    )
    workdir = Workdir(
        Path(FLAGS.workdir or defaults.default_video_workdir(kitti_root, FLAGS.video))
    )
    request = VideoRequest(
        videos=FLAGS.video,
        splits=FLAGS.video_split,
        val_videos=FLAGS.val_video,
        val_splits=FLAGS.val_split,
        intrinsics=Path(FLAGS.intrinsics) if FLAGS.intrinsics else None,
        frame_step=FLAGS.frame_step,
        cache_dir=Path(FLAGS.video_cache or defaults.default_video_cache(kitti_root, FLAGS.video)),
    )
    triplets, val_triplets = request.or_defaults(kitti_root).choose(recipe)
    logging.info(
        "%d triplets, held out %d, recipe %s, MiniNet %s, workdir %s",
        len(triplets.triplets),
        len(val_triplets.triplets) if val_triplets else 0,
        recipe.name,
        recipe.mininet.variant,
        workdir.path,
    )
    preview = workdir.path / "preview.png"
    if FLAGS.preview_only:
        write_preview(preview, triplets, fit=recipe.fit)
        logging.info("look at %s: what would be learned from; nothing was trained", preview)
        return None
    # A back end takes seconds to load, which a wrong flag should not cost.
    from mtdepth.training.loop import RunOptions
    from mtdepth.training.video_run import video_run

    options = RunOptions(
        cache_bytes=int(FLAGS.cache_gb * 1e9), checkpoint_seconds=FLAGS.checkpoint_s
    )
    run = video_run(workdir, recipe, triplets, val_triplets=val_triplets, options=options)
    # Not before the run has found that the workdir is its own.
    write_preview(preview, triplets, fit=recipe.fit)
    write_samples(workdir.samples_path, triplets, fit=recipe.fit)
    logging.info("look at %s: what is learned from", preview)
    return run


def main() -> int | None:
    """Trains."""
    check_flags()
    warn_of_little_memory()
    kitti_root = defaults.default_kitti_root()
    run = train_student(kitti_root) if FLAGS.model == "student" else train_mininet(kitti_root)
    if run is None:
        return None
    from mtdepth.training.loop import run_as_program

    return run_as_program(run)


if __name__ == "__main__":
    program.run(main)
