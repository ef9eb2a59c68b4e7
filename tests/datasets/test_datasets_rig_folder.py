import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.rig_tree import build_rig_tree, rig_drive
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.lidar import project_to_depth, read_velodyne
from mtdepth.datasets.readers import open_recordings
from mtdepth.datasets.rig_folder import RigFolder, read_rig_file
from mtdepth.datasets.splits import resolve_split
from mtdepth.files import DataError
from mtdepth.pictures import write_png

# Asymmetric throughout, so that an exchange of rows and columns shows.
CAMERA = {
    "width_px": 8,
    "height_px": 6,
    "fx_px": 7.0,
    "fy_px": 6.5,
    "cx_px": 4.25,
    "cy_px": 2.5,
    "baseline_m": 0.12,
}
# A scanner looking along the camera, 0.2 m above it and 0.1 m behind.
T_LIDAR_TO_CAMERA = [[0, -1, 0, 0], [0, 0, -1, -0.2], [1, 0, 0, -0.1], [0, 0, 0, 1]]


def write_rig(root: Path, **changes: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    content = {name: value for name, value in (CAMERA | changes).items() if value is not None}
    path = root / "rig.json"
    path.write_text(json.dumps(content))
    return path


def touch(root: Path, drive: str, kind: str, *names: str) -> None:
    (root / drive / kind).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / drive / kind / name).touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_rig(tmp_path, T_lidar_to_camera=T_LIDAR_TO_CAMERA)
    touch(tmp_path, "garden_1", "left", "3.png", "000012.JPG", "13.Jpeg")
    touch(tmp_path, "garden_1", "right", "0003.png", ".12.png")
    touch(tmp_path, "garden_1", "lidar", "00003.bin")
    touch(tmp_path, "bay-2.b", "left", "1672531200000000000.png")
    touch(tmp_path, "splits", "notes", "1.txt")
    return tmp_path


def test_the_file_decides_which_recordings_a_folder_holds(root: Path, tree: Path) -> None:
    assert isinstance(open_recordings(root), RigFolder)
    assert isinstance(open_recordings(tree), KittiRaw)
    with pytest.raises(FileNotFoundError, match=r"no such folder.*rig\.json"):
        open_recordings(root / "absent")
    with pytest.raises(FileNotFoundError, match=r"another rig have a rig\.json there"):
        open_recordings(root / "garden_1")


def test_frames_are_found_by_number_whatever_the_digits(root: Path) -> None:
    raw = RigFolder(root)
    assert raw.drives() == ["bay-2.b", "garden_1"]
    assert raw.frames_of("garden_1") == [FrameId("garden_1", index) for index in (3, 12, 13)]
    assert raw.frames_of("garden_1", "r") == [FrameId("garden_1", 3, "r")]
    assert raw.image_path(FrameId("garden_1", 12)) == root / "garden_1/left/000012.JPG"
    assert raw.image_path(FrameId("garden_1", 3, "r")) == root / "garden_1/right/0003.png"
    assert raw.velodyne_path(FrameId("garden_1", 3, "r")) == root / "garden_1/lidar/00003.bin"
    assert not raw.velodyne_path(FrameId("garden_1", 12)).exists()
    stamped = FrameId("bay-2.b", 1672531200000000000)
    assert raw.image_path(stamped).is_file()
    assert FrameId.parse(str(stamped)) == stamped


def test_the_other_side_is_the_same_moment() -> None:
    frame = FrameId("garden_1", 3)
    assert frame.other_side.other_side == frame


def test_png_wins_over_jpg_of_the_same_name(root: Path) -> None:
    touch(root, "garden_1", "left", "000012.png")
    assert RigFolder(root).image_path(FrameId("garden_1", 12)).suffix == ".png"


def test_two_names_of_one_number_are_refused(root: Path) -> None:
    touch(root, "garden_1", "left", "03.png")
    with pytest.raises(DataError, match=r"is frame 3, and so is 03\.png|and so is 3\.png"):
        RigFolder(root).frames_of("garden_1")


def test_a_picture_without_a_number_is_named(root: Path) -> None:
    touch(root, "garden_1", "left", "frame_14.png")
    with pytest.raises(DataError, match=r"frame_14\.png: frames are named by their number"):
        RigFolder(root).frames_of("garden_1")


