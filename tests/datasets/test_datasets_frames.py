import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.files import DataError
from mtdepth.pictures import write_png

DRIVE = "2011_09_26_drive_0001_sync"
CALIBRATION = {
    "calib_cam_to_cam.txt": (
        "S_rect_02: 8 6\nS_rect_03: 8 6\nR_rect_00: 1 0 0 0 1 0 0 0 1\n"
        "P_rect_02: 7 0 4 0 0 7 3 0 0 0 1 0\nP_rect_03: 7 0 4 -3.5 0 7 3 0 0 0 1 0\n"
    ),
    "calib_velo_to_cam.txt": "R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n",
}


def touch(root: Path, drive: str, camera: str, *names: str) -> None:
    folder = root / drive[:10] / drive / camera / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


@pytest.fixture
def raw(tmp_path: Path) -> KittiRaw:
    touch(tmp_path, DRIVE, "image_02", "0000000012.png", "0000000003.jpg", "0000000004.jpeg")
    touch(tmp_path, DRIVE, "image_03", "0000000003.png")
    touch(tmp_path, "2011_10_03_drive_0047_sync", "image_02", "0000000000.png")
    return KittiRaw(tmp_path)


@given(
    number=st.integers(0, 9999),
    index=st.integers(0, 10**10 - 1),
    side=st.sampled_from(["l", "r"]),
)
def test_a_frame_survives_its_line(number: int, index: int, side: str) -> None:
    frame = FrameId(f"2011_09_30_drive_{number:04d}_sync", index, side)  # type: ignore[arg-type]
    assert FrameId.parse(str(frame)) == frame


def test_a_line_is_read_with_or_without_leading_zeros() -> None:
    frame = FrameId(DRIVE, 5, "l")
    assert FrameId.parse(f"2011_09_26/{DRIVE} 0000000005 l\n") == frame
    assert FrameId.parse(f"  2011_09_26/{DRIVE}   5 l") == frame
    assert str(frame) == f"2011_09_26/{DRIVE} 0000000005 l"


def test_the_parts_of_a_frame_have_kittis_spelling() -> None:
    frame = FrameId(DRIVE, 5, "r")
    assert (frame.date, frame.name, frame.camera) == ("2011_09_26", "0000000005", "image_03")
    assert FrameId(DRIVE, 5).camera == "image_02"


def test_frames_are_sorted_by_number_not_by_text() -> None:
    frames = [FrameId(DRIVE, 10), FrameId(DRIVE, 9, "r"), FrameId(DRIVE, 9)]
    assert sorted(frames) == [FrameId(DRIVE, 9), FrameId(DRIVE, 9, "r"), FrameId(DRIVE, 10)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2011_09_26/2011_09_26_drive_0001_sync 5",
        "2011_09_26/2011_09_26_drive_0001_sync 5 m",
        "2011_09_26/2011_09_26_drive_0001_sync -5 l",
        "2011_09_26/2011_09_26_drive_0001_sync 5.0 l",
        "2011_09_26/2011_09_26_drive_0001_sync 5 l l",
        "2011_09_26_drive_0001_sync 5 l",
        "2011_09_28/2011_09_26_drive_0001_sync 5 l",
        "2011_09_26/2011_09_26_drive_1_sync 5 l",
        "9 0 l",
    ],
)
def test_a_line_of_another_form_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="a frame is written"):
        FrameId.parse(line)


def test_png_and_jpg_are_found_by_themselves(raw: KittiRaw) -> None:
    names = [raw.image_path(FrameId(DRIVE, index)).name for index in (3, 4, 12)]
    assert names == ["0000000003.jpg", "0000000004.jpeg", "0000000012.png"]


def test_png_wins_where_both_are_there(raw: KittiRaw) -> None:
    touch(raw.root, DRIVE, "image_02", "0000000003.png")
    assert raw.image_path(FrameId(DRIVE, 3)).suffix == ".png"
    assert [frame.index for frame in raw.frames_of(DRIVE)] == [3, 4, 12]


def test_drives_and_frames_are_sorted_and_other_files_are_not_among_them(raw: KittiRaw) -> None:
    touch(
        raw.root, DRIVE, "image_02", "timestamps.txt", "0000000007.txt", "7.png", ".0000000008.png"
    )
    (raw.root / "2011_09_26" / "notes").mkdir()
    (raw.root / "devkit").mkdir()
    assert raw.drives() == [DRIVE, "2011_10_03_drive_0047_sync"]
    assert [frame.index for frame in raw.frames_of(DRIVE)] == [3, 4, 12]
    assert raw.frames_of(DRIVE, "r") == [FrameId(DRIVE, 3, "r")]
    assert raw.frames_of("2011_10_03_drive_0047_sync", "r") == []


