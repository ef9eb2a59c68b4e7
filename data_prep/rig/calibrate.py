"""A camera, or two, calibrated by pictures of a chessboard, and how well.

Zhang 2000, "A flexible new technique for camera calibration"; the work is OpenCV's.
"""

import dataclasses
from pathlib import Path

import cv2
import numpy as np

from data_prep.rig.boards import Board, BoardViews, Points, same_order
from data_prep.rig.calibration import Calibration, Matrix, of_one, of_pair
from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.lens import Lens

Poses = list[tuple[Matrix, Matrix]]

_MIN_VIEWS = 3  # of a plane, for all of a camera's numbers (Zhang 2000, sec. 3.1)
# ours: below, what is found hangs on single pictures; OpenCV's tutorial asks for as many.
_ENOUGH_VIEWS = 10
# ours: corners of sharp pictures are found to 0.1 to 0.3 px; more is a bent board or blur.
_GOOD_ERROR_PX = 0.5
_ODD_ONE_OUT = 3.0  # times the median of the pictures
# ours: 0.5 % of the focal length is 0.5 % of every distance.
_GOOD_FOCAL_SHARE = 0.005
# ours: a lens is known where corners were; distortion is largest at the border.
_GOOD_COVERAGE = 0.7
COVERAGE_CELLS = (6, 8)  # rows and columns of the picture's plane
_GOOD_ROWS_PX = 0.3  # ours: half of a stereo matcher's error in textured regions


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CalibratedLens:
    """A lens, and what speaks for it.

    Attributes:
      name: Of the camera.
      lens: What was found.
      views: The boards that it was found by.
      errors_px: Root mean square distance of corners to where they should be, by picture.
      focal_error_px: Standard deviation of the focal length; None where OpenCV tells none.
    """

    name: str
    lens: Lens
    views: BoardViews
    errors_px: dict[str, float]
    focal_error_px: float | None

    @property
    def error_px(self) -> float:
        """Root mean square over all corners."""
        return float(np.sqrt(np.mean(np.square(list(self.errors_px.values())))))

    @property
    def is_covered(self) -> np.ndarray:
        """`[6, 8]` whether a corner was seen in each part of the picture's plane."""
        corners = np.concatenate(list(self.views.corners.values()))
        edges = [
            np.linspace(-0.5, side - 0.5, cells + 1)
            for side, cells in zip(self.views.size, COVERAGE_CELLS, strict=True)
        ]
        return np.histogram2d(corners[:, 1], corners[:, 0], bins=edges)[0] > 0

    @property
    def coverage(self) -> float:
        """The share of those parts."""
        return float(self.is_covered.mean())

    def doubts(self) -> list[str]:
        """What speaks against it, with a remedy; often nothing."""
        found = []
        if (num_views := len(self.errors_px)) < _ENOUGH_VIEWS:
            found.append(f"{num_views} pictures with a board are few: take {_ENOUGH_VIEWS} to 30")
        median_px = float(np.median(list(self.errors_px.values())))
        if median_px > _GOOD_ERROR_PX:
            found.append(
                f"corners are {median_px:.2f} px off (median of the pictures), {_GOOD_ERROR_PX:g} "
                "px is good: is the board flat, the picture sharp and still, --board right?"
            )
        least_px = max(_GOOD_ERROR_PX, _ODD_ONE_OUT * median_px)
        for name, error_px in self.errors_px.items():
            if error_px > least_px:
                found.append(f"{name} is {error_px:.2f} px off, unlike the others: leave it out")
        if self.coverage < _GOOD_COVERAGE:
            found.append(
                f"corners were seen in {self.coverage:.0%} of the picture: hold the board also "
                "into the corners and along the borders, or the distortion there is a guess"
            )
        focal_px = self.lens.camera.focal_px
        if self.focal_error_px is not None and self.focal_error_px > _GOOD_FOCAL_SHARE * focal_px:
            found.append(
                f"the focal length is known to {self.focal_error_px / focal_px:.1%} only: tilt the "
                "board more, by 30 to 45 degrees, this way and that"
            )
        return [f"{self.name}: {doubt}" for doubt in found]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CalibratedPair:
    """Two lenses and the way between them.

    Attributes:
      left: The left camera.
      right: The right one.
      calibration: The rig that follows.
      T_left_to_right: `[4, 4]`, metres.
      rows_px: How far the rows of corners differ after rectification, root mean square, by picture.
    """

    left: CalibratedLens
    right: CalibratedLens
    calibration: Calibration
    T_left_to_right: Matrix
    rows_px: dict[str, float]

    def doubts(self) -> list[str]:
        """What speaks against it; see `CalibratedLens.doubts`."""
        found = [*self.left.doubts(), *self.right.doubts()]
        median_px = float(np.median(list(self.rows_px.values())))
        if median_px > _GOOD_ROWS_PX:
            found.append(
                f"rows differ by {median_px:.2f} px after rectification, {_GOOD_ROWS_PX:g} px is "
                "good: were both pictures taken at one moment, with the board held still?"
            )
        least_px = max(_GOOD_ROWS_PX, _ODD_ONE_OUT * median_px)
        found += [
            f"{name}: rows differ by {rows_px:.2f} px, unlike the others: leave this pair out"
            for name, rows_px in self.rows_px.items()
            if rows_px > least_px
        ]
        return found


