"""What a demo world is made by, and where it keeps its files."""

import dataclasses
from pathlib import Path
from typing import Any

from data_prep.demo_world.cameras import KITTI_AZIMUTH_STEP_DEG, KITTI_CAMERA
from mtdepth.datasets.frames import FrameId
from mtdepth.files import DataError, UserError, read_json, visible_files

# KITTI's date whose camera the demo world borrows.
DATE = "2011_09_26"
SENSORS = {"image_02": "png", "image_03": "png", "velodyne_points": "bin", "oxts": "txt"}
TRUTHS = ("depth", "disparity", "train_id")


def sensor_path(root: Path, sensor: str, frame: FrameId) -> Path:
    """A sensor's file of a left frame."""
    return root / DATE / frame.drive / sensor / "data" / f"{frame.name}.{SENSORS[sensor]}"


def truth_path(root: Path, kind: str, frame: FrameId) -> Path:
    """The truth of a left frame; `kind` is depth, disparity or train_id."""
    return root / "truth" / kind / frame.drive / "image_02" / f"{frame.name}.png"


def poses_path(root: Path, drive: str) -> Path:
    """The camera poses of a drive."""
    return root / "truth" / "poses" / f"{drive}.txt"


def split_path(root: Path, name: str) -> Path:
    """The list of a split, `train` or `val`."""
    return root / "splits" / f"{name}.txt"


# Raised whenever the same settings give other files.
VERSION = 9
MARKER = "demo_world.json"
# KITTI's own drives end below 1000 and the placeholder 9001 is taken.
_FIRST_DRIVE = 9101
_VAL_SHARE = 0.25
_MAX_DRIVES = 9999 - _FIRST_DRIVE + 1  # KITTI's names have four digits
_MIN_SIDE_PX, _MAX_SIDE_PX = 16, 4096


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What both kinds of world are made by.

    Attributes:
      num_drives: Streets.
      num_frames: Frames per drive.
      seed: Draws everything.
      height_px: Of the pictures, 16 to 4096.
      width_px: Of the pictures, 16 to 4096.
    """

    num_drives: int
    num_frames: int
    seed: int
    height_px: int
    width_px: int

    def __post_init__(self) -> None:
        """Rejects a world that cannot be made."""
        if min(self.num_drives, self.num_frames) < 1 or self.seed < 0:
            raise UserError(
                "a world has at least 1 drive of at least 1 frame and a seed of 0 or more, got "
                f"{self.num_drives} drives of {self.num_frames} frames, seed {self.seed}"
            )
        sides = (self.height_px, self.width_px)
        if min(sides) < _MIN_SIDE_PX or max(sides) > _MAX_SIDE_PX:
            raise UserError(
                f"the sides of pictures are from {_MIN_SIDE_PX} to {_MAX_SIDE_PX} pixels, "
                f"got height {self.height_px}, width {self.width_px}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorldSettings(Settings):
    """Everything that changes a byte of a world, whose frames are 0.1 s apart.

    Attributes:
      lidar_azimuth_step_deg: Of the sweep; None is KITTI's 0.09 at 1242 pixels of width, and at
        other widths as many points per column of the picture.
    """

    lidar_azimuth_step_deg: float | None = None

    def __post_init__(self) -> None:
        """Rejects a world that cannot be made."""
        super().__post_init__()
        if not 2 <= self.num_drives <= _MAX_DRIVES:
            raise UserError(
                f"a world has at least 2 drives, one of them for validation, and at most "
                f"{_MAX_DRIVES} drives, got {self.num_drives}; for more make several with "
                "different seeds, or a --training world, which has no limit"
            )
        if not 0.01 <= self.azimuth_step_deg <= 10.0:
            raise UserError(
                f"lidar_azimuth_step_deg is from 0.01 to 10, got {self.azimuth_step_deg}"
            )

    @property
    def azimuth_step_deg(self) -> float:
        """Of the sweep, degrees."""
        if self.lidar_azimuth_step_deg is not None:
            return self.lidar_azimuth_step_deg
        return KITTI_AZIMUTH_STEP_DEG * KITTI_CAMERA.width_px / self.width_px

    @property
    def drive_names(self) -> tuple[str, ...]:
        """`2011_09_26_drive_9101_sync` and on."""
        numbers = range(_FIRST_DRIVE, _FIRST_DRIVE + self.num_drives)
        return tuple(f"{DATE}_drive_{number:04d}_sync" for number in numbers)

    @property
    def val_drives(self) -> tuple[str, ...]:
        """The last quarter of the drives, at least one."""
        return self.drive_names[-max(1, round(self.num_drives * _VAL_SHARE)) :]

    @property
    def train_drives(self) -> tuple[str, ...]:
        """All others."""
        return self.drive_names[: -len(self.val_drives)]

    def to_dict(self) -> dict[str, Any]:
        """As the marker file holds it."""
        return {
            "version": VERSION,
            "seed": self.seed,
            "frames": self.num_frames,
            "height_px": self.height_px,
            "width_px": self.width_px,
            "lidar_azimuth_step_deg": self.azimuth_step_deg,
            "drives": list(self.drive_names),
            "train": list(self.train_drives),
            "val": list(self.val_drives),
        }


def check_root(root: Path, wanted: dict[str, Any], *, names: tuple[str, str]) -> None:
    """Passes a folder that is new, empty, or holds a world of the same settings.

    Args:
      root: The folder.
      wanted: Settings as JSON holds them.
      names: Of the files that hold them in a finished and in an unfinished world.

    Raises:
      DataError: If it is a file or holds something else.
    """
    found = next((root / name for name in names if (root / name).is_file()), None)
    if found is None:
        if root.is_file():
            raise DataError(root, "is a file; name a new folder")
        if visible_files(root):
            raise DataError(root, "is not empty and holds no demo world; name a new folder")
        return
    recorded = read_json(found)
    if not isinstance(recorded, dict):
        raise DataError(found, "holds no settings of a demo world; name a new folder")
    differing = ", ".join(
        f"{key} {recorded.get(key)} (wanted {value})"
        for key, value in wanted.items()
        if recorded.get(key) != value
    )
    if differing:
        raise DataError(
            found,
            f"the world here was begun with other settings: {differing}; name another folder",
        )
