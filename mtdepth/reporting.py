"""Figures for reports and notebooks: pure functions from arrays to pictures, and their saving."""

import dataclasses
import functools
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Patch

from mtdepth.datasets.label_map import CLASS_NAMES, IGNORE_ID, NUM_CLASSES, PALETTE, colorize
from mtdepth.files import atomic_path
from mtdepth.runtime.colors import depth_colors

Floats = npt.NDArray[np.floating[Any]]
Rgb = npt.NDArray[np.uint8]
DistanceRow = Mapping[str, float | int | None]

NEAR_M, FAR_M = 4.0, 80.0  # ours: the colours' range; the road begins near 6 m from a KITTI camera
ERROR_RANGE = 0.5  # ours: a pixel half as near or as far again has the full colour
POINT_RADIUS_PX = 2  # ours: a LiDAR point of one pixel cannot be seen in a scaled-down picture
SPARSE_SHARE = 0.25  # ours: LiDAR measures about 4 % of the pixels, annotated depth 15 to 20 %
COLOR_BAR_TICKS_M = (4, 6, 10, 15, 20, 30, 50, 80)
PANEL_WIDTH_IN = 5.6
BARS_HEIGHT_IN = 1.3
DPI = 110

_painted = functools.partial(depth_colors, near_m=NEAR_M, far_m=FAR_M)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """One row of a comparison sheet; every array is of the picture's size.

    Attributes:
      title: Usually the frame and its score.
      image: `[height, width, 3]` RGB.
      truth_m: `[height, width]`, 0 where unmeasured; may be sparse.
      predicted_m: `[height, width]`, 0 where none.
      truth_train_id: `[height, width]`, or None.
      predicted_train_id: `[height, width]`, or None.
    """

    title: str
    image: Rgb
    truth_m: Floats
    predicted_m: Floats
    truth_train_id: npt.NDArray[np.uint8] | None = None
    predicted_train_id: npt.NDArray[np.uint8] | None = None

    def train_ids(self) -> tuple[int, ...]:
        """The classes that are seen in it, true or predicted."""
        maps = [ids for ids in (self.truth_train_id, self.predicted_train_id) if ids is not None]
        found = {int(each) for ids in maps for each in np.unique(ids)}
        return tuple(sorted(found - {IGNORE_ID}))


def nearest_points(depth_m: Floats, *, radius_px: int = POINT_RADIUS_PX) -> npt.NDArray[np.intp]:
    """Lends the pixels around a sparse map's points to those points, for the eye.

    Args:
      depth_m: `[height, width]`, 0 where unmeasured.
      radius_px: Of the square that a point is enlarged to; where two meet the nearer wins.

    Returns:
      `[height, width]`: flat index of the pixel to show there; its own where it is measured or
      no point is near. `picture.reshape(height * width, -1)[index]` shows any picture so.
    """
    height, width = depth_m.shape
    padded_m = np.pad(depth_m, radius_px)
    own = np.arange(height * width).reshape(height, width)
    padded_index = np.pad(own, radius_px)
    best_m = np.full(depth_m.shape, np.inf)
    index = own.copy()
    for row, column in np.ndindex(2 * radius_px + 1, 2 * radius_px + 1):
        window = (slice(row, row + height), slice(column, column + width))
        is_nearer = (padded_m[window] > 0) & (padded_m[window] < best_m)
        best_m[is_nearer] = padded_m[window][is_nearer]
        index[is_nearer] = padded_index[window][is_nearer]
    return np.where(depth_m > 0, own, index)


def error_to_rgb(predicted_m: Floats, truth_m: Floats) -> Rgb:
    """Paints the relative error: blue where too near, red where too far, white where right.

    Args:
      predicted_m: `[height, width]`, 0 where none.
      truth_m: `[height, width]`, 0 where unmeasured.

    Returns:
      `[height, width, 3]` RGB; black where there is nothing to compare.
    """
    compared = (truth_m > 0) & (predicted_m > 0)
    relative = (predicted_m - truth_m) / np.where(compared, truth_m, 1.0)
    painted = _error_scale().to_rgba(relative, bytes=True)[..., :3]
    return np.where(compared[..., None], painted, np.uint8(0))


