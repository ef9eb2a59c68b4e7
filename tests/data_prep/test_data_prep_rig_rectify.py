"""Recordings as the cameras took them become rectified ones: rows agree, disparity gives depth."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.once import built_once
from fakes.programs import run_program
from fakes.stereo_rig import FakeRig, Painter, stereo_values, wall_planes, write_opencv

from data_prep.doctor.stereo_order import match_corners, order_findings
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.rig_folder import RigFolder
from mtdepth.pictures import read_rgb, write_png

RIG = FakeRig()
POSE = [[0, -1.0, 0, 0.1], [0, 0, -1, 0.2], [1, 0, 0, -0.3], [0, 0, 0, 1]]


def build_raw(folder: Path) -> None:
    """One drive of three frames, the second JPEG, with a sweep and times; the calibration."""
    drive = folder / "raw" / "garden_1"
    for side, lens, way in (("left", RIG.left, None), ("right", RIG.right, RIG.T_left_to_right)):
        painter = Painter(lens, way)
        for number in range(3):
            image = painter.picture(wall_planes(number))
            write_png(drive / side / f"{number:06d}.png", image)
            if number == 1:
                (drive / side / f"{number:06d}.png").unlink()
                cv2.imwrite(str(drive / side / f"{number:06d}.jpg"), image)
    (drive / "lidar").mkdir()
    sweep = np.random.default_rng(0).uniform(1, 9, (500, 4)).astype(np.float32)
    (drive / "lidar" / "000000.bin").write_bytes(sweep.tobytes())
    (drive / "left" / "timestamps.txt").write_text("2024-05-01 10:30:00.000000000\n" * 3)
    write_opencv(folder / "stereo.yml", stereo_values(RIG))
    (folder / "pose.json").write_text(json.dumps(POSE))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A copy, of raw recordings and their calibration."""
    return shutil.copytree(built_once("unrectified", build_raw), tmp_path / "work")


def rectify(work: Path, *, calibration: str = "stereo.yml") -> tuple[int, str]:
    done = run_program(
        *("data_prep.rig", "--rectify", "raw", "--calibration", calibration, "--output", "new"),
        *("--lidar_to_camera", "pose.json"),
        cwd=work,
    )
    return done.returncode, done.stderr


def test_rows_of_rectified_pictures_agree_and_disparity_gives_depth(work: Path) -> None:
    raw = [read_rgb(work / "raw/garden_1" / side / "000000.png") for side in ("left", "right")]
    assert order_findings("raw", [match_corners(*raw)])  # the doctor sees that these are not
    status, said = rectify(work)
    assert status == 0, said
    recordings = RigFolder(work / "new")
    assert [frame.index for frame in recordings.frames_of("garden_1")] == [0, 1, 2]
    rig = recordings.rig(FrameId("garden_1", 0))
    assert rig.baseline_m == pytest.approx(RIG.baseline_m, rel=1e-6)
    views = [recordings.read_image(FrameId("garden_1", 0, side)) for side in ("l", "r")]
    matches = match_corners(*views)
    assert len(matches.u) > 100
    # A match is told to 0.1 px or so of pictures this small.
    assert np.median(np.abs(matches.row_shift_px)) < 0.15
    assert not order_findings("new", [matches])
    # The walls stand at 1.2, 2 and 4 m; whole pixels of disparity.
    shifts = np.unique(matches.shift_px)
    depth_m = rig.intrinsics_left.fx_px * rig.baseline_m / shifts[shifts > 3]
    assert depth_m.min() == pytest.approx(1.2, rel=0.06)


def test_what_rectification_did_is_told_and_drawn(work: Path) -> None:
    _, said = rectify(work)
    assert "look at new/before_after.png" in said
    assert read_rgb(work / "new" / "before_after.png").shape[1] == 2 * 640 + 8


def test_sweeps_and_times_come_along_and_the_scanner_is_turned(work: Path) -> None:
    status, said = rectify(work)
    assert status == 0, said
    for name in ("lidar/000000.bin", "left/timestamps.txt"):
        before, after = (work / root / "garden_1" / name for root in ("raw", "new"))
        assert before.read_bytes() == after.read_bytes()
    rig = RigFolder(work / "new").rig(FrameId("garden_1", 0))
    values = stereo_values(RIG)
    turn = cv2.stereoRectify(
        *(values[key] for key in ("K1", "D1", "K2", "D2")), (320, 240), values["R"], values["T"]
    )[0]
    np.testing.assert_allclose(rig.T_velodyne_to("l")[:3], turn @ np.array(POSE)[:3], atol=1e-9)


