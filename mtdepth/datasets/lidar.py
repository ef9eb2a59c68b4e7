"""Velodyne sweeps, and the sparse depth images that they give."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import Side, StereoRig
from mtdepth.datasets.plausible import sweep_problem
from mtdepth.files import DataError, read_bytes

Floats = npt.NDArray[np.floating[Any]]

_NUM_VALUES = 4  # x, y, z, reflectance
_POINT_BYTES = _NUM_VALUES * 4


def read_velodyne(path: Path, *, z_is_up: bool = False) -> npt.NDArray[np.float32]:
    """Reads one sweep, without the points where no echo came back.

    Those are NaN, infinite, or the scanner's own place 0 0 0.

    Args:
      path: The file.
      z_is_up: Whether the third axis is known to point up, as KITTI's does.

    Returns:
      `[points, 4]`: x forward, y left, z up in metres (velodyne frame), reflectance in 0..1.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is no regular file or empty, its length is not a whole number of points, or
        its numbers are no echoes of a scanner (`plausible.sweep_problem`).
    """
    try:
        content = read_bytes(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path}: no such laser scan; KITTI has none for a few frames, otherwise download "
            "the drive's _sync.zip again"
        ) from error
    if not content or len(content) % _POINT_BYTES:
        raise DataError(
            path,
            f"a sweep is a whole number of points of {_POINT_BYTES} bytes (four float32), found "
            f"{len(content)} bytes; it was cut short, copy or download it again",
        )
    points = np.frombuffer(content, np.dtype("<f4")).reshape(-1, _NUM_VALUES)
    xyz_m = points[:, :3]
    points = points[np.isfinite(xyz_m).all(axis=1) & xyz_m.any(axis=1)]
    if why := sweep_problem(points, z_is_up=z_is_up):
        raise DataError(path, f"no sweep in metres around its scanner: {why}")
    return points


def project_to_depth(
    points: Floats, rig: StereoRig, *, side: Side, size: tuple[int, int] | None = None
) -> npt.NDArray[np.float32]:
    """Projects a sweep into one colour camera, as KITTI's own depth images are made.

    A point at (u, v) falls on the pixel `round(u), round(v)`; where several do, the nearest stays.

    Args:
      points: `[points, 3 or 4]` in the velodyne frame, metres; a fourth column is not looked at.
      rig: Calibration of the recording date.
      side: Camera.
      size: (height, width) of the image, which may have been shrunk (`StereoRig.camera`); the
        rig's own when not given. Pixels are those of this size.

    Returns:
      `[height, width]` camera z in metres, 0 where no point falls.

    Raises:
      ValueError: If the points have another form, or the image another aspect ratio than the
        rig's.
    """
    xyz_m = _finite(points)
    size = size or _calibrated_size(rig, side)
    uv, z_m = _projected(xyz_m, rig, side=side, size=size)
    is_inside, pixel = _pixels(np.round(uv), size=size)
    is_inside &= z_m > 0
    nearest_m = np.full(size[0] * size[1], np.inf, np.float32)
    np.minimum.at(nearest_m, pixel[is_inside], z_m[is_inside].astype(np.float32))
    nearest_m[np.isinf(nearest_m)] = 0
    return nearest_m.reshape(size)


def eigen_depth(
    points: Floats, rig: StereoRig, *, side: Side, size: tuple[int, int] | None = None
) -> npt.NDArray[np.float32]:
    """The truth of every published result on Eigen's split, with its peculiarities.

    From the formulas of Godard et al. 2017's released evaluation (`generate_depth_map` with
    `vel_depth`), which Zhou et al. 2017 and Godard et al. 2019 took over:

    - depth is the scanner's forward x, on KITTI some 0.27 m more than the camera's z;
    - points with x of 0 or more count, also those a little behind the camera;
    - a point falls on `round(u) - 1, round(v) - 1`, counted from 0: one pixel up and left;
    - the last point of a pixel stays, unless the pixel is found to be shared: then the least x of
      all that share goes to the pixel of the first. Pixels are told apart by
      `v (width - 1) + u - 1`, which takes the last of a row and the first of the next for one.

    Args:
      points: `[points, 3 or 4]`: x forward, y left, z up, metres.
      rig: Calibration of the recording date.
      side: Camera.
      size: As in `project_to_depth`.

    Returns:
      `[height, width]` scanner x in metres, 0 where no point falls.

    Raises:
      ValueError: As `project_to_depth`.
    """
    xyz_m = _finite(points)
    xyz_m = xyz_m[xyz_m[:, 0] >= 0]
    size = size or _calibrated_size(rig, side)
    uv, _ = _projected(xyz_m, rig, side=side, size=size)
    is_inside, pixel = _pixels(np.round(uv) - 1, size=size)
    pixel, x_m = pixel[is_inside], xyz_m[is_inside, 0]
    depth_m = np.zeros(size[0] * size[1])
    depth_m[pixel] = x_m  # the last of a pixel's points stays
    row, column = np.divmod(pixel, size[1])
    _, first, group, count = np.unique(
        row * (size[1] - 1) + column - 1, return_index=True, return_inverse=True, return_counts=True
    )
    least_m = np.full(count.shape, np.inf)
    np.minimum.at(least_m, group, x_m)
    shared = count > 1
    depth_m[pixel[first[shared]]] = least_m[shared]
    return depth_m.reshape(size).astype(np.float32)


def _finite(points: Floats) -> npt.NDArray[np.float64]:
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] not in (3, 4):
        raise ValueError(f"points must be [points, 3 or 4], got {points.shape}")
    # float64 throughout: in float32 about one point in 20,000 lands on the next pixel.
    xyz_m = points[:, :3].astype(np.float64)
    return xyz_m[np.isfinite(xyz_m).all(axis=1)]


def _calibrated_size(rig: StereoRig, side: Side) -> tuple[int, int]:
    calibrated = rig.intrinsics(side)
    return calibrated.height_px, calibrated.width_px


def _projected(
    xyz_m: npt.NDArray[np.float64], rig: StereoRig, *, side: Side, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns `[points, 2]` u, v in pixels of `size`, not rounded, and `[points]` camera z."""
    height_px, width_px = size
    to_image = rig.velodyne_to_image(side)
    homogeneous = xyz_m @ to_image[:, :3].T + to_image[:, 3]
    z_m = homogeneous[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):  # beside the camera: in no picture
        uv = homogeneous[:, :2] / z_m[:, None]
    calibrated = rig.intrinsics(side)
    if rig.camera(side, size=size) != calibrated:
        # The matrix is of the calibration's size; pixel centres move as in `Intrinsics.resized`.
        scale = (width_px / calibrated.width_px, height_px / calibrated.height_px)
        uv = (uv + 0.5) * scale - 0.5
    return uv, z_m


def _pixels(
    rounded_uv: npt.NDArray[np.float64], *, size: tuple[int, int]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Returns `[points]`: which lie inside the picture, and their pixel's index (others: 0)."""
    u, v = rounded_uv.T
    # Compared as floats: a point beside the camera may lie beyond the range of any integer.
    is_inside = (u >= 0) & (u < size[1]) & (v >= 0) & (v < size[0])
    return is_inside, np.where(is_inside, v * size[1] + u, 0).astype(np.int64)