def overlay(image: Rgb, train_id: npt.NDArray[np.uint8], *, opacity: float = 0.55) -> Rgb:
    """Blends class colours into a picture; ignored pixels show the picture alone.

    Args:
      image: `[height, width, 3]` RGB.
      train_id: `[height, width]`, 0..18 and 255.
      opacity: 0 shows the picture, 1 the classes.
    """
    weight = np.where(train_id == IGNORE_ID, 0.0, opacity)[..., None]
    return np.rint(image * (1 - weight) + colorize(train_id) * weight).astype(np.uint8)


def panels(row: Comparison, *, truth_name: str) -> dict[str, Rgb]:
    """What is shown of a frame, by name: picture, prediction, truth, error, classes.

    Args:
      row: The frame.
      truth_name: What the truth's panel is called, such as "LiDAR".
    """
    # A dense map needs no enlarging.
    is_sparse = np.count_nonzero(row.truth_m) < SPARSE_SHARE * row.truth_m.size
    index = nearest_points(row.truth_m, radius_px=POINT_RADIUS_PX if is_sparse else 0)
    found = {
        "image": row.image,
        "prediction": _painted(row.predicted_m),
        truth_name: _painted(row.truth_m).reshape(-1, 3)[index],
        "error": error_to_rgb(row.predicted_m, row.truth_m).reshape(-1, 3)[index],
    }
    if row.predicted_train_id is not None:
        found["predicted classes"] = overlay(row.image, row.predicted_train_id)
    if row.truth_train_id is not None:
        found["teacher's classes"] = overlay(row.image, row.truth_train_id)
    return found


