"""A teacher's error at LiDAR points, whole and in groups: distance, region, class, frame, mask."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from data_prep.audit.bias_evidence import FAR_M
from data_prep.audit.findings import MASK_THRESHOLDS_PX, Findings, LidarPoints
from data_prep.bias_table import Index
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.metrics.depth import error_sums

Floats = npt.NDArray[np.floating[Any]]

DISTANCE_EDGES_M = (1, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80)
# KITTI stereo 2015, "D1": an estimate is wrong if it errs by more than both.
OUTLIER_PX, OUTLIER_SHARE = 3.0, 0.05
REGION_ROWS, REGION_COLUMNS = 6, 12  # ours: cells nearly square on KITTI's 375 x 1242


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupErrors:
    """Errors over a group of LiDAR points; those but `density` over points with teacher depth.

    Depth is capped at 80 m, disparities are not. None where the group has no such point.

    Attributes:
      name: Of the group.
      num_points: LiDAR points, with teacher depth or without.
      density: Share of them that have teacher depth.
      abs_rel: Mean of |teacher - LiDAR| / LiDAR.
      rmse_m: Root of the mean squared error.
      mean_error_m: Mean of teacher - LiDAR; positive is too far.
      median_error_m: Median of the same.
      median_error: Median of (teacher - LiDAR) / LiDAR.
      d1: Share whose disparity is wrong by more than 3 px and 5 %, pixels of the picture.
      ratio_outliers: Share whose depth is wrong by a factor of 1.25 or more.
    """

    name: str
    num_points: int
    density: float | None
    abs_rel: float | None = None
    rmse_m: float | None = None
    mean_error_m: float | None = None
    median_error_m: float | None = None
    median_error: float | None = None
    d1: float | None = None
    ratio_outliers: float | None = None


def errors_of(points: LidarPoints, *, name: str) -> GroupErrors:
    """The errors over all of these points."""
    num_points = len(points.lidar_m)
    known = points.of(points.has_depth)
    if not len(known.lidar_m):
        return GroupErrors(name=name, num_points=num_points, density=0.0 if num_points else None)
    predicted_m = np.minimum(known.predicted_m, FAR_M)
    errors = error_sums(known.lidar_m, predicted_m).errors()
    error_m = predicted_m - known.lidar_m
    return GroupErrors(
        name=name,
        num_points=num_points,
        density=len(known.lidar_m) / num_points,
        abs_rel=errors.abs_rel,
        rmse_m=errors.rmse,
        mean_error_m=float(np.mean(error_m)),
        median_error_m=float(np.median(error_m)),
        median_error=float(np.median(error_m / known.lidar_m)),
        d1=float(np.mean(is_disparity_outlier(known))),
        ratio_outliers=1 - errors.d1,
    )


def is_disparity_outlier(points: LidarPoints) -> npt.NDArray[np.bool_]:
    """`[n]`: wrong by more than 3 px and 5 % (KITTI stereo 2015); only where there is depth."""
    error_px = np.abs(points.predicted_px - points.lidar_px)
    is_far_off = (error_px > OUTLIER_PX) & (error_px > OUTLIER_SHARE * points.lidar_px)
    return points.has_depth & is_far_off


def errors_by(
    points: LidarPoints, group: npt.NDArray[np.integer[Any]], names: Sequence[str]
) -> list[GroupErrors]:
    """The errors of each group.

    Args:
      points: All.
      group: `[n]` index into `names`; points of other numbers are in no group.
      names: One for each group.
    """
    return [errors_of(points.of(group == number), name=name) for number, name in enumerate(names)]


def errors_by_distance(points: LidarPoints, *, index: Index) -> list[GroupErrors]:
    """The errors by LiDAR's distance, or by the teacher's own."""
    if index not in get_args(Index):
        raise ValueError(f"index is one of {get_args(Index)}, got {index!r}")
    distance_m = points.lidar_m if index == "lidar" else points.predicted_m
    names = [f"{near}-{far}" for near, far in itertools.pairwise(DISTANCE_EDGES_M)]
    group = np.searchsorted(DISTANCE_EDGES_M, distance_m, side="right") - 1
    return errors_by(points, group, names)


def errors_by_class(points: LidarPoints) -> list[GroupErrors]:
    """The errors by class of the segmentation teacher, of classes that occur; [] without one."""
    rows = errors_by(points, points.train_id.astype(int), CLASS_NAMES)
    return [row for row in rows if row.num_points]


def errors_by_region(points: LidarPoints) -> list[list[GroupErrors]]:
    """The errors in a grid over the picture: `REGION_ROWS` lists, from the top."""
    row = np.floor(points.row * REGION_ROWS).astype(int)
    column = np.floor(points.column * REGION_COLUMNS).astype(int)
    num_cells = REGION_ROWS * REGION_COLUMNS
    names = [f"row {n // REGION_COLUMNS}, column {n % REGION_COLUMNS}" for n in range(num_cells)]
    cells = errors_by(points, row * REGION_COLUMNS + column, names)
    return [cells[start : start + REGION_COLUMNS] for start in range(0, num_cells, REGION_COLUMNS)]


def errors_by_frame(points: LidarPoints, names: Sequence[str]) -> list[GroupErrors]:
    """The errors of each frame, in the order of the names."""
    return errors_by(points, points.frame, names)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskErrors:
    """What is left where only pixels are kept on which both views agree.

    Attributes:
      threshold_px: Largest disagreement that is kept; None keeps everything.
      pixel_share: Share of all pixels that have depth then, mean over frames.
      errors: At the LiDAR points.
    """

    threshold_px: float | None
    pixel_share: float
    errors: GroupErrors


def errors_by_mask(findings: Findings) -> list[MaskErrors]:
    """What masking by several thresholds costs and gains; empty where no views were compared.

    The first row is without a mask.
    """
    agreement = findings.agreement
    if findings.points is None or agreement is None:
        return []
    points = findings.points.in_scored_range()
    if (difference_px := points.difference_px) is None:
        return []
    rows = [
        MaskErrors(
            threshold_px=None,
            pixel_share=findings.density,
            errors=errors_of(points, name="everything"),
        )
    ]
    for most_px, share in reversed(list(zip(MASK_THRESHOLDS_PX, agreement, strict=True))):
        kept = difference_px <= most_px
        masked = dataclasses.replace(points, predicted_m=np.where(kept, points.predicted_m, 0))
        errors = errors_of(masked, name=f"within {most_px:g} px")
        rows.append(MaskErrors(threshold_px=most_px, pixel_share=share, errors=errors))
    return rows
