"""The label store: what is written can be read, and what is wrong is named."""

import dataclasses
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.kitti_tree import build_kitti_tree
from fakes.label_store import build_label_store
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import (
    FrameRecord,
    LabelStore,
    below_ceiling,
    depth_path,
    read_depth_png,
    read_records,
    read_train_id_png,
    records_path,
    train_id_path,
    write_depth_png,
    write_records,
    write_train_id_png,
)
from mtdepth.files import DataError

DRIVE = "2011_09_26_drive_0001_sync"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_kitti_tree(tmp_path_factory.mktemp("kitti") / "raw", num_frames=2)


@pytest.fixture
def store(tmp_path: Path, tree: Path) -> LabelStore:
    return build_label_store(tmp_path / "labels", tree)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@given(depth_m=st.floats(1 / 512, 255.99))
def test_depth_survives_the_file_to_within_a_512th_of_a_metre(
    depth_m: float, scratch: Path
) -> None:
    write_depth_png(scratch / "depth.png", np.full((2, 3), depth_m, np.float32))
    back_m = read_depth_png(scratch / "depth.png")
    # Half a unit of 1/256 m, and the float32 rounding of the argument itself.
    np.testing.assert_allclose(back_m, depth_m, rtol=1e-7, atol=1 / 512)


def test_depth_beyond_the_format_means_at_least_its_end_and_zero_stays_unlabelled(
    tmp_path: Path,
) -> None:
    depth_m = np.array([[0.0, 0.0001, 1.0, 255.99, 256.0, 4000.0]], np.float32)
    write_depth_png(tmp_path / "depth.png", depth_m)
    stored = cv2.imread(str(tmp_path / "depth.png"), cv2.IMREAD_UNCHANGED)
    # 255.99 * 256 = 65533.4; a tenth of a millimetre is a label, so it may not become 0.
    assert stored.tolist() == [[0, 1, 256, 65533, 65535, 65535]]
    assert stored.dtype == np.uint16


def test_a_label_at_the_files_ceiling_is_none(store: LabelStore) -> None:
    frame = store.frames[0]
    path = depth_path(store.root, frame)
    units = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    units[0, :3] = 65533, 65534, 65535
    cv2.imwrite(str(path), units)
    assert (store.read_depth(frame)[0, :3] > 0).tolist() == [True, True, False]
    # 255.9955 m would be rounded up to it.
    assert below_ceiling(np.array([255.99, 255.9955, 300], np.float32)).tolist()[1:] == [0, 0]


def test_a_store_of_whole_metres_says_so(store: LabelStore) -> None:
    assert store.depth_problem() == ""
    for frame in store.frames:
        write_depth_png(depth_path(store.root, frame), store.read_depth(frame) / 256)
    assert re.search(r"depth.*\.png: the median depth is 0\.0.*times 256\?", store.depth_problem())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_depth_that_is_no_depth_is_refused(bad: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="finite and >= 0"):
        write_depth_png(tmp_path / "depth.png", np.array([[1.0, bad]], np.float32))
    assert not list(tmp_path.iterdir())


def test_label_ids_are_not_taken_for_train_ids(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"found 26.*label_id_to_train_id"):
        write_train_id_png(tmp_path / "ids.png", np.array([[7, 26]], np.uint8))


def test_a_sample_is_read_back_as_it_was_made(store: LabelStore, tree: Path) -> None:
    frame = store.frames[1]
    image, depth_m, train_id = store.read_sample(frame)
    name = f"{frame.drive}/image_02/{frame.name}.png"
    truth = cv2.imread(str(tree / "truth/depth" / name), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(depth_m, truth / np.float32(256))
    ids = cv2.imread(str(tree / "truth/train_id" / name), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(train_id, ids)
    bgr = cv2.imread(str(tree / frame.date / frame.drive / f"image_02/data/{frame.name}.png"))
    np.testing.assert_array_equal(image, bgr[..., ::-1])


def test_labels_of_another_resolution_are_refused_with_both_files_named(store: LabelStore) -> None:
    frame = store.frames[0]
    write_depth_png(depth_path(store.root, frame), np.ones((32, 96), np.float32))
    expected = (
        f"{re.escape(str(depth_path(store.root, frame)))}.*32x96"
        f".*{re.escape(str(store.image_path(frame)))}.*64x192.*another resolution"
    )
    with pytest.raises(DataError, match=expected):
        store.read_sample(frame)


def test_train_ids_of_another_resolution_are_refused(store: LabelStore) -> None:
    frame = store.frames[0]
    write_train_id_png(train_id_path(store.root, frame), np.zeros((64, 96), np.uint8))
    with pytest.raises(DataError, match=r"train_id.*64x96.*another resolution"):
        store.read_sample(frame)


def test_a_truncated_label_is_named(store: LabelStore) -> None:
    path = depth_path(store.root, store.frames[0])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=re.escape(str(path))):
        store.read_depth(store.frames[0])


def test_a_folder_that_is_no_store_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m data_prep\.generate_teachers"):
        LabelStore.open(tmp_path)


def test_a_job_that_never_finished_is_not_taken_for_a_store(store: LabelStore) -> None:
    (store.root / "frames.jsonl").unlink()
    with pytest.raises(DataError, match=r"not finished \(frames\.jsonl missing\)"):
        LabelStore.open(store.root)


def test_a_manifest_of_another_format_is_refused(store: LabelStore) -> None:
    path = store.root / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"format_version": 99}))
    with pytest.raises(DataError, match="expected format_version 1"):
        LabelStore.open(store.root)


