"""The demo world holds together: every pair of its sensors and truths agrees."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.kitti_tree import build_kitti_tree

from data_prep.demo_world import settings as layout
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.datasets.label_store import read_depth_png, read_train_id_png
from mtdepth.datasets.lidar import read_velodyne
from mtdepth.datasets.oxts import read_oxts, world_from_imu
from mtdepth.datasets.splits import resolve_split
from mtdepth.pictures import read_gray_png

SIZE = (128, 416)
NUM_FRAMES = 2
NUM_DRIVES = 4
ROUNDING_M = 0.5 / 256  # of the depth PNGs


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "kitti"
    return build_kitti_tree(folder, num_drives=NUM_DRIVES, num_frames=NUM_FRAMES, size=SIZE, seed=9)


@pytest.fixture(scope="module")
def raw(root: Path) -> KittiRaw:
    return KittiRaw(root)


def all_frames(raw: KittiRaw) -> list[FrameId]:
    return [frame for drive in raw.drives() for frame in raw.frames_of(drive, "l")]


def depth_of(root: Path, frame: FrameId) -> np.ndarray:
    return read_depth_png(layout.truth_path(root, "depth", frame))


def train_id_of(root: Path, frame: FrameId) -> np.ndarray:
    return read_train_id_png(layout.truth_path(root, "train_id", frame))


def sampled(image: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Bilinear, NaN outside."""
    return cv2.remap(
        image.astype(np.float32),
        u.astype(np.float32),
        v.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(np.nan,) * 4,
    )


