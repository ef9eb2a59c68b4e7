"""An audit's numbers: one record, as JSON and as text."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from data_prep.audit.errors import (
    GroupErrors,
    MaskErrors,
    errors_by_class,
    errors_by_distance,
    errors_by_frame,
    errors_by_mask,
    errors_by_region,
    errors_of,
)
from data_prep.audit.findings import Findings
from data_prep.audit.recommendation import (
    ChoiceScore,
    Protocol,
    Recommendation,
    recommend,
    score_choices,
)
from data_prep.audit.scale_check import UNMATCHED, Cause, Verdict, judge
from mtdepth.files import UserError, write_json

FORMAT_VERSION = 1
REPAIR_FIRST = (
    "The teacher is not right as it is: mend that first. The table is for labels that cannot be "
    "made again."
)
BEYOND_REPAIR: tuple[Cause, ...] = (*UNMATCHED, "swapped", "unsteady")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """What was audited.

    Attributes:
      teacher: Name, for titles.
      version: The depth teacher's own words about its settings.
      kitti_root: The tree.
      pair: The frame of the self-test.
    """

    teacher: str
    version: str
    kitti_root: str
    pair: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class LidarReport:
    """The errors against LiDAR, 1 to 80 m.

    Attributes:
      overall: Of all points.
      by_lidar_distance: By the truth's distance.
      by_predicted_distance: By the teacher's own.
      by_region: Rows of cells, from the top left.
      by_class: Of classes that occur.
      by_frame: Worst first.
      by_mask: Empty where the views were not compared.
    """

    overall: GroupErrors
    by_lidar_distance: list[GroupErrors]
    by_predicted_distance: list[GroupErrors]
    by_region: list[list[GroupErrors]]
    by_class: list[GroupErrors]
    by_frame: list[GroupErrors]
    by_mask: list[MaskErrors]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableReport:
    """Which bias table to use.

    Attributes:
      protocol: How the choices were scored.
      num_drives: Of the pairs.
      scores: No table first.
      recommendation: Of one of them.
    """

    protocol: Protocol
    num_drives: int
    scores: list[ChoiceScore]
    recommendation: Recommendation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that an audit found.

    Attributes:
      subject: What was audited.
      num_frames: That were read.
      sizes_px: (height, width) that occur.
      density: Share of all pixels with depth, mean over frames.
      agreement: See `Findings.agreement`.
      pair_verdict: Of the self-test.
      verdict: Of all frames.
      lidar: None without LiDAR.
      table: None without LiDAR, or where no table may be fitted.
      why_no_table: In that case.
      left_out: Frames that could not be read, with the reason.
    """

    subject: Subject
    num_frames: int
    sizes_px: list[tuple[int, int]]
    density: float
    agreement: tuple[float, ...] | None
    pair_verdict: Verdict
    verdict: Verdict
    lidar: LidarReport | None
    table: TableReport | None
    why_no_table: str
    left_out: list[tuple[str, str]]

    @property
    def is_good(self) -> bool:
        """Whether labels may be made by this teacher."""
        return self.verdict.is_good

    @property
    def title(self) -> str:
        """Teacher and number of frames."""
        return f"{self.subject.teacher}, {self.num_frames} frames"

    def save(self, path: Path) -> None:
        """Writes every number as JSON, atomically; what is not known is null."""
        write_json(path, {"format_version": FORMAT_VERSION, **dataclasses.asdict(self)})


def make_report(
    findings: Findings,
    *,
    subject: Subject,
    pair_verdict: Verdict,
    protocol: Protocol,
    why_no_table: str,
) -> Report:
    """Computes everything that a page shows.

    Args:
      findings: Of all frames.
      subject: What was audited.
      pair_verdict: Of the self-test.
      protocol: How bias tables are scored.
      why_no_table: Why none may be fitted; empty where one may.
    """
    lidar, table = lidar_report(findings), None
    # Only the self-test asks with exchanged pictures, or matches them where there is no LiDAR.
    is_of_views = pair_verdict.cause in ("views agree", "views disagree")
    is_matched = findings.points is None and not is_of_views
    is_pairs = pair_verdict.cause == "swapped" or is_matched
    verdict = pair_verdict if is_pairs else judge(findings)
    if lidar is None:
        why_no_table = "none can be fitted without LiDAR"
    elif verdict.cause in BEYOND_REPAIR:
        why_no_table = "none: no table repairs what is the matter with this teacher"
    elif not why_no_table:
        try:
            table = table_report(findings, protocol)
        except UserError as error:  # too few pairs
            why_no_table = f"none: {error}"
    return Report(
        subject=subject,
        num_frames=len(findings.frames),
        sizes_px=sorted({found.size_px for found in findings.frames}),
        density=findings.density,
        agreement=findings.agreement,
        pair_verdict=pair_verdict,
        verdict=verdict,
        lidar=lidar,
        table=table,
        why_no_table=why_no_table,
        left_out=[(str(frame), reason) for frame, reason in findings.left_out],
    )


