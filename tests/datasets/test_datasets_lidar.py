from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.datasets.calibration import Side, StereoRig, rig_from_projections
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.lidar import eigen_depth, project_to_depth, read_velodyne
from mtdepth.files import DataError

# x right = -y left, y down = -z up, z = x forward.
AXES = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])


def make_rig(turn: np.ndarray, shift_m: tuple[float, float, float]) -> StereoRig:
    """A small rig whose scanner is turned and shifted after its axes became the camera's."""
    scanner_to_camera = np.eye(4)
    scanner_to_camera[:3, :3] = turn @ AXES
    scanner_to_camera[:3, 3] = shift_m
    return rig_from_projections(
        path=Path("hand.txt"),
        P_rect_02=np.array([[10.0, 0, 6, 2], [0, 12, 4, 0], [0, 0, 1, 0]]),
        P_rect_03=np.array([[10.0, 0, 6, -3], [0, 12, 4, 0], [0, 0, 1, 0]]),
        size_left=(8, 12),
        size_right=(8, 12),
        R_rect_00=np.eye(3),
        T_velodyne_to_camera_0=scanner_to_camera,
        T_imu_to_velodyne=None,
    )


RIG = make_rig(np.eye(3), (0.0, 0.0, 0.0))  # no offset but the rig's


def sweep(*points_m: tuple[float, float, float]) -> np.ndarray:
    return np.array([(*point, 0.5) for point in points_m], np.float32)


def test_a_point_by_hand() -> None:
    # 5 m forward, 1 m left, 0.5 m up: x = -1, y = -0.5, z = 5.
    # u = (10 * -1 + 6 * 5 + 2) / 5 = 4.4 -> 4 ; v = (12 * -0.5 + 4 * 5) / 5 = 2.8 -> 3
    points = sweep((5.0, 1.0, 0.5))
    nearest = project_to_depth(points, RIG, side="l")
    assert nearest.shape == (8, 12)
    assert nearest.dtype == np.float32
    assert (np.argwhere(nearest) == [[3, 4]]).all()
    assert nearest[3, 4] == 5.0
    assert (np.argwhere(eigen_depth(points, RIG, side="l")) == [[2, 3]]).all()


def test_the_right_camera_sees_it_farther_left() -> None:
    # u = (10 * -1 + 6 * 5 - 3) / 5 = 3.4 -> 3: one baseline of 0.5 m, 10 * 0.5 / 5 = 1 px.
    depth_m = project_to_depth(sweep((5.0, 1.0, 0.5)), RIG, side="r")
    assert (np.argwhere(depth_m) == [[3, 3]]).all()


def test_the_nearest_point_wins_in_either_order() -> None:
    # Straight ahead of the left camera, x = -0.2: u = (-2 + 6 z + 2) / z = 6, v = 4.
    points = sweep((9.0, 0.2, 0.0), (4.0, 0.2, 0.0), (7.0, 0.2, 0.0))
    for ordered in (points, points[::-1]):
        depth_m = project_to_depth(ordered, RIG, side="l")
        assert depth_m[4, 6] == 4.0
        assert np.count_nonzero(depth_m) == 1


def test_points_behind_beside_or_without_numbers_leave_no_trace() -> None:
    points = sweep(
        (-5.0, 0.0, 0.0),
        (0.0, 0.0, 0.0),
        (1.0, 500.0, 0.0),
        (1e-30, 3e8, 0.0),
        (np.nan, 0.0, 0.0),
        (5.0, np.inf, 0.0),
    )
    assert not project_to_depth(points, RIG, side="l").any()
    assert not project_to_depth(points[:0], RIG, side="l").any()
    assert not eigen_depth(points[[0, 2, 3, 4, 5]], RIG, side="l").any()
    assert not eigen_depth(points[:0], RIG, side="l").any()


def test_a_point_moves_with_the_pixel_centres_of_a_resized_picture_by_hand() -> None:
    # u = 4.4, v = 2.8 as above; three times as large: u' = 4.9 * 3 - 0.5 = 14.2, v' = 9.4 (13.2 and
    # 8.4 without the half pixels); half as large: u' = 1.95, v' = 1.15.
    points = sweep((5.0, 1.0, 0.5))
    for size, project, pixel in (
        ((24, 36), project_to_depth, [9, 14]),
        ((24, 36), eigen_depth, [8, 13]),
        ((4, 6), project_to_depth, [1, 2]),
    ):
        depth_m = project(points, RIG, side="l", size=size)
        assert depth_m.shape == size
        assert np.argwhere(depth_m).tolist() == [pixel]


def test_a_cropped_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cropped .* need a calibration of their own"):
        project_to_depth(sweep((5.0, 1.0, 0.5)), RIG, side="l", size=(7, 12))


