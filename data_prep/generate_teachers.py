r"""Runs teachers over KITTI frames and writes a label store: what the student learns from.

Full example, PSMNet disparities and train ids as PNG folders, corrected by LiDAR:

    python -m data_prep.generate_teachers --kitti_root KITTI --split eigen_train \
        --depth_teacher precomputed --disparity_dir DISPARITIES \
        --seg_teacher precomputed --train_id_dir TRAIN_IDS --output runs/labels_eigen_train

Then frames that are only scored, corrected by the table of the training frames:

    python -m data_prep.generate_teachers --kitti_root KITTI --split eigen_test \
        --depth_teacher precomputed --disparity_dir DISPARITIES \
        --bias runs/labels_eigen_train/bias_table.json --output runs/labels_eigen_test

The networks themselves, on a machine with a GPU, or on all machines of a Ray cluster:

    python -m data_prep.generate_teachers --kitti_root KITTI --split eigen_train \
        --depth_teacher psmnet --psmnet_weights pretrained_sceneflow.tar --left_right_px 2 \
        --seg_teacher deeplab_v3 --deeplab_weights deeplab.tar.gz --flip --scales 0.75,1,1.25 \
        --batch_size 4 --engine ray --ray_address auto --output runs/labels_eigen_train

Without arguments it labels the demo data (after `make demo`) or $MTDEPTH_KITTI_ROOT by semi-global
matching, in one process a processor; a network has one process, since it uses them all. The same
line again goes on where a killed run stopped, and does only what is missing; the engine and how
many workers there are may change in between, and change no label. Frames that fail are listed in
the store with their reasons, and the exit status is then 1. With --bias fit the depth teacher runs
over up to --bias_frames frames with LiDAR before the labels are written; their depth is kept until
it is used, so nothing is computed twice. Depth that is certainly no metres (another unit, another
factor than matching finds in both views) ends with status 1 too; the labels stay. Several machines
share a job by --shard_index and --num_shards on a common --output; fit the table first (shard 0, or
`fit_bias_table`), or each of them fits the same one. A Ray cluster shares it by itself: every
machine needs this project at the same path and sees --kitti_root and --output at the same paths.
"""

from pathlib import Path
from typing import get_args

from absl import flags, logging

from data_prep.bias_table import Index, Statistic
from data_prep.contact_sheet import write_sheet_of_labels
from data_prep.generation import GenerationRequest, generate
from data_prep.jobs.pools import define_batch_flag, define_pool_flags, pool_from_flags
from data_prep.label_check import wrong_scale
from data_prep.teacher_choice import (
    define_depth_teacher_flags,
    define_seg_teacher_flags,
    teachers_from_flags,
)
from mtdepth import defaults, program
from mtdepth.datasets.label_store import FrameRecord, is_whole
from mtdepth.files import UserError

FLAGS = flags.FLAGS
flags.DEFINE_string("kitti_root", None, "Recordings. Default: $MTDEPTH_KITTI_ROOT or the demo.")
flags.DEFINE_string(
    "split",
    None,
    "eigen_train or eigen_test of KITTI, train or val of another rig, all, or a list file. "
    "Default: the tree's training side.",
)
define_depth_teacher_flags()
define_seg_teacher_flags()
define_pool_flags()
define_batch_flag()
flags.DEFINE_string("output", None, "The label store. Default: the place where `train` looks.")
flags.DEFINE_string(
    "bias",
    None,
    "none, fit (on LiDAR of this split), or a saved bias_table.json. Default: fit where there is "
    "LiDAR and the split is not Eigen's test side, else none.",
)
flags.DEFINE_enum("bias_statistic", "median", list(get_args(Statistic)), "Middle of each bin.")
flags.DEFINE_enum("bias_index", "predicted", list(get_args(Index)), "Distance that fills bins.")
flags.DEFINE_integer("bias_frames", 200, "A table is fitted on at most so many.", lower_bound=1)
flags.DEFINE_integer("shard_index", 0, "Which part of the split to label.", lower_bound=0)
flags.DEFINE_integer("num_shards", 1, "Parts that the split is divided into.", lower_bound=1)
flags.DEFINE_integer("limit", None, "Only the first so many frames.", lower_bound=1)
flags.DEFINE_bool(
    "overwrite",
    False,
    "Removes labels that were made with other settings. Those of these settings stay, and the job "
    "goes on: remove the folder to make them again.",
)

NUM_SHOWN_FAILURES = 10


def main() -> int:
    """Labels a split; 1 if a frame failed, or depth is certainly no metres."""
    kitti_root = Path(FLAGS.kitti_root or defaults.default_kitti_root())
    split = FLAGS.split or defaults.default_split(kitti_root)
    if FLAGS.split and not FLAGS.output:
        raise UserError("--output is needed with --split: where shall its labels go?")
    output = Path(FLAGS.output or defaults.default_labels(kitti_root))
    logging.info("tree %s, split %s, output %s", kitti_root, split, output)
    teachers = teachers_from_flags(kitti_root)
    request = GenerationRequest(
        kitti_root=kitti_root,
        split=split,
        teachers=teachers,
        output=output,
        bias=FLAGS.bias,
        bias_statistic=FLAGS.bias_statistic,
        bias_index=FLAGS.bias_index,
        bias_frames=FLAGS.bias_frames,
        pool=pool_from_flags(is_neural=teachers.is_neural),
        batch_size=FLAGS.batch_size,
        shard_index=FLAGS.shard_index,
        num_shards=FLAGS.num_shards,
        limit=FLAGS.limit,
        overwrite=FLAGS.overwrite,
    )
    records = generate(request)
    why = wrong_scale(request, records)
    is_complete = _summarise(records, output)
    if why:
        logging.error(
            "these labels are no metres, %s. They are kept; once that is mended, remove %s and "
            "give the same line again",
            why,
            output,
        )
    return 0 if is_complete and not why else 1


def _summarise(records: list[FrameRecord], output: Path) -> bool:
    failed = [record for record in records if record.status == "failed"]
    fractions = [r.labelled_fraction for r in records if r.labelled_fraction is not None]
    if fractions:
        percent = 100 * sum(fractions) / len(fractions)
        logging.info("%d frames labelled, depth on %.1f %% of pixels", len(fractions), percent)
    for record in failed[:NUM_SHOWN_FAILURES]:
        logging.error("frame %s: %s", record.frame, record.why)
    if failed:
        logging.error(
            "%d of %d frames failed; all reasons are in %s/frames*.jsonl. Mend them and give the "
            "same line again: only they are done again",
            len(failed),
            len(records),
            output,
        )
    # Of several shards the last one to end shows what all have made.
    is_shown = bool(fractions) and is_whole(output)
    sheet = f"; look at {write_sheet_of_labels(output)}" if is_shown else ""
    logging.info("wrote %s%s", output, sheet)
    return not failed


if __name__ == "__main__":
    program.run(main)