def calibrate_lens(
    name: str, views: BoardViews, board: Board, *, is_fisheye: bool = False
) -> CalibratedLens:
    """Finds one camera's focal length, principal point and distortion.

    Args:
      name: For messages.
      views: Of the board.
      board: What it is.
      is_fisheye: By `cv2.fisheye` (four numbers of the angle) instead of k1 k2 p1 p2 k3.

    Raises:
      UserError: If there are too few pictures, or OpenCV finds no lens.
    """
    if len(views.corners) < _MIN_VIEWS:
        raise UserError(
            f"{name}: {len(views.corners)} pictures show the whole board, at least {_MIN_VIEWS} "
            f"are needed, {_ENOUGH_VIEWS} to 30 are good"
        )
    solve = _solve_fisheye if is_fisheye else _solve_radtan
    try:
        K, distortion, poses, focal_error_px = solve(views, board)
        lens = Lens(
            camera=Intrinsics.of_matrix(K, views.size),
            distortion=tuple(np.ravel(distortion).tolist()),
            model="fisheye" if is_fisheye else "radtan",
        )
    except (cv2.error, ValueError) as error:
        why = str(getattr(error, "err", "") or error)
        raise UserError(
            f"{name}: no lens fits these boards ({why}); tilt the board differently in each "
            "picture, and look whether --board is right"
        ) from error
    errors_px = {}
    for (picture, corners), (turn, shift) in zip(views.corners.items(), poses, strict=True):
        seen = board.points_m @ cv2.Rodrigues(turn)[0].T + np.ravel(shift)
        miss_px = lens.project(seen[:, :2] / seen[:, 2:]) - corners
        errors_px[picture] = float(np.sqrt(np.mean(np.sum(miss_px**2, axis=1))))
    return CalibratedLens(
        name=name, lens=lens, views=views, errors_px=errors_px, focal_error_px=focal_error_px
    )


def calibrate_one(
    path: Path, views: BoardViews, board: Board, *, is_fisheye: bool
) -> tuple[CalibratedLens, Calibration]:
    """Calibrates one camera; raises as `calibrate_lens` and `of_one`."""
    found = calibrate_lens(path.name, views, board, is_fisheye=is_fisheye)
    return found, of_one(path, found.lens)