def test_what_is_missing_is_named(root: Path) -> None:
    raw = RigFolder(root)
    with pytest.raises(FileNotFoundError, match=r"garden_1 0000000012 r: .*right has no number 12"):
        raw.image_path(FrameId("garden_1", 12, "r"))
    with pytest.raises(FileNotFoundError, match=r"no such drive; there are bay-2\.b, garden_1"):
        raw.frames_of("meadow")
    (root / "rig.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"rig\.json: no such file; recordings are laid"):
        RigFolder(root)
    write_rig(root / "splits")
    with pytest.raises(FileNotFoundError, match=r"no folder beside rig\.json holds pictures"):
        RigFolder(root / "splits")


@pytest.mark.parametrize("name", ["my drive", "2011_09_26_drive_1_sync", "0042", "größe"])
def test_a_drive_that_no_list_could_name_is_refused(root: Path, name: str) -> None:
    touch(root, name, "left", "1.png")
    with pytest.raises(DataError, match=r"a drive is named by letters.*rename the folder"):
        RigFolder(root)


def test_a_scanner_of_unknown_place_is_refused(root: Path) -> None:
    write_rig(root)
    with pytest.raises(DataError, match=r"drive garden_1 has lidar but no T_lidar_to_camera"):
        RigFolder(root).rig(FrameId("garden_1", 3))


def test_recordings_without_their_rig_file_are_told_what_it_is(root: Path) -> None:
    (root / "rig.json").unlink()
    (root / "stereo.yml").write_text("%YAML:1.0")
    with pytest.raises(FileNotFoundError) as told:
        open_recordings(root)
    assert re.search(
        r"rig\.json: no such file.*fx_px.*rig --calibration \S+/stereo\.yml --output",
        str(told.value),
    )
    assert "2011_09_26" not in str(told.value)


def test_the_file_becomes_the_rig(root: Path) -> None:
    rig = read_rig_file(root / "rig.json")
    camera = rig.intrinsics_right
    assert camera == rig.intrinsics_left
    assert camera.to_dict() == {name: CAMERA[name] for name in CAMERA if name != "baseline_m"}
    assert rig.baseline_m == 0.12
    # A point 5 m ahead, 1 m left and 0.2 m below the scanner: x = -1, y = 0.2 - 0.2, z = 4.9.
    to_left = rig.T_velodyne_to("l") @ [5.0, 1.0, -0.2, 1.0]
    np.testing.assert_allclose(to_left, [-1.0, 0.0, 4.9, 1.0], atol=1e-12)
    # The right camera stands 0.12 m to the right.
    to_right = rig.T_velodyne_to("r") @ [5.0, 1.0, -0.2, 1.0]
    np.testing.assert_allclose(to_right, [-1.12, 0.0, 4.9, 1.0], atol=1e-12)


def test_a_pipe_in_the_place_of_the_rig_is_named_as_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rig.json")
    with pytest.raises(DataError, match=r"rig\.json: is a folder, a pipe or a device"):
        read_rig_file(tmp_path / "rig.json")


def test_a_rig_may_have_one_camera(root: Path) -> None:
    path = write_rig(root, baseline_m=None, T_lidar_to_camera=T_LIDAR_TO_CAMERA)
    with pytest.raises(DataError, match=r"drive garden_1 has right but no baseline_m"):
        RigFolder(root).rig(FrameId("garden_1", 3))
    shutil.rmtree(root / "garden_1" / "right")
    raw = RigFolder(root)
    assert raw.frames_of("garden_1", "r") == []
    assert {frame.side for frame in resolve_split(raw, "all")} == {"l"}
    rig = raw.rig(FrameId("garden_1", 3))
    assert not rig.has_right
    assert rig.camera("l", size=(3, 4)).fx_px == 3.5
    np.testing.assert_allclose(rig.T_velodyne_to("l") @ [5.0, 1.0, -0.2, 1.0], [-1, 0, 4.9, 1])
    ahead_m = project_to_depth(np.array([[5.0, 0, 0]]), rig, side="l")
    np.testing.assert_allclose(ahead_m[ahead_m > 0], [4.9], rtol=1e-6)
    for ask in (lambda: rig.baseline_m, lambda: rig.intrinsics("r"), lambda: rig.P_rect("r")):
        with pytest.raises(ValueError, match=r"this rig has one camera: .*no baseline_m"):
            ask()
    assert read_rig_file(path).right is None


def test_shrunk_pictures_are_told_from_cropped_ones(root: Path) -> None:
    raw = RigFolder(root)
    frame = FrameId("garden_1", 3)
    assert raw.camera(frame, size=(6, 8)) == raw.rig(frame).intrinsics_left
    assert raw.camera(frame, size=(3, 4)).fx_px == 3.5
    with pytest.raises(DataError, match=r"left/3\.png: .*aspect ratio"):
        raw.camera(frame, size=(5, 8))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fx_px": None}, "no fx_px"),
        ({"fx": 700}, "unknown fx"),
        ({"fx_px": "700"}, "fx_px must be a number, got '700'"),
        ({"fx_px": True}, "fx_px must be a number, got 'True'"),
        ({"cx_px": float("nan")}, "NaN is no number"),
        ({"fy_px": -1.0}, "no pinhole camera.*must be positive"),
        ({"height_px": 6.5}, "height_px must be a whole number"),
        ({"width_px": 0}, "at least one pixel"),
        ({"baseline_m": -0.12}, "baseline of -0.12 m"),
        ({"baseline_m": 60.0}, "baseline of 60 m.*millimetres"),
        ({"fx_px": 0.58, "fy_px": 0.58}, "left camera: a focal length .*normalised"),
        ({"T_lidar_to_camera": [[1, 0], [0, 1]]}, "4 rows of 4 numbers, got"),
        ({"T_lidar_to_camera": [["1", 0, 0, 0], *np.eye(4)[1:].tolist()]}, "must be a number"),
        ({"T_lidar_to_camera": [[True, 0, 0, 0], *np.eye(4)[1:].tolist()]}, "must be a number"),
        ({"T_lidar_to_camera": [[1, 0], [0]]}, "4 rows of 4 numbers"),
        ({"T_lidar_to_camera": np.diag([1, 1, -1, 1]).tolist()}, "must be a rotation"),
        ({"T_lidar_to_camera": np.diag([1, 1.1, 1, 1]).tolist()}, "must be a rotation"),
        ({"T_lidar_to_camera": np.ones((4, 4)).tolist()}, "must be a rotation"),
    ],
)
def test_a_rig_that_cannot_be_is_named(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError, match=rf"rig\.json: .*{why}"):
        read_rig_file(write_rig(tmp_path, **changes))


