"""What a bias table is worth: error by distance before and after, as a table and as a figure."""

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from absl import logging

from data_prep.audit.bias_evidence import FAR_M, BiasEvidence
from data_prep.bias_table import FIGURE_NAME, TABLE_NAME, BiasTable, Index, Statistic
from mtdepth.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.floating[Any]]

TABLE_EDGES_M = (0, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80)
FIGURE_BIN_M = 4.0
MIN_FIGURE_POINTS = 50  # ours: quartiles of fewer points jump about
BEFORE_COLOR, AFTER_COLOR = "#d95f02", "#1f4e9c"


def fit_and_report(
    evidence: BiasEvidence, folder: Path, *, statistic: Statistic, index: Index
) -> BiasTable:
    """Fits a table on all evidence, logs and draws what it does to drives it has not seen.

    Args:
      evidence: Pairs of the training split.
      folder: Receives `bias_table.json` and `bias_error_by_distance.png`.
      statistic: Of the table.
      index: Of the table.
    """
    table = dataclasses.replace(
        evidence.fit(statistic=statistic, index=index),
        num_frames=evidence.num_frames + evidence.num_left_out,
    )
    after_m = evidence.held_out_m(statistic=statistic, index=index)
    logging.info("%s", distance_table(evidence, after_m, title=_title(evidence, table)))
    save_figure(folder / FIGURE_NAME, evidence, after_m, title=_title(evidence, table))
    table.save(folder / TABLE_NAME)
    logging.info("wrote %s and %s", folder / TABLE_NAME, folder / FIGURE_NAME)
    return table


def distance_table(evidence: BiasEvidence, after_m: Floats, *, title: str) -> str:
    """Errors before and after by LiDAR distance, as text; error is teacher minus LiDAR."""
    lines = [
        title,
        f"{'LiDAR m':>9}{'points':>10}{'mean error m':>16}{'median error m':>18}{'Abs Rel':>18}",
        f"{'':19}{'before  after':>16}{'before  after':>18}{'before   after':>18}",
    ]
    lidar_m = evidence.lidar_m
    for near, far in itertools.pairwise(TABLE_EDGES_M):
        inside = (lidar_m >= near) & (lidar_m < far)
        row = f"{f'{near}-{far}':>9}{np.count_nonzero(inside):>10}"
        if inside.any():
            errors = [_capped(d)[inside] - lidar_m[inside] for d in (evidence.predicted_m, after_m)]
            means = [float(np.mean(error)) for error in errors]
            medians = [float(np.median(error)) for error in errors]
            relative = [float(np.mean(np.abs(error) / lidar_m[inside])) for error in errors]
            row += f"{means[0]:>9.2f}{means[1]:>7.2f}{medians[0]:>11.2f}{medians[1]:>7.2f}"
            row += f"{relative[0]:>10.4f}{relative[1]:>8.4f}"
        lines.append(row)
    before, after = evidence.errors(evidence.predicted_m), evidence.errors(after_m)
    lines.append(
        f"Abs Rel {before.abs_rel:.4f} -> {after.abs_rel:.4f}, "
        f"RMSE {before.rmse:.3f} -> {after.rmse:.3f} m"
    )
    return "\n".join(lines)


def save_figure(path: Path, evidence: BiasEvidence, after_m: Floats, *, title: str) -> None:
    """Draws the error by LiDAR distance and by teacher's distance, with counts, and saves it."""
    # Here, since it takes as long to load as all else that a process of a labelling job needs.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.5, 6.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(4, 1))
    before_m = evidence.predicted_m
    columns = (
        ("LiDAR distance, m", (evidence.lidar_m, evidence.lidar_m)),
        ("teacher's distance, m", (before_m, after_m)),
    )
    for column, (label, (before_at_m, after_at_m)) in enumerate(columns):
        upper, lower = panels[0, column], panels[1, column]
        upper.axhline(0, color="0.4", linewidth=0.8)
        _draw_error(upper, before_at_m, before_m - evidence.lidar_m, "before", BEFORE_COLOR)
        _draw_error(upper, after_at_m, after_m - evidence.lidar_m, "after", AFTER_COLOR)
        upper.set_title(f"by {label.removesuffix(', m')}", fontsize=11)
        upper.grid(alpha=0.25)
        edges = np.arange(0, FAR_M + FIGURE_BIN_M, FIGURE_BIN_M)
        lower.hist(before_at_m, bins=edges, color="0.6")
        lower.set_yscale("log")
        lower.set_xlabel(label)
        lower.set_xlim(0, FAR_M)
    panels[0, 0].set_ylabel("teacher minus LiDAR, m")
    panels[0, 0].legend(loc="lower left", fontsize=9)
    panels[1, 0].set_ylabel("points")
    figure.suptitle(title, fontsize=12)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def _draw_error(axes: "Axes", at_m: Floats, error_m: Floats, name: str, color: str) -> None:
    """Median line, quartile band and dashed mean in bins of `at_m`."""
    num_bins = int(FAR_M / FIGURE_BIN_M)
    bins = np.floor(at_m / FIGURE_BIN_M).astype(int)
    centers, quartiles, means = [], [], []
    for number in range(num_bins):
        inside = error_m[bins == number]
        if len(inside) >= MIN_FIGURE_POINTS:
            centers.append((number + 0.5) * FIGURE_BIN_M)
            quartiles.append(np.percentile(inside, [25, 50, 75]))
            means.append(np.mean(inside))
    if centers:
        low, middle, high = np.transpose(quartiles)
        axes.fill_between(centers, low, high, color=color, alpha=0.18, label=f"{name}, quartiles")
        axes.plot(centers, middle, color=color, linewidth=2, label=f"{name}, median")
        axes.plot(centers, means, color=color, linewidth=1.2, linestyle="--", label=f"{name}, mean")


def _title(evidence: BiasEvidence, table: BiasTable) -> str:
    return (
        f"Bias table ({table.statistic} by {table.index} distance), {evidence.num_frames} frames: "
        f"{evidence.whose_errors}"
    )


def _capped(depth_m: Floats) -> Floats:
    return np.minimum(depth_m, FAR_M)
