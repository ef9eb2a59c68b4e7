"""Calibration by a chessboard: what was put into the pictures comes out again."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.once import built_once
from fakes.programs import run_program
from fakes.stereo_rig import FakeRig, Painter, board_plane

from data_prep.rig.boards import Board, BoardViews, same_order
from data_prep.rig.calibrate import CalibratedLens, calibrate_lens, calibrate_pair
from data_prep.rig.drawing import draw_coverage
from data_prep.rig.formats import read_calibration
from mtdepth.datasets.camera_file import read_camera_file
from mtdepth.datasets.rig_folder import read_rig_file
from mtdepth.files import UserError
from mtdepth.geometry.lens import Lens
from mtdepth.pictures import read_rgb, write_png

RIG = FakeRig()
BOARD = Board(columns=9, rows=6, square_m=0.025)
FISHEYE = dataclasses.replace(
    RIG.left, distortion=(0.04, -0.02, 0.005, -0.001), model="fisheye"
)  # fmt: skip


def poses() -> list[np.ndarray]:
    """Boards all over the picture, tilted this way and that, from board to left camera."""
    found = []
    for number, (x, y) in enumerate((x, y) for x in (-0.26, 0.02, 0.34) for y in (-0.2, 0.02, 0.2)):
        turn = np.array([0.5 * (-1) ** number, 0.45 * (-1) ** (number // 2), 0.1 * (number - 4)])
        pose = np.eye(4)
        pose[:3, :3] = cv2.Rodrigues(turn)[0]
        distance_m = 0.42 + 0.03 * (number % 3)
        middle = pose[:3, :3] @ [0.1, 0.0625, 0.0]
        pose[:3, 3] = np.array([x * distance_m, y * distance_m, distance_m]) - middle
        found.append(pose)
    return found


def views_of(lens: Lens, T_camera: np.ndarray | None = None, *, noise_px: float = 0) -> BoardViews:
    """Corners as the lens draws them, without pictures."""
    rng, corners = np.random.default_rng(0), {}
    for number, pose in enumerate(poses()):
        way = pose if T_camera is None else T_camera @ pose
        seen = BOARD.points_m @ way[:3, :3].T + way[:3, 3]
        pixels = lens.project(seen[:, :2] / seen[:, 2:])
        corners[f"{number:03d}.png"] = pixels + rng.normal(0, noise_px, pixels.shape)
    return BoardViews(size=(240, 320), corners=corners, without={})


def furthest_px(found: Lens, true: Lens) -> float:
    """How far two lenses disagree in the middle two thirds of the picture."""
    u, v = np.meshgrid(np.linspace(53, 266, 9), np.linspace(40, 199, 9))
    pixels = np.column_stack([u.ravel(), v.ravel()])
    return float(np.abs(found.project(true.rays_of(pixels)) - pixels).max())


@pytest.mark.parametrize("lens", [RIG.left, FISHEYE], ids=["radtan", "fisheye"])
def test_exact_corners_give_the_lens_exactly(lens: Lens) -> None:
    found = calibrate_lens("c", views_of(lens), BOARD, is_fisheye=lens.model == "fisheye")
    assert found.lens.model == lens.model
    assert found.lens.camera.fx_px == pytest.approx(lens.camera.fx_px, rel=1e-4)
    assert furthest_px(found.lens, lens) < 0.02
    assert found.error_px < 0.01


@pytest.mark.parametrize("is_right_turned", [False, True])
def test_exact_corners_give_the_way_between_two_cameras(is_right_turned: bool) -> None:
    right = views_of(RIG.right, RIG.T_left_to_right)
    if is_right_turned:  # counted from the other end, as the search may
        turned = {name: corners[::-1] for name, corners in right.corners.items()}
        right = dataclasses.replace(right, corners=turned)
    pair = calibrate_pair(Path("b"), views_of(RIG.left), right, BOARD, is_fisheye=False)
    np.testing.assert_allclose(pair.T_left_to_right, RIG.T_left_to_right, atol=1e-4)
    assert max(pair.rows_px.values()) < 0.02
    assert pair.calibration.baseline_m == pytest.approx(RIG.baseline_m, rel=1e-3)


def test_a_pair_of_fisheyes() -> None:
    right = dataclasses.replace(FISHEYE, camera=RIG.right.camera)
    pair = calibrate_pair(
        Path("b"),
        views_of(FISHEYE),
        views_of(right, RIG.T_left_to_right),
        BOARD,
        is_fisheye=True,
    )
    np.testing.assert_allclose(pair.T_left_to_right, RIG.T_left_to_right, atol=1e-4)


def test_the_error_of_a_picture_is_the_noise_of_its_corners() -> None:
    found = calibrate_lens("c", views_of(RIG.left, noise_px=0.3), BOARD)
    # Two coordinates of 0.3 px each; a fit of some 60 numbers to 972 takes 3 % away.
    assert found.error_px == pytest.approx(0.3 * 2**0.5, rel=0.08)
    assert found.focal_error_px is not None
    assert abs(found.lens.camera.fx_px - 280) < 4 * found.focal_error_px


def doubts_of(**changed: object) -> str:
    found = calibrate_lens("left", views_of(RIG.left, noise_px=0.05), BOARD)
    return " / ".join(dataclasses.replace(found, **changed).doubts())


def test_few_pictures_are_said() -> None:
    assert doubts_of() == "left: 9 pictures with a board are few: take 10 to 30"


def test_a_bent_board_and_an_odd_picture_are_said() -> None:
    good = dict.fromkeys(map(str, range(12)), 0.1)
    assert doubts_of(errors_px=good) == ""
    assert "left: 7 is 0.90 px off, unlike the others" in doubts_of(errors_px=good | {"7": 0.9})
    bad = dict.fromkeys(map(str, range(12)), 0.8)
    assert "corners are 0.80 px off" in doubts_of(errors_px=bad)


def test_a_focal_length_that_is_hardly_known_is_said() -> None:
    assert "known to 1.0% only: tilt the board more" in doubts_of(focal_error_px=2.8)


def test_a_picture_covered_in_its_middle_alone_is_said() -> None:
    views = views_of(RIG.left)
    middle = {
        name: corners * 0.4 + np.array([96, 72]) for name, corners in views.corners.items()
    }  # fmt: skip
    said = doubts_of(views=dataclasses.replace(views, corners=middle))
    assert "of the picture: hold the board also into the corners" in said


def test_corners_are_ordered_as_the_other_camera_counted_them() -> None:
    corners = np.array([[0.0, 0.0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]])
    np.testing.assert_array_equal(same_order(corners[::-1], corners + 3), corners)
    np.testing.assert_array_equal(same_order(corners, corners + 3), corners)


@pytest.mark.parametrize("text", ["9", "9x", "2x9", "9x6x3", "-9x6"])
def test_what_is_no_board_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="inner corners of a chessboard, such as 9x6"):
        Board.parse(text, square_m=0.02)


def test_a_square_in_millimetres_is_refused() -> None:
    with pytest.raises(UserError, match=r"in metres, such as 0\.025"):
        Board.parse("9x6", square_m=25)


def test_two_boards_are_too_few() -> None:
    views = views_of(RIG.left)
    few = dataclasses.replace(views, corners=dict(list(views.corners.items())[:2]))
    with pytest.raises(UserError, match="2 pictures show the whole board, at least 3"):
        calibrate_lens("left", few, BOARD)


def build_boards(folder: Path) -> None:
    """A board in nine pairs, and one pair without."""
    for side, lens, way in (("left", RIG.left, None), ("right", RIG.right, RIG.T_left_to_right)):
        painter = Painter(lens, way)
        for number, pose in enumerate(poses()):
            plane = board_plane(pose, columns=9, rows=6, square_m=0.025)
            write_png(folder / side / f"{number:03d}.png", painter.picture([plane]))
        write_png(folder / side / "100.png", painter.picture([]))


@pytest.fixture(scope="module")
def boards() -> Path:
    return built_once("boards", build_boards)


def test_pictures_of_a_pair_become_its_rig(boards: Path, tmp_path: Path) -> None:
    done = run_program(
        *("data_prep.rig", "--calibrate", boards, "--board", "9x6", "--square_m", "0.025"),
        *("--output", tmp_path / "new"),
    )
    assert done.returncode == 0, done.stderr
    assert "100.png: left out, no whole board" in done.stderr
    assert "rows differ by" in (tmp_path / "new" / "report.txt").read_text()
    # Corners of pictures this small are found to 0.1 px, and a square is 15 px wide.
    rig = read_rig_file(tmp_path / "new" / "rig.json")
    assert rig.baseline_m == pytest.approx(RIG.baseline_m, rel=0.03)
    calibration = read_calibration([tmp_path / "new" / "calibration.yml"])
    for (found, _), true in zip(calibration.lenses, (RIG.left, RIG.right), strict=True):
        assert found.camera.fx_px == pytest.approx(true.camera.fx_px, rel=0.015)
        assert furthest_px(found, true) < 3.0
    picture = read_rgb(tmp_path / "new" / "coverage.png")
    assert picture.shape[1] > 2 * 640


def test_pictures_of_one_camera_become_a_camera_file(boards: Path, tmp_path: Path) -> None:
    done = run_program(
        *("data_prep.rig", "--calibrate", boards / "left", "--board", "9x6"),
        *("--square_m", "0.025", "--output", tmp_path),
    )
    assert done.returncode == 0, done.stderr
    lens = read_camera_file(tmp_path / "camera.json")
    assert lens.camera.fx_px == pytest.approx(280, rel=0.015)
    assert lens.distortion[0] == pytest.approx(-0.28, abs=0.03)
    assert not read_rig_file(tmp_path / "rig.json").has_right


def test_another_board_than_in_the_pictures_is_said(boards: Path, tmp_path: Path) -> None:
    done = run_program(
        *("data_prep.rig", "--calibrate", boards, "--board", "11x8", "--square_m", "0.025"),
        *("--output", tmp_path / "new"),
    )
    assert done.returncode == 1
    assert "no picture of 10 shows the whole board of 11x8 inner corners" in done.stderr
    assert not (tmp_path / "new").exists()


def test_the_picture_of_coverage_marks_what_nobody_saw() -> None:
    lens = calibrate_lens("left", views_of(RIG.left), BOARD)
    assert isinstance(lens, CalibratedLens)
    empty = dataclasses.replace(
        lens, views=dataclasses.replace(lens.views, corners={"000.png": np.array([[10.0, 10.0]])})
    )
    drawn = draw_coverage([empty])
    row, column = 26 + 40, 40  # the middle of the first of 6x8 cells, below the caption
    assert tuple(drawn[row, column]) != tuple(drawn[row, column + 80])
