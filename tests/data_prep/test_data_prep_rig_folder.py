"""Recordings of another rig go through the programs as KITTI's do."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fakes.kitti_tree import build_kitti_tree
from fakes.rig_tree import build_rig_tree, rig_drive

from data_prep.doctor.calibration import CALIBRATION_VALUES
from data_prep.doctor.diagnosis import diagnose
from data_prep.generation import GenerationRequest, generate
from data_prep.teacher_choice import TeacherChoice
from mtdepth.data.supervised import ExampleReader, training_camera
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import LabelStore, depth_path, write_manifest, write_records
from mtdepth.datasets.rig_folder import RigFolder
from mtdepth.defaults import default_labels, default_split
from mtdepth.evaluation.truth import TruthReader
from mtdepth.recipes.registry import find_recipe

SIZE = (96, 320)
SGM = TeacherChoice(depth_teacher="sgm")


@pytest.fixture(scope="module")
def kitti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_kitti_tree(tmp_path_factory.mktemp("kitti") / "raw", num_frames=2, size=SIZE)


@pytest.fixture(scope="module")
def rig(kitti: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_rig_tree(tmp_path_factory.mktemp("rig") / "raw", kitti)


def store_of(root: Path, output: Path, *, split: str = "all") -> LabelStore:
    request = GenerationRequest(kitti_root=root, split=split, teachers=SGM, output=output)
    assert all(record.status == "finished" for record in generate(request))
    return LabelStore.open(output)


@pytest.fixture(scope="module")
def store(rig: Path, tmp_path_factory: pytest.TempPathFactory) -> LabelStore:
    return store_of(rig, tmp_path_factory.mktemp("rig_labels") / "store")


def test_one_scene_in_two_layouts_gives_the_same_labels_to_the_byte(
    kitti: Path, store: LabelStore, tmp_path: Path
) -> None:
    same = store_of(kitti, tmp_path / "labels")
    assert (len(store.frames), store.manifest.bias) == (8, same.manifest.bias)
    assert store.manifest.bias.startswith("bias_table.json: median")
    for frame in same.frames:
        other = FrameId(rig_drive(frame.drive), frame.index, frame.side)
        written = depth_path(store.root, other).read_bytes()
        assert written == depth_path(same.root, frame).read_bytes()
    tables = [(each.root / "bias_table.json").read_bytes() for each in (store, same)]
    assert tables[0] == tables[1]


def test_a_wrong_rig_file_of_one_drive_fails_that_drive_alone(rig: Path, tmp_path: Path) -> None:
    root = shutil.copytree(rig, tmp_path / "raw")
    wrong = json.loads((root / "rig.json").read_text()) | {"baseline_m": 60.0}
    drive = RigFolder(root).drives()[0]
    (root / drive / "rig.json").write_text(json.dumps(wrong))
    output = tmp_path / "labels"
    records = generate(GenerationRequest(kitti_root=root, split="all", teachers=SGM, output=output))
    for record in records:
        assert record.status == ("failed" if record.frame.drive == drive else "finished")
        assert ("a baseline of 60 m" in record.why) == (record.frame.drive == drive)
    assert len(LabelStore.open(output).frames) == len(records) // 2
    report = diagnose(root)
    (found,) = report.findings(CALIBRATION_VALUES)
    assert found.where == f"{drive}/rig.json"
    # The other drive is looked at all the same.
    assert "unreadable_picture" in report.table()


def test_without_lidar_no_bias_is_chosen_by_itself(kitti: Path, tmp_path: Path) -> None:
    root = build_rig_tree(tmp_path / "raw", kitti, with_lidar=False)
    store = store_of(root, tmp_path / "labels")
    assert store.manifest.bias == "none"
    assert "LiDAR" not in store.manifest.depth_source


def test_the_training_reader_gives_pictures_labels_and_camera(
    rig: Path, store: LabelStore, kitti: Path
) -> None:
    frame = store.frames[0]
    example = ExampleReader(store).read(frame)
    np.testing.assert_array_equal(example.image, RigFolder(rig).read_image(frame))
    np.testing.assert_array_equal(example.depth_m, store.read_depth(frame))
    raw = KittiRaw(kitti)
    assert example.camera == raw.camera(raw.frames_of(raw.drives()[0])[0], size=SIZE)
    recipe = find_recipe("demo")
    assert training_camera(store, recipe).width_px == recipe.input_size_px[1]


def test_metres_are_for_the_camera_of_most_frames_and_a_store_may_lie_beside_its_pictures(
    rig: Path, tmp_path: Path
) -> None:
    both = tmp_path / "both"
    shutil.copytree(rig, both)
    written = store_of(both, tmp_path / "labels")
    for part in ("depth", "train_id"):
        if (written.root / part).is_dir():
            shutil.copytree(written.root / part, both / part)
    write_records(both / "frames.jsonl", written.records)
    write_manifest(both, dataclasses.replace(written.manifest, kitti_root="."))
    recipe = find_recipe("demo")
    usual = training_camera(LabelStore.open(both), recipe)
    *others, last = RigFolder(both).drives()
    assert others
    wide = json.loads((both / "rig.json").read_text())
    wide["fx_px"] = wide["fy_px"] = 100.0
    (both / last / "rig.json").write_text(json.dumps(wide))
    moved = both.rename(tmp_path / "elsewhere")
    store = LabelStore.open(moved)
    assert training_camera(store, recipe) == usual
    assert ExampleReader(store).read(store.frames[-1]).camera.fx_px == 100.0
    assert ExampleReader(store).read(store.frames[0]).camera.fx_px != 100.0


def test_the_evaluations_truth_by_lidar_is_kittis(rig: Path, kitti: Path) -> None:
    raw = KittiRaw(kitti)
    frame = raw.frames_of(raw.drives()[1], "r")[1]
    same = FrameId(rig_drive(frame.drive), frame.index, frame.side)
    truths = [
        TruthReader(raw=tree).read("lidar_camera_z", each, size=SIZE, label_depth_m=None)
        for tree, each in ((raw, frame), (RigFolder(rig), same))
    ]
    assert (truths[0] > 0).sum() > 100
    np.testing.assert_allclose(truths[1], truths[0], rtol=1e-6)  # float32 depth


def test_a_rigs_programs_default_to_its_own_split(rig: Path) -> None:
    assert default_split(rig) == "train"
    assert default_split(rig, part="val") == "val"
    assert default_labels(rig, part="val") == Path("runs/labels_val")


def test_the_val_side_is_corrected_by_the_table_of_the_training_side(
    rig: Path, tmp_path: Path
) -> None:
    train = store_of(rig, tmp_path / "train", split="train")
    request = GenerationRequest(
        kitti_root=rig,
        split="val",
        teachers=SGM,
        output=tmp_path / "val",
        bias=str(train.root / "bias_table.json"),
    )
    generate(request)
    drives = {frame.drive for frame in LabelStore.open(tmp_path / "val").frames}
    assert drives == {"street_9102"}
    assert {frame.drive for frame in train.frames} == {"street_9101"}
