"""Videos of every kind become the shots, frames and cameras that are there."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.panned_video import CAMERA, SIZE, pan, write_frames
from fakes.rig_tree import build_rig_tree, rig_drive

from mtdepth.data import video_file
from mtdepth.data.video import VideoSource
from mtdepth.data.video_file import decode_video
from mtdepth.data.video_folder import read_folder
from mtdepth.data.video_intrinsics import doubts, read_intrinsics
from mtdepth.data.video_sources import open_video, open_videos
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.files import DataError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.runtime.film import Film

FRAMES = pan(range(0, 24, 4))
ODOMETRY_CALIBRATION = """P2: 120 0 83 6 0 118 30 0 0 0 1 0
P3: 120 0 83 -54 0 118 30 0 0 0 1 0
"""


def write_camera(path: Path, camera: Intrinsics = CAMERA) -> Path:
    path.write_text(json.dumps(camera.to_dict()))
    return path


def write_film(path: Path, pictures: list[np.ndarray] = FRAMES) -> Path:
    height_px, width_px = pictures[0].shape[:2]
    code = cv2.VideoWriter.fourcc(*"MJPG")
    film = cv2.VideoWriter(str(path), code, 10, (width_px, height_px))
    for picture in pictures:
        film.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    film.release()
    return path


@pytest.fixture
def odometry(tmp_path: Path) -> Path:
    for sequence in ("00", "08", "09"):
        folder = tmp_path / "dataset/sequences" / sequence
        write_frames(folder / "image_2", FRAMES[:3])
        write_frames(folder / "image_3", FRAMES[:2])
        (folder / "calib.txt").write_text(ODOMETRY_CALIBRATION)
    return tmp_path / "dataset"


def names(source: VideoSource) -> list[str]:
    return [shot.name for shot in source.shots]


# KITTI raw and rigs.


def test_recordings_give_a_shot_for_each_camera_of_each_drive(tree: Path, tmp_path: Path) -> None:
    source = open_video(tree, split="all", cache_dir=tmp_path)
    raw = KittiRaw(tree)
    assert names(source) == [f"{drive} {side}" for drive in raw.drives() for side in "lr"]
    shot = source.shots[1]
    frame = raw.frames_of(raw.drives()[0], "r")[2]
    assert list(shot.files) == [0, 1, 2, 3]
    np.testing.assert_array_equal(shot.read(2), raw.read_image(frame))
    assert shot.titles[2] == str(frame)
    assert shot.camera_at(shot.size) == raw.camera(frame, size=shot.size)
    assert source.kitti_root == tree


def test_a_list_gives_the_targets_and_names_what_is_missing(tree: Path, tmp_path: Path) -> None:
    frames = KittiRaw(tree).frames_of(KittiRaw(tree).drives()[0])
    lines = [str(frames[1]), str(frames[2]), str(frames[1]).replace("0000000001", "0000000077")]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    source = open_video(tree, split=str(tmp_path / "list.txt"), cache_dir=tmp_path)
    (shot,) = source.shots
    assert shot.targets == (1, 2)
    assert len(shot.files) == 4
    assert source.missing == (lines[2],)


@pytest.mark.parametrize(
    ("inner", "sides"), [("", "lr"), ("image_02", "l"), ("image_03/data", "r")]
)
def test_a_drive_or_one_of_its_cameras_is_taken_whole(
    tree: Path, tmp_path: Path, inner: str, sides: str
) -> None:
    raw = KittiRaw(tree)
    drive = raw.drives()[1]  # no drive that KITTI knows, so no split but `all` has it
    source = open_video(raw.drive_dir(drive) / inner, cache_dir=tmp_path)
    assert names(source) == [f"{drive} {side}" for side in sides]
    assert source.num_frames == 4 * len(sides)


def test_another_rigs_drives_are_read_with_its_camera(tree: Path, tmp_path: Path) -> None:
    root = build_rig_tree(tmp_path / "rig", tree)
    drive = rig_drive(KittiRaw(tree).drives()[0])
    whole = open_video(root, split="all", cache_dir=tmp_path)
    assert f"{drive} r" in names(whole)
    assert whole.num_frames == 16
    one = open_video(root / drive / "left", cache_dir=tmp_path)
    assert names(one) == [f"{drive} l"]
    assert one.shots[0].calibration == root / "rig.json"
    assert one.shots[0].camera == whole.shots[0].camera


def test_what_is_taken_without_a_split_is_what_labels_are_made_of(
    tree: Path, tmp_path: Path
) -> None:
    source = open_video(tree, cache_dir=tmp_path)  # a demo tree has lists of its own
    assert source.label == f"{tree} ({tree / 'splits/train.txt'})"
    assert {shot.name.split()[0] for shot in source.shots} == {KittiRaw(tree).drives()[0]}
    with pytest.raises(ValueError, match=r"2011_09_26 is one date of KITTI's recordings: give"):
        open_video(tree / "2011_09_26", cache_dir=tmp_path)


# Odometry.


@pytest.mark.parametrize(
    ("split", "expected"),
    [(None, ["00", "08"]), ("test", ["09"]), ("all", ["00", "08", "09"]), ("9,0", ["09", "00"])],
)
def test_odometry_is_divided_by_sequences(
    odometry: Path, tmp_path: Path, split: str | None, expected: list[str]
) -> None:
    source = open_video(odometry, split=split, cache_dir=tmp_path)
    assert names(source) == [f"odometry {number} {side}" for number in expected for side in "lr"]
    assert [len(shot.files) for shot in source.shots[:2]] == [3, 2]
    assert source.shots[0].camera.cx_px == 83
    assert source.shots[0].titles[1] == f"{int(expected[0])} 1 l"


def test_odometry_takes_a_list_or_one_sequence(odometry: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("9 1 l\n9 7 l\n")
    source = open_video(odometry, split=str(tmp_path / "list.txt"), cache_dir=tmp_path)
    assert (source.shots[0].targets, source.missing) == ((1,), ("9 7 l",))
    one = open_video(odometry / "sequences/09", cache_dir=tmp_path)
    assert names(one) == ["odometry 09 l", "odometry 09 r"]


@pytest.mark.parametrize(
    ("split", "error"), [("03", "03: no such sequence"), ("valid", "no split 'valid' of odometry")]
)
def test_an_unknown_part_of_odometry_is_refused(
    odometry: Path, tmp_path: Path, split: str, error: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=error):
        open_video(odometry, split=split, cache_dir=tmp_path)


# Folders.


def test_names_in_seconds_are_in_the_order_of_time(tmp_path: Path) -> None:
    names = ["1305031102.911185", "1305031102.943233", "1305031102.975", "1305031103.011215"]
    for name in names:
        (tmp_path / f"{name}.png").touch()
    found = read_folder(tmp_path)
    assert list(found) == [0, 1, 2, 3]
    assert [path.stem for path in found.values()] == names


def test_names_of_seconds_and_nanoseconds_keep_their_gaps(tmp_path: Path) -> None:
    # ROS writes nanoseconds without leading zeros; the fourth of five pictures at 10 Hz is lost.
    names = ["cam_1700000000-950000000", "cam_1700000001-50000000", "cam_1700000001-150000000"]
    names.append("cam_1700000001-350000000")
    for name in names:
        (tmp_path / f"{name}.png").touch()
    found = read_folder(tmp_path)
    assert list(found) == [0, 1, 2, 4]
    assert [path.stem for path in found.values()] == names


def test_a_rigs_frames_numbered_by_fives_or_stamps_are_neighbours(
    tree: Path, tmp_path: Path
) -> None:
    root = build_rig_tree(tmp_path / "rig", tree)
    drive = rig_drive(KittiRaw(tree).drives()[0])
    for side in ("left", "right"):
        for path in sorted((root / drive / side).iterdir(), reverse=True):
            path.rename(path.with_name(f"{1700000000000 + 5 * int(path.stem)}{path.suffix}"))
    source = open_video(root / drive, split=None, cache_dir=tmp_path)
    for shot in source.shots:
        assert list(shot.files) == list(range(len(shot.files)))
        assert shot.targets == tuple(shot.files)
        assert shot.titles[1].split()[1] == "1700000000005"


def test_names_without_numbers_count_as_a_file_manager_sorts_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("b10.x", "b9.x", "a.x", ".hidden", "10_left", "9_left"):
        write_frames(tmp_path / "new", FRAMES[:1])
        (tmp_path / "new/000000.png").rename(tmp_path / f"{name}.png")
    files = read_folder(tmp_path)
    assert [path.stem for path in files.values()] == ["9_left", "10_left", "a.x", "b9.x", "b10.x"]
    assert list(files) == [0, 1, 2, 3, 4]
    assert "names such as 9_left.png tell no times" in caplog.text


def test_folders_in_a_folder_are_shots(tmp_path: Path) -> None:
    root = tmp_path / "walks"
    for name in ("one", "two/inner"):
        write_frames(root / name, FRAMES[:3], first=5)
    (root / "one/000006.png").rename(root / "one/000006.PNG")
    (root / "one/notes.txt").write_text("not a picture")
    write_camera(root / "intrinsics.json")
    source = open_video(root, cache_dir=tmp_path)
    assert names(source) == ["walks/one", "walks/two/inner"]
    assert list(source.shots[0].files) == [5, 6, 7]
    assert source.shots[1].titles[5] == "two/inner/000005.png"
    assert source.kitti_root is None


def test_intrinsics_follow_the_pictures_size_around_pixel_edges(tmp_path: Path) -> None:
    half = [cv2.resize(picture, (SIZE[1] // 2, SIZE[0] // 2)) for picture in FRAMES[:3]]
    folder = write_frames(tmp_path / "half", half)
    other = write_camera(tmp_path / "cam.json")
    source = open_video(folder, intrinsics=other, cache_dir=tmp_path)
    assert source.label == f"{folder} with {other}"
    (shot,) = source.shots
    camera = shot.camera_at(shot.size)
    assert (camera.fx_px, camera.fy_px) == (60, 59)
    assert (camera.cx_px, camera.cy_px) == ((83 + 0.5) / 2 - 0.5, (30 + 0.5) / 2 - 0.5)
    with pytest.raises(DataError, match=r"cam\.json: .* aspect ratio differs by 60"):
        shot.camera_at((40, 160))


def test_a_folder_without_intrinsics_is_told_what_to_write(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "walk", FRAMES[:3])
    with pytest.raises(FileNotFoundError, match=r'walk/intrinsics\.json.*--intrinsics.*"fx_px"'):
        open_video(folder, cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("{", "not valid JSON"),
        ("[1]", "a camera file is one JSON object"),
        ('{"fx": 3}', "a camera has exactly"),
        (json.dumps({**CAMERA.to_dict(), "fx_px": -1}), "must be positive"),
        (json.dumps({**CAMERA.to_dict(), "distortion": [0.1, 0, 0, 0]}), "its lens bends"),
        (json.dumps({**CAMERA.to_dict(), "distortion": 0.1}), "must be a list of numbers"),
        (json.dumps({**CAMERA.to_dict(), "fx_px": None}), "every value of a camera is a number"),
    ],
)
def test_a_wrong_intrinsics_file_is_named(tmp_path: Path, content: str, error: str) -> None:
    (tmp_path / "cam.json").write_text(content)
    with pytest.raises(DataError, match=rf"cam\.json: .*{error}"):
        read_intrinsics(tmp_path / "cam.json")


def test_numbers_that_are_hardly_a_cameras_are_doubted() -> None:
    assert not doubts(CAMERA)
    wide = {"width_px": 1920, "height_px": 1080, "cx_px": 959.5, "cy_px": 539.5}
    (doubt,) = doubts(Intrinsics(**wide, fx_px=200, fy_px=200))
    assert "field of view of 156 degrees" in doubt
    (doubt,) = doubts(Intrinsics(**{**wide, "cx_px": 320}, fx_px=1000, fy_px=1000))
    assert "33% of the side off the centre" in doubt
    (doubt,) = doubts(Intrinsics(**wide, fx_px=1000, fy_px=800))
    assert "fx_px / fy_px is 1.25" in doubt


# Films.


def test_a_film_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = write_film(tmp_path / "walk.avi")
    write_camera(tmp_path / "intrinsics.json")
    (shot,) = open_video(film, cache_dir=tmp_path / "cache").shots
    assert list(shot.files) == list(range(6))
    assert shot.titles[2] == "walk.avi 2"
    difference = shot.read(2).astype(int) - FRAMES[2]
    assert np.abs(difference).mean() < 4  # twice JPEG
    monkeypatch.setattr(video_file, "_decode_into", None)
    (again,) = open_video(film, cache_dir=tmp_path / "cache").shots
    assert again.files == shot.files


def test_a_pipe_or_a_loop_of_links_is_no_film(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    for name in ("pipe", "loop"):
        with pytest.raises(DataError, match=rf"{name}\.mp4: (is a folder, a pipe|leads to no)"):
            decode_video(tmp_path / f"{name}.mp4", cache_dir=tmp_path)


def test_a_large_film_is_kept_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_file, "MAX_SIDE_PX", 80)
    files = decode_video(write_film(tmp_path / "walk.avi"), cache_dir=tmp_path)
    assert cv2.imread(str(files[0])).shape == (32, 80, 3)


def test_a_film_that_was_cut_short_is_said_and_its_gaps_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_film(tmp_path / "walk.avi", 4 * FRAMES)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    read = Film.frames
    monkeypatch.setattr(
        Film, "frames", lambda film: (each for each in read(film) if each.number != 2)
    )
    numbers = list(decode_video(path, cache_dir=tmp_path / "c"))
    assert numbers == [number for number in range(numbers[-1] + 1) if number != 2]
    assert "of 24 frames; was it cut short?" in caplog.text


def test_what_is_no_film_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").write_bytes(b"no film at all")
    write_camera(tmp_path / "intrinsics.json")
    with pytest.raises(DataError, match=r"walk\.mp4: no film .*ffmpeg -i"):
        open_video(tmp_path / "walk.mp4", cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


# Several.


def test_splits_go_to_the_videos_that_have_them(tree: Path, odometry: Path, tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "walk", FRAMES[:3])
    write_camera(folder / "intrinsics.json")
    sources = open_videos(
        [folder, tree, odometry], splits=["all", "test"], cache_dir=tmp_path / "cache"
    )
    assert [len(source.shots) for source in sources] == [1, 4, 2]
    assert [source.label for source in sources] == [
        str(folder),
        f"{tree} (all)",
        f"{odometry} (test)",
    ]
    one = open_videos([odometry, folder], splits=["9"], cache_dir=tmp_path)
    assert names(one[0]) == ["odometry 09 l", "odometry 09 r"]
    with pytest.raises(ValueError, match="3 splits for 2 videos"):
        open_videos([folder, tree, odometry], splits=["all"] * 3, cache_dir=tmp_path)
    with pytest.raises(ValueError, match=r"'train' says nothing: .*walk has none"):
        open_videos([folder], splits=["train"], cache_dir=tmp_path)


def test_nothing_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file or folder; a video is KITTI raw"):
        open_videos([tmp_path / "nowhere"], cache_dir=tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty holds no picture"):
        open_video(tmp_path / "empty", cache_dir=tmp_path)


def test_a_list_of_frames_of_which_none_is_there_is_refused(tree: Path, tmp_path: Path) -> None:
    drive = tmp_path / "kitti" / KittiRaw(tree).drives()[0][:10]
    shutil.copytree(tree / drive.name, drive)
    with pytest.raises(ValueError, match=r"none of its 697 frames has a picture there: 2011_09_26"):
        open_video(tmp_path / "kitti", split="eigen_test", cache_dir=tmp_path)
