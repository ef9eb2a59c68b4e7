"""Where a camera truly was at each picture of KITTI: from odometry's poses, or from GPS/IMU."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import Side
from mtdepth.datasets.frames import CAMERA_OF_SIDE, is_kitti_drive
from mtdepth.datasets.odometry import SEQUENCES_OF_SPLIT, OdometrySequence
from mtdepth.datasets.oxts import read_oxts, world_from_imu
from mtdepth.datasets.readers import open_recordings

Pose = npt.NDArray[np.float64]


def true_poses(files: Mapping[int, Path]) -> dict[int, Pose]:
    """Finds the true pose of each picture, from where the pictures lie.

    | pictures | truth |
    | --- | --- |
    | `<root>/sequences/09/image_2/000000.png` | `<root>/poses/09.txt`, of camera 0: a few cm off |
    | `<date>/<drive>_sync/image_02/data/0000000000.png` | `oxts/data`, to the very camera |

    Args:
      files: Pictures of one camera by frame number.

    Returns:
      World_from_camera poses `[4, 4]` in metres by frame number, of the frames that have one; the
      world is the same for all. Empty for pictures from elsewhere, or without poses.

    Raises:
      DataError: If a pose or a packet is damaged.
    """
    if not files:
        return {}
    first = next(iter(files.values())).resolve()
    if len(first.parents) < 4:  # such as `/video/000000.png`
        return {}
    camera, place, above = first.parents[0], first.parents[2], first.parents[3]
    number = first.parents[1].name
    if place.name == "sequences" and number.isdecimal():
        is_kittis = int(number) in SEQUENCES_OF_SPLIT["all"]
        return _of_odometry(first, files) if is_kittis else {}
    is_recording = is_kitti_drive(place.name) and place.name[:10] == above.name
    is_of_rig = first.parents[1].name in CAMERA_OF_SIDE.values()
    if camera.name == "data" and is_recording and is_of_rig:
        return _of_recordings(first, files)
    return {}


def consecutive_runs(numbers: Iterable[int]) -> list[list[int]]:
    """Splits ascending frame numbers where one is missing."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _of_odometry(first: Path, files: Iterable[int]) -> dict[int, Pose]:
    sequence = OdometrySequence(first.parents[3], int(first.parents[1].name))
    try:
        poses = sequence.poses
    except FileNotFoundError:  # KITTI keeps those of 11 to 21 to itself
        return {}
    return {number: poses[number] for number in files if number < len(poses)}


def _of_recordings(first: Path, files: Mapping[int, Path]) -> dict[int, Pose]:
    drive = first.parents[2]
    side_of_camera: dict[str, Side] = {camera: side for side, camera in CAMERA_OF_SIDE.items()}
    packets = {
        number: read_oxts(path)
        for number, picture in files.items()
        if (path := drive / "oxts" / "data" / f"{picture.stem}.txt").is_file()
    }
    if not packets:
        return {}
    raw = open_recordings(drive.parents[1])
    rig = raw.rig(raw.frames_of(drive.name, side_of_camera[first.parents[1].name])[0])
    if rig.T_imu_to_velodyne is None:
        return {}
    T_imu_to_camera = (
        rig.T_velodyne_to(side_of_camera[first.parents[1].name]) @ rig.T_imu_to_velodyne
    )
    poses = world_from_imu(list(packets.values())) @ np.linalg.inv(T_imu_to_camera)
    return dict(zip(packets, poses, strict=True))
