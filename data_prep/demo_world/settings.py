"""What a demo world is made by."""

import dataclasses
from typing import Any

from data_prep.demo_world.layout import DATE

# Raised whenever the same settings give other files.
VERSION = 1
MARKER = "demo_world.json"
# KITTI's own drives end below 1000 and the placeholder 9001 is taken.
_FIRST_DRIVE = 9101
_VAL_SHARE = 0.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorldSettings:
    """Everything that changes a byte of a world.

    Args:
      num_drives: Streets; at least 2, since whole drives are held out for validation.
      num_frames: Frames per drive, 0.1 s apart.
      seed: Draws everything.
      height_px: Of the pictures.
      width_px: Of the pictures.
      lidar_azimuth_step_deg: KITTI's is 0.09 at 1242 pixels; coarser suits small pictures.
    """

    num_drives: int
    num_frames: int
    seed: int
    height_px: int
    width_px: int
    lidar_azimuth_step_deg: float = 0.2

    def __post_init__(self) -> None:
        """Rejects a world that cannot be made."""
        if self.num_drives < 2:
            raise ValueError(
                f"a world has at least 2 drives, one of them for validation, got {self.num_drives}"
            )
        if self.num_frames < 1:
            raise ValueError(f"a drive has at least 1 frame, got {self.num_frames}")
        if self.seed < 0:
            raise ValueError(f"the seed must not be negative, got {self.seed}")
        if self.height_px < 16 or self.width_px < 16:
            raise ValueError(
                f"pictures are at least 16x16 pixels, got height {self.height_px}, "
                f"width {self.width_px}"
            )
        if not 0.01 <= self.lidar_azimuth_step_deg <= 10.0:
            raise ValueError(
                f"lidar_azimuth_step_deg is from 0.01 to 10, got {self.lidar_azimuth_step_deg}"
            )

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
            "lidar_azimuth_step_deg": self.lidar_azimuth_step_deg,
            "drives": list(self.drive_names),
            "train": list(self.train_drives),
            "val": list(self.val_drives),
        }
