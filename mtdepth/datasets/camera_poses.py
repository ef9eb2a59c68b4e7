"""Where and when a camera was at each picture of KITTI: odometry's poses, GPS/IMU, time stamps."""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import Side
from mtdepth.datasets.frames import CAMERA_OF_SIDE, is_kitti_drive
from mtdepth.datasets.kitti_raw import read_times
from mtdepth.datasets.odometry import SEQUENCES_OF_SPLIT, OdometrySequence
from mtdepth.datasets.oxts import read_oxts, world_from_imu
from mtdepth.datasets.readers import open_recordings
from mtdepth.files import DataError

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
    track, rows = _track_of(files), _rows_of(files)
    poses = track.poses_of(rows.values()) if track else {}
    return {number: poses[row] for number, row in rows.items() if row in poses}


def true_times_s(files: Mapping[int, Path]) -> dict[int, float]:
    """Finds when each picture was taken, from where the pictures lie.

    Args:
      files: Pictures of one camera by frame number.

    Returns:
      Seconds by frame number, of the frames that have a time: since the first picture in KITTI's
      odometry (`times.txt`), since 1970 in its recordings (`timestamps.txt`). Empty for pictures
      from elsewhere, or where no such file can be read.
    """
    track, rows = _track_of(files), _rows_of(files)
    if track is None:
        return {}
    try:
        times_s = track.times_s
    except (FileNotFoundError, DataError) as error:
        logging.warning("the recording's own times are not used: %s", error)
        return {}
    known_s = times_s[np.isfinite(times_s)]
    if (np.diff(known_s) <= 0).any():
        folder = next(iter(files.values())).parent
        logging.warning("the recording's own times are not used: in %s they go back", folder)
        return {}
    return {
        number: float(times_s[row])
        for number, row in rows.items()
        if row < len(times_s) and np.isfinite(times_s[row])
    }


def consecutive_runs(numbers: Iterable[int]) -> list[list[int]]:
    """Splits ascending frame numbers where one is missing."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


class DriveTrack:
    """Where and when a camera of a drive of KITTI's recordings was.

    Args:
      camera: Its folder, `<date>/<drive>_sync/image_02`.
    """

    def __init__(self, camera: Path) -> None:
        self._camera = camera

    @property
    def times_s(self) -> npt.NDArray[np.float64]:
        """As `read_times`."""
        return read_times(self._camera / "timestamps.txt")

    def poses_of(self, rows: Iterable[int]) -> dict[int, Pose]:
        """World_from_camera poses of those pictures that have a packet.

        Raises:
          DataError: If a packet is damaged.
        """
        drive = self._camera.parent
        side_of_camera: dict[str, Side] = {name: side for side, name in CAMERA_OF_SIDE.items()}
        side = side_of_camera[self._camera.name]
        packets = {
            row: read_oxts(path)
            for row in rows
            if (path := drive / "oxts" / "data" / f"{row:010d}.txt").is_file()
        }
        if not packets:
            return {}
        raw = open_recordings(drive.parents[1])
        rig = raw.rig(raw.frames_of(drive.name, side)[0])
        if rig.T_imu_to_velodyne is None:
            return {}
        T_imu_to_camera = rig.T_velodyne_to(side) @ rig.T_imu_to_velodyne
        poses = world_from_imu(list(packets.values())) @ np.linalg.inv(T_imu_to_camera)
        return dict(zip(packets, poses, strict=True))


def _rows_of(files: Mapping[int, Path]) -> dict[int, int]:
    """Which of its recording each picture is, by frame number; none for pictures from elsewhere."""
    return {number: int(path.stem) for number, path in files.items() if path.stem.isdecimal()}


def _track_of(files: Mapping[int, Path]) -> OdometrySequence | DriveTrack | None:
    """Whose pictures these are; None for others."""
    first = Path(os.path.realpath(next(iter(files.values()), "/")))  # also of links in a circle
    if len(first.parents) < 4:  # such as `/video/000000.png`
        return None
    folder, camera, place, above = first.parents[:4]
    if place.name == "sequences" and camera.name.isdecimal():
        is_kittis = int(camera.name) in SEQUENCES_OF_SPLIT["all"]
        return OdometrySequence(above, int(camera.name)) if is_kittis else None
    is_recording = is_kitti_drive(place.name) and place.name[:10] == above.name
    is_of_rig = folder.name == "data" and camera.name in CAMERA_OF_SIDE.values()
    return DriveTrack(camera) if is_recording and is_of_rig else None
