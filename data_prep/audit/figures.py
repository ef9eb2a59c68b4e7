"""The figures of an audit: pure functions from its numbers to pictures."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data_prep.audit.errors import OUTLIER_PX, OUTLIER_SHARE, GroupErrors, MaskErrors
from data_prep.audit.scale_check import ALIGN_CORNERS_FACTOR, RatioStatistics
from mtdepth.datasets.label_map import CLASS_NAMES, PALETTE

DPI = 110
WIDTH_IN = 11.5
# ours: a mean over fewer points is not drawn, it would catch the eye for nothing
MIN_DRAWN_POINTS = 50
SIGNED, DENSITY = "RdBu_r", "viridis"  # colour maps
ABS_REL_COLOR, D1_COLOR, RATIO_COLOR = "#1f4e9c", "#d95f02", "#7a7a7a"
D1_NAME = f"D1: off by more than {OUTLIER_PX:g} px and {OUTLIER_SHARE:.0%}"


def ratio_figure(found: RatioStatistics, *, title: str) -> Figure:
    """Teacher's disparity over LiDAR's, by LiDAR's disparity: where the self-test looks."""
    figure = Figure(figsize=(WIDTH_IN, 4.6), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    lidar_px = [each.lidar_px for each in found.bins]
    axes.fill_between(
        lidar_px,
        [each.low for each in found.bins],
        [each.high for each in found.bins],
        color=ABS_REL_COLOR,
        alpha=0.18,
        label="middle half of the points",
    )
    ratios = [each.ratio for each in found.bins]
    axes.plot(lidar_px, ratios, "o-", color=ABS_REL_COLOR, label="median of the bin")
    grid_px = np.geomspace(min(lidar_px), max(lidar_px), 100)
    axes.plot(
        grid_px,
        found.scale + found.shift_px / grid_px,
        color="black",
        linewidth=1,
        linestyle=":",
        label=f"line: {found.scale:.3f} x LiDAR's {found.shift_px:+.2f} px",
    )
    axes.axhline(1, color="#2a7f3f", linewidth=1.5, label="right: 1")
    axes.axhline(
        1 / ALIGN_CORNERS_FACTOR,
        color="#b5322b",
        linewidth=1.5,
        linestyle="--",
        label=f"align_corners the wrong way: 1/{ALIGN_CORNERS_FACTOR:g}",
    )
    axes.set_xscale("log")
    ticks = [px for px in (2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150) if _is_in(px, lidar_px)]
    axes.set_xticks(ticks, [str(px) for px in ticks])
    axes.minorticks_off()
    axes.set_ylim(min(0.8, *ratios) - 0.02, max(1.1, *ratios) + 0.02)
    axes.set_xlabel("LiDAR's disparity, px (left: far, right: near)")
    axes.set_ylabel("teacher's disparity / LiDAR's")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, ncols=2)
    axes.set_title(title, loc="left")
    return figure


def distance_figure(
    by_lidar: Sequence[GroupErrors], by_predicted: Sequence[GroupErrors], *, title: str
) -> Figure:
    """Signed error, Abs Rel and outliers by LiDAR's distance (left) and the teacher's (right)."""
    figure = Figure(figsize=(WIDTH_IN, 7.2), dpi=DPI, layout="constrained")
    panels = figure.subplots(3, 2, sharex=True, sharey="row", height_ratios=(3, 3, 1))
    for column, (name, rows) in enumerate(
        (("LiDAR distance, m", by_lidar), ("teacher's distance, m", by_predicted))
    ):
        drawn = [(at, row) for at, row in enumerate(rows) if row.num_points >= MIN_DRAWN_POINTS]
        signed, relative, counts = panels[:, column]
        signed.axhline(0, color="0.4", linewidth=0.8)
        _line(signed, drawn, lambda row: row.median_error_m, "o-", ABS_REL_COLOR, "median")
        _line(signed, drawn, lambda row: row.mean_error_m, "s--", D1_COLOR, "mean")
        signed.set_title(f"by {name.removesuffix(', m')}", fontsize=11)
        _line(relative, drawn, lambda row: row.abs_rel, "o-", ABS_REL_COLOR, "Abs Rel")
        _line(relative, drawn, lambda row: row.d1, "s-", D1_COLOR, D1_NAME)
        _line(relative, drawn, lambda row: row.ratio_outliers, "^-", RATIO_COLOR, "off by 1.25 x")
        relative.set_ylim(bottom=0)
        counts.bar(range(len(rows)), [row.num_points for row in rows], color="0.6")
        counts.set_yscale("log")
        counts.set_xticks(range(len(rows)), [row.name for row in rows], fontsize=9)
        counts.set_xlabel(name)
        for axes in (signed, relative):
            axes.grid(alpha=0.3)
    panels[0, 0].set_ylabel("teacher minus LiDAR, m\npositive: too far")
    panels[1, 0].set_ylabel("share")
    panels[2, 0].set_ylabel("points")
    panels[0, 0].legend(fontsize=9)
    panels[1, 0].legend(fontsize=9)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def region_figure(cells: Sequence[Sequence[GroupErrors]], *, aspect: float, title: str) -> Figure:
    """Maps over the picture: Abs Rel, signed error, outliers and density.

    Args:
      cells: Rows from the top, each from the left.
      aspect: Height over width of the picture.
      title: Of the figure.
    """
    maps: list[tuple[str, Callable[[GroupErrors], float | None], str]] = [
        ("Abs Rel, %", lambda cell: cell.abs_rel, "magma_r"),
        ("median error / distance, % (red: too far)", lambda cell: cell.median_error, SIGNED),
        (f"{D1_NAME}, %", lambda cell: cell.d1, "magma_r"),
        ("LiDAR points with teacher depth, %", lambda cell: cell.density, DENSITY),
    ]
    height_in = 2 * (0.9 * WIDTH_IN / 2 * aspect + 0.35) + 0.4
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, layout="constrained")
    for axes, (name, value, colors) in zip(figure.subplots(2, 2).ravel(), maps, strict=True):
        shares = np.array(
            [
                [np.nan if (v := _drawn(cell, value)) is None else 100 * v for cell in row]
                for row in cells
            ]
        )
        _heat_map(figure, axes, shares, colors=colors, aspect=aspect)
        axes.set_title(name, fontsize=10, loc="left")
    figure.suptitle(
        f"{title}; cells of fewer than {MIN_DRAWN_POINTS} LiDAR points are grey", x=0.01, ha="left"
    )
    return figure


