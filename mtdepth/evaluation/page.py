"""One page of an evaluation that a browser shows: figures, tables, and what else was made."""

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtdepth.evaluation.predictors import EXPLANATION
from mtdepth.evaluation.scoring import Evaluation, Scores
from mtdepth.evaluation.tables import all_tables
from mtdepth.evaluation.verdicts import verdicts
from mtdepth.files import write_text
from mtdepth.metrics.protocols import Protocol

PAGE_NAME = "index.html"
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
VIDEO_SUFFIXES = (".mp4", ".webm")

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1c2733; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; } th, td { padding: .3rem .9rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
thead { border-bottom: 2px solid #1c2733; } tbody tr:nth-child(odd) { background: #f1f4f7; }
img, video { max-width: 100%; } video { width: 100%; image-rendering: auto; }
figure { margin: 1rem 0; } figcaption, .note { color: #5b6b7b; font-size: .9rem; }
pre { overflow-x: auto; background: #f1f4f7; padding: 1rem; font-size: .8rem; }
"""


def write_page(
    folder: Path,
    scores: Scores,
    evaluation: Evaluation,
    *,
    settings: dict[str, Any],
    pictures: Sequence[Path],
    attached: Sequence[Path],
) -> Path:
    """Writes `index.html`, which shows its pictures by relative paths.

    Args:
      folder: Where the page goes; the pictures are in it.
      scores: Of at least one frame.
      evaluation: What was scored how.
      settings: As for `mtdepth.evaluation.tables.results_dict`.
      pictures: Figures of this evaluation, in order.
      attached: Other files to show: pictures, videos; anything else becomes a link.

    Returns:
      The page.
    """
    path = folder / PAGE_NAME
    parts = [
        "<h1>Depth and classes from one camera: results</h1>",
        f"<p>Model <b>{_text(settings['model']['path'])}</b>, {len(scores.frames)} frames of "
        f"<b>{_text(settings['split'])}</b>.</p>",
        *(f"<p>{_text(each)}</p>" for each in verdicts(scores, evaluation.protocols[0])),
        *(_depth_section(scores, protocol) for protocol in evaluation.protocols),
        f"<p class=note>{_text(EXPLANATION)}</p>",
        _class_section(scores),
        *(_shown(each, folder) for each in (*attached, *pictures)),
        f"<h2>All figures</h2><pre>{_text(all_tables(scores, evaluation))}</pre>",
    ]
    content = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Results</title><style>{_STYLE}</style></head><body>\n"
    )
    write_text(path, content + "\n".join(filter(None, parts)) + "\n</body></html>\n")
    return path


def _depth_section(scores: Scores, protocol: Protocol) -> str:
    rows = []
    for row in scores.rows.values():
        if errors := row.errors(protocol):
            rows.append(
                (
                    row.title,
                    f"{errors.abs_rel:.3f}",
                    f"{errors.rmse:.2f} m",
                    f"{100 * errors.d1:.1f} %",
                )
            )
    note = (
        f"Protocol {protocol.name}: {protocol.description}. Error is the mean of |predicted - "
        "true| / true over the pixels; within 25 % is the share of pixels that near to the truth."
    )
    headings = ("", "error (Abs Rel)", "RMSE", "within 25 %")
    return f"<h2>Depth</h2>{_table(headings, rows)}<p class=note>{_text(note)}</p>"


def _class_section(scores: Scores) -> str:
    rows = [
        (row.title, f"{row.classes.mean_iou():.3f}", f"{100 * row.classes.pixel_accuracy():.1f} %")
        for row in scores.rows.values()
        if row.classes
    ]
    if not rows:
        return ""
    return f"<h2>Classes</h2>{_table(('', 'mIoU', 'pixels right'), rows)}"


def _shown(path: Path, folder: Path) -> str:
    link = _text(Path(os.path.relpath(path, folder)).as_posix())
    caption = _text(path.stem.replace("_", " "))
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return (
            f'<figure><img src="{link}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
        )
    if suffix in VIDEO_SUFFIXES:
        video = f'<video src="{link}" controls autoplay muted loop></video>'
        return f"<figure>{video}<figcaption>{caption}</figcaption></figure>"
    return f'<p><a href="{link}">{_text(path.name)}</a></p>'


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: object) -> str:
    return html.escape(str(value))
