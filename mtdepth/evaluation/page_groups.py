"""The report's tables of errors by groups: distance, height in the picture, class, near things."""

from collections.abc import Sequence
from typing import Any

from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.evaluation.findings import Findings
from mtdepth.evaluation.markup import Bar, Cell, paragraphs, table

_KINDS = {
    "by_distance": ("distance", lambda each: f"{each['from_m']:g} to {each['to_m']:g} m"),
    "by_class": ("class", lambda each: str(each["class"])),
    "by_row": (
        "height in the picture (top is 0 %)",
        lambda each: f"{100 * each['from_height']:.0f} to {100 * each['to_height']:.0f} %",
    ),
}
_NOTE = (
    "Error is the mean of |predicted - true| / true over all pixels of the group together; leaning "
    "is the mean of predicted - true: + is told too far, - too near. The rows of the picture tell "
    "the near road, at the bottom, from the horizon."
)


def section(runs: Sequence[Findings], protocol: str) -> str:
    """Error and leaning by group: of a run beside its baseline, or of two runs."""
    shown = [
        (run.name if len(runs) > 1 else name, row)
        for run in runs
        for name, row in run.results["depth"][protocol]["rows"].items()
        if name == "model" or (name == "baseline" and len(runs) == 1)
    ]
    tables = [_table(kind, shown, is_compared=len(runs) > 1) for kind in _KINDS]
    heading = f"<h2>Error by distance, class and height, {protocol}</h2>"
    return heading + "".join(tables) + paragraphs([_NOTE], kind="note")


def class_iou(rows: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """IoU of each class that occurs, a column for each row of the scores."""
    lines: list[list[Cell]] = []
    for name in CLASS_NAMES:
        values = [row["class_iou"][name] for _, row in rows]
        if any(value is not None for value in values):
            cells: list[Cell] = [
                "-" if value is None else Bar(value, f"{value:.3f}") for value in values
            ]
            lines.append([name, *cells])
    return table(("IoU", *(title for title, _ in rows)), lines)


def obstacles(runs: Sequence[Findings]) -> str:
    """What a robot would drive into, and what it would brake for; empty where nobody knows."""
    lines: list[list[Cell]] = []
    for run in runs:
        for row in run.results["near_obstacles"]["rows"].values():
            title = f"{run.name}: {row['title']}" if len(runs) > 1 else row["title"]
            lines.append([title, *_shares(row)])
    if not lines:
        return ""
    headings = ("", "near obstacles told too far", "of pixels", "road told near", "of pixels")
    what = f"Counted are {runs[0].results['near_obstacles']['what']}."
    return f"<h2>Near obstacles</h2>{table(headings, lines)}{paragraphs([what], kind='note')}"


def steadiness(runs: Sequence[Findings]) -> str:
    """How much depth changes from a frame to the next; empty where no motion is known."""
    lines = [
        (
            f"{run.name}: {row['title']}" if len(runs) > 1 else row["title"],
            f"{row['num_pairs']:,}",
            f"{row['num_points']:,}",
            f"{100 * row['mean']:.1f} %",
        )
        for run in runs
        for row in run.results["steadiness"]["rows"].values()
    ]
    if not lines:
        return ""
    what = paragraphs([f"Counted are {runs[0].results['steadiness']['what']}."], kind="note")
    headings = ("", "pairs of frames", "points", "change")
    return f"<h2>Steadiness in video</h2>{table(headings, lines)}{what}"


def _shares(row: dict[str, Any]) -> list[Cell]:
    cells: list[Cell] = []
    for part, whole in (("num_missed", "num_pixels"), ("num_false", "num_road")):
        share = row[part] / row[whole] if row[whole] else None
        cells.append("-" if share is None else Bar(share, f"{100 * share:.1f} %"))
        cells.append(f"{row[whole]:,}")
    return cells


def _table(kind: str, shown: Sequence[tuple[str, dict[str, Any]]], *, is_compared: bool) -> str:
    heading, named = _KINDS[kind]
    groups = [{named(each): each for each in row[kind]} for _, row in shown]
    names = list(dict.fromkeys(name for each in groups for name in each))
    found = {
        name: [each.get(name, {}) for each in groups]
        for name in names
        if any(each.get(name, {}).get("num_pixels") for each in groups)
    }
    errors = [each["mean_abs_rel"] for cells in found.values() for each in cells if _known(each)]
    largest = max(errors, default=0.0) or 1.0
    lines: list[list[Cell]] = []
    for name, cells in found.items():
        line: list[Cell] = [name, f"{max(each.get('num_pixels', 0) for each in cells):,}"]
        for each in cells:
            line += _error(each, largest)
        if is_compared:
            both = all(map(_known, cells))
            change = cells[1]["mean_abs_rel"] - cells[0]["mean_abs_rel"] if both else None
            line.append("-" if change is None else f"{change:+.3f}")
        lines.append(line)
    columns = [column for title, _ in shown for column in (f"{title}: error", "leaning")]
    columns += ["second - first"] if is_compared else []
    return table((heading, "pixels", *columns), lines)


def _known(group: dict[str, Any]) -> bool:
    return bool(group.get("num_pixels"))


def _error(group: dict[str, Any], largest: float) -> list[Cell]:
    if not _known(group):
        return ["-", "-"]
    error = group["mean_abs_rel"]
    return [Bar(error / largest, f"{error:.3f}"), f"{group['mean_error_m']:+.2f} m"]
