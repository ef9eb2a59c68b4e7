from pathlib import Path

import numpy as np
import pytest

from mtdepth.datasets.odometry import OdometryFrame, OdometrySequence, read_odometry_list
from mtdepth.files import DataError
from mtdepth.pictures import read_rgb, write_png

CALIBRATION = """P0: 70 0 30 0 0 71 20 0 0 0 1 0
P1: 70 0 30 -35 0 71 20 0 0 0 1 0
P2: 70 0 30 7 0 71 20 0.1 0 0 1 0.003
P3: 70 0 30 -28 0 71 20 0.2 0 0 1 0.004
"""
TR = "Tr: 0 -1 0 0.1 0 0 -1 0.2 1 0 0 0.3\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "sequences/09"
    for name, size in (("image_2", (45, 70)), ("image_3", (45, 80))):
        for index in (1, 0):
            write_png(folder / name / f"{index:06d}.png", np.zeros((*size, 3), np.uint8))
    (folder / "calib.txt").write_text(CALIBRATION + TR)
    (folder / "times.txt").write_text("0.000000e+00\n1.037e-01\n")
    (tmp_path / "poses").mkdir()
    (tmp_path / "poses/09.txt").write_text(
        "1 0 0 0 0 1 0 0 0 0 1 0\n0 -1 0 0.5 1 0 0 0.25 0 0 1 2\n"
    )
    return tmp_path


def test_frames_are_found_and_named(root: Path) -> None:
    sequence = OdometrySequence(root, 9)
    assert list(sequence.pictures()) == [0, 1]
    assert sequence.pictures("r")[1] == root / "sequences/09/image_3/000001.png"
    assert str(OdometryFrame(9, 1, "r")) == "9 1 r"


def test_a_line_survives_and_a_list_is_read(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# test\n9 0 l\n\n09 000001 r\n")
    assert read_odometry_list(path) == [OdometryFrame(9, 0), OdometryFrame(9, 1, "r")]
    for frame in read_odometry_list(path):
        assert OdometryFrame.parse(str(frame)) == frame


@pytest.mark.parametrize("line", ["9 0", "9 0 x", "22 0 l", "9 -1 l", "nine 0 l", "9 1000000 l"])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"9 0 l\n{line}\n")
    with pytest.raises(DataError, match=r"list\.txt: line 2: "):
        read_odometry_list(path)


def test_poses_are_the_rows_of_the_file(root: Path) -> None:
    poses = OdometrySequence(root, 9).poses
    np.testing.assert_array_equal(poses[0], np.eye(4))
    expected = [[0, -1, 0, 0.5], [1, 0, 0, 0.25], [0, 0, 1, 2], [0, 0, 0, 1]]
    np.testing.assert_array_equal(poses[1], expected)
    np.testing.assert_array_equal(OdometrySequence(root, 9).times_s, [0.0, 0.1037])


def test_the_rig_is_that_of_the_colour_cameras(root: Path) -> None:
    rig = OdometrySequence(root, 9).rig
    assert rig.baseline_m == pytest.approx((7 + 28) / 70)
    left, right = rig.intrinsics_left, rig.intrinsics_right
    assert (left.fx_px, left.fy_px, left.cx_px, left.cy_px) == (70, 71, 30, 20)
    # The size is that of the pictures, since the file does not say it.
    assert (left.height_px, left.width_px) == (45, 70)
    assert (right.height_px, right.width_px) == (45, 80)
    # 10 m ahead of the scanner: (0.1, 0.2, 10.3), then the third row's 0.003.
    assert (rig.velodyne_to_image("l") @ [10, 0, 0, 1])[2] == pytest.approx(10.303)


def test_a_sequence_without_laser_has_no_way_from_the_scanner(root: Path) -> None:
    (root / "sequences/09/calib.txt").write_text(CALIBRATION)
    rig = OdometrySequence(root, 9).rig
    with pytest.raises(ValueError, match="no laser scanner"):
        rig.T_velodyne_to("l")


def test_a_grey_download_has_the_grey_cameras(root: Path) -> None:
    folder = root / "sequences/09"
    (folder / "image_2").rename(folder / "image_0")
    (folder / "image_3").rename(folder / "image_1")
    sequence = OdometrySequence(root, 9)
    assert sequence.pictures("r")[1] == folder / "image_1/000001.png"
    assert sequence.rig.baseline_m == pytest.approx(35 / 70)


def test_a_sequence_of_left_pictures_only_has_a_rig(root: Path) -> None:
    for path in (root / "sequences/09/image_3").iterdir():
        path.unlink()
    assert OdometrySequence(root, 9).rig.intrinsics_right.width_px == 70


def test_what_is_missing_is_named(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"sequences/10: no such folder"):
        OdometrySequence(root, 10)
    sequence = OdometrySequence(root, 9)
    for path in sequence.pictures().values():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"image_2: no picture; download the colour"):
        _ = sequence.rig
    (root / "poses/09.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"poses/09\.txt.*00 to 10 only"):
        _ = sequence.poses


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 0 0 0 0 1 0 0 0 0 1 0\n1 2 3\n", "line 2: expected 12 finite numbers, found 3"),
        ("one\n", "line 1: could not convert"),
        ("1 0 0 0 0 1 0 0 0 0 1 0\n9 0 0 0 0 1 0 0 0 0 1 0\n", "line 2 holds no rotation"),
        ("", "has no line"),
    ],
)
def test_a_damaged_pose_file_is_named(root: Path, content: str, message: str) -> None:
    (root / "poses/09.txt").write_text(content)
    with pytest.raises(DataError, match=rf"09\.txt: {message}"):
        _ = OdometrySequence(root, 9).poses


def test_a_calibration_without_the_right_camera_is_named(root: Path) -> None:
    (root / "sequences/09/calib.txt").write_text(CALIBRATION[: CALIBRATION.index("P3")])
    with pytest.raises(DataError, match=r"calib\.txt: no P3; download it: .*eval_odometry"):
        _ = OdometrySequence(root, 9).rig


@pytest.mark.dataset
def test_the_real_sequence_moves_forward_as_its_poses_say(kitti_mini: Path) -> None:
    sequence = OdometrySequence(kitti_mini / "odometry", 2)
    assert list(sequence.pictures("r")) == list(range(20))
    assert len(sequence.poses) == len(sequence.times_s) == 4661
    assert sequence.rig.baseline_m == pytest.approx(0.5323, abs=5e-5)
    image = read_rgb(sequence.pictures()[0])
    assert image.shape[:2] == (
        sequence.rig.intrinsics_left.height_px,
        sequence.rig.intrinsics_left.width_px,
    )
    steps_m = np.diff(sequence.poses[:20, :3, 3], axis=0)
    assert (steps_m[:, 2] > 3 * np.abs(steps_m[:, 0])).all()  # z is forward
    # Ten frames a second, between walking pace and the limit of a country road.
    speed_m_per_s = np.linalg.norm(steps_m, axis=1) / np.diff(sequence.times_s[:20])
    assert ((speed_m_per_s > 1) & (speed_m_per_s < 28)).all()


@pytest.mark.dataset
def test_the_published_odometry_lists_are_read(kitti_mini: Path) -> None:
    frames = read_odometry_list(kitti_mini / "splits/test_files_09.txt")
    assert len(frames) == 1590
    assert {(frame.sequence, frame.side) for frame in frames} == {(9, "l")}
