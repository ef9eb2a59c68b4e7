"""What an audit's figures mean, in sentences."""

from data_prep.audit.report import Report
from data_prep.bias_table import TABLE_NAME


def in_words(report: Report) -> list[str]:
    """Whether the teacher may label, how far off its depth is, and whether a table helps."""
    return [_scale(report), *_errors(report)]


def _scale(report: Report) -> str:
    teacher = report.subject.teacher
    if not report.is_good:
        return f"No labels by {teacher} yet: mend first what is said of all frames."
    known = "" if report.lidar else ", as far as can be told without LiDAR"
    return f"Labels may be made by {teacher}{known}."


def _errors(report: Report) -> list[str]:
    errors = report.lidar.overall if report.lidar else None
    if errors is None or errors.abs_rel is None or errors.ratio_outliers is None:
        return []
    said = [
        f"Its depth is off by {errors.abs_rel:.1%} on average (Abs Rel), and wrong by a quarter or "
        f"more at {errors.ratio_outliers:.1%} of the LiDAR points; it has depth at "
        f"{report.density:.0%} of all pixels. A network that learns from it is not expected to be "
        "better."
    ]
    if report.table and report.is_good:
        choice = report.table.recommendation
        gain = f"takes {report.table.scores[0].abs_rel:.1%} to {choice.best.abs_rel:.1%}"
        said.append(
            f"A bias table {gain} on drives that it has not seen: give {TABLE_NAME} by --bias."
            if choice.is_recommended
            else f"No bias table: the best one {gain}, which is not worth it."
        )
    return said
