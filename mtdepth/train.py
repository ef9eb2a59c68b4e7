r"""Trains a student on a label store.

Full example, the paper's training on KITTI, with labels of some training drives that were held out
(two list files made by hand) to choose the best weights:

    python -m mtdepth.train --decoder L --recipe multitask_kitti \
        --data runs/labels_train --val_data runs/labels_held_out --workdir runs/paper

Without arguments it trains on the demo data (after `make demo`), or on `$MTDEPTH_KITTI_ROOT`. The
same command again goes on where a stopped run left off. A recipe says how; see
`mtdepth/recipes/`, and change single numbers with --override:

    python -m mtdepth.train --recipe small_data --data LABELS --workdir runs/robot \
        --override near_m=1.0 --override augmentation.max_zoom=1.3 \
        --override 'student.tasks=["depth"]'

Watch it with `tensorboard --logdir WORKDIR/logs`.
"""

import dataclasses
from pathlib import Path

from absl import flags, logging

from mtdepth import defaults, program
from mtdepth.kitti.label_store import LabelStore
from mtdepth.kitti.splits import EIGEN_TEST_DRIVES
from mtdepth.models.specs import NUM_BLOCKS
from mtdepth.recipes.base import TrainRecipe, overridden
from mtdepth.recipes.registry import RECIPES, find_recipe
from mtdepth.workdir import Workdir

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "decoder",
    "L",
    list(NUM_BLOCKS),
    "Decoder size to train; from an L the smaller ones can be detached later without training.",
)
flags.DEFINE_string(
    "data",
    None,
    "Label store to train on. Default: the demo's, or "
    "runs/labels_eigen_train where $MTDEPTH_KITTI_ROOT is set.",
)
flags.DEFINE_string(
    "val_data",
    None,
    "Label store of other drives; its Abs Rel chooses the best "
    "weights. Without one the training loss does.",
)
flags.DEFINE_string(
    "workdir", None, "Folder of this run. Default: demo/run, or runs/multitask_kitti."
)
flags.DEFINE_string(
    "recipe",
    None,
    f"One of {', '.join(sorted(RECIPES))}. Default: demo on demo data, multitask_kitti on KITTI.",
)
flags.DEFINE_multi_string("override", [], "A recipe field to change, key=value; repeatable.")
flags.DEFINE_integer("seed", None, "Same as --override seed=N.")
flags.DEFINE_string(
    "encoder_weights",
    None,
    "imagenet (downloaded), none, or a weight file of "
    "MobileNetV2-0.35. Same as --override encoder_weights=...",
)
flags.DEFINE_string(
    "start_from",
    None,
    "Workdir (or weight file) of a trained student to go on from, say one of the demo world; "
    "its depth is carried over to this run's camera and limits. Same as --override start_from=...",
)
flags.DEFINE_float("cache_gb", 2.0, "Memory for decoded training frames.")
flags.DEFINE_float("checkpoint_s", 120.0, "Seconds of work that a kill may cost at the most.")


def resolve_recipe(name: str) -> TrainRecipe:
    """Returns the recipe that the flags ask for."""
    recipe = dataclasses.replace(find_recipe(name), decoder=FLAGS.decoder)
    overrides = list(FLAGS.override)
    for name in ("encoder_weights", "start_from"):
        if FLAGS[name].value is not None:
            overrides.append(f"{name}={FLAGS[name].value}")
    if FLAGS.seed is not None:
        overrides.append(f"seed={FLAGS.seed}")
    return overridden(recipe, overrides)


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
    return store, val_store


def choose_recipe(store: LabelStore) -> TrainRecipe:
    """Returns the recipe that the flags ask for, or the one that suits the labels."""
    if FLAGS.recipe:
        return resolve_recipe(FLAGS.recipe)
    recipe = resolve_recipe(defaults.default_recipe(store.kitti_root))
    if store.has_train_ids or "segmentation" not in recipe.tasks:
        return recipe
    logging.info("%s has no train ids: training depth alone", store.root)
    return overridden(recipe, ['student.tasks=["depth"]'])


def main() -> int | None:
    """Trains."""
    store, val_store = open_stores(defaults.default_kitti_root())
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
    from mtdepth.training.loop import run_as_program
    from mtdepth.training.run import RunOptions, TrainingRun

    options = RunOptions(
        cache_bytes=int(FLAGS.cache_gb * 1e9), checkpoint_seconds=FLAGS.checkpoint_s
    )
    run = TrainingRun(workdir, recipe, store, val_store=val_store, options=options)
    return run_as_program(run)


if __name__ == "__main__":
    program.run(main)
