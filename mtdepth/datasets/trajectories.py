"""Trajectories as files: KITTI's twelve numbers a line, and TUM's time, position and quaternion."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

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

    The quaternions have qw of at least 0.

    Args:
      path: The file; written atomically.
      world_from_camera: `[frames, 4, 4]`.
      times_s: `[frames]` seconds.

    Raises:
      ValueError: If the numbers differ.
    """
    quaternions = Rotation.from_matrix(world_from_camera[:, :3, :3]).as_quat(canonical=True)
    lines = [
        f"{time_s:.9f} {_words((*pose[:3, 3], *quaternion))}"
        for time_s, pose, quaternion in zip(times_s, world_from_camera, quaternions, strict=True)
    ]
    write_text(path, "\n".join(lines) + "\n")


def _words(numbers: Any) -> str:
    return " ".join(f"{float(number):.9g}" for number in numbers)