def comparison_sheet(rows: Sequence[Comparison], *, truth_name: str) -> Figure:
    """Lays frames under each other, with the scales and the classes' names below.

    Each frame shows what `panels` says.

    Args:
      rows: At least one.
      truth_name: What the truth's panel is called, such as "LiDAR".
    """
    height, width = rows[0].image.shape[:2]
    num_columns = 3
    contents = [panels(row, truth_name=truth_name) for row in rows]
    num_lines = 1 + (max(map(len, contents)) - 1) // num_columns
    block_in = num_lines * (PANEL_WIDTH_IN * height / width + 0.06) + 0.35
    figure = Figure(
        figsize=(PANEL_WIDTH_IN * num_columns, block_in * len(rows) + BARS_HEIGHT_IN),
        dpi=DPI,
        layout="constrained",
    )
    heights = [block_in] * len(rows) + [BARS_HEIGHT_IN]
    blocks = figure.subfigures(len(rows) + 1, 1, height_ratios=heights, squeeze=False)[:, 0]
    for block, row, content in zip(blocks, rows, contents, strict=False):
        block.suptitle(row.title, fontsize=12, x=0.004, ha="left")
        cells = block.subplots(num_lines, num_columns, squeeze=False).ravel()
        for axes in cells:
            axes.set_axis_off()
        for axes, (name, panel) in zip(cells, content.items(), strict=False):
            axes.imshow(panel, interpolation="antialiased")
            axes.text(
                *(0.008, 0.97, name),
                transform=axes.transAxes,
                verticalalignment="top",
                color="white",
                fontsize=9,
                bbox={"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 2},
            )
    train_ids = sorted({each for row in rows for each in row.train_ids()})
    _add_bars(blocks[-1], blocks[-1].add_subplot(), train_ids)
    return figure


def depth_figure(depth_m: Floats, *, title: str) -> Figure:
    """One depth map, `[height, width]` metres, with its colour bar; 0 is not measured."""
    height, width = depth_m.shape
    figure = Figure(figsize=(11, 11 * height / width + 1.2), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(_painted(depth_m), interpolation="antialiased")
    axes.set_axis_off()
    axes.set_title(title, loc="left")
    _depth_bar(figure, axes, location="bottom", fraction=0.08, aspect=60)
    return figure


def error_by_distance_figure(
    rows_by_name: Mapping[str, Sequence[DistanceRow]], *, title: str
) -> Figure:
    """Draws error against the truth's distance, one line for each predictor.

    Args:
      rows_by_name: At least one; by legend text, the records of `GroupSums.rows`.
      title: Names the protocol.
    """
    figure = Figure(figsize=(11, 7), dpi=DPI, layout="constrained")
    figure.suptitle(title)
    signed, relative = figure.subplots(2, 1, sharex=True)
    for (name, rows), marker in zip(rows_by_name.items(), itertools.cycle("os^vD"), strict=False):
        filled = [row for row in rows if row["num_pixels"]]
        middle_m = [_middle(row) for row in filled]
        signed.plot(middle_m, [row["mean_error_m"] for row in filled], f"{marker}-", label=name)
        relative.plot(middle_m, [row["mean_abs_rel"] for row in filled], f"{marker}-", label=name)
    signed.axhline(0, color="black", linewidth=0.8)
    signed.set_ylabel("mean error (m)\npositive: too far")
    relative.set_ylabel("mean |error| / distance")
    relative.set_ylim(bottom=0)
    relative.set_xlabel("true distance (m)")
    _count_bars(relative, next(iter(rows_by_name.values())))
    signed.legend()
    for axes in (signed, relative):
        axes.grid(alpha=0.3)
    return figure


def training_figure(history_by_name: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draws the losses and the held-out scores of trainings by step.

    Args:
      history_by_name: At least one; by legend text, the entries of `Workdir.history`. A score that
        is no number, or that an entry lacks, leaves a gap.
    """
    names = [
        name
        for history in history_by_name.values()
        for entry in history
        for name in entry
        if name == "train_loss" or name.startswith("val_")
    ]
    shown = sorted(set(names), key=lambda name: (not name.endswith("_loss"), name))
    figure = Figure(figsize=(8, 2.4 * max(len(shown), 1)), dpi=DPI, layout="constrained")
    plots = figure.subplots(max(len(shown), 1), 1, sharex=True, squeeze=False)[:, 0]
    for axes, quantity in zip(plots, shown, strict=False):
        for name, history in history_by_name.items():
            steps = [entry["step"] for entry in history]
            values = [entry.get(quantity) for entry in history]
            axes.plot(
                steps, [np.nan if value is None else value for value in values], ".-", label=name
            )
        axes.set_title(quantity.replace("val_", "held out: ").replace("_", " "), loc="left")
        axes.grid(alpha=0.3)
    plots[-1].set_xlabel("step")
    if len(history_by_name) > 1:
        plots[0].legend()
    return figure


def class_iou_figure(iou_by_name: Mapping[str, Floats], *, title: str) -> Figure:
    """Draws the IoU of each class as bars, one colour for each predictor.

    Args:
      iou_by_name: At least one; by legend text, `[19]`; NaN where a class does not occur.
      title: Names what is compared.
    """
    figure = Figure(figsize=(11, 4.5), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    at = np.arange(NUM_CLASSES)
    bar_width = 0.8 / len(iou_by_name)
    for index, (name, iou) in enumerate(iou_by_name.items()):
        shift = (index - (len(iou_by_name) - 1) / 2) * bar_width
        axes.bar(at + shift, np.nan_to_num(iou), bar_width, label=name)
    axes.set_xticks(at, CLASS_NAMES, rotation=45, ha="right")
    axes.set_ylim(0, 1)
    axes.set_ylabel("IoU")
    axes.set_title(title, loc="left")
    axes.grid(axis="y", alpha=0.3)
    # Above the bars, which may reach the top.
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
    return figure


def trade_off_figure(
    score_by_name: Mapping[str, float],
    costs: Mapping[str, Mapping[str, float]],
    *,
    score_name: str,
    reference: tuple[str, float] | None = None,
) -> Figure:
    """Draws what networks are worth against what they cost, one plot for each cost.

    Args:
      score_by_name: At least one; by a network's name, an error: lower is better.
      costs: At least one; by the cost's name with its unit, the cost by the same names.
      score_name: Names the error and its protocol.
      reference: Name and error of what costs nothing, such as the baseline; drawn as a line.
    """
    figure = Figure(figsize=(6 * len(costs), 4.5), dpi=DPI, layout="constrained")
    plots = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    for axes, (cost_name, cost_by_name) in zip(plots, costs.items(), strict=True):
        for name, score in score_by_name.items():
            axes.plot(cost_by_name[name], score, "o")
            axes.annotate(
                name,
                (cost_by_name[name], score),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=8,
            )
        if reference is not None:
            axes.axhline(reference[1], color="black", linewidth=0.8, linestyle="--")
            axes.annotate(reference[0], (0.01, reference[1]), xycoords=("axes fraction", "data"))
        axes.set_xlabel(cost_name)
        axes.set_xlim(0, 1.25 * max(cost_by_name.values()))
        axes.grid(alpha=0.3)
    plots[0].set_ylabel(f"{score_name} (lower is better)")
    return figure


def save_figure(path: Path, figure: Figure) -> None:
    """Writes a figure, atomically, in the format of the suffix."""
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lstrip("."), facecolor="white")


def png_of(figure: Figure) -> bytes:
    """A figure as a PNG."""
    FigureCanvasAgg(figure)
    content = io.BytesIO()
    figure.savefig(content, format="png", facecolor="white")
    return content.getvalue()


def _add_bars(figure: FigureBase, axes: Axes, train_ids: Sequence[int]) -> None:
    axes.set_axis_off()
    _depth_bar(figure, axes.inset_axes((0.01, 0.62, 0.3, 0.2)))
    figure.colorbar(
        _error_scale(),
        cax=axes.inset_axes((0.36, 0.62, 0.2, 0.2)),
        orientation="horizontal",
        extend="both",
        label="error / distance (blue: too near, red: too far)",
        format=lambda value, _: f"{value:+.0%}",
    )
    patches = [
        Patch(color=PALETTE[train_id] / 255, label=CLASS_NAMES[train_id]) for train_id in train_ids
    ]
    if patches:
        axes.legend(
            handles=patches, loc="upper left", bbox_to_anchor=(0.6, 1.0), ncols=5, frameon=False
        )


def _depth_bar(figure: FigureBase, axes: Axes, **options: Any) -> None:
    ramp_m = np.geomspace(NEAR_M, FAR_M, 256)
    colors = _painted(ramp_m[None])[0] / 255
    scale = ScalarMappable(LogNorm(NEAR_M, FAR_M), ListedColormap(colors.tolist()))
    where: dict[str, Any] = {"ax": axes} if options else {"cax": axes, "orientation": "horizontal"}
    bar = figure.colorbar(scale, label="depth (m)", **where, **options)
    bar.set_ticks(COLOR_BAR_TICKS_M, labels=[str(tick) for tick in COLOR_BAR_TICKS_M])
    bar.minorticks_off()


def _error_scale() -> ScalarMappable:
    return ScalarMappable(Normalize(-ERROR_RANGE, ERROR_RANGE), "RdBu_r")


def _middle(row: DistanceRow) -> float:
    return (float(row["from_m"] or 0) + float(row["to_m"] or 0)) / 2


def _count_bars(axes: Axes, rows: Sequence[DistanceRow]) -> None:
    total = max(sum(int(row["num_pixels"] or 0) for row in rows), 1)
    shares = axes.twinx()
    shares.bar(
        [_middle(row) for row in rows],
        [100 * int(row["num_pixels"] or 0) / total for row in rows],
        width=[0.9 * (float(row["to_m"] or 0) - float(row["from_m"] or 0)) for row in rows],
        color="gray",
        alpha=0.2,
    )
    shares.set_ylabel("share of the pixels (%), bars")
    shares.set_ylim(0, 100)
