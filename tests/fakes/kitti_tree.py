"""A tiny exact KITTI tree for tests, by the demo world's own writer."""

import shutil
from pathlib import Path

import cv2
from fakes.once import built_once

from data_prep.demo_world.kitti_world import write_world
from data_prep.demo_world.settings import WorldSettings


def build_kitti_tree(
    root: Path,
    *,
    num_drives: int = 2,
    num_frames: int = 4,
    size: tuple[int, int] = (64, 192),
    seed: int = 0,
) -> Path:
    """Writes a demo world below `root` (new or empty) and returns `root`.

    One of the same arguments is rendered once in a run and copied from then on.

    Args:
      root: Becomes a KITTI raw root with `truth/`, `splits/train.txt` and `splits/val.txt`.
      num_drives: At least 2; the last quarter (of 2: one) is in `val.txt`.
      num_frames: Per drive.
      size: (height, width) of the pictures.
      seed: Of the streets.
    """
    settings = WorldSettings(
        num_drives=num_drives,
        num_frames=num_frames,
        seed=seed,
        height_px=size[0],
        width_px=size[1],
        lidar_azimuth_step_deg=0.5,
    )
    name = f"kitti-{num_drives}x{num_frames}-{size[0]}x{size[1]}-{seed}"
    rendered = built_once(name, lambda folder: write_world(folder, settings))
    return shutil.copytree(rendered, root, dirs_exist_ok=True)


def shrunk_tree(tree: Path, root: Path, *, factor: int = 2) -> Path:
    """Copies a tree to `root` with pictures and labels of a `factor`-th of the size.

    The calibration stays as it was, as where somebody shrank a download to save space.
    """
    shutil.copytree(tree, root)
    paths = [*root.rglob("image_0[23]/data/*.png"), *(root / "truth").rglob("*.png")]
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        size = (image.shape[1] // factor, image.shape[0] // factor)
        way = cv2.INTER_AREA if image.ndim == 3 else cv2.INTER_NEAREST_EXACT
        cv2.imwrite(str(path), cv2.resize(image, size, interpolation=way))
    return root