def test_shards_are_merged_and_a_missing_shard_is_named(store: LabelStore) -> None:
    records, root = store.records, store.root
    (root / "frames.jsonl").unlink()
    for shard in (0, 2):
        path = records_path(root, shard_index=shard, num_shards=3)
        write_records(path, records[shard::3])
    with pytest.raises(DataError, match=r"\(frames-1-of-3\.jsonl missing\)"):
        LabelStore.open(root)
    write_records(records_path(root, shard_index=1, num_shards=3), records[1::3])
    assert LabelStore.open(root).frames == store.frames


def test_a_frame_that_failed_once_and_was_mended_is_finished(tmp_path: Path) -> None:
    frame = FrameId(DRIVE, 5)
    failed = FrameRecord(frame=frame, status="failed", why="no right image")
    finished = FrameRecord(
        frame=frame, status="finished", size_px=(375, 1242), labelled_fraction=0.5
    )
    for shard, record in enumerate([finished, failed]):
        write_records(records_path(tmp_path, shard_index=shard, num_shards=2), [record])
    assert read_records(tmp_path) == [finished]


def test_failures_are_kept_with_their_reasons_and_are_no_frames(store: LabelStore) -> None:
    failed = FrameRecord(frame=FrameId(DRIVE, 5), status="failed", why="no right image")
    write_records(records_path(store.root, shard_index=0, num_shards=1), [*store.records, failed])
    again = LabelStore.open(store.root)
    assert again.failures == [failed]
    assert again.frames == store.frames


def test_the_digest_changes_with_a_label_and_not_with_the_reasons(store: LabelStore) -> None:
    before = store.digest()
    assert LabelStore.open(store.root).digest() == before
    path = depth_path(store.root, store.frames[0])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert store.digest() != before


def test_the_images_are_found_where_they_are_now(
    store: LabelStore, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.root / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"kitti_root": str(tmp_path / "gone")}))
    monkeypatch.delenv("MTDEPTH_KITTI_ROOT", raising=False)
    with pytest.raises(FileNotFoundError, match="gone"):
        LabelStore.open(store.root)
    assert LabelStore.open(store.root, kitti_root=tree).kitti_root == tree
    monkeypatch.setenv("MTDEPTH_KITTI_ROOT", str(tree))
    assert LabelStore.open(store.root).kitti_root == tree


def test_a_recorded_tree_that_is_there_wins_over_the_variable(
    store: LabelStore, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTDEPTH_KITTI_ROOT", str(tmp_path))
    assert LabelStore.open(store.root).kitti_root == tree


def test_a_store_without_classes_gives_none(tmp_path: Path, tree: Path) -> None:
    store = build_label_store(tmp_path / "labels", tree, with_train_ids=False)
    assert not store.has_train_ids
    assert store.read_sample(store.frames[0])[2] is None


def test_a_damaged_list_names_its_line(store: LabelStore) -> None:
    path = store.root / "frames.jsonl"
    whole = path.read_text()
    number = len(store.records) + 1
    good = json.loads(whole.splitlines()[0])
    for line in (
        {"frame": "nonsense"},
        good | {"frame": [1]},
        good | {"status": "finishd"},
        good | {"size_px": 64},
        good | {"size_px": [64]},
        good | {"size_px": [64, "192"]},
        good | {"labelled_fraction": "all"},
        [good],
        7,
    ):
        path.write_text(whole + json.dumps(line) + "\n")
        with pytest.raises(DataError, match=f"line {number} is (damaged|no record)"):
            LabelStore.open(store.root)
    path.write_text(whole)
    manifest = json.loads((store.root / "manifest.json").read_text())
    (store.root / "manifest.json").write_text(json.dumps(manifest | {"kitti_root": [1]}))
    with pytest.raises(DataError, match="kitti_root must be text"):
        LabelStore.open(store.root)


def test_an_empty_list_is_damaged_and_an_empty_shard_is_not(store: LabelStore) -> None:
    whole = store.root / "frames.jsonl"
    lines = whole.read_bytes()
    whole.write_bytes(b"")
    for read in (LabelStore.open, read_records):
        with pytest.raises(DataError, match=r"frames\.jsonl: lists no frame.*delete it"):
            read(store.root)
    whole.unlink()
    (store.root / "frames-0-of-2.jsonl").write_bytes(lines)
    (store.root / "frames-1-of-2.jsonl").touch()
    assert LabelStore.open(store.root).frames == store.frames


def test_a_shard_of_many_is_named_at_once(store: LabelStore) -> None:
    (store.root / "frames.jsonl").rename(store.root / "frames-0-of-99999999.jsonl")
    (store.root / "frames-x-of-y.jsonl").touch()
    with pytest.raises(DataError, match=r"frames-1-of-99999999\.jsonl, frames-2-of"):
        LabelStore.open(store.root)


def test_void_as_nineteen_is_told_from_label_ids(tmp_path: Path) -> None:
    path = tmp_path / "ids.png"
    cv2.imwrite(str(path), np.array([[0, 18, 19, 255]], np.uint8))
    with pytest.raises(DataError, match=r"found 19; is 19 your void\? Then write 255"):
        read_train_id_png(path)
    cv2.imwrite(str(path), np.array([[7, 19, 26, 33]], np.uint8))
    with pytest.raises(DataError, match="label_id_to_train_id"):
        read_train_id_png(path)


def test_records_round_trip(tmp_path: Path) -> None:
    records = [
        FrameRecord(frame=FrameId(DRIVE, 7, "r"), status="failed", why='a "quoted" reason'),
        FrameRecord(
            frame=FrameId(DRIVE, 5), status="finished", size_px=(3, 4), labelled_fraction=0.25
        ),
    ]
    write_records(tmp_path / "frames.jsonl", records)
    assert read_records(tmp_path) == sorted(records, key=lambda record: record.frame)
    assert dataclasses.asdict(read_records(tmp_path)[0])["size_px"] == (3, 4)
