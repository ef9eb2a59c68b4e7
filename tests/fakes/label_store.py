"""A label store of exact labels for a synthetic tree, without running a teacher."""

import shutil
from pathlib import Path

from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import (
    FrameRecord,
    LabelStore,
    Manifest,
    depth_path,
    records_path,
    train_id_path,
    write_manifest,
    write_records,
)


def build_label_store(root: Path, tree: Path, *, with_train_ids: bool = True) -> LabelStore:
    """Copies a synthetic tree's truth (left frames) into a label store at `root`."""
    raw = KittiRaw(tree)
    frames = [frame for drive in raw.drives() for frame in raw.frames_of(drive, "l")]
    records = []
    for frame in frames:
        copies = {depth_path(root, frame): "depth"}
        if with_train_ids:
            copies[train_id_path(root, frame)] = "train_id"
        for target, kind in copies.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            truth = tree / "truth" / kind / frame.drive / frame.camera / f"{frame.name}.png"
            shutil.copyfile(truth, target)
        size = raw.read_image(frame).shape[:2]
        records.append(
            FrameRecord(frame=frame, status="finished", size_px=size, labelled_fraction=1.0)
        )
    write_records(records_path(root, shard_index=0, num_shards=1), records)
    manifest = Manifest(
        kitti_root=str(tree),
        split="all",
        depth_teacher="exact",
        depth_teacher_version="1",
        seg_teacher="exact" if with_train_ids else "none",
        seg_teacher_version="1",
        bias="none",
        depth_source="exact depth of a synthetic scene",
        created="2026-01-01T00:00:00Z",
    )
    write_manifest(root, manifest)
    return LabelStore.open(root)
