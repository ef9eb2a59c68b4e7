"""Calibrations of other programs become `rig.json`: against OpenCV's own rectification."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.programs import run_program
from fakes.stereo_rig import (
    FakeRig,
    kalibr_text,
    rectified_values,
    ros_text,
    stereo_values,
    write_opencv,
)

from data_prep.rig.calibration import Calibration
from data_prep.rig.formats import read_calibration
from mtdepth.datasets.calibration import read_rig
from mtdepth.datasets.rig_folder import read_rig_file
from mtdepth.files import DataError

RIG = FakeRig()


def opencv_file(folder: Path, *, without: tuple[str, ...] = (), **changed: object) -> Path:
    values = stereo_values(RIG) | changed
    return write_opencv(
        folder / "stereo.yml", {key: value for key, value in values.items() if key not in without}
    )


def check_computed(calibration: Calibration) -> None:
    """The rows of both views agree, and disparity gives depth, of points anywhere in view."""
    points_m = np.random.default_rng(0).uniform([-0.4, -0.3, 1], [0.4, 0.3, 6], (50, 3))
    pixels = []
    T_right = RIG.T_left_to_right
    for rotation, T_camera in ((calibration.R_left, np.eye(4)), (calibration.R_right, T_right)):
        seen = (points_m @ T_camera[:3, :3].T + T_camera[:3, 3]) @ rotation.T
        pixels.append(calibration.camera.project(seen)[0])
    np.testing.assert_allclose(pixels[0][:, 1], pixels[1][:, 1], atol=1e-6)
    disparity_px = pixels[0][:, 0] - pixels[1][:, 0]
    depth_m = (points_m @ calibration.R_left.T)[:, 2]
    assert calibration.baseline_m == pytest.approx(RIG.baseline_m, rel=1e-9)
    stereo_m = calibration.camera.fx_px * RIG.baseline_m / disparity_px
    np.testing.assert_allclose(stereo_m, depth_m, rtol=1e-6)


@pytest.mark.parametrize("name", ["stereo.yml", "stereo.xml", "stereo.json"])
def test_what_stereo_calibrate_gives_is_rectified(name: str, tmp_path: Path) -> None:
    path = write_opencv(tmp_path / name, stereo_values(RIG))
    check_computed(read_calibration([path]))


def test_names_and_two_files_of_opencvs_sample(tmp_path: Path) -> None:
    values = stereo_values(RIG)
    inner = {"M1": values["K1"], "D1": values["D1"], "M2": values["K2"], "D2": values["D2"]}
    intrinsics = write_opencv(tmp_path / "intrinsics.yml", inner)
    extrinsics = write_opencv(tmp_path / "extrinsics.yml", {key: values[key] for key in "RT"})
    check_computed(read_calibration([intrinsics, extrinsics], size=(240, 320)))


def test_a_rotation_may_be_three_numbers(tmp_path: Path) -> None:
    turn = cv2.Rodrigues(RIG.T_left_to_right[:3, :3])[0]
    check_computed(read_calibration([opencv_file(tmp_path, R=turn)]))


def test_projections_of_a_file_are_taken_as_they_are(tmp_path: Path) -> None:
    found = rectified_values(RIG)
    calibration = read_calibration([opencv_file(tmp_path, **found)])
    np.testing.assert_allclose(calibration.camera.K, found["P1"][:, :3])
    np.testing.assert_array_equal(calibration.R_right, found["R2"])
    assert calibration.baseline_m == pytest.approx(RIG.baseline_m, rel=1e-9)
    assert [lens for lens, _ in calibration.lenses] == [RIG.left, RIG.right]


def test_a_board_in_millimetres(tmp_path: Path) -> None:
    path = opencv_file(tmp_path, T=RIG.T_left_to_right[:3, 3:] * 1000)
    check_computed(read_calibration([path], unit_m=0.001))


def test_a_pair_of_camera_info(tmp_path: Path) -> None:
    found = rectified_values(RIG)
    for side, lens, number in (("left", RIG.left, 1), ("right", RIG.right, 2)):
        text = ros_text(lens, found[f"R{number}"], found[f"P{number}"])
        (tmp_path / f"{side}.yaml").write_text(text)
    calibration = read_calibration([tmp_path / "left.yaml", tmp_path / "right.yaml"])
    np.testing.assert_allclose(calibration.camera.K, found["P1"][:, :3])
    assert calibration.baseline_m == pytest.approx(RIG.baseline_m, rel=1e-9)
    assert [lens for lens, _ in calibration.lenses] == [RIG.left, RIG.right]


def test_one_camera_info_of_a_fisheye(tmp_path: Path) -> None:
    path = tmp_path / "wide.yaml"
    text = ros_text(RIG.left, np.eye(3), np.eye(3, 4), model="equidistant")
    path.write_text(text.replace(repr(-0.01), "").replace("-0.0005, ]", "-0.0005]"))
    calibration = read_calibration([path])
    assert calibration.lens is not None
    assert calibration.lens.model == "fisheye"
    assert calibration.baseline_m is None


def test_kalibrs_camchain(tmp_path: Path) -> None:
    path = tmp_path / "camchain.yaml"
    path.write_text(kalibr_text(RIG))
    calibration = read_calibration([path])
    check_computed(calibration)
    assert calibration.lenses[1][0].distortion == RIG.right.distortion[:4]


def test_kittis_files_give_what_its_reader_reads(tree: Path) -> None:
    date = next(path for path in tree.iterdir() if (path / "calib_cam_to_cam.txt").is_file())
    calibration, rig = read_calibration([date]), read_rig(date)
    assert calibration.camera == rig.intrinsics_left
    assert calibration.baseline_m == rig.baseline_m
    np.testing.assert_allclose(calibration.T_lidar_to_camera, rig.T_velodyne_to("l"))


def test_an_odometry_calibration_needs_the_size(tmp_path: Path) -> None:
    path = tmp_path / "calib.txt"
    numbers = "718.856 0 607.1928 {} 0 718.856 185.2157 0.1 0 0 1 0.004"
    path.write_text(
        "P0: " + numbers.format(0) + "\nP1: " + numbers.format(-386.1)
        + "\nP2: " + numbers.format(45.4) + "\nP3: " + numbers.format(-337.3)
        + "\nTr: 0 -1 0 0.1 0 0 -1 0.2 1 0 0 -0.3\n"
    )  # fmt: skip
    with pytest.raises(DataError, match="--size 1242x375"):
        read_calibration([path])
    calibration = read_calibration([path], size=(376, 1241))
    assert calibration.baseline_m == pytest.approx((45.4 + 337.3) / 718.856)
    assert calibration.T_lidar_to_camera is not None
    # x: the scanner's -y + 0.1, and camera 2's shift (45.4 - 607.1928 * 0.004) / 718.856.
    assert calibration.T_lidar_to_camera[0, 3] == pytest.approx(0.1 + 42.9712288 / 718.856)


def test_a_lidars_pose_is_turned_with_the_camera(tmp_path: Path) -> None:
    pose = np.array([[0, -1.0, 0, 0.1], [0, 0, -1, 0.2], [1, 0, 0, -0.3], [0, 0, 0, 1]])
    calibration = read_calibration([opencv_file(tmp_path)]).with_lidar(pose)
    point = np.array([5.0, 1.0, -0.5, 1.0])
    np.testing.assert_allclose(
        (calibration.T_lidar_to_camera @ point)[:3], calibration.R_left @ (pose @ point)[:3]
    )


@pytest.mark.parametrize(
    ("changed", "without", "said"),
    [
        ({}, ("T",), "no T; there are image_width"),
        ({}, ("D2",), "no D2, the distortion of the right camera; write zeros"),
        ({}, ("image_width",), "such as --size 1280x720"),
        ({}, ("K1", "K2"), "neither P1 and P2, nor K1 D1 K2 D2 R T"),
        ({"K2": np.eye(3)}, (), "normalised"),
        ({"K1": np.ones((3, 3))}, (), "K1 must be fx 0 cx"),
        ({"D1": np.ones(3)}, (), "numbers, got 3"),
        ({"R": np.ones((3, 3))}, (), "is no rotation"),
        ({"R": "none"}, (), "R must hold numbers, has 'none'"),
        ({"T": np.array([0.0, 0.12, 0.0])}, (), "not beside it"),
        ({"T": np.array([np.nan, 0.12, 0.0])}, (), "T must hold numbers, has"),
        ({"D1": np.array([-30.0, 0, 0, 0])}, (), "folds the picture"),
    ],
)
def test_a_wrong_entry_is_named(
    changed: dict[str, object], without: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    path = opencv_file(tmp_path, without=without, **changed)
    with pytest.raises(DataError, match=said) as raised:
        read_calibration([path])
    assert raised.value.path == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("%YAML:1.0\n---\nK1: [", "not valid YAML"),
        ("<?xml version='1.0'?><opencv_storage><K1>", "not valid XML"),
        ('{"K1": [', "not valid JSON"),
        ("cam0: [1, 2", "not valid YAML"),
        ("cam0: 3", "cam0 must hold keys"),
        ("cam0:\n  camera_model: omni\n", "camera_model is omni; only pinhole"),
        ("hello", "no calibration of a known kind. Known: OpenCV's"),
    ],
)
def test_a_file_of_another_kind_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_calibration([path])


def test_cameras_that_were_calibrated_one_by_one_are_no_pair(tmp_path: Path) -> None:
    for side, lens in (("left", RIG.left), ("right", RIG.right)):
        P_rect = np.column_stack([lens.camera.K, np.zeros(3)])
        (tmp_path / f"{side}.yaml").write_text(ros_text(lens, np.eye(3), P_rect))
    with pytest.raises(DataError, match="no baseline in its fourth column"):
        read_calibration([tmp_path / "left.yaml", tmp_path / "right.yaml"])


def test_projections_of_two_principal_points_are_refused(tmp_path: Path) -> None:
    found = rectified_values(RIG)
    found["P2"][0, 2] += 3
    with pytest.raises(DataError, match=r"differ by 3 columns.*CALIB_ZERO_DISPARITY"):
        read_calibration([opencv_file(tmp_path, **found)])


def run(*arguments: object, cwd: Path) -> tuple[int, str]:
    done = run_program("data_prep.rig", *arguments, cwd=cwd)
    return done.returncode, done.stderr


def test_the_program_writes_a_rig_that_is_read(tmp_path: Path) -> None:
    status, said = run("--calibration", opencv_file(tmp_path), "--output", "new", cwd=tmp_path)
    assert status == 0, said
    assert "baseline 0.1201 m" in said
    assert read_rig_file(tmp_path / "new" / "rig.json").baseline_m == pytest.approx(RIG.baseline_m)


def test_of_one_camera_the_lens_is_kept_for_the_device(tmp_path: Path) -> None:
    values = {
        "camera_matrix": RIG.left.camera.K,
        "distortion_coefficients": np.array(RIG.left.distortion),
    }
    path = write_opencv(tmp_path / "one.yml", values)
    status, said = run(
        *("--calibration", path, "--size", "320x240", "--output", "rig.json"), cwd=tmp_path
    )
    assert status == 0, said
    assert not read_rig_file(tmp_path / "rig.json").has_right
    content = json.loads((tmp_path / "camera.json").read_text())
    assert content["distortion"] == list(RIG.left.distortion)


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        ([-120.0, 4.0, 3.0], "millimetres?; say the unit, as in --unit_m 0.001"),
        ([0.12, 0.004, 0.003], "are the two exchanged?"),
    ],
)
def test_a_baseline_that_cannot_be_writes_nothing(
    shift: list[float], said: str, tmp_path: Path
) -> None:
    path = opencv_file(tmp_path, T=np.array(shift))
    status, shown = run("--calibration", path, "--output", "new", cwd=tmp_path)
    assert status == 1
    assert said in shown
    assert str(path) in shown
    assert not (tmp_path / "new").exists()
