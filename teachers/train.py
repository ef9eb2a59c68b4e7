r"""Fine-tunes a teacher on a labelled set: DeepLab on classes, PSMNet on disparities.

Full example, PSMNet on KITTI 2015, from the authors' checkpoint of the synthetic scenes:

    python -m teachers.psmnet.convert --checkpoint pretrained_sceneflow.tar --align_corners \
        --output psmnet_sceneflow.npz
    python -m teachers.train psmnet --root KITTI2015 --weights psmnet_sceneflow.npz \
        --override align_corners=true --workdir runs/psmnet
    python -m data_prep.generate_teachers --depth_teacher psmnet \
        --psmnet_weights runs/psmnet/best.npz ...

The same command again goes on where a stopped run left off. The set is told by its folders
(Cityscapes, KITTI 2015, the demo world; see `teachers/training/labelled_sets.py`). A recipe says
how, `teachers/training/recipes.py` has them; change single numbers with --override:

    python -m teachers.train deeplab_v3 --root demo/world --workdir runs/deeplab \
        --override num_epochs=20 --override 'crop_px=[128,256]'
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags, logging

from mtdepth import program
from mtdepth.recipes.base import overridden
from mtdepth.workdir import Workdir
from teachers.training.labelled_sets import (
    SET_NAMES,
    Files,
    LabelledSet,
    SetName,
    detect_set,
    open_classes,
    open_pairs,
)
from teachers.training.recipes import (
    RECIPES,
    TEACHER_NAMES,
    AnyRecipe,
    DeepLabRecipe,
    PsmnetRecipe,
    TeacherRecipe,
    find_recipe,
)

if TYPE_CHECKING:
    from mtdepth.training.loop import TrainingLoop
    from teachers.training.run import TeacherTask

FLAGS = flags.FLAGS
flags.DEFINE_string("root", None, "Folder of the labelled set.", required=True)
flags.DEFINE_enum("set", None, list(SET_NAMES), "Which set it is. Default: told by its folders.")
flags.DEFINE_string("workdir", None, "Folder of this run.", required=True)
flags.DEFINE_string(
    "recipe",
    None,
    f"One of {', '.join(sorted(RECIPES))}. Default: the one for the teacher and set.",
)
flags.DEFINE_string(
    "weights",
    None,
    "Weights of the whole network to start from: DeepLab's .keras of this program, PSMNet's .npz "
    "of this program or of teachers.psmnet.convert. Same as --override start_from=...",
)
flags.DEFINE_string(
    "backbone_weights",
    None,
    "DeepLab only: weights of the backbone alone, such as ImageNet's. Same as "
    "--override backbone_weights=...",
)
flags.DEFINE_multi_string("override", [], "A recipe field to change, key=value; repeatable.")
flags.DEFINE_integer("seed", None, "Same as --override seed=N.")
flags.DEFINE_float("cache_gb", 2.0, "Memory for decoded training frames.")
flags.DEFINE_float("checkpoint_s", 120.0, "Seconds of work that a kill may cost at the most.")


def resolve_recipe(default: str, kind: type[AnyRecipe]) -> AnyRecipe:
    """Returns the recipe that the flags ask for."""
    overrides = list(FLAGS.override)
    for field, flag in (
        ("start_from", "weights"),
        ("backbone_weights", "backbone_weights"),
        ("seed", "seed"),
    ):
        if FLAGS[flag].value is not None:
            overrides.append(f"{field}={FLAGS[flag].value}")
    return overridden(find_recipe(FLAGS.recipe or default, kind), overrides)


def train_deeplab(name: SetName, root: Path) -> "TrainingLoop":
    """A training of the segmentation teacher."""
    recipe = resolve_recipe(
        "deeplab_demo" if name == "demo_world" else "deeplab_cityscapes", DeepLabRecipe
    )
    labels = open_classes(name, root)
    # TensorFlow takes seconds to load, which a wrong flag should not cost.
    from teachers.training.class_task import ClassTask

    return begin(recipe, labels, lambda: ClassTask(recipe, cache_bytes=int(FLAGS.cache_gb * 1e9)))


def train_psmnet(name: SetName, root: Path) -> "TrainingLoop":
    """A training of the stereo teacher."""
    recipe = resolve_recipe(
        "psmnet_demo" if name == "demo_world" else "psmnet_kitti2015", PsmnetRecipe
    )
    labels = open_pairs(name, root)
    from teachers.training.pair_task import PairTask

    return begin(recipe, labels, lambda: PairTask(recipe, cache_bytes=int(FLAGS.cache_gb * 1e9)))


def begin(
    recipe: TeacherRecipe,
    labels: LabelledSet[Files],
    open_task: Callable[[], "TeacherTask[Files]"],
) -> "TrainingLoop":
    """Begins a run in the workdir, or goes on with the one that is there."""
    from mtdepth.training.loop import RunOptions
    from teachers.training.run import teacher_run

    workdir = Workdir(Path(FLAGS.workdir))
    logging.info(
        "%s in %s: %d frames to learn from, %d held out; recipe %s, workdir %s",
        labels.name,
        labels.root,
        len(labels.train),
        len(labels.val),
        recipe.name,
        workdir.path,
    )
    options = RunOptions(checkpoint_seconds=FLAGS.checkpoint_s)
    return teacher_run(workdir, recipe, labels, open_task, options=options)


def main(teacher: str) -> int | None:
    """Trains."""
    root = Path(FLAGS.root)
    train = train_deeplab if teacher == "deeplab_v3" else train_psmnet
    run = train(FLAGS.set or detect_set(root), root)
    from mtdepth.training.loop import run_as_program

    return run_as_program(run)


if __name__ == "__main__":
    program.run(main, choices=TEACHER_NAMES)
