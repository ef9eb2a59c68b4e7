"""An audit as one HTML file that needs nothing else: tables and pictures are inside it."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_prep.audit.report import (
    REPAIR_FIRST,
    Report,
    choice_rows,
    group_rows,
    mask_rows,
    summary_rows,
)
from data_prep.audit.words import in_words
from mtdepth.files import write_text

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem;
  color: #1c2733; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: .92rem; }
th, td { padding: .25rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
thead { border-bottom: 2px solid #1c2733; } tbody tr:nth-child(odd) { background: #f1f4f7; }
img { max-width: 100%; } .scroll { overflow-x: auto; } .note { color: #5b6b7b; font-size: .9rem; }
.good, .bad { padding: .8rem 1rem; border-left: .4rem solid; }
.good { background: #e9f5ec; border-color: #2a7f3f; }
.bad { background: #fbeae8; border-color: #b5322b; }
"""

_Rows = Sequence[tuple[str, ...]]


def write_page(path: Path, report: Report, figures: Mapping[str, Path]) -> None:
    """Writes the page.

    Args:
      path: The HTML file.
      report: What is said.
      figures: PNG or JPEG files by name: `ratio`, `distance`, `region`, `class`, `mask`, `bias`,
        `worst`; those that are missing are left out.
    """
    parts = [
        f"<h1>Teacher audit: {_text(report.title)}</h1>",
        *(f"<p>{_text(each)}</p>" for each in in_words(report)),
        _table(summary_rows(report)),
    ]
    parts += [
        '<p class="note">Against LiDAR of 1 to 80 m, one point a pixel, depth capped at 80 m, no '
        "crop. D1: disparity off by more than 3 px and 5 %, in pixels of the picture.</p>",
        *_verdicts(report),
        _picture(figures, "ratio"),
        *_table_section(report, figures),
        *_lidar_sections(report, figures),
        *_closing(report),
    ]
    content = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Audit of {_text(report.title)}</title><style>{_STYLE}</style></head><body>\n"
    )
    write_text(path, content + "\n".join(filter(None, parts)) + "\n</body></html>\n")


def _verdicts(report: Report) -> list[str]:
    parts = ["<h2>Is its scale right?</h2>"]
    for whose, verdict in (
        (f"All {report.num_frames} frames", report.verdict),
        (f"The pair {report.subject.pair}", report.pair_verdict),
    ):
        kind = "good" if verdict.is_good else "bad"
        parts.append(f'<p class="{kind}"><b>{_text(whose)}</b>: {_text(verdict.sentence)}</p>')
    if (found := report.verdict.statistics) is not None:
        low, middle, high = (found.frame_ratios[at] for at in (0, 2, 4))
        parts.append(
            f'<p class="note">Median ratio {found.ratio:.3f}; single frames\' medians from '
            f"{low:.3f} (5 % point) over {middle:.3f} to {high:.3f} (95 %).</p>"
        )
    return parts


def _table_section(report: Report, figures: Mapping[str, Path]) -> list[str]:
    parts = ["<h2>Which bias table?</h2>"]
    if report.table is None:
        return [*parts, f"<p>{_text(report.why_no_table)}</p>"]
    how = {
        "drives_out": f"each of {report.table.num_drives} drives corrected by tables of others",
        "first_half": "fitted on the first half of all points, scored on the other",
    }[report.table.protocol]
    return [
        *parts,
        f"<p>Recommended: <b>{_text(report.table.recommendation.why)}</b> ({how}).</p>",
        "" if report.is_good else f"<p>{REPAIR_FIRST}</p>",
        _table(choice_rows(report.table.scores)),
        _picture(figures, "bias"),
    ]


def _lidar_sections(report: Report, figures: Mapping[str, Path]) -> list[str]:
    lidar = report.lidar
    if lidar is None:
        return ["<h2>Errors</h2><p>No frame has LiDAR, so no error is known.</p>"]
    parts = [
        "<h2>By distance</h2>",
        _picture(figures, "distance"),
        "<p>By LiDAR's distance, m:</p>",
        _table(group_rows(lidar.by_lidar_distance, first="LiDAR m")),
        "<p>By the teacher's own distance, m:</p>",
        _table(group_rows(lidar.by_predicted_distance, first="teacher m")),
        "<h2>By region of the picture</h2>",
        _picture(figures, "region"),
    ]
    if lidar.by_class:
        parts += ["<h2>By class of the segmentation teacher</h2>", _picture(figures, "class")]
        parts.append(_table(group_rows(lidar.by_class, first="class")))
    if lidar.by_mask:
        parts += ["<h2>Masking by left-right consistency</h2>", _picture(figures, "mask")]
        parts.append(_table(mask_rows(lidar.by_mask)))
    worst = group_rows(lidar.by_frame[:10], first="frame")
    note = '<p class="note">prediction: the teacher\'s depth. error: LiDAR points by its error.</p>'
    return [*parts, "<h2>Worst frames</h2>", _table(worst), note, _picture(figures, "worst")]


def _closing(report: Report) -> list[str]:
    parts = []
    if report.left_out:
        parts += [f"<h2>Left out</h2><p>{len(report.left_out)} frames could not be read:</p>"]
        parts.append(_table([("frame", "why"), *report.left_out]))
    subject = report.subject
    parts.append(
        f'<p class="note">{_text(subject.teacher)}: {_text(subject.version)}. Frames of '
        f"{_text(subject.kitti_root)}. All numbers are in audit.json.</p>"
    )
    return parts


def _table(rows: _Rows) -> str:
    head, *body = rows
    lines = ["<thead><tr>" + _cells(head, "th") + "</tr></thead><tbody>"]
    lines += [f"<tr>{_cells(row, 'td')}</tr>" for row in body]
    return '<div class="scroll"><table>' + "\n".join(lines) + "</tbody></table></div>"


def _cells(row: tuple[str, ...], tag: str) -> str:
    return "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in row)


def _picture(figures: Mapping[str, Path], name: str) -> str:
    if name not in figures:
        return ""
    content = base64.b64encode(figures[name].read_bytes()).decode("ascii")
    kind = "png" if figures[name].suffix == ".png" else "jpeg"
    return f'<img alt="{name}" src="data:image/{kind};base64,{content}">'


def _text(content: str) -> str:
    return html.escape(content)
