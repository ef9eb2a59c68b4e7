"""Whether left is left: what a few corners, found again in the other view, say of a pair."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.doctor.findings import Check, Finding
from mtdepth.datasets.calibration import StereoRig

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]

STEREO_ORDER = Check(
    name="stereo_order",
    severity="error",
    fault="left and right are exchanged: what is near lies further right in the right view",
    remedy="exchange the folders of the two cameras",
)
ROWS = Check(
    name="stereo_rows",
    severity="error",
    fault="the same point lies in different rows of the two views",
    remedy="take rectified pictures (KITTI: synced+rectified), or rectify yours (python -m "
    "data_prep.rig --rectify); or the two views are of different moments",
)
LIDAR_AGREEMENT = Check(
    name="lidar_agreement",
    severity="error",
    fault="distances by stereo and by LiDAR differ",
    remedy="check baseline and focal length (pixels of the stated width), the LiDAR's "
    "calibration, and that sweeps and pictures carry the numbers of the same moments",
)
CHECKS = (STEREO_ORDER, ROWS, LIDAR_AGREEMENT)

_NUM_CORNERS = 200
_PATCH_PX = 11
_SEARCH_PER_WIDTH = 192 / 1242  # the stereo teachers' range: nearest 2 m on KITTI's rig
_SEARCH_ROWS_PX = 5  # at least
_SEARCH_ROWS_PER_WIDTH = 12 / 1242  # a roll of a degree moves the sides of a picture so far
_MIN_SCORE = 0.8  # ours: normalised correlation; below it other corners win by chance
# ours: fewer agreeing corners give no verdict rather than a wrong one.
_MIN_MATCHES = 20
_MIN_SHARE = 0.7
_MIN_SHIFT_PER_WIDTH = 2 / 1242  # what is far says nothing of the order
# ours: matching along rows bears less. Of fifteen real drives of 1242 columns a fit of a roll gives
# at most 0.4 px at the sides, of a lens's distortion at most 0.5 px; 1 degree gives 11 px. Smaller
# pictures shrink that, down to what matches tell.
_MAX_ROW_SHIFT_PX = 1.0
_MAX_FIT_PER_WIDTH, _LEAST_FIT_PX = 1.0 / 1242, 0.4
_NUM_REWEIGHTINGS = 10
_MIN_ROW_NOISE_PX = 0.2  # of matches in real pictures
# ours: fifteen real drives lie between 0.99 and 1.04.
_SCALE_RANGE = (0.9, 1.11)
# ours: there 80 % to 96 % of the corners agree to 15 %, with another frame's sweep 17 % to 69 %.
_AGREED = 0.15
_MIN_AGREED_SHARE = 0.55
_LIDAR_REACH_PX = 2


@dataclasses.dataclass(frozen=True, eq=False)
class Matches:
    """Corners of the left view that were found in the right one, and back again.

    Attributes:
      u: `[n]` column in the left view.
      v: `[n]` row in the left view.
      shift_px: `[n]` column in the left view minus that in the right one; positive in order.
      row_shift_px: `[n]` the same of the rows, to a fraction of a pixel; 0 in a rectified pair.
      size: (height, width) of the views.
    """

    u: npt.NDArray[np.int64]
    v: npt.NDArray[np.int64]
    shift_px: npt.NDArray[np.int64]
    row_shift_px: Floats
    size: tuple[int, int]

    @property
    def width_px(self) -> int:
        """Of the views."""
        return self.size[1]


def match_corners(left: Image, right: Image) -> Matches:
    """Finds corners of a left view in the right one, in both directions of the row.

    Args:
      left: `[height, width, 3]` RGB.
      right: The same size.
    """
    views = [cv2.cvtColor(view, cv2.COLOR_RGB2GRAY) for view in (left, right)]
    width_px = left.shape[1]
    search_px = max(16, round(_SEARCH_PER_WIDTH * width_px))
    corners = cv2.goodFeaturesToTrack(views[0], _NUM_CORNERS, 0.01, _PATCH_PX // 2)
    rows = []
    for u, v in np.rint(corners.reshape(-1, 2)).astype(int) if corners is not None else ():
        there = _find(views[0], views[1], u, v, search_px=search_px)
        back = there and _find(views[1], views[0], *there[:2], search_px=search_px)
        # A corner counts where its match points back to it: repeated texture seldom does.
        if there and back and max(abs(back[0] - u), abs(back[1] - v)) <= 1:
            rows.append((u, v, u - there[0], v - there[1] - there[2]))
    u, v, shift_px, row_shift_px = np.array(rows, np.float64).reshape(-1, 4).T
    return Matches(
        u=u.astype(np.int64),
        v=v.astype(np.int64),
        shift_px=shift_px.astype(np.int64),
        row_shift_px=row_shift_px,
        size=(left.shape[0], width_px),
    )


def _find(
    view: npt.NDArray[Any], other: npt.NDArray[Any], u: int, v: int, *, search_px: int
) -> tuple[int, int, float] | None:
    """Where the patch around (u, v) of one view lies in the other, with the fraction of the row.

    None where nowhere surely.
    """
    height, width = view.shape
    reach = _PATCH_PX // 2
    if not (reach <= u < width - reach and reach <= v < height - reach):
        return None
    rows_px = max(_SEARCH_ROWS_PX, round(_SEARCH_ROWS_PER_WIDTH * width))
    top, bottom = max(0, v - reach - rows_px), min(height, v + reach + rows_px + 1)
    first, last = max(0, u - reach - search_px), min(width, u + reach + search_px + 1)
    patch = view[v - reach : v + reach + 1, u - reach : u + reach + 1]
    scores = cv2.matchTemplate(other[top:bottom, first:last], patch, cv2.TM_CCOEFF_NORMED)
    _, best, _, (column, row) = cv2.minMaxLoc(scores)
    if best < _MIN_SCORE:
        return None
    part = 0.0
    if 0 < row < len(scores) - 1:  # the top of the parabola through three scores
        above, below = scores[row - 1, column] - best, scores[row + 1, column] - best
        part = 0.5 * float(above - below) / float(above + below) if above + below < 0 else 0.0
    return first + column + reach, top + row + reach, part


def ratios_to_lidar(
    matches: Matches, lidar_m: Floats, *, focal_px: float, baseline_m: float
) -> Floats:
    """Distances by the matches over those by LiDAR beside them.

    Args:
      matches: Of the left view.
      lidar_m: `[height, width]` LiDAR depth of the left view, 0 = none.
      focal_px: Of the views.
      baseline_m: Of the rig.

    Returns:
      `[k]` ratios, of the matches that are near enough to be exact and have LiDAR beside them.
    """
    ratios = []
    for u, v, shift_px in zip(matches.u, matches.v, matches.shift_px, strict=True):
        near = lidar_m[
            max(0, v - _LIDAR_REACH_PX) : v + _LIDAR_REACH_PX + 1,
            max(0, u - _LIDAR_REACH_PX) : u + _LIDAR_REACH_PX + 1,
        ]
        near = near[near > 0]
        # Whole pixels: from 8 px on the rounding is at most 6 %; and no edge of depth.
        if shift_px >= 8 and near.size and near.max() < 1.1 * near.min():
            ratios.append(focal_px * baseline_m / shift_px / float(np.median(near)))
    return np.array(ratios)


def order_findings(drive: str, matches: Sequence[Matches]) -> list[Finding]:
    """Judges a drive by the matches of some of its pairs."""
    if not is_enough(sum(each.u.size for each in matches)):
        return []
    if why := _wrong_rows(matches):
        return [Finding(ROWS, drive, why)]
    shift = np.concatenate([each.shift_px / each.width_px for each in matches])
    near = shift[np.abs(shift) > _MIN_SHIFT_PER_WIDTH]
    wrong_share = float(np.mean(near < 0)) if len(near) >= _MIN_MATCHES else 0.0
    why = f"{wrong_share:.0%} of {len(near)} near corners move the wrong way"
    return [Finding(STEREO_ORDER, drive, why)] if wrong_share >= _MIN_SHARE else []


def _wrong_rows(matches: Sequence[Matches]) -> str:
    """How the rows of the two views differ, empty where they do not."""
    rows_px = np.concatenate([each.row_shift_px for each in matches])
    half_width = np.concatenate([np.full(each.u.size, each.width_px / 2) for each in matches])
    height = np.concatenate([np.full(each.v.size, each.size[0]) for each in matches])
    x = np.concatenate([each.u for each in matches]) / half_width - 1
    y = (np.concatenate([each.v for each in matches]) - height / 2) / half_width
    shift = np.concatenate([each.shift_px for each in matches]) / half_width
    level = np.stack([np.ones_like(x), x], axis=1)
    roll_px = _fitted(level, rows_px)[0][1]
    most_px = min(
        _MAX_ROW_SHIFT_PX, max(_LEAST_FIT_PX, 2 * _MAX_FIT_PER_WIDTH * np.median(half_width))
    )
    if abs(roll_px) > most_px:
        angle_deg = float(np.rad2deg(np.median(roll_px / half_width)))
        return (
            f"one view is rolled by {abs(angle_deg):.2f} degrees against the other: rows differ by "
            f"{abs(roll_px):.1f} px at the sides"
        )
    median_px = float(np.median(rows_px))
    if abs(median_px) > _MAX_ROW_SHIFT_PX:
        return f"{len(rows_px)} corners lie {median_px:.0f} rows apart (median)"
    # Radial distortion moves a row by y r^2: in both views, at different r, or in one.
    bends = {"both views bend": y * shift * (2 * x - shift), "one view bends": y * (x**2 + y**2)}
    fits = {
        views: _fitted(np.column_stack([level, bend]), rows_px) for views, bend in bends.items()
    }
    views, (factors, noise_px) = min(fits.items(), key=lambda fit: fit[1][1])
    bend_px = float(np.quantile(np.abs(factors[2] * bends[views]), 0.95))
    if bend_px > max(most_px, noise_px):
        return (
            f"{views} as a lens does whose distortion was not taken out: rows differ by "
            f"{bend_px:.1f} px towards the corners"
        )
    share = float(np.mean(np.abs(rows_px) > _MAX_ROW_SHIFT_PX))
    return f"{share:.0%} of the corners lie in another row" if share > _MIN_SHARE else ""


def _fitted(terms: Floats, values: Floats) -> tuple[Floats, float]:
    """Factors of terms `[n, k]` that give `[n]` values, false matches aside, and the noise."""
    weights = np.ones(len(values))
    for _ in range(_NUM_REWEIGHTINGS):
        factors = np.linalg.lstsq(terms * weights[:, None], values * weights, rcond=None)[0]
        errors = np.abs(values - terms @ factors)
        noise = max(_MIN_ROW_NOISE_PX, 1.4826 * float(np.median(errors)))
        weights = 1 / (1 + (errors / (2 * noise)) ** 2)
    return factors, noise


def agreement_findings(drive: str, ratios: Sequence[Floats]) -> list[Finding]:
    """Judges a drive by `ratios_to_lidar` of some of its pairs."""
    values = np.concatenate([*ratios, np.zeros(0)])
    if not is_enough(len(values)):
        return []
    median = float(np.median(values))
    if not _SCALE_RANGE[0] <= median <= _SCALE_RANGE[1]:
        why = f"stereo sees {median:.2f} times LiDAR's distance (median of {len(values)} corners)"
        return [Finding(LIDAR_AGREEMENT, drive, why)]
    share = float(np.mean(np.abs(values / median - 1) < _AGREED))
    why = f"only {share:.0%} of {len(values)} corners have LiDAR's distance: of another moment?"
    return [Finding(LIDAR_AGREEMENT, drive, why)] if share < _MIN_AGREED_SHARE else []


def is_enough(num_corners: int) -> bool:
    """Whether there are corners enough to judge a drive by."""
    return num_corners >= _MIN_MATCHES


def focal_and_baseline(rig: StereoRig, *, size: tuple[int, int]) -> tuple[float, float]:
    """Focal length of pictures of that (height, width), and the baseline."""
    return rig.camera("l", size=size).fx_px, rig.baseline_m
