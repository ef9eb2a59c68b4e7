"""The programs as a person types them."""

import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.programs import run_program

from data_prep.bias_table import BiasTable
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import LabelStore
from mtdepth.pictures import read_rgb


@pytest.fixture(scope="module")
def tree(three_drives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The place where `make demo` puts its tree, below a working folder."""
    return shutil.copytree(three_drives, tmp_path_factory.mktemp("work") / "demo" / "kitti")


def run(name: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_program(f"data_prep.{name}", *arguments, cwd=cwd)


@pytest.fixture(autouse=True)
def no_tree_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MTDEPTH_KITTI_ROOT", raising=False)


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("generate_teachers", ("depth_teacher", "scales", "engine", "batch_size")),
        ("audit_teachers", ("kitti_root", "labels", "psmnet_weights", "seg_teacher", "engine")),
        ("fit_bias_table", ("kitti_root", "split", "disparity_dir", "num_processes")),
    ],
)
def test_help_shows_one_full_example_and_the_flags_that_programs_share(
    name: str, shared: tuple[str, ...], tmp_path: Path
) -> None:
    shown = run(name, "--help", cwd=tmp_path).stdout
    assert f"python -m data_prep.{name} --kitti_root KITTI" in shown
    assert [flag for flag in shared if f"\n  --{flag}:" not in shown] == []


def test_without_arguments_the_demo_data_is_labelled_and_the_choice_is_said(tree: Path) -> None:
    work = tree.parents[1]
    done = run("generate_teachers", cwd=work)
    assert done.returncode == 0, done.stderr
    store = LabelStore.open(work / "demo" / "labels_train")
    assert (store.manifest.depth_teacher, store.manifest.seg_teacher) == ("sgm", "precomputed")
    assert len(store.frames) == 6  # two of three drives are for training
    for said in ("--depth_teacher not given: sgm", "--bias not given: fit", "truth/train_id"):
        assert said in done.stderr
    assert "drives that were left out (2 drives)" in done.stderr
    assert "look at demo/labels_train/contact_sheet.png" in done.stderr
    sheet = read_rgb(work / "demo" / "labels_train" / "contact_sheet.png")
    image, depth_m, _ = store.read_sample(store.frames[0])
    tile_px = round(416 * image.shape[0] / image.shape[1])
    assert sheet.shape == (6 * tile_px, 3 * 416, 3)
    # A label is a colour, none is black.
    is_labelled = cv2.resize(depth_m, (416, tile_px), interpolation=cv2.INTER_NEAREST_EXACT) > 0
    is_painted = sheet[:tile_px, 416:832].max(axis=-1) > 30
    assert np.mean(is_painted == is_labelled) > 0.9
    assert "100%" in done.stderr


def test_the_last_shard_to_end_shows_what_all_have_made(tree: Path, tmp_path: Path) -> None:
    split, truth = str(tree / "splits" / "train.txt"), str(tree / "truth" / "disparity")
    common = ("--kitti_root", tree, "--split", split, "--disparity_dir", truth, "--bias", "none")
    common += ("--seg_teacher", "none")
    for index in (0, 1):
        shard = ("--num_shards", 2, "--shard_index", index, "--output", tmp_path / "labels")
        done = run("generate_teachers", *common, *shard, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "labels" / "contact_sheet.png").is_file() == (index == 1)
        assert f"wrote {tmp_path}/labels" in done.stderr
    # Pictures and depth: no cells of classes that there are not.
    assert read_rgb(tmp_path / "labels" / "contact_sheet.png").shape[1] == 2 * 416


def test_a_failed_frame_ends_with_status_1_a_count_and_the_reason(tree: Path) -> None:
    raw = KittiRaw(tree)
    frame = raw.frames_of(raw.drives()[0])[0]
    path = raw.image_path(frame.other_side)
    content = path.read_bytes()
    path.unlink()
    try:
        done = run(
            "generate_teachers",
            *("--kitti_root", str(tree), "--split", "splits/train.txt", "--num_processes", "1"),
            *("--output", str(tree.parent / "failing"), "--bias", "none"),
            cwd=tree.parent,
        )
    finally:
        path.write_bytes(content)
    assert done.returncode == 1
    assert f"frame {frame}: no right image" in done.stderr
    assert "1 of 6 frames failed" in done.stderr
    assert len(LabelStore.open(tree.parent / "failing").frames) == 5


def test_labels_in_another_unit_end_with_status_1_and_that_sentence_and_stay(tree: Path) -> None:
    small = tree.parent / "small"
    for path in (tree / "truth" / "disparity").rglob("*.png"):
        target = small / path.relative_to(tree / "truth" / "disparity")
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), cv2.imread(str(path), cv2.IMREAD_UNCHANGED) // 16)
    done = run(
        "generate_teachers",
        *("--kitti_root", str(tree), "--split", "splits/train.txt", "--num_processes", "1"),
        *("--depth_teacher", "precomputed", "--disparity_dir", str(small), "--bias", "none"),
        *("--output", str(tree.parent / "in_16ths")),
        cwd=tree.parent,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "these labels are no metres, frame 2011_09_26" in last
    assert "16 times too small: does the file hold pixels times 16" in last
    assert len(LabelStore.open(tree.parent / "in_16ths").frames) == 6


def test_an_empty_split_ends_with_one_clear_line(tree: Path) -> None:
    (tree / "empty.txt").write_text("")
    done = run(
        "generate_teachers",
        *("--kitti_root", str(tree), "--split", "empty.txt", "--output", str(tree / "labels")),
        cwd=tree,
    )
    assert done.returncode == 1
    assert "empty.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bias_table_is_fitted_from_a_teacher_and_from_a_store(tree: Path) -> None:
    work = tree.parent
    disparities = str(tree / "truth" / "disparity")
    common = ("--kitti_root", str(tree), "--num_processes", "1")
    done = run(
        "fit_bias_table",
        *(*common, "--split", "splits/train.txt", "--disparity_dir", disparities),
        *("--output", "bias"),
        cwd=work,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"median by predicted +0\.0", done.stderr)
    table = BiasTable.load(work / "bias" / "bias_table.json")
    assert abs(table.correction_m[10]) < 0.2  # exact disparities have nothing to repair
    for bias, status in (("none", 0), ("fit", 1)):
        store = str(work / f"store_{bias}")
        run(
            "generate_teachers",
            *(*common, "--split", "splits/train.txt", "--disparity_dir", disparities),
            *("--output", store, "--bias", bias),
            cwd=work,
        )
        done = run("fit_bias_table", "--labels", store, "--output", f"again_{bias}", cwd=work)
        assert done.returncode == status, done.stderr
    assert "its depth is corrected already" in done.stderr


def test_no_table_is_fitted_on_eigens_test_drives(tree: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tree, tmp_path / "raw")
    drive = KittiRaw(copy).drives()[0]
    (copy / "2011_09_26" / drive).rename(copy / "2011_09_26" / "2011_09_26_drive_0002_sync")
    (copy / "demo_world.json").unlink()  # a KITTI tree from now on
    done = run("fit_bias_table", "--kitti_root", str(copy), "--split", "all", cwd=tmp_path)
    assert done.returncode == 1
    assert "Eigen's test drives, 2011_09_26_drive_0002_sync for one" in done.stderr
    assert not (tmp_path / "runs").exists()
