r"""Fits the table that corrects a teacher's depth by LiDAR, and shows what it is worth.

Full example, the table of PSMNet disparities and the error on drives that were left out:

    python -m data_prep.fit_bias_table --kitti_root KITTI --split eigen_train \
        --depth_teacher precomputed --disparity_dir DISPARITIES --output runs/bias

A label store that was written with --bias none can be measured instead: --labels STORE. Fit on
the training split only; `generate_teachers --bias runs/bias/bias_table.json` then corrects
other frames' labels by it.
"""

import os
from pathlib import Path
from typing import get_args

from absl import flags, logging

from data_prep.bias_evidence import check_no_test_drive, collect_evidence, frames_with_lidar
from data_prep.bias_report import choices_table, fit_and_report
from data_prep.label_job import LabelJob
from data_prep.teacher_choice import TeacherChoice, choose_teachers, define_depth_teacher_flags
from mtdepth import defaults, program
from mtdepth.geometry.bias_table import Index, Statistic
from mtdepth.kitti.frames import FrameId, KittiRaw
from mtdepth.kitti.label_store import LabelStore
from mtdepth.kitti.splits import resolve_split

FLAGS = flags.FLAGS
flags.DEFINE_string("kitti_root", None, "KITTI raw tree. Default: $MTDEPTH_KITTI_ROOT or the demo.")
flags.DEFINE_string("split", None, "Name or list file. Default: the tree's training side.")
flags.DEFINE_string("labels", None, "Label store whose depth is measured instead of a teacher's.")
define_depth_teacher_flags()
flags.DEFINE_enum("bias_statistic", "median", list(get_args(Statistic)), "Middle of each bin.")
flags.DEFINE_enum("bias_index", "predicted", list(get_args(Index)), "Distance that fills bins.")
flags.DEFINE_integer("bias_frames", 200, "At most so many frames, evenly spread.", lower_bound=1)
flags.DEFINE_integer("num_processes", None, "Workers. Default: one a processor.", lower_bound=1)
flags.DEFINE_string("output", "runs/bias", "Folder for bias_table.json and the figure.")


def main() -> None:
    """Collects, fits, reports."""
    kitti_root, frames, teachers = _from_store() if FLAGS.labels else _from_teacher()
    check_no_test_drive(
        kitti_root, frames, remedy="give --split eigen_train, or a list or store without them"
    )
    frames = frames_with_lidar(KittiRaw(kitti_root), frames, at_most=FLAGS.bias_frames)
    if not frames:
        raise ValueError(f"no frame of the split has LiDAR below {kitti_root}")
    evidence = collect_evidence(
        frames,
        LabelJob(kitti_root=kitti_root, teachers=teachers),
        num_processes=FLAGS.num_processes or os.cpu_count() or 1,
    )
    logging.info("%s", choices_table(evidence))
    fit_and_report(
        evidence,
        Path(FLAGS.output),
        statistic=FLAGS.bias_statistic,
        index=FLAGS.bias_index,
    )


def _from_teacher() -> tuple[Path, list[FrameId], TeacherChoice]:
    kitti_root = Path(FLAGS.kitti_root or defaults.default_kitti_root())
    split = FLAGS.split or defaults.default_split(kitti_root)
    teachers = choose_teachers(
        kitti_root=kitti_root,
        depth_teacher=FLAGS.depth_teacher,
        disparity_dir=FLAGS.disparity_dir,
        depth_dir=FLAGS.depth_dir,
    )
    logging.info("tree %s, split %s, teacher %s", kitti_root, split, teachers.depth_teacher)
    return kitti_root, resolve_split(KittiRaw(kitti_root), split), teachers


def _from_store() -> tuple[Path, list[FrameId], TeacherChoice]:
    if FLAGS.depth_teacher or FLAGS.disparity_dir or FLAGS.depth_dir or FLAGS.split:
        raise ValueError("--labels takes the place of --split and the teacher flags")
    store = LabelStore.open(FLAGS.labels, kitti_root=FLAGS.kitti_root)
    if store.manifest.bias != "none":
        raise ValueError(
            f"{store.root}: its depth is corrected already ({store.manifest.bias}); a table is "
            "fitted on uncorrected depth: write a store with --bias none, or give the teacher"
        )
    teachers = TeacherChoice(depth_teacher="precomputed", depth_dir=store.root / "depth")
    return store.kitti_root, store.frames, teachers


if __name__ == "__main__":
    program.run(main)
