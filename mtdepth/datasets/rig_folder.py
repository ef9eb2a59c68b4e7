"""Recordings of any rectified rig: a folder of drives with one JSON file of the camera.

<root>/rig.json                          what `read_rig_file` reads
<root>/<drive>/rig.json                  the same for one drive of another camera; may be absent
<root>/<drive>/left/<number>.png         or .jpg; any number of digits
<root>/<drive>/right/<number>.png        the same moment, rectified: a point keeps its row; absent
                                         where the rig has one camera
<root>/<drive>/lidar/<number>.bin        float32 x, y, z in metres, reflectance; may be absent

The label store, predictions and lists call the two cameras and the frames as they do KITTI's:
`image_02`, `image_03`, ten digits.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import StereoRig, rig_from_projections, rigid_transform
from mtdepth.datasets.frames import FrameId, check_drive
from mtdepth.datasets.recordings import Layout, Recordings
from mtdepth.files import DataError, UserError, is_there, read_json, write_json
from mtdepth.geometry.camera import Intrinsics

RIG_FILE = "rig.json"
VAL_SHARE = 0.2  # ours: of the drives, since neighbouring frames of one drive look alike

_CAMERA_KEYS = ("width_px", "height_px", "fx_px", "fy_px", "cx_px", "cy_px")
_BASELINE_KEY, _LIDAR_KEY = "baseline_m", "T_lidar_to_camera"
_EXAMPLE = f"<root>/{RIG_FILE} and <root>/<drive>/left/000000.png, right/000000.png"
_OTHER_CALIBRATIONS = (".yml", ".yaml")  # of OpenCV and ROS


class RigFolder(Recordings):
    """Recordings of a rig other than KITTI's, of two cameras or one.

    Raises:
      FileNotFoundError: If `rig.json` is missing, or no folder beside it holds `left`.
      DataError: If the file is damaged, or a drive has a name that lists cannot hold. A drive's own
        file is looked at with its first frame, so that a wrong one fails that drive alone.
    """

    layout = Layout(
        title="a rig's folder",
        example=_EXAMPLE,
        list_line="garden_1 0000000005 l",
        camera_folders={"l": "left", "r": "right"},
        lidar_folder="lidar",
        split_names=("train", "val"),
        default_splits={"train": "train", "val": "val"},
    )

    def __init__(self, root: Path | str) -> None:
        super().__init__(root)
        self._rig = read_rig_file(self.root / RIG_FILE)
        self._rig_of_drive: dict[str, StereoRig] = {}
        self._drives = drives_in(self.root)
        if not self._drives:
            raise FileNotFoundError(
                f"{self.root}: no folder beside {RIG_FILE} holds pictures in `left`; recordings "
                f"are laid out as {_EXAMPLE}"
            )
        for drive in self._drives:
            try:
                check_drive(drive)
            except ValueError as error:
                raise DataError(
                    self.root / drive,
                    "a drive is named by letters, digits, '_', '-' and '.', not by digits alone "
                    "nor almost as KITTI's; rename the folder",
                ) from error

    @classmethod
    def is_root(cls, root: Path) -> bool:
        """Whether a folder holds `rig.json`."""
        return is_there(root / RIG_FILE)

    def drives(self) -> list[str]:
        """Every drive, sorted."""
        return list(self._drives)

    def drive_dir(self, drive: str) -> Path:
        """The folder of a drive, present or not."""
        return self.root / drive

    def rig(self, frame: FrameId) -> StereoRig:
        """The rig that took a frame: its drive's own, or the one of all drives.

        Raises:
          DataError: If the drive's own file is damaged, or the drive has right pictures or LiDAR
            and no file says where that camera or scanner sits.
        """
        if frame.drive not in self._rig_of_drive:
            path = self.calibration_files(frame.drive)[0]
            rig = read_rig_file(path) if path.parent != self.root else self._rig
            for folder, key, is_known in (
                (self.layout.camera_folders["r"], _BASELINE_KEY, rig.has_right),
                (self.layout.lidar_folder, _LIDAR_KEY, rig.T_velodyne_to_camera_0 is not None),
            ):
                if not is_known and (self.drive_dir(frame.drive) / folder).is_dir():
                    raise DataError(
                        path,
                        f"drive {frame.drive} has {folder} but no {key} says where it sits; add "
                        f"it, or rename the {folder} folder to go on without it",
                    )
            self._rig_of_drive[frame.drive] = rig
        return self._rig_of_drive[frame.drive]

    def calibration_files(self, drive: str) -> list[Path]:
        """The `rig.json` of the drive, or that of all drives."""
        own = self.drive_dir(drive) / RIG_FILE
        return [own if is_there(own) else self.root / RIG_FILE]

    def split(self, name: str) -> list[FrameId]:
        """The `train` or `val` side: both cameras, sorted.

        Whole drives are held out: of the drives in the order of their names the last fifth, at
        least one, is `val`.

        Raises:
          ValueError: If there is one drive only.
        """
        drives = self._drives
        if len(drives) < 2:
            raise UserError(
                f"{self.root} has one drive, {drives[0]}, so there is nothing to hold out: take "
                "`all`, put part of the recording into a drive of its own, or write two lists"
            )
        held_out = held_out_drives(drives)
        is_train = name == "train"
        return self.all_frames(each for each in drives if (each in held_out) != is_train)

    def _remedy(self, drive: str) -> str:
        return "" if drive in self._drives else f"; there are {', '.join(self._drives[:5])}"


def held_out_drives(drives: Sequence[str]) -> list[str]:
    """The last fifth of drives in the order of their names, at least one."""
    return list(drives[-max(1, round(VAL_SHARE * len(drives))) :])


def drives_in(root: Path) -> list[str]:
    """The folders of a root, which may be absent, that hold left pictures, sorted."""
    left = RigFolder.layout.camera_folders["l"]
    folders = root.iterdir() if root.is_dir() else ()
    return sorted(
        folder.name
        for folder in folders
        if (folder / left).is_dir() and not folder.name.startswith(".")
    )


def read_rig_file(path: Path) -> StereoRig:
    """Reads a rig of one or two rectified cameras, and where its LiDAR sits.

    The file is a JSON object of `width_px`, `height_px`, `fx_px`, `fy_px`, `cx_px`, `cy_px` (both
    cameras, after rectification, at the size they were calibrated at; pixel (0, 0) is centred at
    0, 0), `baseline_m` where there is a right camera, and, where there is LiDAR,
    `T_lidar_to_camera`: the 4x4 that takes its points to the left camera's frame (x right, y down,
    z forward, metres).

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If a name is missing or unknown, or a value is none that a rig could have.
    """
    if not is_there(path):
        others = [each for each in path.parent.glob("*") if each.suffix in _OTHER_CALIBRATIONS]
        hint = "".join(
            f". Where {each.name} is the calibration: "
            f"`python -m data_prep.rig --calibration {each} --output {path}`"
            for each in sorted(others)[:1]
        )
        raise FileNotFoundError(
            f"{path}: no such file; recordings are laid out as {_EXAMPLE}, and it holds "
            f"{', '.join(_CAMERA_KEYS)}, {_BASELINE_KEY}{hint}"
        )
    return _parsed(path, read_json(path))


def write_rig_file(
    path: Path,
    camera: Intrinsics,
    *,
    baseline_m: float | None = None,
    T_lidar_to_camera: npt.NDArray[np.float64] | None = None,
) -> StereoRig:
    """Writes what `read_rig_file` reads, atomically.

    Args:
      path: The file.
      camera: Of both cameras, after rectification.
      baseline_m: Between them; None for one camera.
      T_lidar_to_camera: `[4, 4]`, LiDAR points to the left camera's frame; None without LiDAR.

    Returns:
      The rig, as it will be read.

    Raises:
      DataError: If no rig could have these numbers; then nothing is written.
    """
    content: dict[str, Any] = camera.to_dict()
    if baseline_m is not None:
        content[_BASELINE_KEY] = baseline_m
    if T_lidar_to_camera is not None:
        content[_LIDAR_KEY] = T_lidar_to_camera.tolist()
    rig = _parsed(path, content)
    write_json(path, content)
    return rig


def _parsed(path: Path, content: Any) -> StereoRig:
    names = set(content) if isinstance(content, dict) else set()
    missing = sorted(set(_CAMERA_KEYS) - names)
    unknown = sorted(names - {*_CAMERA_KEYS, _BASELINE_KEY, _LIDAR_KEY})
    if missing or unknown:
        wrong = [f"no {name}" for name in missing] + [f"unknown {name}" for name in unknown]
        raise DataError(
            path,
            f"a rig has {', '.join(_CAMERA_KEYS)}, {_BASELINE_KEY} where there are two cameras, "
            f"and perhaps {_LIDAR_KEY}; {', '.join(wrong)}",
        )
    numbers = {name: _number(path, name, content[name]) for name in names - {_LIDAR_KEY}}
    baseline_m = numbers.get(_BASELINE_KEY)
    for name in ("height_px", "width_px"):
        if not numbers[name].is_integer():
            raise DataError(path, f"{name} must be a whole number, got {numbers[name]}")
    fx_px, fy_px = numbers["fx_px"], numbers["fy_px"]
    K = np.array([[fx_px, 0, numbers["cx_px"]], [0, fy_px, numbers["cy_px"]], [0, 0, 1]])
    shift_m = np.zeros(3) if baseline_m is None else np.array([-baseline_m, 0.0, 0.0])
    size = (int(numbers["height_px"]), int(numbers["width_px"]))
    return rig_from_projections(
        path=path,
        P_rect_02=K @ np.eye(3, 4),
        P_rect_03=None if baseline_m is None else K @ np.column_stack([np.eye(3), shift_m]),
        size_left=size,
        size_right=size,
        R_rect_00=np.eye(3),
        T_velodyne_to_camera_0=_rigid(path, content.get(_LIDAR_KEY)),
        # The quotient of the projections has lost the last bits of it.
        baseline_m=baseline_m,
    )


def _number(path: Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(path, f"{name} must be a number, got {str(value)[:40]!r}")
    return float(value)


def _rigid(path: Path, rows: Any) -> npt.NDArray[np.float64] | None:
    if rows is None:
        return None
    is_matrix = (
        isinstance(rows, list)
        and [len(row) if isinstance(row, list) else 0 for row in rows] == [4] * 4
    )
    if not is_matrix:
        raise DataError(path, f"{_LIDAR_KEY} must be 4 rows of 4 numbers, got {str(rows)[:60]}")
    numbers = [[_number(path, _LIDAR_KEY, value) for value in row] for row in rows]
    return rigid_transform(path, _LIDAR_KEY, np.array(numbers))
