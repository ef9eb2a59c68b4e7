import hashlib
from collections import Counter
from pathlib import Path

import pytest

from mtdepth.datasets.eigen import (
    CALIBRATION_DRIVES,
    EIGEN_TEST_DRIVES,
    KITTI_DRIVES,
    eigen_improved_frames,
    eigen_test_frames,
)
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.readers import READERS, reader_of
from mtdepth.datasets.rig_folder import RigFolder
from mtdepth.datasets.splits import evenly_spaced, read_frame_list, resolve_split
from mtdepth.defaults import default_split
from mtdepth.files import DataError

TRAIN = "2011_09_26_drive_0001_sync"
PERSON = "2011_09_28_drive_0053_sync"
TEST = "2011_09_26_drive_0002_sync"
PLACEHOLDER = "2011_09_26_drive_9001_sync"
CHECKERBOARD = "2011_09_26_drive_0119_sync"


@pytest.fixture
def raw(tmp_path: Path) -> KittiRaw:
    for drive in (TRAIN, PERSON, TEST, PLACEHOLDER, CHECKERBOARD):
        for camera in ("image_02", "image_03"):
            folder = tmp_path / drive[:10] / drive / camera / "data"
            folder.mkdir(parents=True)
            for index in (10, 9):
                (folder / f"{index:010d}.png").touch()
    return KittiRaw(tmp_path)


def test_the_eigen_test_side_is_697_left_frames_of_28_drives() -> None:
    frames = eigen_test_frames()
    assert len(frames) == len(set(frames)) == 697
    per_drive = Counter(frame.drive for frame in frames)
    # 25 of each drive, but drive 0048 is only 22 frames long.
    assert per_drive.pop("2011_09_26_drive_0048_sync") == 22
    assert len(per_drive) == 27
    assert set(per_drive.values()) == {25}
    assert {frame.side for frame in frames} == {"l"}
    # Of the published list, written as `str(frame)`, a line each.
    text = "".join(f"{frame}\n" for frame in frames)
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "e226d4ca16e0e6e9695435014347dcf973588531330536fd8a68d298ef091a6b"
    )


def test_kittis_drives_are_complete() -> None:
    per_date = Counter(drive[:10] for drive in KITTI_DRIVES)
    # 61 of city, residential and road, 10 campus, 80 person, 5 calibration.
    assert sum(per_date.values()) == 61 + 10 + 80 + 5
    assert per_date == {
        "2011_09_26": 46,
        "2011_09_28": 93,
        "2011_09_29": 4,
        "2011_09_30": 8,
        "2011_10_03": 5,
    }
    assert EIGEN_TEST_DRIVES < KITTI_DRIVES
    assert CALIBRATION_DRIVES < KITTI_DRIVES
    assert not EIGEN_TEST_DRIVES & CALIBRATION_DRIVES
    assert PLACEHOLDER not in KITTI_DRIVES


def test_the_training_side_is_kittis_other_drives_on_disk(raw: KittiRaw) -> None:
    assert resolve_split(raw, "eigen_train") == [
        FrameId(drive, index, side)
        for drive in (TRAIN, PERSON)
        for index in (9, 10)
        for side in ("l", "r")
    ]


def test_all_is_every_frame_on_disk_in_order(raw: KittiRaw) -> None:
    frames = resolve_split(raw, "all")
    assert frames == sorted(frames)
    assert len(frames) == 5 * 2 * 2
    assert FrameId(PLACEHOLDER, 9, "r") in frames


def test_the_test_side_is_complete_whatever_is_on_disk(raw: KittiRaw) -> None:
    assert resolve_split(raw, "eigen_test") == eigen_test_frames()


def test_the_reader_says_what_programs_take_unasked(raw: KittiRaw) -> None:
    for reader in READERS:
        defaults = reader.layout.default_splits
        assert set(defaults) == {"train", "val"}
        assert set(defaults.values()) <= set(reader.layout.split_names)
    assert reader_of(raw.root) is KittiRaw
    assert default_split(raw.root, part="val") == "eigen_test"
    (raw.root / "rig.json").touch()
    assert reader_of(raw.root) is RigFolder
    assert default_split(raw.root, part="val") == "val"


def test_a_list_is_read_in_its_order_without_blank_lines_and_comments(
    raw: KittiRaw, tmp_path: Path
) -> None:
    path = tmp_path / "list.txt"
    path.write_text(
        f"# chosen by hand\n\n2011_09_26/{TRAIN} 10 r  # blurred\n"
        f"2011_09_26/{TRAIN} 0000000009 l\r\n"
    )
    assert resolve_split(raw, str(path)) == [FrameId(TRAIN, 10, "r"), FrameId(TRAIN, 9, "l")]


