"""Which figures an audit has, and where their files lie."""

import dataclasses
from pathlib import Path

from absl import logging

from data_prep.audit.bias_report import save_figure as save_bias_figure
from data_prep.audit.errors import GroupErrors
from data_prep.audit.figures import (
    class_figure,
    distance_figure,
    mask_figure,
    ratio_figure,
    region_figure,
)
from data_prep.audit.findings import Findings
from data_prep.audit.recommendation import corrected_m, scored_evidence
from data_prep.audit.report import LidarReport, Report
from data_prep.jobs.labels import LabelJob, LabelWorker, Prediction
from data_prep.jobs.run import Pool, run_frames
from mtdepth.attempts import Failed
from mtdepth.datasets.frames import FrameId
from mtdepth.reporting import Comparison, comparison_sheet, save_figure
from teachers.interface import StereoSample

NUM_WORST_FRAMES = 5


def draw_figures(folder: Path, report: Report, findings: Findings) -> dict[str, Path]:
    """Draws everything that needs no teacher.

    Args:
      folder: Receives the files.
      report: What is drawn.
      findings: What the report is of.

    Returns:
      The files, by the names that `write_page` knows.
    """
    paths = {}
    if report.lidar is not None and (ratios := report.verdict.statistics) is not None:
        paths["ratio"] = folder / "ratio.png"
        save_figure(paths["ratio"], ratio_figure(ratios, title=f"Ratio to LiDAR: {report.title}"))
    if report.lidar is not None:
        paths |= _draw_lidar(folder, report, report.lidar)
    if report.table is not None:
        paths |= _draw_bias(folder, report, findings)
    return paths


def draw_worst_frames(
    folder: Path, report: Report, job: LabelJob, *, pool: Pool
) -> dict[str, Path]:
    """Asks the teachers again for the worst frames and lays them under each other.

    Args:
      folder: Receives the file.
      report: Says which they are; without LiDAR nobody knows.
      job: The teachers.
      pool: Where workers run.

    Returns:
      As `draw_figures`.
    """
    worst = report.lidar.by_frame[:NUM_WORST_FRAMES] if report.lidar else []
    row_of = {FrameId.parse(row.name): row for row in worst}
    results = dict(run_frames(ViewFrame(job), list(row_of), pool=pool, title="pictures"))
    rows = []
    for frame, row in row_of.items():
        if isinstance(result := results[frame], Failed):
            logging.warning("no picture of frame %s: %s", frame, result.why)
        else:
            rows.append(dataclasses.replace(result, title=_row_title(row)))
    if not rows:
        return {}
    path = folder / "worst.jpg"  # photographs: a fifth of the bytes
    save_figure(path, comparison_sheet(rows, truth_name="LiDAR (points enlarged)"))
    return {"worst": path}


class ViewFrame(LabelWorker[Comparison]):
    """A frame, its LiDAR and its labels."""

    def result(self, sample: StereoSample, prediction: Prediction) -> Comparison:
        """One row of a comparison sheet."""
        return Comparison(
            title=str(sample.frame),
            image=sample.image,
            truth_m=self.labeller.lidar_depth(sample),
            predicted_m=prediction.depth_m,
            truth_train_id=prediction.train_id,
        )


def _row_title(row: GroupErrors) -> str:
    if row.abs_rel is None or row.d1 is None:
        return f"{row.name}: no depth at any of {row.num_points} LiDAR points"
    return f"{row.name}: Abs Rel {row.abs_rel:.3f}, D1 {row.d1:.1%}"


def _draw_lidar(folder: Path, report: Report, lidar: LidarReport) -> dict[str, Path]:
    height, width = report.sizes_px[0]
    drawn = {
        "distance": distance_figure(
            lidar.by_lidar_distance,
            lidar.by_predicted_distance,
            title=f"Error by distance: {report.title}",
        ),
        "region": region_figure(
            lidar.by_region, aspect=height / width, title=f"Error over the picture: {report.title}"
        ),
    }
    if lidar.by_class:
        title = f"Error by class of the segmentation teacher: {report.title}"
        drawn["class"] = class_figure(lidar.by_class, title=title)
    if lidar.by_mask:
        title = f"Left-right check as a mask: {report.title}"
        drawn["mask"] = mask_figure(lidar.by_mask, title=title)
    paths = {name: folder / f"{name}.png" for name in drawn}
    for name, figure in drawn.items():
        save_figure(paths[name], figure)
    return paths


def _draw_bias(folder: Path, report: Report, findings: Findings) -> dict[str, Path]:
    if report.table is None:
        return {}
    best, protocol = report.table.recommendation.best, report.table.protocol
    if best.statistic is None or best.index is None:
        return {}
    evidence, path = findings.bias_evidence(), folder / "bias.png"
    after_m = corrected_m(evidence, protocol, statistic=best.statistic, index=best.index)
    save_bias_figure(
        path,
        scored_evidence(evidence, protocol),
        after_m,
        title=f"Bias table {best.title}: {report.title}, on pairs that it was not fitted to",
    )
    return {"bias": path}
