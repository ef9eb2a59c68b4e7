r"""Audits a teacher against LiDAR, and recommends the bias table to use, on one page.

Full example, PSMNet disparities and train ids as PNG folders:

    python -m data_prep.audit_teachers --kitti_root KITTI --split eigen_train \
        --depth_teacher precomputed --disparity_dir DISPARITIES \
        --seg_teacher precomputed --train_id_dir TRAIN_IDS --output runs/audit

Then open runs/audit/audit.html; audit.json holds every number, bias_table.json the table for
`generate_teachers --bias`, where one is recommended. One pair is judged first, in a second or two
(--self_test stops after it): a wrong scale, exchanged pictures or noise end with status 1 and one
sentence that says which. Without LiDAR only the agreement of the two views is known. --labels STORE
audits labels that were written already.
"""

from pathlib import Path
from typing import get_args

from absl import flags, logging

from data_prep.audit.bias_evidence import eigen_test_drives_of, frames_with_lidar
from data_prep.audit.drawing import draw_figures, draw_worst_frames
from data_prep.audit.findings import Findings, collect_findings
from data_prep.audit.page import write_page
from data_prep.audit.recommendation import Protocol, table_of
from data_prep.audit.report import (
    REPAIR_FIRST,
    Report,
    Subject,
    as_text,
    choice_rows,
    make_report,
    mask_rows,
    summary_rows,
)
from data_prep.audit.scale_check import Verdict, judge_pair
from data_prep.audit.words import in_words
from data_prep.bias_table import TABLE_NAME
from data_prep.depth_source import DepthSource, define_source_flags, source_from_flags
from data_prep.jobs.labels import LabelJob, Labeller
from data_prep.jobs.pools import define_pool_flags, pool_from_flags
from data_prep.teacher_choice import define_depth_teacher_flags, define_seg_teacher_flags
from mtdepth import program
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.readers import open_recordings
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import UserError

FLAGS = flags.FLAGS
define_source_flags()
define_depth_teacher_flags()
define_seg_teacher_flags()
define_pool_flags()
flags.DEFINE_bool("self_test", False, "Judges one pair and stops.")
flags.DEFINE_integer("num_frames", 200, "At most so many frames, evenly spread.", lower_bound=1)
flags.DEFINE_bool(
    "compare_views",
    None,
    "Asks the depth teacher for both views, for the left-right check: twice the time. Default: "
    "where the teacher looks at both.",
)
flags.DEFINE_enum(
    "protocol",
    "drives_out",
    list(get_args(Protocol)),
    "How bias tables are scored. drives_out: on drives that they were not fitted to. first_half: "
    "fitted to the first half of all points, scored on the other.",
)
flags.DEFINE_string("output", "runs/audit", "Folder for the page, the numbers and the table.")


def main() -> int:
    """Judges one pair, then all frames; 1 if the teacher is not to be used as it is."""
    source = source_from_flags()
    frames = _chosen_frames(source)
    compare_views = FLAGS.compare_views
    if compare_views is None:
        teachers = source.teachers
        is_stored = teachers.depth_teacher == "precomputed"
        compare_views = not (is_stored or teachers.depth_is_measured)
    job = LabelJob(kitti_root=source.kitti_root, teachers=source.teachers)
    pool = pool_from_flags(is_neural=source.teachers.is_neural)
    subject, pair_verdict = _self_test(source, job, frames, compare_views=compare_views)
    if FLAGS.self_test:
        return 0 if pair_verdict.is_good else 1
    output = Path(FLAGS.output)
    output.mkdir(parents=True, exist_ok=True)  # at the door, not after an hour
    findings = collect_findings(frames, job, compare_views=compare_views, pool=pool)
    report = make_report(
        findings,
        subject=subject,
        pair_verdict=pair_verdict,
        protocol=FLAGS.protocol,
        why_no_table=_why_no_table(source),
    )
    paths = draw_figures(output, report, findings)
    paths |= draw_worst_frames(output, report, job, pool=pool)
    _write_table(output, report, findings)
    report.save(output / "audit.json")
    write_page(output / "audit.html", report, paths)
    logging.info("wrote %s", output / "audit.html")
    _log(report)
    return 0 if report.is_good else 1


def _chosen_frames(source: DepthSource) -> list[FrameId]:
    raw = open_recordings(source.kitti_root)
    frames = frames_with_lidar(raw, source.frames, at_most=FLAGS.num_frames)
    if not frames:
        logging.warning("no frame of the split has LiDAR below %s", source.kitti_root)
        frames = evenly_spaced(source.frames, number=FLAGS.num_frames)
    if not frames:
        raise UserError("the split has no frame")
    return frames


def _self_test(
    source: DepthSource, job: LabelJob, frames: list[FrameId], *, compare_views: bool
) -> tuple[Subject, Verdict]:
    labeller = Labeller(job)
    frame = frames[len(frames) // 2]
    verdict = judge_pair(labeller, frame, compare_views=compare_views)
    log = logging.info if verdict.is_good else logging.error
    log("self-test on frame %s: %s", frame, verdict.sentence)
    subject = Subject(
        teacher=source.name,
        version=labeller.depth_teacher.version,
        kitti_root=str(source.kitti_root),
        pair=str(frame),
    )
    return subject, verdict


def _why_no_table(source: DepthSource) -> str:
    if source.bias != "none":
        return f"none: this depth is corrected already ({source.bias})"
    if drives := eigen_test_drives_of(source.kitti_root, source.frames):
        return (
            f"none is fitted on Eigen's test drives, {drives[0]} for one: audit training frames, "
            "--split eigen_train, for a table"
        )
    return ""


def _write_table(output: Path, report: Report, findings: Findings) -> None:
    path = output / TABLE_NAME
    if report.table is not None and report.table.recommendation.is_recommended:
        table_of(findings.bias_evidence(), report.table.recommendation.best).save(path)
        logging.info("wrote %s", path)
    elif path.is_file():
        # Of an earlier audit: it would be taken for what this one recommends.
        path.unlink()
        logging.info("removed %s of an earlier audit: no table is recommended now", path)


def _log(report: Report) -> None:
    if report.lidar and report.lidar.by_mask:
        logging.info("masking:\n%s", as_text(mask_rows(report.lidar.by_mask)))
    if report.table:
        logging.info(
            "bias tables, %s:\n%s", FLAGS.protocol, as_text(choice_rows(report.table.scores))
        )
        logging.info("recommended table: %s", report.table.recommendation.why)
        if not report.is_good:
            logging.warning("%s", REPAIR_FIRST)
    else:
        logging.info("bias table: %s", report.why_no_table)
    logging.info("\n%s", as_text(summary_rows(report)))
    log = logging.info if report.is_good else logging.error
    log("all %d frames: %s", report.num_frames, report.verdict.sentence)
    log("%s", "\n".join(in_words(report)))


if __name__ == "__main__":
    program.run(main)