def one_by_one(points: np.ndarray, side: Side) -> np.ndarray:
    """The rule in plain Python, a point after the other, with the formulas of the pinhole."""
    depth_m = np.zeros((8, 12), np.float32)
    shift_px = {"l": 2.0, "r": -3.0}[side]
    for forward, left, up in points[:, :3].astype(float).tolist():
        if forward <= 0:
            continue
        u = round((10 * -left + 6 * forward + shift_px) / forward)
        v = round((12 * -up + 4 * forward) / forward)
        if 0 <= u < 12 and 0 <= v < 8:
            already_m = depth_m[v, u]
            depth_m[v, u] = min(already_m, forward) if already_m else forward
    return depth_m


def published(points: np.ndarray, rig: StereoRig, side: Side, size: tuple[int, int]) -> np.ndarray:
    """What published Eigen tables take for the truth, a point after the other."""
    height_px, width_px = size
    matrix = rig.velodyne_to_image(side).tolist()
    kept: list[tuple[int, int, float]] = []
    for forward, left, up in points[:, :3].astype(float).tolist():
        if forward < 0:
            continue
        a, b, z = (row[0] * forward + row[1] * left + row[2] * up + row[3] for row in matrix)
        if z == 0 or abs(a) > 1e6 * abs(z) or abs(b) > 1e6 * abs(z):
            continue
        u, v = round(a / z) - 1, round(b / z) - 1
        if 0 <= u < width_px and 0 <= v < height_px:
            kept.append((v, u, forward))
    depth_m = np.zeros(size)
    groups: dict[int, list[tuple[int, int, float]]] = {}
    for v, u, forward in kept:
        depth_m[v, u] = forward
        groups.setdefault(v * (width_px - 1) + u - 1, []).append((v, u, forward))
    for group in groups.values():
        if len(group) > 1:
            v, u, _ = group[0]
            depth_m[v, u] = min(forward for _, _, forward in group)
    return depth_m


def offset_rig() -> StereoRig:
    """As `RIG`, with the scanner 0.27 m behind the camera and rolled a little."""
    roll = np.deg2rad(2)
    turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return make_rig(turn, (0.0, -0.08, -0.27))


def random_sweep(seed: int, num_points: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform([-5, -6, -3, 0], [20, 6, 3, 1], (num_points, 4)).astype(np.float32)


@given(
    seed=st.integers(0, 2**32 - 1),
    num_points=st.integers(0, 200),
    side=st.sampled_from(["l", "r"]),
)
def test_the_image_is_that_of_one_point_after_the_other(
    seed: int, num_points: int, side: Side
) -> None:
    points = random_sweep(seed, num_points)
    np.testing.assert_array_equal(
        project_to_depth(points, RIG, side=side), one_by_one(points, side)
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    num_points=st.integers(0, 400),
    side=st.sampled_from(["l", "r"]),
)
def test_the_eigen_truth_is_the_published_one(seed: int, num_points: int, side: Side) -> None:
    points, rig = random_sweep(seed, num_points), offset_rig()
    np.testing.assert_allclose(
        eigen_depth(points, rig, side=side), published(points, rig, side, (8, 12)), rtol=1e-6
    )


def test_the_eigen_truth_takes_the_scanners_x_and_the_end_of_a_row_for_the_next_ones_begin() -> (
    None
):
    rig = offset_rig()
    (depth_m,) = {*eigen_depth(sweep((5.0, 0.3, 0.2)), rig, side="l").ravel().tolist()} - {0.0}
    (z_m,) = {*project_to_depth(sweep((5.0, 0.3, 0.2)), rig, side="l").ravel().tolist()} - {0.0}
    assert (depth_m, z_m) == (5.0, pytest.approx(4.73))
    # u = 12 and v = 4: the last pixel of row 3; u = 1 and v = 5: the first of row 4. Found to be
    # one, the first point's pixel takes the nearer x, and the other keeps its own.
    last, first = sweep((4.0, -2.2, 0.0))[0], sweep((7.0, 3.7, -0.583))[0]
    for points, beginning_m in (((last, first), 7.0), ((first, last), 4.0)):
        image_m = eigen_depth(np.stack(points), RIG, side="l")
        assert np.argwhere(image_m).tolist() == [[3, 11], [4, 0]]
        assert (image_m[3, 11], image_m[4, 0]) == (4.0, beginning_m)


def test_points_of_another_shape_are_refused() -> None:
    for project in (project_to_depth, eigen_depth):
        with pytest.raises(ValueError, match=r"got \(4,\)"):
            project(np.zeros(4), RIG, side="l")


def test_a_sweep_is_read_point_by_point(tmp_path: Path) -> None:
    path = tmp_path / "0000000000.bin"
    values = np.arange(8, dtype="<f4")
    path.write_bytes(values.tobytes())
    np.testing.assert_array_equal(read_velodyne(path), values.reshape(2, 4))


def test_points_without_an_echo_are_left_out_and_other_columns_named(tmp_path: Path) -> None:
    path = tmp_path / "0000000000.bin"
    points = np.random.default_rng(0).uniform(-20, 20, (1000, 4)).astype("<f4")
    points[:, 3] = 0.5
    points[::3, 1] = np.nan
    path.write_bytes(points.tobytes())
    assert len(read_velodyne(path)) == 666
    wide = np.column_stack([points, np.zeros(1000, "<f4")])
    path.write_bytes(wide.astype("<f4").tobytes())
    with pytest.raises(DataError, match=r"0000000000\.bin: no sweep .*5 columns, .* float64\?"):
        read_velodyne(path)


def test_the_scanners_own_place_is_no_echo(tmp_path: Path) -> None:
    path = tmp_path / "0000000000.bin"
    points = np.random.default_rng(0).uniform(1, 20, (1000, 4)).astype("<f4")
    points[::4, :3] = 0
    path.write_bytes(points.tobytes())
    np.testing.assert_array_equal(read_velodyne(path), points[points[:, 0] > 0])
    path.write_bytes(bytes(1600))
    with pytest.raises(DataError, match="all points are NaN, infinite or 0 0 0"):
        read_velodyne(path)


def test_columns_of_padding_are_named(tmp_path: Path) -> None:
    # As PCL's points with intensity lie in memory: x y z 1, intensity 0 0 0.
    path = tmp_path / "0000000000.bin"
    rng = np.random.default_rng(0)
    points = np.zeros((1000, 8), "<f4")
    points[:, :3], points[:, 3], points[:, 4] = rng.uniform(1, 20, (1000, 3)), 1, rng.random(1000)
    path.write_bytes(points.tobytes())
    with pytest.raises(DataError, match=r"50% of the points .* padding, as in 8 columns"):
        read_velodyne(path)


def test_a_folder_in_place_of_a_sweep_is_no_missing_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        read_velodyne(tmp_path)


@pytest.mark.parametrize("num_bytes", [0, 4, 15, 33])
def test_a_sweep_of_odd_length_is_named(tmp_path: Path, num_bytes: int) -> None:
    path = tmp_path / "0000000000.bin"
    path.write_bytes(bytes(num_bytes))
    with pytest.raises(DataError, match=rf"0000000000\.bin: .*found {num_bytes} bytes; .*again"):
        read_velodyne(path)


def test_a_missing_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"7\.bin: no such laser scan"):
        read_velodyne(tmp_path / "7.bin")