def lidar_report(findings: Findings) -> LidarReport | None:
    """The errors against LiDAR; None where no frame has any in range."""
    points = findings.points.in_scored_range() if findings.points else None
    if points is None or not len(points.lidar_m):
        return None
    names = [str(found.frame) for found in findings.frames]
    frames = errors_by_frame(points, names)
    return LidarReport(
        overall=errors_of(points, name="all"),
        by_lidar_distance=errors_by_distance(points, index="lidar"),
        by_predicted_distance=errors_by_distance(points, index="predicted"),
        by_region=errors_by_region(points),
        by_class=errors_by_class(points),
        by_frame=sorted(
            (frame for frame in frames if frame.num_points),
            # A frame without any depth is the worst of all.
            key=lambda frame: -math.inf if frame.abs_rel is None else -frame.abs_rel,
        ),
        by_mask=errors_by_mask(findings),
    )


def table_report(findings: Findings, protocol: Protocol) -> TableReport:
    """Scores every choice of bias table.

    Raises:
      UserError: If there are too few pairs to fit one.
    """
    evidence = findings.bias_evidence()
    scores = score_choices(evidence, protocol)
    is_held_out = evidence.is_held_out or protocol == "first_half"
    return TableReport(
        protocol=protocol,
        num_drives=evidence.num_drives,
        scores=scores,
        recommendation=recommend(scores, is_held_out=is_held_out),
    )


def summary_rows(report: Report) -> list[tuple[str, ...]]:
    """Heading and the one line that compares teachers and trees."""
    heading = (
        *("teacher", "frames", "picture px", "D1 by LiDAR", "Abs Rel", "RMSE m"),
        *("off by 1.25x", "depth at LiDAR", "depth at pixels"),
    )
    sizes = ", ".join(f"{width}x{height}" for height, width in report.sizes_px)
    errors = report.lidar.overall if report.lidar else None
    row = (
        report.subject.teacher,
        str(report.num_frames),
        sizes,
        percent(errors.d1 if errors else None),
        number(errors.abs_rel if errors else None, 4),
        number(errors.rmse_m if errors else None, 3),
        percent(errors.ratio_outliers if errors else None),
        percent(errors.density if errors else None),
        percent(report.density),
    )
    return [heading, row]


def group_rows(groups: Sequence[GroupErrors], *, first: str) -> list[tuple[str, ...]]:
    """Heading and one line a group that has points."""
    heading = (
        *(first, "points", "with depth", "mean error m", "median error m", "median error %"),
        *("Abs Rel", "RMSE m", "D1", "off by 1.25x"),
    )
    rows = [
        (
            group.name,
            f"{group.num_points:,}",
            percent(group.density),
            number(group.mean_error_m, 2, signed=True),
            number(group.median_error_m, 2, signed=True),
            percent(group.median_error, signed=True),
            number(group.abs_rel, 4),
            number(group.rmse_m, 2),
            percent(group.d1),
            percent(group.ratio_outliers),
        )
        for group in groups
        if group.num_points
    ]
    return [heading, *rows]


def mask_rows(masks: Sequence[MaskErrors]) -> list[tuple[str, ...]]:
    """Heading and one line a threshold."""
    heading = (
        *("kept where views agree", "pixels", "LiDAR points", "Abs Rel", "RMSE m", "D1"),
        "off by 1.25x",
    )
    rows = [
        (
            mask.errors.name,
            percent(mask.pixel_share),
            percent(mask.errors.density),
            number(mask.errors.abs_rel, 4),
            number(mask.errors.rmse_m, 3),
            percent(mask.errors.d1),
            percent(mask.errors.ratio_outliers),
        )
        for mask in masks
    ]
    return [heading, *rows]


def choice_rows(scores: Sequence[ChoiceScore]) -> list[tuple[str, ...]]:
    """Heading and one line a choice of bias table."""
    before = scores[0]
    rows = [
        (
            score.title,
            number(score.abs_rel, 4),
            f"{score.abs_rel / before.abs_rel - 1:+.1%}",
            number(score.rmse_m, 3),
            f"{score.rmse_m / before.rmse_m - 1:+.1%}",
        )
        for score in scores
    ]
    return [("table", "Abs Rel", "change", "RMSE m", "change"), *rows]


def number(value: float | None, digits: int, *, signed: bool = False) -> str:
    """A number for people; a dash where it is not known."""
    return "-" if value is None else f"{value:{'+' if signed else ''}.{digits}f}"


def percent(value: float | None, *, signed: bool = False) -> str:
    """A share for people; a dash where it is not known."""
    return "-" if value is None else f"{value:{'+' if signed else ''}.2%}"


def as_text(rows: Sequence[tuple[str, ...]]) -> str:
    """Columns under each other, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
