"""The report's frames: layers that a slider looks through, and what their colours mean."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import CLASS_NAMES, PALETTE
from mtdepth.evaluation.findings import Findings
from mtdepth.evaluation.markup import layers, paragraphs, text
from mtdepth.reporting import COLOR_BAR_TICKS_M, ERROR_RANGE, FAR_M, NEAR_M, error_to_rgb
from mtdepth.runtime.colors import depth_colors

_STOPS = 17  # ours: of a gradient; more cannot be told from it
_NOTE = (
    "From worst to best by Abs Rel: the worst and the best of all frames, and others spread evenly "
    "between them. Drag over a picture, or use its slider (arrow keys, too), to wipe from layer to "
    "layer."
)


def section(runs: Sequence[Findings]) -> str:
    """A grid of frames; of two runs those that both show, beside one another."""
    first, *others = ({each.frame: each for each in run.frames} for run in runs)
    shown = [each for each in first.values() if all(each.frame in other for other in others)]
    if not shown:
        said = (
            "No pictures of the same frames were found; `python -m mtdepth.evaluate --pictures "
            "FOLDER` makes them."
        )
        return f"<h2>Frames</h2>{paragraphs([said], kind='note')}"
    cards = []
    for one in shown:
        sides = [one, *(other[one.frame] for other in others)]
        names = [name for name in one.layers if all(name in side.layers for side in sides)]
        parts = []
        for side, run in zip(sides, runs, strict=True):
            said = f"{run.name}, " if others else ""
            caption = f"<figcaption>{text(said)}Abs Rel {side.abs_rel:.3f}</figcaption>"
            pictures = [(name, side.layers[name]) for name in names]
            what = f"{side.frame}, {run.name}" if others else side.frame
            parts.append(f"<figure>{layers(pictures, what=what)}{caption}</figure>")
        buttons = "".join(
            f'<button type="button" aria-pressed="false">{text(name)}</button>' for name in names
        )
        slider = (
            f'<input type="range" min="0" max="{100 * (len(names) - 1)}" step="1" value="50" '
            f'aria-label="Layer of {text(one.frame)}">'
        )
        cards.append(
            f'<article class="frame"><h3>{text(one.frame)}</h3>'
            f'<div class="sides">{"".join(parts)}</div>{slider}<div class="names">{buttons}</div>'
            "</article>"
        )
    train_ids = sorted({each for run in runs for frame in run.frames for each in frame.train_ids})
    kind = "frames pairs" if others else "frames"
    return (
        f"<h2>Frames</h2>{paragraphs([_NOTE], kind='note')}{_scales()}{_legend(train_ids)}"
        f'<div class="{kind}">{"".join(cards)}</div>'
    )


def _scales() -> str:
    ramp_m = np.geomspace(NEAR_M, FAR_M, _STOPS)[None]
    depth = _gradient(depth_colors(ramp_m, near_m=NEAR_M, far_m=FAR_M)[0])
    ticks = (COLOR_BAR_TICKS_M[0], *COLOR_BAR_TICKS_M[3:6:2], COLOR_BAR_TICKS_M[-1])
    relative = np.linspace(-ERROR_RANGE, ERROR_RANGE, _STOPS)[None]
    error = _gradient(error_to_rgb(1 + relative, np.ones_like(relative))[0])
    percent = f"{100 * ERROR_RANGE:.0f} %"
    return (
        f'<div class="scale"><i style="background: {depth}"></i><span>'
        + "".join(f"<b>{tick} m</b>" for tick in ticks)
        + "</span>depth, in equal ratios; black: not measured</div>"
        f'<div class="scale"><i style="background: {error}"></i><span><b>{percent} too near</b>'
        f"<b>right</b><b>{percent} too far</b></span>error; black: nothing to compare</div>"
    )


def _gradient(colors: npt.NDArray[np.uint8]) -> str:
    stops = ", ".join(f"rgb({red}, {green}, {blue})" for red, green, blue in colors.tolist())
    return f"linear-gradient(to right, {stops})"


def _legend(train_ids: Sequence[int]) -> str:
    chips = "".join(
        f'<span><i style="background: rgb({red}, {green}, {blue})"></i>'
        f"{text(CLASS_NAMES[train_id])}</span>"
        for train_id in train_ids
        for red, green, blue in [PALETTE[train_id].tolist()]
    )
    return f'<div class="classes">{chips}</div>' if chips else ""
