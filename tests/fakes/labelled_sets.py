"""Tiny labelled sets in the three layouts that teachers learn from."""

from pathlib import Path

import numpy as np

from mtdepth.files import write_text
from mtdepth.pictures import write_png

SIZE = (48, 80)
DISPARITY_PX = (4, 9)  # of the upper and the lower half
DRIVES = ("2011_09_26_drive_9101_sync", "2011_09_26_drive_9102_sync", "2011_09_26_drive_9103_sync")
ROAD, SKY = 0, 10


def pair_and_truth(
    seed: int, size: tuple[int, int] = SIZE
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A noise picture, the same shifted by its disparity, that disparity, and sky over road."""
    height, width = size
    wide = np.random.default_rng(seed).integers(0, 256, (height, width + 16, 3)).astype(np.uint8)
    wide[: height // 2] //= 2  # the sky is darker, so that classes can be told
    disparity_px = np.where(np.arange(height) < height // 2, *DISPARITY_PX)
    right = np.stack([row[d : d + width] for row, d in zip(wide, disparity_px, strict=True)])
    train_id = np.where(np.arange(height) < height // 2, SKY, ROAD)
    rows = (height, 1)
    return (
        wide[:, :width],
        right,
        np.broadcast_to(disparity_px.reshape(rows), size).astype(np.float32),
        np.broadcast_to(train_id.reshape(rows), size).astype(np.uint8),
    )


def build_demo_set(root: Path, *, frames_per_drive: int = 2, size: tuple[int, int] = SIZE) -> Path:
    """The demo world's layout; the last drive is held out."""
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for number, drive in enumerate(DRIVES):
        for index in range(frames_per_drive):
            left, right, disparity_px, train_id = pair_and_truth(10 * number + index, size)
            name = f"{index:010d}"
            data = root / drive[:10] / drive
            write_png(data / "image_02" / "data" / f"{name}.png", left)
            write_png(data / "image_03" / "data" / f"{name}.png", right)
            units = (disparity_px * 256).astype(np.uint16)
            write_png(root / "truth/disparity" / drive / "image_02" / f"{name}.png", units)
            write_png(root / "truth/train_id" / drive / "image_02" / f"{name}.png", train_id)
            split = "val" if drive == DRIVES[-1] else "train"
            lists[split].append(f"{drive[:10]}/{drive} {name} l\n")
    for split, lines in lists.items():
        write_text(root / "splits" / f"{split}.txt", "".join(lines))
    return root


def build_kitti2015(root: Path, *, num_frames: int = 5, disparity: str = "disp_occ_0") -> Path:
    """KITTI 2015's layout with disparities and label ids."""
    for index in range(num_frames):
        left, right, disparity_px, train_id = pair_and_truth(index)
        name = f"{index:06d}_10.png"
        training = root / "training"
        write_png(training / "image_2" / name, left)
        write_png(training / "image_2" / name.replace("_10", "_11"), left)
        write_png(training / "image_3" / name, right)
        write_png(training / disparity / name, (disparity_px * 256).astype(np.uint16))
        label_id = np.where(train_id == SKY, 23, 7).astype(np.uint8)
        write_png(training / "semantic" / name, label_id)
    return root


def build_cityscapes(root: Path, *, kind: str = "labelIds") -> Path:
    """Cityscapes' layout: two pictures of one city to learn from, one of another held out."""
    for split, city, index in (("train", "ulm", 0), ("train", "ulm", 1), ("val", "bonn", 2)):
        left, _, _, train_id = pair_and_truth(index)
        name = f"{city}_000000_{index:06d}"
        ids = train_id if kind == "labelTrainIds" else np.where(train_id == SKY, 23, 7)
        write_png(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", left)
        path = root / "gtFine" / split / city / f"{name}_gtFine_{kind}.png"
        write_png(path, ids.astype(np.uint8))
    return root
