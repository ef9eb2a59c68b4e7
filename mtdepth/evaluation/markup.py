"""Pieces of a page that needs no other file: text, tables, pictures and films in themselves."""

import base64
import dataclasses
import html
import re
from collections.abc import Sequence
from pathlib import Path

from mtdepth.files import read_bytes

_TEMPLATE = Path(__file__).with_name("page.html")
# ours: of a film or another file on the page, which then still goes through mail and into a phone
MAX_ATTACHED_BYTES = 12_000_000
_SHORT = 12  # ours: letters of a heading that stays in one line
_CODE = re.compile(r"`([^`]+)`")
_PICTURES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".webp": "webp"}
_FILMS = {".mp4": "mp4", ".webm": "webm"}


@dataclasses.dataclass(frozen=True)
class Bar:
    """A number in a table that is drawn as well.

    Attributes:
      share: 0..1 of the cell's width.
      text: What stands there.
    """

    share: float
    text: str


Cell = str | Bar


def text(value: object) -> str:
    """What a browser shows as it stands, whatever is in it."""
    return html.escape(str(value))


def whole_page(title: str, body: Sequence[str]) -> str:
    """Puts sections, already HTML, into the page that has their style and script."""
    page = _TEMPLATE.read_text(encoding="utf-8")
    head, tail = page.replace("{{title}}", text(title)).split("{{body}}")
    return head + "\n".join(filter(None, body)) + tail


def paragraphs(sentences: Sequence[str], *, kind: str = "") -> str:
    """A paragraph for each sentence or more; what stands between `backticks` is code."""
    opened = f'<p class="{kind}">' if kind else "<p>"
    shown = (_CODE.sub(r"<code>\1</code>", text(each)) for each in sentences)
    return "".join(f"{opened}{each}</p>" for each in shown)


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table in a box that scrolls by itself where it is too wide; empty without rows."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{_heading(cell)}</th>' for cell in headings)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    content = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{content}</div>'


def chart(png: bytes, *, caption: str) -> str:
    """A figure, in a box that scrolls by itself so that its letters can be read on a phone."""
    said = text(caption)
    shown = f'<img class="chart" src="{_uri("image/png", png)}" alt="{said}">'
    boxed = f'<div class="scroll" tabindex="0">{shown}</div>'
    return f"<figure>{boxed}<figcaption>{said}</figcaption></figure>"


def layers(pictures: Sequence[tuple[str, bytes]], *, what: str) -> str:
    """Pictures of one size, WebP, by their names, that lie upon each other; the script shows them.

    Args:
      pictures: At least one.
      what: For those who do not see them.
    """
    shown = "".join(
        f'<img src="{_uri("image/webp", content)}" alt="{text(f"{name} of {what}")}">'
        for name, content in pictures
    )
    return f'<div class="wipe">{shown}</div>'


def attached(path: Path) -> str:
    """A picture, a film or another file, in itself where it is small enough.

    Raises:
      FileNotFoundError: If it is missing.
    """
    name, suffix = path.name, path.suffix.lower()
    caption = text(path.stem.replace("_", " "))
    if (num_bytes := path.stat().st_size) > MAX_ATTACHED_BYTES:
        size = f"{num_bytes / 1e6:.0f} MB, more than the {MAX_ATTACHED_BYTES / 1e6:.0f} of a page"
        return f"<p>{text(path)}: {size}; it lies beside it.</p>"
    content = read_bytes(path)
    if suffix in _PICTURES:
        shown = f'<img src="{_uri(f"image/{_PICTURES[suffix]}", content)}" alt="{caption}">'
    elif suffix in _FILMS:
        uri = _uri(f"video/{_FILMS[suffix]}", content)
        shown = (
            f'<video src="{uri}" controls muted loop playsinline aria-label="{caption}"></video>'
        )
    else:
        uri = _uri("application/octet-stream", content)
        return f'<p><a href="{uri}" download="{text(name)}">{text(name)}</a></p>'
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"


def _heading(words: str) -> str:
    shown = text(words)
    return shown.replace(" ", "&nbsp;") if len(words) <= _SHORT else shown


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"<td>{text(cell)}</td>"
    percent = 100 * min(max(cell.share, 0.0), 1.0)
    return f'<td class="bar" style="--share: {percent:.1f}%">{text(cell.text)}</td>'


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
