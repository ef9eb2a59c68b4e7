"""KITTI's calibration files: of its recordings, its odometry and its object benchmark.

Geiger et al. 2013, "Vision meets Robotics: The KITTI Dataset", sec. IV.
"""

import dataclasses
from pathlib import Path

import numpy as np

from data_prep.rig.calibration import Calibration, Matrix
from mtdepth.datasets.calibration import (
    CalibrationFile,
    StereoRig,
    rig_from_projections,
    rigid_transform,
)
from mtdepth.files import DataError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.lens import Lens

CAM_TO_CAM = "calib_cam_to_cam.txt"
_VELO_TO_CAM = "calib_velo_to_cam.txt"
_REMEDY = "give calib_cam_to_cam.txt of a date, or calib.txt of a sequence"


def read_kitti(path: Path, *, size: tuple[int, int] | None) -> Calibration:
    """Reads the two colour cameras (02 and 03), and the scanner where the files tell of it.

    Args:
      path: `calib_cam_to_cam.txt` (`calib_velo_to_cam.txt` is looked for beside it), the folder of
        the two, or a `calib.txt` of P0..P3.
      size: (height, width) of the rectified pictures, which a `calib.txt` does not say.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is damaged.
    """
    path = path / CAM_TO_CAM if path.is_dir() else path
    file = CalibrationFile(path, remedy=_REMEDY)
    return _of_recordings(file) if "P_rect_02" in file else _of_projections(file, size)


def _of_recordings(file: CalibrationFile) -> Calibration:
    scanner = file.path.parent / _VELO_TO_CAM
    T_scanner = None
    if scanner.is_file():
        of_scanner = CalibrationFile(scanner, remedy=_REMEDY)
        T_scanner = _rigid(scanner, of_scanner.matrix("R", (3, 3)), of_scanner.matrix("T", (3,)))
    rig = rig_from_projections(
        path=file.path,
        P_rect_02=file.matrix("P_rect_02", (3, 4)),
        P_rect_03=file.matrix("P_rect_03", (3, 4)),
        size_left=_size(file, "S_rect_02"),
        size_right=_size(file, "S_rect_03"),
        R_rect_00=file.matrix("R_rect_00", (3, 3)),
        T_velodyne_to_camera_0=T_scanner,
    )
    calibration = _of_rig(file.path, rig)
    if "K_02" not in file:
        return calibration
    # Of the pictures as they were taken ("unsynced+unrectified").
    return dataclasses.replace(
        calibration,
        lens=_lens(file, "02"),
        lens_right=_lens(file, "03"),
        R_left=file.matrix("R_rect_02", (3, 3)),
        R_right=file.matrix("R_rect_03", (3, 3)),
    )


def _of_projections(file: CalibrationFile, size: tuple[int, int] | None) -> Calibration:
    if size is None:
        raise DataError(
            file.path, "does not say the size of its pictures: give it, such as --size 1242x375"
        )
    names = ("Tr", "Tr_velo_to_cam", "Tr_velo_cam")
    key = next((name for name in names if name in file), None)
    T_scanner = None
    if key is not None:
        T_scanner = _rigid(file.path, *np.split(file.matrix(key, (3, 4)), [3], axis=1))
    rig = rig_from_projections(
        path=file.path,
        P_rect_02=file.matrix("P2", (3, 4)),
        P_rect_03=file.matrix("P3", (3, 4)),
        size_left=size,
        size_right=size,
        # The odometry's scanner is told in the rectified frame already.
        R_rect_00=file.matrix("R0_rect", (3, 3)) if "R0_rect" in file else np.eye(3),
        T_velodyne_to_camera_0=T_scanner,
    )
    return _of_rig(file.path, rig)


def _of_rig(path: Path, rig: StereoRig) -> Calibration:
    has_scanner = rig.T_velodyne_to_camera_0 is not None
    return Calibration(
        path=path,
        camera=rig.intrinsics_left,
        baseline_m=rig.baseline_m,
        T_lidar_to_camera=rig.T_velodyne_to("l") if has_scanner else None,
    )


def _rigid(path: Path, R_scanner: Matrix, t_m: Matrix) -> Matrix:
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = R_scanner, t_m.ravel()
    return rigid_transform(path, "R, T of the scanner", transform)


def _lens(file: CalibrationFile, camera: str) -> Lens:
    K = file.matrix(f"K_{camera}", (3, 3))
    size = _size(file, f"S_{camera}")
    try:
        pinhole = Intrinsics.of_matrix(K, size)
        return Lens(camera=pinhole, distortion=tuple(file.matrix(f"D_{camera}", (5,)).tolist()))
    except ValueError as error:
        raise DataError(file.path, f"K_{camera}, D_{camera}: {error}") from error


def _size(file: CalibrationFile, key: str) -> tuple[int, int]:
    width_px, height_px = file.matrix(key, (2,))
    return round(height_px), round(width_px)