def test_a_file_that_is_no_object_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rig.json"
    path.write_text("[1, 2]")
    with pytest.raises(DataError, match="no cx_px, no cy_px"):
        read_rig_file(path)
    path.write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        read_rig_file(path)


# --- lists and splits --------------------------------------------------------------------------


@given(
    drive=st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    index=st.integers(0, 10**19),
    side=st.sampled_from(["l", "r"]),
)
def test_a_frame_of_a_rig_survives_its_line(drive: str, index: int, side: str) -> None:
    frame = FrameId(drive, index, side)  # type: ignore[arg-type]
    assert FrameId.parse(str(frame)) == frame
    assert frame.date == ""


def test_a_rigs_frame_is_spelt_without_a_date() -> None:
    frame = FrameId("garden_1", 5, "r")
    assert str(frame) == "garden_1 0000000005 r"
    assert (frame.folder, frame.name, frame.camera) == ("garden_1", "0000000005", "image_03")


@pytest.mark.parametrize(
    "line",
    [
        "summer/garden_1 5 l",
        "2011_09_26/garden_1 5 l",
        "/garden_1 5 l",
        "2011_09_26_drive_0001 5 l",
        "2011_09_26_drive_0001_extract 5 l",
        ".. 5 l",
        "-1 5 l",
        "garden_1 5 m",
    ],
)
def test_a_line_of_another_form_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="a frame is written"):
        FrameId.parse(line)


