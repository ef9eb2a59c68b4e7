r"""Fits the table that corrects a teacher's depth by LiDAR, and shows what it is worth.

Full example, the table of PSMNet disparities and the error on drives that were left out:

    python -m data_prep.fit_bias_table --kitti_root KITTI --split eigen_train \
        --depth_teacher precomputed --disparity_dir DISPARITIES --output runs/bias

A label store that was written with --bias none can be measured instead: --labels STORE. Fit on
the training split only; `generate_teachers --bias runs/bias/bias_table.json` then corrects
other frames' labels by it.
"""

from pathlib import Path
from typing import get_args

from absl import flags, logging

from data_prep.audit.bias_evidence import check_no_test_drive, collect_evidence, frames_with_lidar
from data_prep.audit.bias_report import fit_and_report
from data_prep.audit.recommendation import score_choices
from data_prep.audit.report import as_text, choice_rows
from data_prep.bias_table import Index, Statistic
from data_prep.depth_source import define_source_flags, source_from_flags
from data_prep.jobs.labels import LabelJob
from data_prep.jobs.pools import define_batch_flag, define_pool_flags, pool_from_flags
from data_prep.teacher_choice import define_depth_teacher_flags
from mtdepth import program
from mtdepth.datasets.readers import open_recordings
from mtdepth.files import UserError

FLAGS = flags.FLAGS
define_source_flags()
define_depth_teacher_flags()
flags.DEFINE_enum("bias_statistic", "median", list(get_args(Statistic)), "Middle of each bin.")
flags.DEFINE_enum("bias_index", "predicted", list(get_args(Index)), "Distance that fills bins.")
flags.DEFINE_integer("bias_frames", 200, "At most so many frames, evenly spread.", lower_bound=1)
define_pool_flags()
define_batch_flag()
flags.DEFINE_string("output", "runs/bias", "Folder for bias_table.json and the figure.")


def main() -> None:
    """Collects, fits, reports."""
    source = source_from_flags()
    if source.bias != "none":
        raise UserError(
            f"{FLAGS.labels}: its depth is corrected already ({source.bias}); a table is "
            "fitted on uncorrected depth: write a store with --bias none, or give the teacher"
        )
    kitti_root, teachers = source.kitti_root, source.teachers
    check_no_test_drive(
        kitti_root,
        source.frames,
        remedy="give --split eigen_train, or a list or store without them",
    )
    frames = frames_with_lidar(
        open_recordings(kitti_root), source.frames, at_most=FLAGS.bias_frames
    )
    if not frames:
        raise UserError(f"no frame of the split has LiDAR below {kitti_root}")
    output = Path(FLAGS.output)
    output.mkdir(parents=True, exist_ok=True)  # at the door, not after an hour
    evidence = collect_evidence(
        frames,
        LabelJob(kitti_root=kitti_root, teachers=teachers, batch_size=FLAGS.batch_size),
        pool=pool_from_flags(is_neural=teachers.is_neural),
    )
    choices = as_text(choice_rows(score_choices(evidence, "drives_out")))
    logging.info("%s, %d frames\n%s", evidence.whose_errors, evidence.num_frames, choices)
    fit_and_report(evidence, output, statistic=FLAGS.bias_statistic, index=FLAGS.bias_index)


if __name__ == "__main__":
    program.run(main)
