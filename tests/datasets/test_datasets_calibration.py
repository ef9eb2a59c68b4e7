from pathlib import Path

import numpy as np
import pytest

from mtdepth.datasets.calibration import StereoRig, read_rig
from mtdepth.files import DataError

# Asymmetric on purpose: no two numbers alike, rotations about different axes.
CAMERAS = """calib_time: 09-Jan-2012 13:57:47
corner_dist: 9.950000e-02
S_rect_02: 1.242000e+03 3.750000e+02
S_rect_03: 1.240000e+03 3.740000e+02
R_rect_00: 0 -1 0 1 0 0 0 0 1
P_rect_02: 700 0 600 42 0 710 170 0.5 0 0 1 0.003
P_rect_03: 700 0 600.05 -328 0 710 171 2.5 0 0 1 0.002
"""
SCANNER = """calib_time: 15-Mar-2012 11:37:16
R: 0 -1 0 0 0 -1 1 0 0
T: 0.1 -0.2 -0.3
delta_f: 0 0
"""
IMU = """calib_time: 25-May-2012 16:47:16
R: 1 0 0 0 1 0 0 0 1
T: -0.8 0.3 -0.7
"""


def date_dir(
    folder: Path, *, cameras: str = CAMERAS, scanner: str = SCANNER, imu: str | None = IMU
) -> Path:
    (folder / "calib_cam_to_cam.txt").write_text(cameras)
    (folder / "calib_velo_to_cam.txt").write_text(scanner)
    if imu is not None:
        (folder / "calib_imu_to_velo.txt").write_text(imu)
    return folder


@pytest.fixture
def rig(tmp_path: Path) -> StereoRig:
    return read_rig(date_dir(tmp_path))


def test_each_camera_has_its_own_numbers(rig: StereoRig) -> None:
    left, right = rig.intrinsics_left, rig.intrinsics_right
    assert (left.fx_px, left.fy_px, left.cx_px, left.cy_px) == (700, 710, 600, 170)
    assert (left.width_px, left.height_px) == (1242, 375)
    assert (right.cx_px, right.cy_px, right.width_px, right.height_px) == (600.05, 171, 1240, 374)
    assert rig.intrinsics("l") == left
    assert rig.intrinsics("r") == right


def test_the_baseline_by_hand(rig: StereoRig) -> None:
    assert rig.baseline_m == pytest.approx((42 + 328) / 700)


def test_a_laser_point_reaches_the_left_camera_by_hand(rig: StereoRig) -> None:
    # Velodyne (10 forward, 2 left, 1 up) -> camera 0: (-2, -1, 10) + (0.1, -0.2, -0.3)
    #   = (-1.9, -1.2, 9.7); R_rect_00 turns (x, y) to (-y, x): (1.2, -1.9, 9.7).
    # Shift of camera 02: z 0.003; x (42 - 600 * 0.003) / 700; y (0.5 - 170 * 0.003) / 710.
    point = np.array([10.0, 2.0, 1.0, 1.0])
    expected_m = [1.2 + 40.2 / 700, -1.9 - 0.01 / 710, 9.703]
    np.testing.assert_allclose((rig.T_velodyne_to("l") @ point)[:3], expected_m, rtol=1e-12)


@pytest.mark.parametrize("side", ["l", "r"])
def test_both_ways_from_the_scanner_to_the_image_agree(rig: StereoRig, side: str) -> None:
    points_m = np.random.default_rng(0).uniform([4, -5, -2], [60, 5, 2], (50, 3))
    homogeneous = np.c_[points_m, np.ones(50)]
    by_matrix = homogeneous @ rig.velodyne_to_image(side).T  # type: ignore[arg-type]
    in_camera_m = (homogeneous @ rig.T_velodyne_to(side).T)[:, :3]  # type: ignore[arg-type]
    uv_px, z_m = rig.intrinsics(side).project(in_camera_m)  # type: ignore[arg-type]
    np.testing.assert_allclose(by_matrix[:, :2] / by_matrix[:, 2:], uv_px, atol=1e-8)
    np.testing.assert_allclose(by_matrix[:, 2], z_m, rtol=1e-12)


def test_the_cameras_lie_one_baseline_apart(rig: StereoRig) -> None:
    point = np.array([10.0, 2.0, 1.0, 1.0])
    left_m, right_m = rig.T_velodyne_to("l") @ point, rig.T_velodyne_to("r") @ point
    # Up to the principal points' part in the fourth columns, millimetres.
    assert left_m[0] - right_m[0] == pytest.approx(rig.baseline_m, abs=5e-3)


