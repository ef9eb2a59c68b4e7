"""Velodyne sweeps, and the sparse depth images that they give."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import Side, StereoRig
from mtdepth.datasets.plausible import sweep_problem
from mtdepth.files import DataError, read_bytes

PixelRule = Literal["eigen", "nearest"]
PIXEL_RULES: tuple[PixelRule, ...] = ("eigen", "nearest")

_NUM_VALUES = 4  # x, y, z, reflectance
_POINT_BYTES = _NUM_VALUES * 4


def read_velodyne(path: Path, *, z_is_up: bool = False) -> npt.NDArray[np.float32]:
    """Reads one sweep, without the points that are NaN or infinite, as where no echo came back.

    Args:
      path: The file.
      z_is_up: Whether the third axis is known to point up, as KITTI's does.

    Returns:
      `[points, 4]`: x forward, y left, z up in metres (velodyne frame), reflectance in 0..1.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is empty, its length is not a whole number of points, or its numbers are no
        echoes of a scanner (`plausible.sweep_problem`).
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such laser scan; KITTI has none for a few frames, otherwise download "
            "the drive's _sync.zip again"
        )
    content = read_bytes(path)
    if not content or len(content) % _POINT_BYTES:
        raise DataError(
            path,
            f"a sweep is a whole number of points of {_POINT_BYTES} bytes (four float32), found "
            f"{len(content)} bytes; it was cut short, copy or download it again",
        )
    points = np.frombuffer(content, np.dtype("<f4")).reshape(-1, _NUM_VALUES)
    points = points[np.isfinite(points[:, :3]).all(axis=1)]
    if why := sweep_problem(points, z_is_up=z_is_up):
        raise DataError(path, f"no sweep in metres around its scanner: {why}")
    return points


def project_to_depth(
    points: npt.NDArray[np.floating[Any]],
    rig: StereoRig,
    *,
    side: Side,
    size: tuple[int, int] | None = None,
    pixel_rule: PixelRule,
) -> npt.NDArray[np.float32]:
    """Projects a sweep into one colour camera.

    Where several points fall on a pixel, the nearest stays. (Published evaluation code means the
    same, but finds shared pixels by an index that takes the last pixel of a row and the first of
    the next for one; here the rule is applied to every pixel.)

    Args:
      points: `[points, 3 or 4]` in the velodyne frame, metres; a fourth column is not looked at.
      rig: Calibration of the recording date.
      side: Camera.
      size: (height, width) of the image, which may have been shrunk (`StereoRig.camera`); the
        rig's own when not given.
      pixel_rule: Where a point at (u, v) falls. `nearest` is `round(u), round(v)`, as in KITTI's
        own depth images. `eigen` is `round(u) - 1, round(v) - 1`, one pixel up and left, as in
        every published result on Eigen's split, whose first code kept MATLAB's counting from 1.
        Pixels are those of `size`.

    Returns:
      `[height, width]` camera z in metres, 0 where no point falls.

    Raises:
      ValueError: If the points or the rule have another form, or the image another aspect ratio
        than the rig's.
    """
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] not in (3, 4):
        raise ValueError(f"points must be [points, 3 or 4], got {points.shape}")
    if pixel_rule not in PIXEL_RULES:
        raise ValueError(f"pixel_rule is one of {', '.join(PIXEL_RULES)}, got {pixel_rule!r}")
    calibrated = rig.intrinsics(side)
    height_px, width_px = size or (calibrated.height_px, calibrated.width_px)
    camera = rig.camera(side, size=(height_px, width_px))

    to_image = rig.velodyne_to_image(side)
    # float64 throughout: in float32 about one point in 20,000 lands on the next pixel.
    xyz_m = points[:, :3].astype(np.float64)
    xyz_m = xyz_m[np.isfinite(xyz_m).all(axis=1)]
    homogeneous = xyz_m @ to_image[:, :3].T + to_image[:, 3]
    homogeneous = homogeneous[homogeneous[:, 2] > 0]
    z_m = homogeneous[:, 2]
    shift = 1 if pixel_rule == "eigen" else 0
    uv = homogeneous[:, :2] / z_m[:, None]
    if camera != calibrated:
        # The matrix is of the calibration's size; pixel centres move as in `Intrinsics.resized`.
        scale = (width_px / calibrated.width_px, height_px / calibrated.height_px)
        uv = (uv + 0.5) * scale - 0.5
    u, v = np.round(uv).T - shift
    # Compared as floats: a point beside the camera may lie beyond the range of any integer.
    is_inside = (u >= 0) & (u < width_px) & (v >= 0) & (v < height_px)

    nearest_m = np.full(height_px * width_px, np.inf, np.float32)
    pixel = v[is_inside].astype(np.int64) * width_px + u[is_inside].astype(np.int64)
    np.minimum.at(nearest_m, pixel, z_m[is_inside].astype(np.float32))
    nearest_m[np.isinf(nearest_m)] = 0
    return nearest_m.reshape(height_px, width_px)
