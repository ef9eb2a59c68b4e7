"""A label store by a real network: the way from its weights to the files, whatever its batches."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from fakes.kitti_tree import build_kitti_tree

from data_prep.generation import GenerationRequest, generate
from data_prep.teacher_choice import TeacherChoice
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import LabelStore


def write_random_weights(path: Path) -> None:
    from teachers.psmnet.checkpoint import PsmnetCheckpoint, save
    from teachers.psmnet.weights import parameter_shapes

    rng = np.random.default_rng(0)
    tensors = {}
    for name, shape in parameter_shapes().items():
        if len(shape) == 1:  # batch normalisation
            center = 1.0 if name.endswith(("weight", "running_var")) else 0.0
            tensors[name] = (center + 0.1 * rng.standard_normal(shape)).astype(np.float32)
            continue
        gain = 6.0 if shape[0] == 1 else 1.0  # the cost heads: disparities that differ
        deviation = gain * np.sqrt(2 / np.prod(shape[1:]))
        tensors[name] = (deviation * rng.standard_normal(shape)).astype(np.float32)
    save(
        PsmnetCheckpoint(
            tensors=tensors, align_corners=False, max_disparity_px=32, origin="random numbers"
        ),
        path,
    )


@pytest.mark.slow
def test_a_networks_labels_do_not_depend_on_where_the_job_was_cut(tmp_path: Path) -> None:
    tree = build_kitti_tree(tmp_path / "raw", num_drives=2, num_frames=2)
    write_random_weights(tmp_path / "weights.npz")
    raw = KittiRaw(tree)
    lines = [str(frame) for drive in raw.drives() for frame in raw.frames_of(drive)]
    (tmp_path / "left.txt").write_text("\n".join(lines))
    request = GenerationRequest(
        kitti_root=tree,
        split=str(tmp_path / "left.txt"),
        teachers=TeacherChoice(depth_teacher="psmnet", psmnet_weights=tmp_path / "weights.npz"),
        output=tmp_path / "whole",
        bias="none",
        batch_size=3,
    )
    generate(request)
    cut = dataclasses.replace(request, output=tmp_path / "cut")
    generate(dataclasses.replace(cut, limit=1))
    generate(dataclasses.replace(cut, limit=3))
    generate(cut)
    whole = LabelStore.open(request.output)
    assert len(whole.frames) == 4
    assert "random numbers" in whole.manifest.depth_teacher_version
    assert whole.manifest.depth_teacher_version.endswith("in batches of 3")
    depth_m = whole.read_depth(whole.frames[0])
    assert depth_m.std() > 0.1  # a label that a wrong frame or a wrong bit would change
    paths = sorted(request.output.rglob("depth/*/*/*.png"))
    for path in paths:
        other = cut.output / path.relative_to(request.output)
        assert path.read_bytes() == other.read_bytes()
    with pytest.raises(ValueError, match="in batches of 3"):
        generate(dataclasses.replace(request, batch_size=2))
