"""A laser scanner as the depth teacher: the sweep projected into the picture.

Sparse (4 % of a KITTI picture's pixels, hardly any in its upper third), but measured: the baseline
that stereo teachers are compared with, and the teacher of a rig with one camera and a scanner.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import StereoRig
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.lidar import project_to_depth
from mtdepth.datasets.oxts import read_oxts, world_from_imu
from mtdepth.datasets.recordings import Recordings
from mtdepth.files import DataError, UserError
from teachers.interface import Floats, Setting, StereoSample, Teacher, TeacherEntry

Matrix = npt.NDArray[np.float64]


class LidarTeacher(Teacher[Floats]):
    """Depth where the scanner hit; of several points on a pixel the nearest.

    Sweeps of neighbouring frames make it denser. They are moved to the frame's scanner by the
    GPS/IMU poses, as if nothing in the scene had moved, and a point that the camera cannot see
    stays where no nearer one falls on its pixel: what moves leaves a trail.

    Args:
      num_neighbours: Sweeps added on either side, where the drive has them.

    Raises:
      UserError: If that is negative.
    """

    name = "lidar"

    def __init__(self, *, num_neighbours: int = 0) -> None:
        if num_neighbours < 0:
            raise UserError(f"--lidar_neighbours must not be negative, got {num_neighbours}")
        self._num_neighbours = num_neighbours
        self.version = f"nearest point of a pixel, {num_neighbours} sweeps added on either side"
        self.source = "LiDAR"
        if num_neighbours:
            self.source += f" ({num_neighbours} sweeps on either side moved by GPS/IMU)"

    def predict(self, sample: StereoSample) -> Floats:
        """Depth of the labelled view, `[height, width]` metres, 0 where no point falls.

        Raises:
          FileNotFoundError: If the frame has no sweep or, with neighbours, no GPS/IMU packet.
          DataError: If one is damaged.
          UserError: With neighbours, if the recordings have no GPS/IMU.
        """
        raw, frame = sample.recordings, sample.frame
        if raw is None:
            raise ValueError(f"frame {frame} was loaded without its recordings")
        rig = raw.rig(frame)
        sweeps: list[npt.NDArray[Any]] = [raw.read_sweep(frame)[:, :3]]
        for offset in range(-self._num_neighbours, self._num_neighbours + 1):
            if offset and frame.index + offset >= 0:
                neighbour = dataclasses.replace(frame, index=frame.index + offset)
                if raw.velodyne_path(neighbour).is_file():
                    T_neighbour_to_own = _motion(raw, rig, frame, neighbour)
                    points = raw.read_sweep(neighbour)[:, :3].astype(np.float64)
                    sweeps.append(points @ T_neighbour_to_own[:3, :3].T + T_neighbour_to_own[:3, 3])
        return project_to_depth(
            np.concatenate(sweeps),
            rig,
            side=frame.side,
            size=sample.size_px,
        )


def _motion(raw: Recordings, rig: StereoRig, frame: FrameId, neighbour: FrameId) -> Matrix:
    """The 4x4 from points of a neighbour's scanner to the frame's own."""
    paths = [raw.oxts_path(each) for each in (frame, neighbour)]
    if paths[0] is None or paths[1] is None:
        raise UserError(
            f"--lidar_neighbours moves sweeps by GPS/IMU packets, which {raw.layout.title} below "
            f"{raw.root} has not; leave it out"
        )
    if rig.T_imu_to_velodyne is None:
        raise DataError(
            paths[0],
            "no calibration says where the GPS/IMU sits (calib_imu_to_velo.txt); add it, or leave "
            "--lidar_neighbours out",
        )
    T_imu_to_velodyne = rig.T_imu_to_velodyne
    _, T_neighbour_to_own = world_from_imu([read_oxts(path) for path in paths if path])
    return T_imu_to_velodyne @ T_neighbour_to_own @ np.linalg.inv(T_imu_to_velodyne)


ENTRY = TeacherEntry(
    name="lidar",
    help="the laser sweep projected into the picture, sparse; needs one camera",
    make=lambda lidar_neighbours=0: LidarTeacher(num_neighbours=lidar_neighbours),
    settings=(
        Setting(
            name="lidar_neighbours",
            kind="int",
            help="Adds so many sweeps before and after the frame's own, moved by GPS/IMU. "
            "Default: none.",
        ),
    ),
    is_measured=True,
)
