"""What a calibration says, whichever program wrote it, and the rectified rig that follows."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import MAX_CX_DIFFERENCE_PX
from mtdepth.datasets.plausible import camera_problem, rotation_problem
from mtdepth.files import DataError, UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.lens import Lens, inscribed

Matrix = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """One camera or two, and how their pictures become rectified ones.

    Attributes:
      path: The file that says so, for messages.
      camera: The pinhole of rectified pictures, of both sides.
      baseline_m: Between the two; None for one camera.
      lens: Of the left, or only, camera's pictures as they are taken; None where the file tells of
        rectified pictures alone.
      lens_right: Of the right camera's.
      R_left: `[3, 3]`, points of the left camera's frame to the rectified frame's.
      R_right: The same of the right camera.
      T_lidar_to_camera: `[4, 4]`, LiDAR points to the rectified left camera's frame, if known.
    """

    path: Path
    camera: Intrinsics
    baseline_m: float | None = None
    lens: Lens | None = None
    lens_right: Lens | None = None
    R_left: Matrix = dataclasses.field(default_factory=lambda: np.eye(3))
    R_right: Matrix = dataclasses.field(default_factory=lambda: np.eye(3))
    T_lidar_to_camera: Matrix | None = None

    @property
    def lenses(self) -> list[tuple[Lens, Matrix]]:
        """The lens and the rectifying rotation of each camera, left first; `[]` if not told."""
        lenses = [(self.lens, self.R_left), (self.lens_right, self.R_right)]
        return [(lens, rotation) for lens, rotation in lenses if lens is not None]

    def with_lidar(self, T_lidar_to_left: Matrix) -> "Calibration":
        """The same with a LiDAR, whose pose `[4, 4]` is to the left camera before rectification."""
        turn = np.eye(4)
        turn[:3, :3] = self.R_left
        return dataclasses.replace(self, T_lidar_to_camera=turn @ T_lidar_to_left)


def of_one(path: Path, lens: Lens) -> Calibration:
    """One camera; its pictures become those of a pinhole.

    Raises:
      DataError: If no camera has such numbers.
    """
    _check_lens(path, lens)
    try:
        camera = lens.camera if lens.is_straight else lens.straightened()
    except UserError as error:
        raise DataError(path, str(error)) from error
    return Calibration(path=path, camera=camera, lens=lens)


def of_pair(path: Path, left: Lens, right: Lens, *, T_left_to_right: Matrix) -> Calibration:
    """Two cameras as `cv2.stereoCalibrate` tells of them: the rectified rig is computed.

    Both are turned by half of the rotation each, then until the rows lie along the baseline
    (Bouguet's method, by `cv2.stereoRectify`); the shared pinhole is the largest that both fill.

    Args:
      path: For messages.
      left: The left camera.
      right: The right one.
      T_left_to_right: `[4, 4]`, points of the left camera's frame to the right one's, metres; of a
        perfect rig a shift of `-baseline, 0, 0`.

    Raises:
      DataError: If no rig has such numbers.
    """
    for lens in (left, right):
        _check_lens(path, lens)
    R_between, t_m = T_left_to_right[:3, :3], T_left_to_right[:3, 3]
    if why := rotation_problem(R_between):
        raise DataError(path, f"R, from the left camera to the right one, is {why}")
    if abs(t_m[0]) <= np.linalg.norm(t_m[1:]):
        raise DataError(
            path,
            f"the right camera lies at {_shown(-R_between.T @ t_m)} (x right, y down, z ahead) of "
            "the left one: not beside it; rigs here have their cameras side by side",
        )
    size = (left.camera.width_px, left.camera.height_px)
    none = np.zeros(4)
    R_left, R_right, _, P_right, *_ = cv2.stereoRectify(
        left.camera.K, none, right.camera.K, none, size, R_between, t_m.reshape(3, 1)
    )
    baseline_m = -float(P_right[0, 3] / P_right[0, 0])
    try:
        camera = inscribed([(left, R_left), (right, R_right)])
    except UserError as error:
        raise DataError(path, str(error)) from error
    return Calibration(
        path=path,
        camera=camera,
        baseline_m=baseline_m,
        lens=left,
        lens_right=right,
        R_left=R_left,
        R_right=R_right,
    )


def of_projections(
    path: Path,
    P_left: Matrix,
    P_right: Matrix | None,
    *,
    size: tuple[int, int],
    lens: Lens | None = None,
    lens_right: Lens | None = None,
    R_left: Matrix | None = None,
    R_right: Matrix | None = None,
) -> Calibration:
    """A rig that another program rectified: its projections are taken as they are.

    Args:
      path: For messages.
      P_left: `[3, 4]`, points of the rectified left camera (or one whose axes are parallel to its)
        to homogeneous pixels.
      P_right: The same points in the right camera; None for one camera.
      size: (height, width) of rectified pictures.
      lens: Of the pictures before, if told; likewise the others.
      lens_right: Of the right camera.
      R_left: The rectifying rotation.
      R_right: Of the right camera.

    Raises:
      DataError: If they are no rectified pair.
    """
    for P_side in (P_left, P_right):
        if P_side is not None and not (P_side[0, 0] > 0 and P_side[1, 1] > 0):
            raise DataError(
                path,
                "a projection without focal lengths: was this camera calibrated and rectified?",
            )
    baseline_m = None
    if P_right is not None:
        differences = np.abs(P_right - P_left)[:2, 2]
        if differences.max() > MAX_CX_DIFFERENCE_PX:
            raise DataError(
                path,
                f"the principal points of the two projections differ by {differences[0]:.4g} "
                f"columns and {differences[1]:.4g} rows, which must be none: rectify with "
                "CALIB_ZERO_DISPARITY (OpenCV's default) and take both projections of one result",
            )
        baseline_m = float((P_left[0, 3] - P_right[0, 3]) / P_left[0, 0])
    camera = Intrinsics.of_matrix(P_left, size)
    for name, rotation in (("left", R_left), ("right", R_right)):
        if rotation is not None and (why := rotation_problem(rotation)):
            raise DataError(path, f"the {name} camera's rectifying rotation is {why}")
    return Calibration(
        path=path,
        camera=camera,
        baseline_m=baseline_m,
        lens=lens,
        lens_right=lens_right if P_right is not None else None,
        R_left=np.eye(3) if R_left is None else R_left,
        R_right=np.eye(3) if R_right is None else R_right,
    )


def _check_lens(path: Path, lens: Lens) -> None:
    if why := camera_problem(lens.camera):
        raise DataError(path, why)


def _shown(numbers: Matrix) -> str:
    return ", ".join(f"{number:.3g}" for number in numbers.ravel())