def class_figure(rows: Sequence[GroupErrors], *, title: str) -> Figure:
    """Bars of Abs Rel and outliers for each class of the segmentation teacher."""
    drawn = [row for row in rows if row.num_points >= MIN_DRAWN_POINTS and row.abs_rel is not None]
    figure = Figure(figsize=(WIDTH_IN, 0.34 * len(drawn) + 1.6), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    at = np.arange(len(drawn))
    colors = [PALETTE[CLASS_NAMES.index(row.name)] / 255 for row in drawn]
    columns: list[tuple[str, Callable[[GroupErrors], float | None]]] = [
        ("Abs Rel, %", lambda row: row.abs_rel),
        ("median error / distance, %\n(positive: too far)", lambda row: row.median_error),
        ("D1, %", lambda row: row.d1),
    ]
    for axes, (name, value) in zip(panels, columns, strict=True):
        axes.barh(
            at,
            [100 * (value(row) or 0) for row in drawn],
            color=colors,
            edgecolor="0.3",
            height=0.7,
        )
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_xlabel(name)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
        axes.margins(y=0.01)
    panels[0].set_yticks(at, [f"{row.name} ({row.num_points:,} points)" for row in drawn])
    panels[0].invert_yaxis()
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def mask_figure(rows: Sequence[MaskErrors], *, title: str) -> Figure:
    """What is kept against what is wrong in it, one point a threshold of the left-right check."""
    figure = Figure(figsize=(WIDTH_IN, 4.2), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, 2)
    columns: list[tuple[str, str, Callable[[GroupErrors], float | None]]] = [
        ("Abs Rel", ABS_REL_COLOR, lambda errors: errors.abs_rel),
        (f"{D1_NAME}, %", D1_COLOR, lambda errors: None if errors.d1 is None else 100 * errors.d1),
    ]
    for axes, (name, color, value) in zip(panels, columns, strict=True):
        found = [(100 * row.pixel_share, value(row.errors), row) for row in rows]
        drawn = [(share, error, row) for share, error, row in found if error is not None]
        axes.plot([each[0] for each in drawn], [each[1] for each in drawn], "o-", color=color)
        last_label_at = np.inf
        for share, error, row in drawn:
            # Thresholds that keep the same pixels would write over each other.
            if abs(share - last_label_at) < 1:
                continue
            last_label_at = share
            text = "no mask" if row.threshold_px is None else f"{row.threshold_px:g} px"
            axes.annotate(text, (share, error), xytext=(5, 6), textcoords="offset points")
        axes.set_xlabel("pixels that keep their depth, %")
        axes.set_ylabel(name)
        # A teacher without depth at any LiDAR point, or without error, leaves no height.
        axes.set_ylim(0, 1.15 * max((error for _, error, _ in drawn), default=0) or 1)
        axes.margins(x=0.2)  # room for the words beside the last point
        axes.grid(alpha=0.3)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def _drawn(cell: GroupErrors, value: Callable[[GroupErrors], float | None]) -> float | None:
    return value(cell) if cell.num_points >= MIN_DRAWN_POINTS else None


def _line(
    axes: Axes,
    rows: Sequence[tuple[int, GroupErrors]],
    value: Callable[[GroupErrors], float | None],
    marker: str,
    color: str,
    label: str,
) -> None:
    known = [(at, found) for at, row in rows if (found := value(row)) is not None]
    axes.plot(
        [at for at, _ in known], [found for _, found in known], marker, color=color, label=label
    )


def _heat_map(
    figure: Figure,
    axes: Axes,
    shares: npt.NDArray[np.float64],
    *,
    colors: str,
    aspect: float,
) -> None:
    known = shares[np.isfinite(shares)]
    # One cell of rubbish must not take the colours from all others.
    limit = float(np.percentile(np.abs(known), 95)) if len(known) else 1.0
    low = {SIGNED: -limit}.get(colors, 0.0)
    high = {DENSITY: 100.0}.get(colors, limit)
    num_rows, num_columns = shares.shape
    axes.set_facecolor("0.85")
    image = axes.imshow(
        shares, cmap=colors, aspect=aspect * num_columns / num_rows, vmin=low, vmax=high
    )
    for (row, column), value in np.ndenumerate(shares):
        if np.isfinite(value):
            red, green, blue, _ = image.to_rgba(np.asarray(value))
            is_dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
            text = f"{value:.1f}" if abs(value) < 10 else f"{value:.0f}"
            color = "white" if is_dark else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
    axes.set_xticks([])
    axes.set_yticks([])
    figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, shrink=0.75)


def _is_in(px: float, range_px: Sequence[float]) -> bool:
    return min(range_px) <= px <= max(range_px)
