"""A picture of trajectories from above: the predicted way over the true one."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from mtdepth.evaluation.ego_motion import Track
from mtdepth.reporting import DPI, save_figure

MAX_COLUMNS = 3
MAX_TRACKS = 12
_PANEL_IN = 4.0


def write_trajectories(path: Path, tracks: Sequence[Track]) -> None:
    """Draws the longest tracks, each in a panel of its own: x to the right, z ahead.

    Args:
      path: The picture; written atomically.
      tracks: At least one; a prediction is scaled to the truth where there is one.
    """
    shown = sorted(tracks, key=lambda track: -len(track.numbers))[:MAX_TRACKS]
    num_columns = min(MAX_COLUMNS, len(shown))
    num_rows = math.ceil(len(shown) / num_columns)
    size = (_PANEL_IN * num_columns, _PANEL_IN * num_rows)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    for index, track in enumerate(shown):
        axes = figure.add_subplot(num_rows, num_columns, index + 1)
        unit = "relative" if track.true_m is None else "m"
        if track.true_m is not None:
            axes.plot(track.true_m[:, 0, 3], track.true_m[:, 2, 3], "k-", label="true")
        way = track.predicted[:, :3, 3] * track.scale_to_truth
        axes.plot(way[:, 0], way[:, 2], "C1-", label="predicted")
        axes.plot([0], [0], "k.")
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_title(track.name, fontsize=8, loc="left")
        axes.set_xlabel(f"x ({unit})")
        axes.set_ylabel(f"z ({unit})")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    save_figure(path, figure)
