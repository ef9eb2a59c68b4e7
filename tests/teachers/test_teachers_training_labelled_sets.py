"""Labelled sets: what belongs together, what is held out, what is refused."""

import csv
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from fakes.labelled_sets import (
    DISPARITY_PX,
    ROAD,
    SKY,
    build_cityscapes,
    build_demo_set,
    build_kitti2015,
)

from data_prep.demo_world import settings as layout
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.files import DataError, write_text
from mtdepth.pictures import write_png
from teachers.training.examples import read_classes, read_pair
from teachers.training.labelled_sets import detect_set, open_classes, open_pairs


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (build_cityscapes, "cityscapes"),
        (build_kitti2015, "kitti2015"),
        (build_demo_set, "demo_world"),
    ],
)
def test_a_set_is_told_by_its_folders_and_read_whole(build, name: str, tmp_path: Path) -> None:
    root = build(tmp_path / "set")
    assert detect_set(root) == name
    labels = open_classes(name, root)
    assert labels.train
    assert labels.val
    assert not {files.name for files in labels.train} & {files.name for files in labels.val}
    for files in labels.train + labels.val:
        example = read_classes(files)
        assert example.image.shape == (48, 80, 3)
        # Sky above road, whatever numbering the files have.
        assert set(np.unique(example.train_id[:24])) == {SKY}
        assert set(np.unique(example.train_id[24:])) == {ROAD}


@pytest.mark.parametrize("build", [build_kitti2015, build_demo_set])
def test_a_pair_has_its_right_view_and_disparity(build, tmp_path: Path) -> None:
    root = build(tmp_path)
    for files in open_pairs(detect_set(root), root).train:
        pair = read_pair(files, max_disparity_px=16)
        assert {float(v) for v in np.unique(pair.disparity_px)} == set(DISPARITY_PX)
        upper, lower = DISPARITY_PX
        # The left pixel at column c is the right one at c - disparity.
        np.testing.assert_array_equal(pair.left[0, upper:], pair.right[0, :-upper])
        np.testing.assert_array_equal(pair.left[-1, lower:], pair.right[-1, :-lower])


def test_disparities_without_the_occluded_pixels_serve_where_the_others_are_absent(
    tmp_path: Path,
) -> None:
    root = build_kitti2015(tmp_path, disparity="disp_noc_0")
    assert open_pairs("kitti2015", root).train[0].disparity.parent.name == "disp_noc_0"


def test_datasets_holds_out_the_last_fifth_and_takes_only_labelled_frames(tmp_path: Path) -> None:
    labels = open_pairs("kitti2015", build_kitti2015(tmp_path, num_frames=10))
    assert [files.name for files in labels.train] == [f"{i:06d}_10" for i in range(8)]
    assert [files.name for files in labels.val] == ["000008_10", "000009_10"]


def test_cityscapes_train_ids_are_read_as_they_are(tmp_path: Path) -> None:
    root = build_cityscapes(tmp_path, kind="labelTrainIds")
    files = open_classes("cityscapes", root).train[0]
    assert files.has_train_ids
    assert set(np.unique(read_classes(files).train_id)) == {ROAD, SKY}


def test_the_demo_worlds_truth_is_looked_for_where_it_is_written(tmp_path: Path) -> None:
    root = build_demo_set(tmp_path)
    frame = FrameId("2011_09_26_drive_9101_sync", 0)
    assert open_classes("demo_world", root).train[0].ids == layout.truth_path(
        root, "train_id", frame
    )
    pair = open_pairs("demo_world", root).train[0]
    assert pair.disparity == layout.truth_path(root, "disparity", frame)
    assert pair.right == layout.sensor_path(root, "image_03", frame)
    assert open_classes("demo_world", root).val[0].name.endswith("9103_sync 0000000000 l")
    assert layout.split_path(root, "val").is_file()


def test_other_labels_have_another_digest(tmp_path: Path) -> None:
    labels = open_pairs("kitti2015", build_kitti2015(tmp_path))
    before = labels.digest(labels.train)
    assert labels.digest(labels.train) == before
    assert labels.digest(labels.train[1:]) != before
    renamed = dataclasses.replace(labels.train[0], name="another")
    assert labels.digest((renamed, *labels.train[1:])) != before


def test_a_root_that_is_no_set_is_answered_with_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        detect_set(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"leftImg8bit \(cityscapes\).*truth"):
        detect_set(tmp_path)
    build_cityscapes(tmp_path)
    build_kitti2015(tmp_path)
    with pytest.raises(ValueError, match="cityscapes or kitti2015; say which with --set"):
        detect_set(tmp_path)