def sampled_depth(depth_m: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Interpolated in inverse depth, which is exact on planes; NaN beside unmeasured pixels."""
    inverse = np.where(depth_m > 0, 1 / np.where(depth_m > 0, depth_m, 1), np.nan)
    return 1 / sampled(inverse, u, v)


def poses_of(root: Path, drive: str) -> np.ndarray:
    rows = np.loadtxt(layout.poses_path(root, drive)).reshape(-1, 3, 4)
    return np.concatenate([rows, np.tile([[[0, 0, 0, 1.0]]], (len(rows), 1, 1))], axis=1)


def test_the_readers_find_all_drives_frames_and_both_cameras(raw: KittiRaw) -> None:
    assert raw.drives() == [f"2011_09_26_drive_910{i}_sync" for i in (1, 2, 3, 4)]
    for frame in all_frames(raw):
        for side in (frame, frame.other_side):
            assert raw.read_image(side).shape == (*SIZE, 3)


def test_the_camera_is_kittis_at_the_chosen_size(raw: KittiRaw) -> None:
    rig = raw.calibration("2011_09_26")
    camera = rig.intrinsics_left
    assert camera == rig.intrinsics_right
    # x is scaled by 416 / 1242, y by 128 / 375; cx is (609.5593 + 0.5) times that less 0.5.
    assert camera.fx_px == pytest.approx(241.6746, abs=1e-3)
    assert camera.fy_px == pytest.approx(246.2849, abs=1e-3)
    assert camera.cx_px == pytest.approx(203.8355, abs=1e-3)
    assert camera.cy_px == pytest.approx(58.6715, abs=1e-3)
    assert rig.baseline_m == pytest.approx(0.5327, abs=1e-4)


def test_the_splits_hold_whole_drives_apart(raw: KittiRaw) -> None:
    train = resolve_split(raw, "splits/train.txt")
    val = resolve_split(raw, "splits/val.txt")
    assert sorted(train + val) == all_frames(raw)
    assert {frame.drive for frame in val} == {"2011_09_26_drive_9104_sync"}
    assert not {frame.drive for frame in train} & {frame.drive for frame in val}


def test_the_demo_drives_are_in_no_split_of_kitti(raw: KittiRaw) -> None:
    with pytest.raises(ValueError, match="eigen_train"):
        resolve_split(raw, "eigen_train")


def test_lidar_points_have_the_true_depth_where_they_are_not_occluded(
    root: Path, raw: KittiRaw
) -> None:
    errors = []
    rig = raw.calibration("2011_09_26")
    for frame in all_frames(raw):
        points = read_velodyne(raw.velodyne_path(frame))[:, :3]
        camera_m = points @ rig.T_velodyne_to("l")[:3, :3].T + rig.T_velodyne_to("l")[:3, 3]
        uv, z_m = rig.intrinsics_left.project(camera_m)
        true_m = sampled_depth(depth_of(root, frame), uv[None, :, 0], uv[None, :, 1])[0]
        errors.append((z_m - true_m)[np.isfinite(true_m)])
    error_m = np.concatenate(errors)
    assert len(error_m) > 10_000
    # Range noise of 2 cm: median of its absolute value 1.35 cm.
    assert np.median(np.abs(error_m)) < 0.02
    assert abs(np.median(error_m)) < 0.002
    # Seen by the scanner 27 cm behind and 8 cm above the camera, hidden from the camera by
    # something nearer.
    assert 0.005 < np.mean(error_m > 0.5) < 0.12
    # Nothing hides from the camera what lies before its depth: only leaves between pixels do.
    assert np.mean(error_m < -0.5) < 0.05


def test_exactly_matched_stereo_points_triangulate_to_the_true_depth(
    root: Path, raw: KittiRaw
) -> None:
    """The right camera stands where its projection matrix says, in every row the left one's."""
    rig = raw.calibration("2011_09_26")
    T_left_to_right = rig.T_velodyne_to("r") @ np.linalg.inv(rig.T_velodyne_to("l"))
    for frame in all_frames(raw):
        depth_m = depth_of(root, frame).astype(np.float64)
        points_m = rig.intrinsics_left.unproject(depth_m)
        right_m = points_m @ T_left_to_right[:3, :3].T + T_left_to_right[:3, 3]
        uv, _ = rig.intrinsics_right.project(np.where(depth_m[..., None] > 0, right_m, 1.0))
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        seen = depth_m > 0
        np.testing.assert_allclose(uv[..., 1][seen], rows[seen], atol=1e-6)
        disparity_px = (columns - uv[..., 0])[seen]
        triangulated_m = rig.intrinsics_left.fx_px * rig.baseline_m / disparity_px
        np.testing.assert_allclose(triangulated_m, depth_m[seen], rtol=1e-6)
        written_px = read_gray_png(layout.truth_path(root, "disparity", frame), np.uint16) / 256
        # Half a step of the disparity file, and the depth file's rounding at this distance.
        allowed_px = 0.5 / 256 + disparity_px / depth_m[seen] * ROUNDING_M + 1e-5
        assert np.all(np.abs(written_px[seen] - disparity_px) < allowed_px)


def test_disparity_is_focal_times_baseline_over_depth(root: Path, raw: KittiRaw) -> None:
    rig = raw.calibration("2011_09_26")
    for frame in all_frames(raw):
        depth_m = depth_of(root, frame)
        path = layout.truth_path(root, "disparity", frame)
        disparity_px = read_gray_png(path, np.uint16) / 256.0
        np.testing.assert_array_equal(depth_m > 0, disparity_px > 0)
        measured = depth_m > 0
        expected = rig.intrinsics_left.fx_px * rig.baseline_m / depth_m[measured]
        # Both files are rounded; depth's rounding moves disparity by disparity / depth / 512.
        tolerance = 0.5 / 256 + expected / depth_m[measured] * ROUNDING_M + 1e-5
        assert np.all(np.abs(disparity_px[measured] - expected) < tolerance)


def test_true_disparity_leads_to_the_same_texture_in_the_right_image(
    root: Path, raw: KittiRaw
) -> None:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    warped_errors, plain_errors = [], []
    for frame in all_frames(raw):
        left = raw.read_image(frame).astype(np.float32)
        right = raw.read_image(frame.other_side).astype(np.float32)
        path = layout.truth_path(root, "disparity", frame)
        disparity_px = read_gray_png(path, np.uint16) / 256.0
        target = columns - disparity_px
        # Hidden in the right image: something nearer lands on the same or the next column.
        nearest = np.zeros((SIZE[0], SIZE[1] + 2))
        inside = target >= 0
        at = np.rint(target[inside]).astype(int) + 1
        for shift in (-1, 0, 1):
            np.maximum.at(nearest, (rows[inside].astype(int), at + shift), disparity_px[inside])
        seen = (disparity_px > 0) & inside
        lookup = np.clip(np.rint(target).astype(int) + 1, 0, SIZE[1] + 1)
        seen &= disparity_px > nearest[rows.astype(int), lookup] - 0.5
        warped = sampled(right, target, rows)
        seen &= np.isfinite(warped).all(axis=-1)
        warped_errors.append(np.abs(warped - left).mean(axis=-1)[seen])
        plain_errors.append(np.abs(right - left).mean(axis=-1)[seen])
    warped_error, plain_error = np.concatenate(warped_errors), np.concatenate(plain_errors)
    assert len(warped_error) > 150_000
    # The noise of two pictures, standard deviation up to 2.5 levels each.
    assert np.median(warped_error) < 4.5
    assert np.mean(warped_error) < 0.5 * np.mean(plain_error)


def test_corners_followed_into_the_right_picture_triangulate_to_the_true_depth(
    root: Path, raw: KittiRaw
) -> None:
    rig = raw.calibration("2011_09_26")
    ratios = []
    for frame in all_frames(raw):
        left, right = (cv2.cvtColor(raw.read_image(side), cv2.COLOR_RGB2GRAY)
                       for side in (frame, frame.other_side))  # fmt: skip
        corners = cv2.goodFeaturesToTrack(left, 1500, 0.01, 3)
        matched, found, _ = cv2.calcOpticalFlowPyrLK(left, right, corners, None, winSize=(9, 9))
        back, found_back, _ = cv2.calcOpticalFlowPyrLK(right, left, matched, None, winSize=(9, 9))
        move = (corners - matched)[:, 0]
        good = (found & found_back)[:, 0] > 0
        good &= np.abs((back - corners)[:, 0]).max(axis=1) < 0.2  # as far there as back
        good &= (np.abs(move[:, 1]) < 0.3) & (move[:, 0] > 1)  # along the row
        u, v = np.rint(corners[good, 0]).astype(int).T
        true_m = depth_of(root, frame)[v, u]
        triangulated_m = rig.intrinsics_left.fx_px * rig.baseline_m / move[good, 0]
        seen = (true_m > 0) & (true_m < 60)
        ratios.append(triangulated_m[seen] / true_m[seen])
    ratio = np.concatenate(ratios)
    assert len(ratio) > 1000
    # Matching errs by some 0.15 px of some 5 px, either way; a shifted camera would err one way.
    assert abs(np.median(ratio) - 1) < 0.01
    assert np.median(np.abs(ratio - 1)) < 0.05


def test_semi_global_matching_finds_most_disparities_but_not_all(root: Path, raw: KittiRaw) -> None:
    # 64 candidates: at 416 columns the nearest car, 2 m away, has 128.7 / 2 = 64 px.
    matcher = cv2.StereoSGBM_create(0, 64, 3, P1=72, P2=288, disp12MaxDiff=1, uniquenessRatio=10,
                                    speckleWindowSize=100, speckleRange=2,
                                    mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY)  # fmt: skip
    num_true = num_found = num_wrong = 0
    for frame in all_frames(raw):
        pair = [cv2.cvtColor(raw.read_image(side), cv2.COLOR_RGB2GRAY)
                for side in (frame, frame.other_side)]  # fmt: skip
        found_px = matcher.compute(*pair).astype(np.float32) / 16
        path = layout.truth_path(root, "disparity", frame)
        true_px = read_gray_png(path, np.uint16) / 256.0
        found = (true_px > 0) & (found_px > 0)
        # D1 of KITTI 2015: 3 px at 1242 columns, 1 px here, and 5 %.
        error_px = np.abs(found_px - true_px)
        num_true += np.sum(true_px > 0)
        num_found += np.sum(found)
        num_wrong += np.sum(found & (error_px > 1) & (error_px > 0.05 * true_px))
    assert num_found / num_true > 0.5
    assert 0.005 < num_wrong / num_found < 0.20  # leaves are a pixel wide at this size


def test_depth_and_pose_carry_static_pixels_into_the_next_frame(root: Path, raw: KittiRaw) -> None:
    camera = raw.calibration("2011_09_26").intrinsics_left
    moving = [CLASS_NAMES.index(name) for name in ("person", "rider", "car", "truck", "bus",
                                                   "train", "motorcycle", "bicycle")]  # fmt: skip
    geometric, warped_errors, plain_errors, moved_m = [], [], [], []
    for drive in raw.drives():
        target, source = raw.frames_of(drive, "l")[:2]
        poses = poses_of(root, drive)
        T_target_to_source = np.linalg.inv(poses[1]) @ poses[0]
        moved_m.append(np.linalg.norm(T_target_to_source[:3, 3]))
        points_m = camera.unproject(depth_of(root, target).astype(np.float64))
        uv, z_m = camera.project(points_m @ T_target_to_source[:3, :3].T
                                 + T_target_to_source[:3, 3])  # fmt: skip
        source_m = sampled_depth(depth_of(root, source), uv[..., 0], uv[..., 1])
        static = (depth_of(root, target) > 0) & ~np.isin(train_id_of(root, target), moving)
        static &= (z_m > 0) & (z_m < 60) & np.isfinite(source_m)
        geometric.append(np.abs(source_m - z_m)[static] / z_m[static])
        static &= np.abs(source_m - z_m) < 0.02 * np.where(static, z_m, 1)
        picture = raw.read_image(target).astype(np.float32)
        other = raw.read_image(source).astype(np.float32)
        warped = sampled(other, uv[..., 0], uv[..., 1])
        warped_errors.append(np.abs(warped - picture).mean(axis=-1)[static])
        plain_errors.append(np.abs(other - picture).mean(axis=-1)[static])
    assert max(moved_m) > 0.3
    # Exact but for the rounding of two depth files, 2 mm of some metres each.
    assert np.median(np.concatenate(geometric)) < 5e-4
    assert np.mean(np.concatenate(geometric) > 0.02) < 0.08  # newly seen or hidden
    assert np.median(np.concatenate(warped_errors)) < 5.0
    assert np.mean(np.concatenate(warped_errors)) < 0.65 * np.mean(np.concatenate(plain_errors))


def test_oxts_poses_are_the_camera_poses_seen_from_the_imu(root: Path, raw: KittiRaw) -> None:
    rig = raw.calibration("2011_09_26")
    assert rig.T_imu_to_velodyne is not None
    T_imu_to_camera = rig.T_velodyne_to("l") @ rig.T_imu_to_velodyne
    for drive in raw.drives():
        packets = [read_oxts(raw.oxts_path(frame)) for frame in raw.frames_of(drive, "l")]
        from_oxts = T_imu_to_camera @ world_from_imu(packets) @ np.linalg.inv(T_imu_to_camera)
        # 14 digits of latitude are 1e-6 m; the mounts' published rotations have 7.
        np.testing.assert_allclose(from_oxts, poses_of(root, drive), atol=2e-5)


def test_sky_is_above_road_below_and_near_at_the_bottom(root: Path, raw: KittiRaw) -> None:
    road, sky = CLASS_NAMES.index("road"), CLASS_NAMES.index("sky")
    for frame in all_frames(raw):
        ids, depth_m = train_id_of(root, frame), depth_of(root, frame)
        assert not np.any(ids[SIZE[0] * 3 // 4 :] == sky)
        assert not np.any(ids[: SIZE[0] // 3] == road)
        assert np.all(depth_m[ids == sky] == 0)
        assert np.median(depth_m[-1]) < 12  # 1.65 * 246 / (127 - 59) = 6 m of ground
        assert depth_m[depth_m > 0].min() > 0.5


def test_most_classes_of_a_street_are_there(root: Path, raw: KittiRaw) -> None:
    counts = sum(np.bincount(train_id_of(root, f).ravel(), minlength=256) for f in all_frames(raw))
    assert isinstance(counts, np.ndarray)
    assert not counts[19:255].any()
    assert counts[255] < 0.12 * counts.sum()  # bins, benches, guard rails: not among the 19
    seen = {CLASS_NAMES[i] for i in np.flatnonzero(counts[:19])}
    needed = {"road", "sidewalk", "building", "pole", "traffic sign", "vegetation", "terrain",
              "sky", "person", "car"}  # fmt: skip
    assert needed <= seen
    assert len(seen) >= 14
