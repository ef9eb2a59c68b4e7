"""A synthetic KITTI tree's recordings in the layout of other rigs."""

import json
import shutil
from pathlib import Path

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.rig_folder import RigFolder


def rig_drive(drive: str) -> str:
    """What a KITTI drive is called in the rig's tree: `street_9101`."""
    return f"street_{drive.split('_')[4]}"


def build_rig_tree(root: Path, tree: Path, *, with_lidar: bool = True, num_digits: int = 6) -> Path:
    """Copies pictures and sweeps of a KITTI tree of one date below `root`, which it returns."""
    raw = KittiRaw(tree)
    for drive in raw.drives():
        for side in ("l", "r"):
            for frame in raw.frames_of(drive, side):
                _copy(raw, frame, root / rig_drive(drive), num_digits, with_lidar=with_lidar)
    rig = raw.rig(raw.frames_of(raw.drives()[0])[0])
    content = rig.intrinsics_left.to_dict() | {"baseline_m": rig.baseline_m}
    if with_lidar:
        content |= {"T_lidar_to_camera": rig.T_velodyne_to("l").tolist()}
    (root / "rig.json").write_text(json.dumps(content))
    return root


def _copy(raw: KittiRaw, frame: FrameId, drive: Path, num_digits: int, *, with_lidar: bool) -> None:
    name = f"{frame.index:0{num_digits}d}"
    picture = raw.image_path(frame)
    copies = {
        picture: drive / RigFolder.layout.camera_folders[frame.side] / f"{name}{picture.suffix}"
    }
    sweep = raw.velodyne_path(frame)
    if with_lidar and frame.side == "l" and sweep.is_file():
        copies[sweep] = drive / "lidar" / f"{name}.bin"
    for source, target in copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