def test_a_relative_list_is_looked_for_here_and_below_the_recordings(
    raw: KittiRaw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (raw.root / "splits").mkdir()
    (raw.root / "splits/train.txt").write_text(f"2011_09_26/{TRAIN} 9 l\n")
    here = tmp_path / "elsewhere"
    (here / "splits").mkdir(parents=True)
    monkeypatch.chdir(here)
    assert resolve_split(raw, "splits/train.txt") == [FrameId(TRAIN, 9)]
    (here / "splits/train.txt").write_text(f"2011_09_26/{TRAIN} 10 l\n")
    assert resolve_split(raw, "splits/train.txt") == [FrameId(TRAIN, 10)]


def test_a_bad_line_is_named_with_file_and_number(raw: KittiRaw, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"2011_09_26/{TRAIN} 9 l\n\n9 0 l\n")
    with pytest.raises(DataError, match=r"list\.txt: line 3: a frame is written .* got '9 0 l'"):
        resolve_split(raw, str(path))


def test_a_binary_file_is_no_list(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not text in UTF-8"):
        read_frame_list(path)


def test_an_empty_list_is_named(raw: KittiRaw, tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.write_text("# nothing yet\n")
    with pytest.raises(ValueError, match=r"empty\.txt has no frame; write one frame a line"):
        resolve_split(raw, str(path))


def test_a_training_side_without_frames_says_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "2011_09_26" / PLACEHOLDER / "image_02" / "data"
    folder.mkdir(parents=True)
    (folder / "0000000000.jpg").touch()
    with pytest.raises(ValueError, match=rf"eigen_train below .* has no frame; .*{PLACEHOLDER}"):
        resolve_split(KittiRaw(tmp_path), "eigen_train")


def test_the_improved_side_is_652_of_them_in_the_same_order(raw: KittiRaw) -> None:
    frames = resolve_split(raw, "eigen_improved")
    assert len(frames) == 652
    kept = set(frames)
    assert [frame for frame in eigen_test_frames() if frame in kept] == frames


def test_an_unknown_split_lists_the_names_and_the_paths_tried(raw: KittiRaw) -> None:
    with pytest.raises(
        FileNotFoundError,
        match=r"'eigen_tset'.*eigen_test, eigen_improved, .*all.*tried eigen_tset and",
    ):
        resolve_split(raw, "eigen_tset")


@pytest.mark.dataset
def test_the_table_is_the_published_list_in_its_order(kitti_mini: Path) -> None:
    assert eigen_test_frames() == read_frame_list(kitti_mini / "splits/eigen_test_files.txt")


@pytest.mark.dataset
def test_the_published_lists_agree_with_the_table_of_drives(kitti_mini: Path) -> None:
    benchmark = read_frame_list(kitti_mini / "splits/eigen_benchmark_test_files.txt")
    assert benchmark == eigen_improved_frames()
    assert {frame.drive for frame in benchmark} <= EIGEN_TEST_DRIVES
    validation = read_frame_list(kitti_mini / "splits/eigen_zhou_val_files.txt")
    assert {frame.drive for frame in validation} <= KITTI_DRIVES - EIGEN_TEST_DRIVES


@pytest.mark.dataset
def test_the_real_training_side_leaves_the_placeholder_out(kitti_mini: Path) -> None:
    raw = KittiRaw(kitti_mini / "raw")
    frames = resolve_split(raw, "eigen_train")
    # 84 pairs and 12 pairs of drive 0001; `all` has the 78 left frames of drive 9001 as well.
    assert len(frames) == 2 * (84 + 12)
    assert len(resolve_split(raw, "all")) == 2 * (84 + 12) + 78
    assert PLACEHOLDER not in {frame.drive for frame in frames}
    listed = resolve_split(raw, str(kitti_mini / "splits/mini_train.txt"))
    assert len(listed) == 64
    assert set(listed) < set(frames)


def test_frames_are_spread_evenly_and_always_the_same() -> None:
    frames = [FrameId(TRAIN, index) for index in range(100)]
    chosen = evenly_spaced(frames, number=4)
    assert [frame.index for frame in chosen] == [12, 37, 62, 87]
    assert evenly_spaced(frames[:3], number=8) == frames[:3]
    assert evenly_spaced([], number=8) == []


def test_a_frame_that_a_list_names_twice_is_taken_once(raw: KittiRaw, tmp_path: Path) -> None:
    path = tmp_path / "twice.txt"
    lines = [f"2011_09_26/{TRAIN} {each}" for each in ("10 l", "9 l", "0000000010 l", "10 r")]
    path.write_text("\n".join(lines))
    assert resolve_split(raw, str(path)) == [
        FrameId(TRAIN, 10),
        FrameId(TRAIN, 9),
        FrameId(TRAIN, 10, "r"),
    ]
