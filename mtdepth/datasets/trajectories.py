"""Trajectories as files: KITTI's twelve numbers a line, and TUM's time, position and quaternion."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.files import write_text

Matrix = npt.NDArray[np.floating[Any]]


def write_kitti(path: Path, world_from_camera: Matrix) -> None:
    """Writes poses in the form of KITTI's `poses/09.txt`: the upper three rows, row by row.

    Args:
      path: The file; written atomically.
      world_from_camera: `[frames, 4, 4]`.
    """
    lines = [_words(pose[:3].ravel()) for pose in world_from_camera]
    write_text(path, "\n".join(lines) + "\n")


def write_tum(path: Path, world_from_camera: Matrix, times_s: Sequence[float]) -> None:
    """Writes poses in the form of the TUM RGB-D benchmark: `time tx ty tz qx qy qz qw`.

    Args:
      path: The file; written atomically.
      world_from_camera: `[frames, 4, 4]`.
      times_s: `[frames]` seconds.

    Raises:
      ValueError: If the numbers differ.
    """
    lines = [
        _words((time_s, *pose[:3, 3], *quaternion(pose[:3, :3])))
        for pose, time_s in zip(world_from_camera, times_s, strict=True)
    ]
    write_text(path, "\n".join(lines) + "\n")


def quaternion(rotation: Matrix) -> npt.NDArray[np.float64]:
    """The unit quaternion of a rotation matrix.

    It is the eigenvector of the largest eigenvalue of Bar-Itzhack's symmetric matrix (2000), which
    is as accurate near half turns as elsewhere.

    Args:
      rotation: `[3, 3]`.

    Returns:
      `(x, y, z, w)` with w at least 0.
    """
    R_ = np.asarray(rotation, np.float64)
    K = np.zeros((4, 4))
    K[:3, :3] = R_ + R_.T - np.trace(R_) * np.eye(3)
    K[3, :3] = K[:3, 3] = (
        R_[2, 1] - R_[1, 2],
        R_[0, 2] - R_[2, 0],
        R_[1, 0] - R_[0, 1],
    )
    K[3, 3] = np.trace(R_)
    _, vectors = np.linalg.eigh(K)
    largest = vectors[:, -1]
    return np.asarray(-largest if largest[3] < 0 else largest)


def _words(numbers: Any) -> str:
    return " ".join(f"{float(number):.9g}" for number in numbers)
