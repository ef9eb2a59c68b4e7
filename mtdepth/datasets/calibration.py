"""KITTI's calibration files, read into one typed record of the colour stereo rig."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtdepth.datasets import plausible
from mtdepth.files import DataError, UserError, is_there, read_text
from mtdepth.geometry.camera import Intrinsics

Matrix = npt.NDArray[np.float64]

Side = Literal["l", "r"]
"""`l` is the left colour camera (KITTI's 02), `r` the right one (03)."""

DOWNLOAD_PAGE = "https://www.cvlibs.net/datasets/kitti/raw_data.php"
# ours: rounding a shrunk picture to whole pixels, or to a network's multiples of 32, changes its
# shape by less; a crop changes it by more.
MAX_ASPECT_CHANGE = 0.02
# ours: KITTI's rectified pairs have one principal column; 0.1 px is 0.5 % of the depth at 20 px.
MAX_CX_DIFFERENCE_PX = 0.1
_REMEDY = (
    "KITTI's calibration is a download of its own for each date, unpacked beside the drives: "
    f"download the calibration of this date again from {DOWNLOAD_PAGE}"
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RightCamera:
    """The right camera of a rectified pair.

    Attributes:
      intrinsics: With the size of its images.
      P_rect: 3x4, rectified camera 0 points to homogeneous pixels.
      baseline_m: Distance to the left camera's optical centre along the rows.
    """

    intrinsics: Intrinsics
    P_rect: Matrix
    baseline_m: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StereoRig:
    """The rectified colour cameras 02 and 03, and where the laser scanner sits.

    Frames: *velodyne* (x forward, y left, z up), *camera 0* (the unrectified left grey camera;
    x right, y down, z forward), *rectified camera 0* (camera 0 turned by `R_rect_00`), and
    *rectified camera 2 / 3*: axes parallel to rectified camera 0, origin in the optical centre of
    the left / right colour camera.

    Attributes:
      intrinsics_left: Rectified camera 02, with the size of its images.
      P_rect_02: 3x4, rectified camera 0 points to homogeneous pixels of image_02.
      right: Rectified camera 03; None for a rig of one camera, of which whatever asks for the
        right camera or the baseline raises `UserError`.
      R_rect_00: 3x3 rectifying rotation; the identity where the files are rectified throughout.
      T_velodyne_to_camera_0: 4x4; None for an odometry sequence without `Tr`.
      T_imu_to_velodyne: 4x4; None where `calib_imu_to_velo.txt` is absent.
    """

    intrinsics_left: Intrinsics
    P_rect_02: Matrix
    right: RightCamera | None
    R_rect_00: Matrix
    T_velodyne_to_camera_0: Matrix | None
    T_imu_to_velodyne: Matrix | None = None

    @property
    def has_right(self) -> bool:
        """Whether there is a right camera."""
        return self.right is not None

    @property
    def intrinsics_right(self) -> Intrinsics:
        """Rectified camera 03."""
        return self._right().intrinsics

    @property
    def baseline_m(self) -> float:
        """Distance between the optical centres along the rows."""
        return self._right().baseline_m

    def intrinsics(self, side: Side) -> Intrinsics:
        """Returns the rectified camera of one side."""
        return self.intrinsics_left if check_side(side) == "l" else self.intrinsics_right

    def camera(self, side: Side, *, size: tuple[int, int]) -> Intrinsics:
        """Returns the rectified camera of a picture, which may have been shrunk since.

        Args:
          side: Which camera.
          size: (height, width) of the picture.

        Raises:
          UserError: If the picture has another aspect ratio than the calibration's: then it was
            cropped, and nobody knows where.
        """
        return resized_camera(self.intrinsics(side), size=size)

    def P_rect(self, side: Side) -> Matrix:
        """Returns the 3x4 projection of one side."""
        return self.P_rect_02 if check_side(side) == "l" else self._right().P_rect

    def velodyne_to_image(self, side: Side) -> Matrix:
        """Returns the 3x4 matrix from homogeneous velodyne points to homogeneous pixels.

        `P_rect @ R_rect_00 @ T_velodyne_to_camera_0`, multiplied from the left as KITTI's
        development kit does. The third row gives camera z in metres, its fourth column included.
        """
        rotation = np.eye(4)
        rotation[:3, :3] = self.R_rect_00
        return self.P_rect(side) @ rotation @ self._T_velodyne_to_camera_0()

    def T_velodyne_to(self, side: Side) -> Matrix:
        """Returns the 4x4 transform from velodyne points to one rectified colour camera.

        Composed right to left: velodyne to camera 0, the rectifying rotation, and the shift from
        rectified camera 0 to the colour camera. The shift is `K^-1 @ P_rect[:, 3]`, since
        `P_rect = K @ [I | shift]`: camera 2 lies 6 cm to the left of camera 0 and camera 3
        47 cm to the right, so points move by +0.06 m and -0.47 m.
        """
        T_shift = np.eye(4)
        P_rect = self.P_rect(side)
        T_shift[:3, 3] = np.linalg.solve(P_rect[:, :3], P_rect[:, 3])
        T_rectify = np.eye(4)
        T_rectify[:3, :3] = self.R_rect_00
        return T_shift @ T_rectify @ self._T_velodyne_to_camera_0()

    def _right(self) -> RightCamera:
        if self.right is None:
            raise UserError(
                "this rig has one camera: its rig.json has no baseline_m, so there is no stereo "
                "pair; take a teacher that needs none, or add baseline_m and the right pictures"
            )
        return self.right

    def _T_velodyne_to_camera_0(self) -> Matrix:
        if self.T_velodyne_to_camera_0 is None:
            raise UserError(
                "this rig has no laser scanner: its calib.txt has no line `Tr:` (download KITTI's "
                "odometry data set calibration files), or its rig.json no T_lidar_to_camera"
            )
        return self.T_velodyne_to_camera_0


def resized_camera(camera: Intrinsics, *, size: tuple[int, int]) -> Intrinsics:
    """Brings intrinsics from the size of their calibration to that of a picture.

    Args:
      camera: At the size of the calibration.
      size: (height, width) of the picture, which may have been shrunk since.

    Raises:
      UserError: If the aspect ratios differ: then the picture was cropped, and nobody knows where,
        or is of another mode of the camera.
    """
    height_px, width_px = size
    if size == (camera.height_px, camera.width_px):
        return camera
    change = (width_px * camera.height_px) / (height_px * camera.width_px) - 1
    if abs(change) > MAX_ASPECT_CHANGE:
        raise UserError(
            f"a picture of {height_px}x{width_px} (height x width) is no resized one of "
            f"{camera.height_px}x{camera.width_px}, which the calibration is of: its aspect ratio "
            f"differs by {abs(change):.1%}, at most {MAX_ASPECT_CHANGE:.0%} is rounding; pictures "
            "that are cropped or of another mode of the camera need a calibration of their own, at "
            "any size of their aspect ratio"
        )
    return camera.resized(width_px=width_px, height_px=height_px)


def check_side(side: Side) -> Side:
    """Returns `side`.

    Raises:
      ValueError: If it is neither `l` nor `r`.
    """
    if side not in ("l", "r"):
        raise ValueError(f"side is 'l' (left, image_02) or 'r' (right, image_03), got {side!r}")
    return side


def read_rig(date_dir: Path) -> StereoRig:
    """Reads the calibration of one recording date.

    Args:
      date_dir: Folder such as `2011_09_26` that holds `calib_cam_to_cam.txt`,
        `calib_velo_to_cam.txt` and, for poses from oxts only, `calib_imu_to_velo.txt`.

    Raises:
      FileNotFoundError: If one of the first two files is missing.
      DataError: If a line is missing or has the wrong number of numbers.
    """
    cameras = CalibrationFile(date_dir / "calib_cam_to_cam.txt")
    scanner = CalibrationFile(date_dir / "calib_velo_to_cam.txt")
    imu_path = date_dir / "calib_imu_to_velo.txt"
    return rig_from_projections(
        path=cameras.path,
        P_rect_02=cameras.matrix("P_rect_02", (3, 4)),
        P_rect_03=cameras.matrix("P_rect_03", (3, 4)),
        size_left=_size(cameras, "S_rect_02"),
        size_right=_size(cameras, "S_rect_03"),
        R_rect_00=cameras.matrix("R_rect_00", (3, 3)),
        T_velodyne_to_camera_0=_rigid(scanner),
        T_imu_to_velodyne=_rigid(CalibrationFile(imu_path)) if is_there(imu_path) else None,
    )


def rig_from_projections(
    *,
    path: Path,
    P_rect_02: Matrix,
    P_rect_03: Matrix | None,
    size_left: tuple[int, int],
    size_right: tuple[int, int],
    R_rect_00: Matrix,
    T_velodyne_to_camera_0: Matrix | None,
    T_imu_to_velodyne: Matrix | None = None,
    baseline_m: float | None = None,
) -> StereoRig:
    """Builds the record from projection matrices, whichever file format they came in.

    `baseline_m = P_rect_02[0, 3] / fx_02 - P_rect_03[0, 3] / fx_03`: the fourth columns hold
    fx times the way from camera 0 to each colour camera.

    Args:
      path: The file the matrices came from, for error messages.
      P_rect_02: 3x4 projection of the left colour camera.
      P_rect_03: 3x4 projection of the right colour camera; None where there is none.
      size_left: (height, width) of its images.
      size_right: (height, width) of its images.
      R_rect_00: 3x3.
      T_velodyne_to_camera_0: 4x4 or None.
      T_imu_to_velodyne: 4x4 or None.
      baseline_m: Where the file states it, instead of the quotients.

    Raises:
      DataError: If the matrices are no rectified pair, or of no rig that could exist.
    """
    left = _pinhole(path, "left", P_rect_02, size_left)
    camera = None
    if P_rect_03 is not None:
        right = _pinhole(path, "right", P_rect_03, size_right)
        if abs(right.cx_px - left.cx_px) > MAX_CX_DIFFERENCE_PX:
            raise DataError(
                path,
                "the two projections must have one principal column, or every disparity is off; "
                f"found {left.cx_px} and {right.cx_px}",
            )
        if baseline_m is None:
            baseline_m = float(P_rect_02[0, 3] / left.fx_px - P_rect_03[0, 3] / right.fx_px)
        if why := plausible.baseline_problem(baseline_m):
            raise DataError(path, why)
        camera = RightCamera(intrinsics=right, P_rect=P_rect_03, baseline_m=baseline_m)
    if why := plausible.rotation_problem(R_rect_00):
        raise DataError(path, f"R_rect_00 is {why}")
    return StereoRig(
        intrinsics_left=left,
        P_rect_02=P_rect_02,
        right=camera,
        R_rect_00=R_rect_00,
        T_velodyne_to_camera_0=T_velodyne_to_camera_0,
        T_imu_to_velodyne=T_imu_to_velodyne,
    )


def _pinhole(path: Path, name: str, P_rect: Matrix, size: tuple[int, int]) -> Intrinsics:
    try:
        camera = Intrinsics.of_matrix(P_rect, size)
    except ValueError as error:
        raise DataError(path, f"the {name} camera is no pinhole camera: {error}") from error
    if why := plausible.camera_problem(camera):
        raise DataError(path, f"the {name} camera: {why}")
    if not np.allclose(P_rect[:, :3], camera.K, atol=1e-6):
        raise DataError(
            path, f"the {name} camera: its projection must begin with fx 0 cx 0 fy cy 0 0 1"
        )
    return camera


def rigid_transform(path: Path, name: str, transform: Matrix) -> Matrix:
    """Returns a 4x4 from one sensor of a rig to another.

    Raises:
      DataError: If it is none; names the file and the entry.
    """
    if why := plausible.transform_problem(transform):
        raise DataError(path, f"{name} must be a rotation and a shift in metres, it is {why}")
    return transform


class CalibrationFile:
    """One of KITTI's `key: numbers` text files, from which matrices are taken by key.

    Args:
      path: The file.
      remedy: What to do when it is missing or damaged, for the messages.

    Raises:
      FileNotFoundError: If it is missing.
    """

    def __init__(self, path: Path, *, remedy: str = _REMEDY) -> None:
        self.path = path
        self.remedy = remedy
        if not is_there(path):
            raise FileNotFoundError(f"{path}: no such calibration file; {remedy}")
        self._values: dict[str, str] = {}
        for line in read_text(path).splitlines():
            key, colon, values = line.partition(":")
            if colon:
                self._values[key.strip()] = values

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def matrix(self, key: str, shape: tuple[int, ...]) -> Matrix:
        """Returns the numbers of one line as a float64 array of `shape`.

        Raises:
          DataError: If the line is missing or does not hold that many finite numbers.
        """
        if key not in self._values:
            raise DataError(self.path, f"no {key}; {self.remedy}")
        words = self._values[key].split()
        count = int(np.prod(shape))
        try:
            numbers = np.array([float(word) for word in words])
        except ValueError as error:
            raise DataError(self.path, f"{key}: {error}; {self.remedy}") from error
        if len(numbers) != count or not np.isfinite(numbers).all():
            raise DataError(
                self.path,
                f"{key} must have {count} finite numbers, found {len(numbers)}; {self.remedy}",
            )
        return numbers.reshape(shape)


def _size(cameras: CalibrationFile, key: str) -> tuple[int, int]:
    width_px, height_px = cameras.matrix(key, (2,))
    return round(height_px), round(width_px)


def _rigid(file: CalibrationFile) -> Matrix:
    transform = np.eye(4)
    transform[:3, :3] = file.matrix("R", (3, 3))
    transform[:3, 3] = file.matrix("T", (3,))
    return rigid_transform(file.path, "R, T", transform)
