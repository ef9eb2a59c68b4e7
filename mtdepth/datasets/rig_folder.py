"""Recordings of any rectified stereo rig: a folder of drives with one JSON file of the camera.

<root>/rig.json                          what `read_rig_file` reads
<root>/<drive>/rig.json                  the same for one drive of another camera; may be absent
<root>/<drive>/left/<number>.png         or .jpg; any number of digits
<root>/<drive>/right/<number>.png        the same moment, rectified: a point keeps its row
<root>/<drive>/lidar/<number>.bin        float32 x, y, z in metres, reflectance; may be absent

The label store, predictions and lists call the two cameras and the frames as they do KITTI's:
`image_02`, `image_03`, ten digits.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import Side, StereoRig, check_side, rig_from_projections
from mtdepth.datasets.frames import (
    FrameId,
    check_drive,
    picture_camera,
)
from mtdepth.defaults import RIG_FILE
from mtdepth.files import DataError, read_json
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import PICTURE_SUFFIXES, read_rgb

FOLDER_OF_SIDE: dict[Side, str] = {"l": "left", "r": "right"}
LIDAR_FOLDER, LIDAR_SUFFIX = "lidar", ".bin"

_CAMERA_KEYS = ("width_px", "height_px", "fx_px", "fy_px", "cx_px", "cy_px")
_LIDAR_KEY = "T_lidar_to_camera"
_LAYOUT = f"<root>/{RIG_FILE} and <root>/<drive>/left/000000.png, right/000000.png"
# ours: a calibration written with four digits passes, one that scales or shears does not.
_MAX_ROTATION_ERROR = 1e-3


class RigFolder:
    """Recordings of a rig other than KITTI's.

    Args:
      root: The folder that holds `rig.json`.

    Raises:
      FileNotFoundError: If the file is missing, or no folder beside it holds `left`.
      DataError: If the file is damaged, a drive has a name that lists cannot hold, or a drive has
        LiDAR and the file does not say where it sits.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._rig = read_rig_file(self.root / RIG_FILE)
        self._rig_of_drive: dict[str, StereoRig] = {}
        self._files: dict[tuple[str, str], dict[int, Path]] = {}
        self._drives = sorted(
            folder.name
            for folder in self.root.iterdir()
            if (folder / FOLDER_OF_SIDE["l"]).is_dir() and not folder.name.startswith(".")
        )
        if not self._drives:
            raise FileNotFoundError(
                f"{self.root}: no folder beside {RIG_FILE} holds pictures in `left`; recordings "
                f"are laid out as {_LAYOUT}"
            )
        for drive in self._drives:
            try:
                check_drive(drive)
            except ValueError as error:
                raise DataError(self.root / drive, f"{error}; rename the folder") from error
            if self._rig.T_velodyne_to_camera_0 is None and self._has_lidar(drive):
                raise DataError(
                    self.root / RIG_FILE,
                    f"drive {drive} has {LIDAR_FOLDER} but no {_LIDAR_KEY} says where the scanner "
                    f"sits; add it, or rename the {LIDAR_FOLDER} folder to label without it",
                )

    def drives(self) -> list[str]:
        """Returns every drive, sorted."""
        return list(self._drives)

    def drive_dir(self, drive: str) -> Path:
        """Returns the folder of a drive, present or not."""
        return self.root / drive

    def frames_of(self, drive: str, side: Side = "l") -> list[FrameId]:
        """Returns the frames of one camera of a drive that have a picture, sorted.

        Raises:
          FileNotFoundError: If the drive is not there.
          DataError: If a picture is not named by a number, or two are named by the same.
        """
        if drive not in self._drives:
            raise FileNotFoundError(
                f"{self.drive_dir(drive)}: no such drive; there are {', '.join(self._drives[:5])}"
            )
        return [FrameId(drive, index, side) for index in self._pictures(drive, side)]

    def image_path(self, frame: FrameId) -> Path:
        """Finds the picture of a frame; png wins over jpg.

        Raises:
          FileNotFoundError: If there is none.
          DataError: If its folder's names are ambiguous.
        """
        path = self._pictures(frame.drive, frame.side).get(frame.index)
        if path is None:
            folder = self.drive_dir(frame.drive) / FOLDER_OF_SIDE[frame.side]
            suffixes = ", ".join(PICTURE_SUFFIXES)
            raise FileNotFoundError(
                f"no picture of frame {frame}: {folder} has no number {frame.index} ({suffixes})"
            )
        return path

    def velodyne_path(self, frame: FrameId) -> Path:
        """Returns where the frame's laser scan lies; the file may be absent.

        Raises:
          DataError: If its folder's names are ambiguous.
        """
        folder = self.drive_dir(frame.drive) / LIDAR_FOLDER
        sweeps = self._numbered(frame.drive, LIDAR_FOLDER, (LIDAR_SUFFIX,))
        return sweeps.get(frame.index, folder / f"{frame.name}{LIDAR_SUFFIX}")

    def neighbour(self, frame: FrameId, offset: int) -> FrameId | None:
        """Returns the frame `offset` numbers later (earlier if negative) where it has a picture."""
        index = frame.index + offset
        is_there = index in self._pictures(frame.drive, frame.side)
        return FrameId(frame.drive, index, frame.side) if is_there else None

    def read_image(self, frame: FrameId) -> npt.NDArray[np.uint8]:
        """Reads a picture as `[height, width, 3]` RGB.

        Raises:
          FileNotFoundError: If there is none.
          DataError: If it is damaged.
        """
        return read_rgb(self.image_path(frame))

    def rig(self, frame: FrameId) -> StereoRig:
        """Returns the rig that took a frame: its drive's own, or the one of all drives.

        Raises:
          DataError: If the drive's `rig.json` is damaged.
        """
        if frame.drive not in self._rig_of_drive:
            own = self.drive_dir(frame.drive) / RIG_FILE
            self._rig_of_drive[frame.drive] = read_rig_file(own) if own.is_file() else self._rig
        return self._rig_of_drive[frame.drive]

    def camera(self, frame: FrameId, *, size: tuple[int, int]) -> Intrinsics:
        """Returns the camera of a frame's picture, which may have been shrunk.

        Args:
          frame: The frame.
          size: (height, width) of its picture.

        Raises:
          DataError: If the picture is a cropped one, or the drive's `rig.json` is damaged.
        """
        return picture_camera(self.rig(frame), frame, size=size, path=self.image_path)

    def _has_lidar(self, drive: str) -> bool:
        return (self.drive_dir(drive) / LIDAR_FOLDER).is_dir()

    def _pictures(self, drive: str, side: Side) -> dict[int, Path]:
        return self._numbered(drive, FOLDER_OF_SIDE[check_side(side)], PICTURE_SUFFIXES)

    def _numbered(self, drive: str, kind: str, suffixes: tuple[str, ...]) -> dict[int, Path]:
        # Listed once: names have any number of digits, so a path cannot be computed.
        if (drive, kind) not in self._files:
            self._files[drive, kind] = numbered_files(self.drive_dir(drive) / kind, suffixes)
        return self._files[drive, kind]