def test_a_scanner_of_unknown_place_is_asked_for(work: Path) -> None:
    done = run_program(
        *("data_prep.rig", "--rectify", "raw", "--calibration", "stereo.yml", "--output", "new"),
        cwd=work,
    )
    assert done.returncode == 1
    assert "garden_1/lidar: where does the scanner sit? Give --lidar_to_camera" in done.stderr
    assert not (work / "new").exists()


def test_stopped_and_begun_again_it_goes_on(work: Path) -> None:
    rectify(work)
    files = sorted((work / "new" / "garden_1").glob("*/*.*"))
    files[0].unlink()
    (work / "new" / "rig.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in files[1:]}
    status, said = rectify(work)
    assert status == 0
    assert "5 of 6 pictures are there already" in said
    assert files[0].is_file()
    assert (work / "new" / "rig.json").is_file()
    assert before == {path: path.stat().st_mtime_ns for path in files[1:]}


def test_a_picture_that_is_damaged_is_named_while_the_others_go_on(work: Path) -> None:
    path = work / "raw/garden_1/left/000001.jpg"
    path.write_bytes(path.read_bytes()[:500])
    status, said = rectify(work)
    assert status == 1
    assert "garden_1/left/000001.jpg" in said
    assert len(list((work / "new" / "garden_1").glob("*/*.[pj]*"))) == 5


def test_another_calibration_does_not_go_on_with_the_first_ones_folder(work: Path) -> None:
    rectify(work)
    values = stereo_values(RIG)
    write_opencv(work / "other.yml", values | {"T": values["T"] * 1.1})
    status, said = rectify(work, calibration="other.yml")
    assert status == 1
    assert "new was begun with another calibration" in said


def test_pictures_of_half_the_size_are_rectified_alike(work: Path) -> None:
    for path in (work / "raw").glob("*/*/*.[pj]*"):
        write_png(path.with_suffix(".png"), cv2.resize(read_rgb(path), (160, 120)))
        if path.suffix == ".jpg":
            path.unlink()
    status, said = rectify(work)
    assert status == 0, said
    recordings = RigFolder(work / "new")
    frame = FrameId("garden_1", 0)
    assert recordings.read_image(frame).shape == (120, 160, 3)
    assert recordings.camera(frame, size=(120, 160)).fx_px > 0


def test_pictures_of_another_shape_are_refused_by_name(work: Path) -> None:
    path = work / "raw/garden_1/left/000000.png"
    write_png(path, read_rgb(path)[:100])
    status, said = rectify(work)
    assert status == 1
    assert "left/000000.png: is 100x320 (height x width), which is no scaling" in said


def test_one_camera_is_straightened(work: Path) -> None:
    values = {"image_width": 320, "image_height": 240, "camera_matrix": RIG.left.camera.K}
    values["distortion_coefficients"] = np.array(RIG.left.distortion)
    write_opencv(work / "one.yml", values)
    shutil.rmtree(work / "raw/garden_1/right")
    shutil.rmtree(work / "raw/garden_1/lidar")
    status, said = rectify(work, calibration="one.yml")
    assert status == 0, said
    recordings = RigFolder(work / "new")
    assert not recordings.rig(FrameId("garden_1", 0)).has_right
    assert len(recordings.all_frames()) == 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("image_width", "image_height", "P1", "P2"), "tells of rectified pictures alone"),
        (("image_width", "image_height"), "no camera is told"),
    ],
)
def test_a_calibration_that_cannot_rectify_is_refused(
    values: tuple[str, ...], said: str, work: Path
) -> None:
    P_left = np.array([[300.0, 0, 160, 0], [0, 300, 120, 0], [0, 0, 1, 0]])
    P_right = P_left.copy()
    P_right[0, 3] = -36.0
    known = stereo_values(RIG) | {"P1": P_left, "P2": P_right}
    write_opencv(work / "few.yml", {key: known[key] for key in values})
    status, shown = rectify(work, calibration="few.yml")
    assert status == 1
    assert said in shown
    assert not (work / "new").exists()


def test_recordings_without_drives_are_told_how_they_lie(work: Path) -> None:
    shutil.rmtree(work / "raw" / "garden_1")
    status, said = rectify(work)
    assert status == 1
    assert "<root>/<drive>/left/000000.png" in said