def calibrate_pair(
    path: Path, left: BoardViews, right: BoardViews, board: Board, *, is_fisheye: bool
) -> CalibratedPair:
    """Calibrates two cameras, then the way between them by the boards that both saw.

    Args:
      path: Of the pictures, for messages.
      left: Boards of the left camera, by names (without suffix) that are the right one's, too.
      right: Boards of the right camera.
      board: What it is.
      is_fisheye: As `calibrate_lens` takes it.

    Raises:
      UserError: If there are too few.
      DataError: If no rig comes of it.
    """
    of_left = calibrate_lens("left", left, board, is_fisheye=is_fisheye)
    of_right = calibrate_lens("right", right, board, is_fisheye=is_fisheye)
    stems = {Path(name).stem: name for name in right.corners}
    pairs = {
        name: (corners, same_order(right.corners[stems[Path(name).stem]], corners))
        for name, corners in left.corners.items()
        if Path(name).stem in stems
    }
    if len(pairs) < _MIN_VIEWS:
        raise UserError(
            f"{path}: {len(pairs)} boards were seen by both cameras under one name "
            f"(left/007.png, right/007.png), at least {_MIN_VIEWS} are needed"
        )
    T_left_to_right = _way_between(of_left.lens, of_right.lens, list(pairs.values()), board)
    calibration = of_pair(path, of_left.lens, of_right.lens, T_left_to_right=T_left_to_right)
    rows_px = {}
    for name, corners in pairs.items():
        rows = [
            rectified_px(calibration, lens, rotation, points)[:, 1]
            for (lens, rotation), points in zip(calibration.lenses, corners, strict=True)
        ]
        rows_px[name] = float(np.sqrt(np.nanmean((rows[0] - rows[1]) ** 2)))
    return CalibratedPair(
        left=of_left,
        right=of_right,
        calibration=calibration,
        T_left_to_right=T_left_to_right,
        rows_px=rows_px,
    )


def rectified_px(calibration: Calibration, lens: Lens, rotation: Matrix, uv_px: Points) -> Points:
    """Where pixels `[n, 2]` of one camera lie in its rectified picture."""
    rays = np.column_stack([lens.rays_of(uv_px), np.ones(len(uv_px))])
    return np.asarray(calibration.camera.project(rays @ rotation.T)[0], np.float64)


def _solve_radtan(views: BoardViews, board: Board) -> tuple[Matrix, Matrix, Poses, float]:
    points = [board.points_m.astype(np.float32)] * len(views.corners)
    corners = [each.astype(np.float32) for each in views.corners.values()]
    _, K, distortion, turns, shifts, deviations, *_ = cv2.calibrateCameraExtended(
        points, corners, views.size[::-1], None, None
    )
    focal_error_px = float(np.sqrt(np.mean(np.square(deviations[:2]))))
    return K, distortion, list(zip(turns, shifts, strict=True)), focal_error_px


def _solve_fisheye(views: BoardViews, board: Board) -> tuple[Matrix, Matrix, Poses, None]:
    points = [board.points_m[None]] * len(views.corners)
    corners = [each[None] for each in views.corners.values()]
    flags = cv2.CALIB_RECOMPUTE_EXTRINSIC | cv2.CALIB_FIX_SKEW
    _, K, distortion, turns, shifts = cv2.fisheye.calibrate(
        points, corners, views.size[::-1], None, None, flags=flags
    )
    return K, distortion, list(zip(turns, shifts, strict=True)), None


def _way_between(
    left: Lens, right: Lens, pairs: list[tuple[Points, Points]], board: Board
) -> Matrix:
    """`[4, 4]`: the lenses are known, so that corners are first straightened, of any model."""
    straight = [
        [(lens.rays_of(pair[side]) @ np.diag([lens.camera.fx_px] * 2)) for pair in pairs]
        for side, lens in enumerate((left, right))
    ]
    is_known = [
        np.isfinite(np.column_stack(corners)).all(axis=1) for corners in zip(*straight, strict=True)
    ]
    K_left, K_right = (np.diag([lens.camera.fx_px] * 2 + [1.0]) for lens in (left, right))
    corners_left, corners_right = (
        [points[known].astype(np.float32) for points, known in zip(side, is_known, strict=True)]
        for side in straight
    )
    found = cv2.stereoCalibrate(
        [board.points_m[known].astype(np.float32) for known in is_known],
        corners_left,
        corners_right,
        K_left,
        np.zeros(5),
        K_right,
        np.zeros(5),
        (left.camera.width_px, left.camera.height_px),
        flags=cv2.CALIB_FIX_INTRINSIC,
    )
    way = np.eye(4)
    way[:3, :3], way[:3, 3] = found[5], np.ravel(found[6])
    return way