def test_cityscapes_teaches_no_stereo(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no measured disparity"):
        open_pairs("cityscapes", build_cityscapes(tmp_path))


@pytest.mark.parametrize(
    ("build", "missing", "remedy"),
    [
        (build_cityscapes, "leftImg8bit/train", "leftImg8bit_trainvaltest.zip"),
        (build_cityscapes, "gtFine/train", "gtFine_trainvaltest.zip"),
        (build_kitti2015, "training/semantic", "data_semantics.zip"),
        (build_demo_set, "truth/train_id", "data_prep.make_demo_world"),
        (build_demo_set, "splits", "data_prep.make_demo_world"),
    ],
)
def test_a_missing_part_is_named_with_its_remedy(
    build, missing: str, remedy: str, tmp_path: Path
) -> None:
    root = build(tmp_path)
    name = detect_set(root)
    shutil.rmtree(root / missing)
    with pytest.raises(FileNotFoundError, match=remedy):
        open_classes(name, root)


def test_a_missing_right_view_is_named(tmp_path: Path) -> None:
    root = build_kitti2015(tmp_path)
    (root / "training/image_3/000001_10.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"000001_10\.png.*image_3"):
        open_pairs("kitti2015", root)


def test_an_empty_list_of_training_frames_is_refused(tmp_path: Path) -> None:
    root = build_demo_set(tmp_path)
    write_text(root / "splits/train.txt", "# nothing\n")
    with pytest.raises(DataError, match="lists no frame"):
        open_pairs("demo_world", root)


def test_labels_that_cannot_be_right_are_refused(tmp_path: Path) -> None:
    files = open_classes("demo_world", build_demo_set(tmp_path)).train[0]
    write_png(files.ids, np.full((48, 80), 255, np.uint8))
    with pytest.raises(DataError, match="no pixel has one of the 19 classes"):
        read_classes(files)
    write_png(files.ids, np.full((48, 80), 23, np.uint8))
    with pytest.raises(DataError, match="holds 23; train ids are"):
        read_classes(files)
    write_png(files.ids, np.zeros((24, 80), np.uint8))
    with pytest.raises(DataError, match=r"is 24x80 \(height x width\) but .* is 48x80"):
        read_classes(files)


def test_disparities_that_cannot_be_learned_are_refused(tmp_path: Path) -> None:
    files = open_pairs("demo_world", build_demo_set(tmp_path)).train[0]
    # Both stripes, 4 and 9 px, lie outside of what is searched.
    with pytest.raises(DataError, match="max_disparity_px=4"):
        read_pair(files, max_disparity_px=4)
    write_png(files.right, np.zeros((48, 72, 3), np.uint8))
    with pytest.raises(DataError, match="is 48x72"):
        read_pair(files, max_disparity_px=16)


@pytest.mark.dataset
def test_the_real_cityscapes_picture_is_read_by_either_numbering(
    kitti_mini: Path, tmp_path: Path
) -> None:
    tiny = kitti_mini / "cityscapes_tiny_256x128"
    read = []
    for kind in ("labelIds", "labelTrainIds"):
        root = tmp_path / kind
        for folder, ending in (("leftImg8bit", "leftImg8bit"), ("gtFine", f"gtFine_{kind}")):
            city = root / folder / "train" / "frankfurt"
            city.mkdir(parents=True)
            shutil.copy(tiny / folder / f"frankfurt_000000_000294_{ending}.png", city)
        labels = open_classes(detect_set(root), root)
        assert not labels.val
        read.append(read_classes(labels.train[0]))
    assert read[0].image.shape == (128, 256, 3)
    # The sample's two files were shrunk apart, so that they differ at some edges (77 pixels).
    assert np.mean(read[0].train_id == read[1].train_id) > 0.997
    assert {ROAD, 2, 8, 13} <= set(np.unique(read[0].train_id))  # road, building, trees, cars


def kitti2015_of(kitti_mini: Path, root: Path, folder: str, kind: str) -> Path:
    """The benchmark's layout, its pictures taken from the raw drives."""
    raw = KittiRaw(kitti_mini / "raw")
    source = kitti_mini / folder
    shutil.copytree(source / "training" / kind, root / "training" / kind)
    with (source / "index.csv").open() as file:
        for row in csv.DictReader(file):
            for side, camera in (("l", "image_2"), ("r", "image_3")):
                path = raw.image_path(FrameId(row["drive"], int(row["frame"]), side))
                (root / "training" / camera).mkdir(exist_ok=True)
                shutil.copy(
                    path, root / "training" / camera / f"{row['kitti2015_id']}_10{path.suffix}"
                )
    return root


@pytest.mark.dataset
def test_the_real_kitti_pairs_fit_their_disparity(kitti_mini: Path, tmp_path: Path) -> None:
    root = kitti2015_of(kitti_mini, tmp_path, "kitti_stereo2015", "disp_occ_0")
    labels = open_pairs(detect_set(root), root)
    assert [files.name for files in labels.train] == ["000002_10", "000003_10", "000015_10"]
    for files in labels.train:
        pair = read_pair(files, max_disparity_px=192)
        v, u = np.nonzero(pair.disparity_px > 0)
        target = np.rint(u - pair.disparity_px[v, u]).astype(int)
        inside = target >= 0
        left, right = pair.left.astype(float), pair.right.astype(float)
        matched = np.abs(left[v, u] - right[v, target])[inside].mean()
        shifted = np.abs(left[v, u] - np.roll(right, 10, axis=1)[v, target])[inside].mean()
        # The disparity brings the views together; ten pixels beside it they differ.
        assert matched < 0.7 * shifted


@pytest.mark.dataset
def test_the_real_kitti_classes_are_read(kitti_mini: Path, tmp_path: Path) -> None:
    root = kitti2015_of(kitti_mini, tmp_path, "kitti_semantic", "semantic")
    for files in open_classes("kitti2015", root).train:
        train_id = read_classes(files).train_id
        assert {ROAD, 8} <= set(np.unique(train_id))