def numbered_files(folder: Path, suffixes: tuple[str, ...]) -> dict[int, Path]:
    """Finds the files of a folder that are named by a frame number, sorted by it.

    Args:
      folder: May be absent.
      suffixes: Of the files looked for; of two with one name the earlier suffix wins. Other files
        and hidden ones are passed over.

    Raises:
      DataError: If such a file is not named by a number, or two different names give one number.
    """
    found: dict[int, Path] = {}
    paths = folder.iterdir() if folder.is_dir() else ()
    wanted = [path for path in paths if path.suffix in suffixes and not path.name.startswith(".")]
    for path in sorted(wanted, key=lambda path: (suffixes.index(path.suffix), path.name)):
        if not re.fullmatch(r"[0-9]+", path.stem):
            raise DataError(path, f"frames are named by their number, 000005{path.suffix}")
        known = found.setdefault(int(path.stem), path)
        if known.stem != path.stem:
            raise DataError(path, f"is frame {int(path.stem)}, and so is {known.name}; remove one")
    return dict(sorted(found.items()))


def read_rig_file(path: Path) -> StereoRig:
    """Reads a rig of two rectified cameras, and where its LiDAR sits.

    The file is a JSON object of `width_px`, `height_px`, `fx_px`, `fy_px`, `cx_px`, `cy_px` (both
    cameras, after rectification, at the size they were calibrated at; pixel (0, 0) is centred at
    0, 0), `baseline_m`, and, where there is LiDAR, `T_lidar_to_camera`: the 4x4 that takes its
    points to the left camera's frame (x right, y down, z forward, metres).

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If a name is missing or unknown, or a value is none that a rig could have.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; recordings are laid out as {_LAYOUT}")
    content = read_json(path)
    needed, possible = {*_CAMERA_KEYS, "baseline_m"}, {*_CAMERA_KEYS, "baseline_m", _LIDAR_KEY}
    names = set(content) if isinstance(content, dict) else set()
    if not needed <= names <= possible:
        wrong = [f"no {name}" for name in sorted(needed - names)]
        wrong += [f"unknown {name}" for name in sorted(names - possible)]
        raise DataError(
            path,
            f"a rig has {', '.join((*_CAMERA_KEYS, 'baseline_m'))} and perhaps {_LIDAR_KEY}; "
            f"{', '.join(wrong)}",
        )
    numbers = {name: _number(path, name, content[name]) for name in needed}
    K = np.array(
        [
            [numbers["fx_px"], 0.0, numbers["cx_px"]],
            [0.0, numbers["fy_px"], numbers["cy_px"]],
            [0.0, 0.0, 1.0],
        ]
    )
    if not numbers["baseline_m"] > 0:
        raise DataError(path, f"baseline_m must be positive, got {numbers['baseline_m']}")
    size = (_size(path, "height_px", numbers), _size(path, "width_px", numbers))
    rig = rig_from_projections(
        path=path,
        P_rect_02=K @ np.eye(3, 4),
        P_rect_03=K @ np.column_stack([np.eye(3), [-numbers["baseline_m"], 0.0, 0.0]]),
        size_left=size,
        size_right=size,
        R_rect_00=np.eye(3),
        T_velodyne_to_camera_0=_rigid(path, content.get(_LIDAR_KEY)),
        T_imu_to_velodyne=None,
    )
    # The quotient of the projections has lost the last bits of it.
    return dataclasses.replace(rig, baseline_m=numbers["baseline_m"])


def _number(path: Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise DataError(path, f"{name} must be a finite number, got {value!r}")
    return float(value)


def _size(path: Path, name: str, numbers: dict[str, float]) -> int:
    if not numbers[name].is_integer():
        raise DataError(path, f"{name} must be a whole number, got {numbers[name]}")
    return int(numbers[name])


def _rigid(path: Path, rows: Any) -> npt.NDArray[np.float64] | None:
    if rows is None:
        return None
    try:
        T_lidar_to_camera = np.array(rows, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(path, f"{_LIDAR_KEY} must be 4 rows of 4 numbers: {error}") from error
    if T_lidar_to_camera.shape != (4, 4) or not np.isfinite(T_lidar_to_camera).all():
        raise DataError(
            path, f"{_LIDAR_KEY} must be 4 rows of 4 finite numbers, got {T_lidar_to_camera.shape}"
        )
    rotation = T_lidar_to_camera[:3, :3]
    deviation = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    is_rigid = deviation <= _MAX_ROTATION_ERROR and np.linalg.det(rotation) > 0
    if not (is_rigid and np.array_equal(T_lidar_to_camera[3], [0.0, 0.0, 0.0, 1.0])):
        raise DataError(
            path,
            f"{_LIDAR_KEY} must be a rotation (orthonormal to {_MAX_ROTATION_ERROR:g}, found "
            f"{deviation:.2g}; determinant 1) and a shift in metres above the row 0 0 0 1",
        )
    return T_lidar_to_camera