def test_the_other_side_of_the_other_side_is_the_frame() -> None:
    frame = FrameId(DRIVE, 3)
    assert frame.other_side == FrameId(DRIVE, 3, "r")
    assert frame.other_side.other_side == frame


def test_paths_of_the_other_sensors(raw: KittiRaw) -> None:
    folder = raw.root / "2011_09_26" / DRIVE
    frame = FrameId(DRIVE, 3, "r")
    assert raw.velodyne_path(frame) == folder / "velodyne_points/data/0000000003.bin"
    assert raw.oxts_path(frame) == folder / "oxts/data/0000000003.txt"


def test_a_missing_right_image_is_named_with_what_was_tried_and_the_remedy(raw: KittiRaw) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        raw.image_path(FrameId(DRIVE, 12, "r"))
    message = str(caught.value)
    assert f"no right image of frame 2011_09_26/{DRIVE} 0000000012 r" in message
    assert "has no number 0000000012 (.png, .jpg, .jpeg, .bmp)" in message
    assert str(raw.root / "2011_09_26" / DRIVE / "image_03/data") in message
    assert f"{DRIVE}.zip holds both cameras: download it again" in message


def test_a_missing_drive_is_said_to_be_missing(raw: KittiRaw) -> None:
    with pytest.raises(FileNotFoundError, match="the whole drive is missing"):
        raw.image_path(FrameId("2011_09_26_drive_0002_sync", 0))
    with pytest.raises(FileNotFoundError, match="no such drive"):
        raw.frames_of("2011_09_26_drive_0002_sync")


def test_a_picture_is_read_as_rgb(raw: KittiRaw) -> None:
    image = np.zeros((6, 8, 3), np.uint8)
    image[..., 0] = 200
    frame = FrameId(DRIVE, 12)
    write_png(raw.image_path(frame), image)
    np.testing.assert_array_equal(raw.read_image(frame), image)


def test_a_truncated_picture_is_named(raw: KittiRaw) -> None:
    path = raw.image_path(FrameId(DRIVE, 12))
    write_png(path, np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"0000000012\.png"):
        raw.read_image(FrameId(DRIVE, 12))


def test_the_calibration_of_a_date_is_read_once(raw: KittiRaw) -> None:
    for name, content in CALIBRATION.items():
        (raw.root / "2011_09_26" / name).write_text(content)
    rig = raw.calibration("2011_09_26")
    assert rig.baseline_m == 0.5
    shutil.rmtree(raw.root / "2011_09_26")
    assert raw.calibration("2011_09_26") is rig


def test_the_camera_follows_the_picture_and_a_cropped_one_is_named(raw: KittiRaw) -> None:
    for name, content in CALIBRATION.items():
        (raw.root / "2011_09_26" / name).write_text(content)
    frame = FrameId(DRIVE, 3, "r")
    assert raw.camera(frame, size=(6, 8)) == raw.calibration("2011_09_26").intrinsics_right
    assert raw.camera(frame, size=(3, 4)).fx_px == 3.5
    with pytest.raises(DataError, match=r"image_03/data/0000000003\.png: .*aspect ratio"):
        raw.camera(frame, size=(5, 8))


def test_a_folder_without_dates_is_no_kitti_root(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such folder.*image_02/data"):
        KittiRaw(tmp_path / "absent")
    (tmp_path / DRIVE).mkdir()
    with pytest.raises(FileNotFoundError, match=r"holds no date folder.*image_02/data"):
        KittiRaw(tmp_path)


@pytest.mark.dataset
def test_the_real_frames_are_found_and_readable(kitti_mini: Path) -> None:
    raw = KittiRaw(kitti_mini / "raw")
    assert len(raw.drives()) == 16
    assert [frame.index for frame in raw.frames_of(DRIVE)] == list(range(5, 17))
    original = FrameId("2011_09_26_drive_0005_sync", 10)
    assert raw.image_path(original).suffix == ".png"
    assert raw.image_path(FrameId(DRIVE, 5, "r")).suffix == ".jpg"
    camera = raw.calibration("2011_09_26").intrinsics_left
    assert raw.read_image(original).shape == (camera.height_px, camera.width_px, 3)