@pytest.mark.dataset
def test_a_real_sweep_gives_exactly_the_reference(kitti_mini: Path, reference: Path) -> None:
    truth = np.load(reference / "lidar.npz")
    frame = FrameId.parse(f"{truth['frame']} l")
    raw = KittiRaw(kitti_mini / "raw")
    points, rig = read_velodyne(raw.velodyne_path(frame)), raw.calibration(frame.date)
    expected_m = np.zeros(truth["shape"], np.float32)
    rows, columns = truth["nearest_yx"].T
    expected_m[rows, columns] = truth["nearest_depth_m"]
    np.testing.assert_array_equal(project_to_depth(points, rig, side="l"), expected_m)

    # The reference's `eigen` has the published pixels with the camera's z; published is scanner x.
    eigen_m = eigen_depth(points, rig, side="l")
    pixels = truth["eigen_yx"]
    z_m = np.zeros_like(eigen_m)
    z_m[tuple(pixels.T)] = truth["eigen_depth_m"]
    both = (eigen_m > 0) & (z_m > 0)
    assert np.count_nonzero(both) >= 0.999 * len(pixels)
    assert 0.2 < np.median((eigen_m - z_m)[both]) < 0.35
    np.testing.assert_allclose(
        eigen_m, published(points, rig, "l", (eigen_m.shape[0], eigen_m.shape[1])), rtol=1e-6
    )


@pytest.mark.dataset
@pytest.mark.parametrize("side", ["l", "r"])
def test_round_is_the_rule_of_kittis_own_depth_images(kitti_mini: Path, side: Side) -> None:
    frame = FrameId("2011_09_26_drive_0001_sync", 5, side)
    raw = KittiRaw(kitti_mini / "raw")
    ours_m = project_to_depth(
        read_velodyne(raw.velodyne_path(frame)),
        raw.calibration(frame.date),
        side=side,
    )
    path = kitti_mini / "data_depth_annotated/train" / frame.drive / "proj_depth/velodyne_raw"
    png = cv2.imread(str(path / frame.camera / f"{frame.name}.png"), cv2.IMREAD_UNCHANGED)
    kittis_m = png.astype(np.float32) / 256

    # KITTI's comes from a sweep that was motion-corrected otherwise, so only a third of the points
    # meet (5,780 of 19,137 here); moved by one pixel in any direction at most 3,360 do.
    def num_met(rows: int, columns: int) -> int:
        moved_m = np.roll(ours_m, (rows, columns), axis=(0, 1))
        return np.count_nonzero((moved_m > 0) & (np.abs(moved_m - kittis_m) < 0.1))

    met = {(rows, cols): num_met(rows, cols) for rows in (-1, 0, 1) for cols in (-1, 0, 1)}
    at_rest = met.pop((0, 0))
    assert at_rest > 1.5 * max(met.values())