def test_kittis_reader_says_that_a_rigs_frame_is_none_of_its_own(tree: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no drive of KITTI's; the root of another rig"):
        KittiRaw(tree).image_path(FrameId("garden_1", 5))


def rig_with_drives(root: Path, num_drives: int) -> RigFolder:
    write_rig(root)
    for number in range(num_drives):
        touch(root, f"drive_{number:02d}", "left", "0.png", "1.png")
        touch(root, f"drive_{number:02d}", "right", "0.png")
    return RigFolder(root)


@pytest.mark.parametrize(("num_drives", "num_val"), [(2, 1), (5, 1), (7, 1), (8, 2), (10, 2)])
def test_the_last_fifth_of_the_drives_is_held_out(
    tmp_path: Path, num_drives: int, num_val: int
) -> None:
    raw = rig_with_drives(tmp_path, num_drives)
    train, val = resolve_split(raw, "train"), resolve_split(raw, "val")
    assert {frame.drive for frame in val} == set(raw.drives()[-num_val:])
    assert sorted(train + val) == resolve_split(raw, "all")
    assert len(val) == 3 * num_val


def test_one_drive_has_nothing_to_hold_out(tmp_path: Path) -> None:
    raw = rig_with_drives(tmp_path, 1)
    with pytest.raises(ValueError, match=r"one drive, drive_00, so there is nothing to hold out"):
        resolve_split(raw, "val")
    assert len(resolve_split(raw, "all")) == 3


def test_a_list_names_frames_of_a_rig(tmp_path: Path) -> None:
    raw = rig_with_drives(tmp_path, 1)
    (tmp_path / "mine.txt").write_text("drive_00 1 l\ndrive_00 0 r  # blurred\n")
    assert resolve_split(raw, "mine.txt") == [FrameId("drive_00", 1), FrameId("drive_00", 0, "r")]


def test_a_list_may_be_utf_16_and_its_fault_is_told_in_the_rigs_words(root: Path) -> None:
    path = root / "list.txt"
    path.write_text("garden_1 3 l\r\n", encoding="utf-16")
    assert resolve_split(RigFolder(root), str(path)) == [FrameId("garden_1", 3)]
    for encoding in ("utf-16-le", "utf-16-be"):  # without the mark
        path.write_text("garden_1 3 l\r\n", encoding=encoding)
        assert resolve_split(RigFolder(root), str(path)) == [FrameId("garden_1", 3)]
    path.write_text("garden_1 left 3", encoding="utf-8-sig")
    with pytest.raises(DataError, match=r"line 1: .*; here `garden_1 0000000005 l`") as caught:
        resolve_split(RigFolder(root), str(path))
    assert "2011_09_26" not in str(caught.value)


@pytest.mark.parametrize("split", ["eigen_train", "eigen_test"])
def test_kittis_splits_are_not_of_a_rig(tmp_path: Path, split: str) -> None:
    with pytest.raises(ValueError, match=rf"{split} is of KITTI's drives; .*train, val, all"):
        resolve_split(rig_with_drives(tmp_path, 2), split)
    with pytest.raises(FileNotFoundError, match="neither one of train, val, all nor a list file"):
        resolve_split(RigFolder(tmp_path), "trian")


# --- one scene, two layouts --------------------------------------------------------------------


def test_both_layouts_give_the_same_pictures_cameras_and_lidar(tree: Path, tmp_path: Path) -> None:
    raw = KittiRaw(tree)
    other = RigFolder(build_rig_tree(tmp_path / "rig", tree))
    for side in ("l", "r"):
        frame = raw.frames_of(raw.drives()[0], side)[2]
        same = FrameId(rig_drive(frame.drive), frame.index, frame.side)
        image = raw.read_image(frame)
        np.testing.assert_array_equal(other.read_image(same), image)
        camera = raw.camera(frame, size=image.shape[:2])
        assert other.camera(same, size=image.shape[:2]) == camera
        assert other.rig(same).baseline_m == raw.rig(frame).baseline_m
        depth_m = [
            project_to_depth(
                read_velodyne(tree_.velodyne_path(frame_)),
                tree_.rig(frame_),
                side=side,
            )
            for tree_, frame_ in ((raw, frame), (other, same))
        ]
        assert (depth_m[0] > 0).sum() > 100
        np.testing.assert_allclose(depth_m[1], depth_m[0], rtol=1e-6)  # float32 depth


def test_a_grey_picture_is_read_as_rgb(root: Path) -> None:
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    write_png(root / "garden_1/left/3.png", grey)
    image = RigFolder(root).read_image(FrameId("garden_1", 3))
    np.testing.assert_array_equal(image, np.stack([grey] * 3, axis=-1))


def test_a_drive_may_have_a_camera_of_its_own(root: Path) -> None:
    write_rig(root / "bay-2.b", fx_px=5.0, cy_px=3.0)
    raw = RigFolder(root)
    own = raw.camera(FrameId("bay-2.b", 1672531200000000000), size=(6, 8))
    assert (own.fx_px, own.cy_px) == (5.0, 3.0)
    assert raw.camera(FrameId("garden_1", 3), size=(6, 8)).fx_px == CAMERA["fx_px"]
    write_rig(root / "bay-2.b", fx_px=None)
    with pytest.raises(DataError, match=r"bay-2\.b.rig\.json: .*no fx_px"):
        RigFolder(root).rig(FrameId("bay-2.b", 1672531200000000000))