def test_the_imu_is_optional(tmp_path: Path, rig: StereoRig) -> None:
    assert rig.T_imu_to_velodyne is not None
    np.testing.assert_array_equal(rig.T_imu_to_velodyne[:, 3], [-0.8, 0.3, -0.7, 1.0])
    (tmp_path / "calib_imu_to_velo.txt").unlink()
    assert read_rig(tmp_path).T_imu_to_velodyne is None


def test_a_file_without_the_right_projection_is_named_with_the_key(tmp_path: Path) -> None:
    cameras = "\n".join(line for line in CAMERAS.splitlines() if "P_rect_03" not in line)
    with pytest.raises(
        DataError, match=r"calib_cam_to_cam\.txt: no P_rect_03; .*download the calibration of this"
    ):
        read_rig(date_dir(tmp_path, cameras=cameras))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("P_rect_02: 700 0", "P_rect_02: 700", "P_rect_02 must have 12 finite numbers, found 11"),
        ("P_rect_02: 700 0", "P_rect_02: 700 zero", "P_rect_02: could not convert"),
        ("P_rect_02: 700 0", "P_rect_02: nan 0", "P_rect_02 must have 12 finite numbers"),
        ("P_rect_02: 700 0", "P_rect_02: 0 0", "left camera is no pinhole camera"),
        ("P_rect_02: 700 0", "P_rect_02: 700 9", "left camera: its projection must begin with fx"),
        ("600.05 -328", "600.05 328", "the right camera lies to the right: are the two exchanged"),
        ("600.05 -328", "601 -328", "two projections .*one principal column.*601"),
        ("S_rect_02: 1.242000e+03", "S_rect_02:", "S_rect_02 must have 2 finite numbers, found 1"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in CAMERAS
    with pytest.raises(DataError, match=message):
        read_rig(date_dir(tmp_path, cameras=CAMERAS.replace(old, new)))


def test_a_scanner_file_without_rotation_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"calib_velo_to_cam\.txt: no R; "):
        read_rig(date_dir(tmp_path, scanner="T: 0 0 0\n"))


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    date_dir(tmp_path)
    (tmp_path / "calib_velo_to_cam.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"calib_velo_to_cam\.txt: no such.*download"):
        read_rig(tmp_path)


def test_the_camera_of_a_picture_as_calibrated_is_the_calibrated_one(rig: StereoRig) -> None:
    assert rig.camera("l", size=(375, 1242)) is rig.intrinsics("l")
    assert rig.camera("r", size=(374, 1240)) is rig.intrinsics("r")


def test_the_camera_of_a_shrunk_picture_by_hand(rig: StereoRig) -> None:
    # 621 of 1242 columns, 187 of 375 rows: cx' = (600 + 0.5) / 2 - 0.5.
    camera = rig.camera("l", size=(187, 621))
    assert (camera.height_px, camera.width_px) == (187, 621)
    assert (camera.fx_px, camera.cx_px) == (350, 299.75)
    assert camera.fy_px == pytest.approx(710 * 187 / 375)
    assert camera.cy_px == pytest.approx(170.5 * 187 / 375 - 0.5)


@pytest.mark.parametrize("size", [(375, 1215), (352, 1216), (187, 640)])
def test_a_cropped_picture_has_no_camera(rig: StereoRig, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"{size[0]}x{size[1]} .*375x1242.*calibration of their"):
        rig.camera("l", size=size)


def test_another_side_is_refused(rig: StereoRig) -> None:
    with pytest.raises(ValueError, match="side is 'l'"):
        rig.intrinsics("left")  # type: ignore[arg-type]


@pytest.mark.dataset
def test_the_real_rig_has_its_published_numbers(kitti_mini: Path) -> None:
    rig = read_rig(kitti_mini / "raw/2011_09_26")
    assert rig.baseline_m == pytest.approx(0.5327, abs=5e-5)
    assert rig.intrinsics_left.fx_px == 721.5377
    assert rig.baseline_m * rig.intrinsics_left.fx_px == pytest.approx(384.38, abs=0.005)
    assert (rig.intrinsics_left.height_px, rig.intrinsics_left.width_px) == (375, 1242)
    # Camera 2 is 6 cm to the left of camera 0, camera 3 is 47 cm to the right.
    from_camera_0_m = [
        np.linalg.solve(P_rect[:, :3], P_rect[:, 3])[0]
        for P_rect in (rig.P_rect("l"), rig.P_rect("r"))
    ]
    np.testing.assert_allclose(from_camera_0_m, [0.06, -0.473], atol=5e-4)
