"""Where a demo world keeps its files."""

import dataclasses
from pathlib import Path

from mtdepth.datasets.frames import FrameId

# KITTI's date whose camera the demo world borrows.
DATE = "2011_09_26"
SENSORS = ("image_02", "image_03", "velodyne_points", "oxts")


@dataclasses.dataclass(frozen=True)
class FramePaths:
    """All files of one frame."""

    left: Path
    right: Path
    velodyne: Path
    oxts: Path
    depth: Path
    disparity: Path
    train_id: Path


def paths_of(root: Path, frame: FrameId) -> FramePaths:
    """The files of a left frame."""
    drive = root / DATE / frame.drive
    return FramePaths(
        left=drive / "image_02" / "data" / f"{frame.name}.png",
        right=drive / "image_03" / "data" / f"{frame.name}.png",
        velodyne=drive / "velodyne_points" / "data" / f"{frame.name}.bin",
        oxts=drive / "oxts" / "data" / f"{frame.name}.txt",
        depth=truth_path(root, "depth", frame),
        disparity=truth_path(root, "disparity", frame),
        train_id=truth_path(root, "train_id", frame),
    )


def truth_path(root: Path, kind: str, frame: FrameId) -> Path:
    """The truth of a left frame; `kind` is depth, disparity or train_id."""
    return root / "truth" / kind / frame.drive / "image_02" / f"{frame.name}.png"


def poses_path(root: Path, drive: str) -> Path:
    """The camera poses of a drive."""
    return root / "truth" / "poses" / f"{drive}.txt"


def split_path(root: Path, name: str) -> Path:
    """The list of a split, `train` or `val`."""
    return root / "splits" / f"{name}.txt"
