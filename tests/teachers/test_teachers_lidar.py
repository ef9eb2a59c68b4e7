"""The laser scanner as a teacher: where its points fall, which stays, neighbouring sweeps."""

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes.kitti_tree import build_kitti_tree
from fakes.rig_tree import build_rig_tree

from data_prep.generation import GenerationRequest, generate
from data_prep.teacher_choice import TeacherChoice, choose_teachers
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import LabelStore, read_depth_png
from mtdepth.datasets.oxts import EARTH_RADIUS_M
from mtdepth.datasets.readers import open_recordings
from mtdepth.files import DataError, UserError
from teachers.interface import load_sample
from teachers.lidar import LidarTeacher

LIDAR = TeacherChoice(depth_teacher="lidar")
NEAR = [(20, 30), (21, 30), (40, 100), (63, 191)]  # (row, column)
FAR = [(20, 30), (50, 60)]  # the first hides behind a near one


@pytest.fixture
def raw(tmp_path: Path, tree: Path) -> KittiRaw:
    return KittiRaw(shutil.copytree(tree, tmp_path / "raw"))


def middle(raw: KittiRaw) -> FrameId:
    return raw.frames_of(raw.drives()[0])[1]


def seen(raw: KittiRaw, frame: FrameId, pixels: list[tuple[int, int]], depth_m: float) -> Any:
    """Points `[n, 4]` of the scanner that fall on pixels of a frame at that depth."""
    rig = raw.rig(frame)
    camera = rig.intrinsics(frame.side)
    points = [
        [
            (column - camera.cx_px) / camera.fx_px * depth_m,
            (row - camera.cy_px) / camera.fy_px * depth_m,
            depth_m,
            1.0,
        ]
        for row, column in pixels
    ]
    return np.array(points) @ np.linalg.inv(rig.T_velodyne_to(frame.side)).T


def write_sweep(raw: KittiRaw, frame: FrameId, *parts: Any) -> None:
    raw.velodyne_path(frame).write_bytes(np.concatenate(parts).astype("<f4").tobytes())


def write_packet(
    raw: KittiRaw, frame: FrameId, *, east_m: float = 0.0, yaw_rad: float = 0.0
) -> None:
    """A packet at the equator, where a metre east is 1 / (earth radius) of longitude."""
    numbers = [0.0, math.degrees(east_m / EARTH_RADIUS_M), 0.0, 0.0, 0.0, yaw_rad, *[0] * 24]
    raw.oxts_path(frame).write_text(" ".join(map(str, numbers)))


def predicted(raw: Any, frame: FrameId, **settings: int) -> np.ndarray:
    sample = load_sample(raw, frame, needs_partner=False)
    return LidarTeacher(**settings).predict(sample)


@pytest.mark.parametrize("side", ["l", "r"])
def test_a_plane_falls_where_it_stands_and_hides_what_is_behind(raw: KittiRaw, side: Any) -> None:
    frame = FrameId(middle(raw).drive, 1, side)
    behind_us = [[-5.0, 0.0, 0.0, 1.0]]
    write_sweep(raw, frame, seen(raw, frame, FAR, 20), seen(raw, frame, NEAR, 10), behind_us)
    expected = np.zeros((64, 192), np.float32)
    expected[tuple(zip(*FAR, strict=True))] = 20
    expected[tuple(zip(*NEAR, strict=True))] = 10
    np.testing.assert_allclose(predicted(raw, frame), expected, atol=1e-5)


def test_neighbours_moved_by_their_pose_fall_on_the_same_depth(raw: KittiRaw) -> None:
    frame = middle(raw)
    before, after = (FrameId(frame.drive, frame.index + offset) for offset in (-1, 1))
    write_sweep(raw, frame, seen(raw, frame, NEAR[:1], 10))
    T_imu_to_velodyne = raw.rig(frame).T_imu_to_velodyne
    assert T_imu_to_velodyne is not None
    # The rig goes east along its x axis, and has turned by `yaw` to the left at the neighbour.
    for neighbour, pixels, east_m, yaw in ((before, NEAR[1:2], -1.5, 0.2), (after, FAR[1:], 2, -1)):
        own_imu = np.linalg.inv(T_imu_to_velodyne) @ seen(raw, frame, pixels, 10).T
        x, y = own_imu[0] - east_m, own_imu[1]
        cos, sin = math.cos(yaw), math.sin(yaw)
        imu = np.stack([cos * x + sin * y, cos * y - sin * x, own_imu[2], own_imu[3]])
        write_sweep(raw, neighbour, (T_imu_to_velodyne @ imu).T)
        write_packet(raw, neighbour, east_m=east_m, yaw_rad=yaw)
    write_packet(raw, frame)
    expected = np.zeros((64, 192), np.float32)
    for row, column in (NEAR[0], NEAR[1], FAR[1]):
        expected[row, column] = 10
    found = predicted(raw, frame, num_neighbours=1)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (predicted(raw, frame) > 0).sum() == 1


def test_neighbours_agree_with_the_rendered_truth_of_a_street(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = KittiRaw(tree)
    frame = middle(raw)
    truth_path = tree / "truth" / "depth" / frame.drive / frame.camera / f"{frame.name}.png"
    truth_m = read_depth_png(truth_path)

    def large_error(depth_m: np.ndarray) -> float:
        both = (depth_m > 0) & (truth_m > 0)
        return float(np.percentile(np.abs(depth_m[both] / truth_m[both] - 1), 95))

    own_m, more_m = predicted(raw, frame), predicted(raw, frame, num_neighbours=3)
    assert (more_m > 0).sum() > 1.2 * (own_m > 0).sum()
    monkeypatch.setattr("teachers.lidar._motion", lambda *_: np.eye(4))
    unmoved_m = predicted(raw, frame, num_neighbours=3)
    # Measured 0.11 against 0.38. At this size a pixel alone makes 0.04.
    assert large_error(more_m) < 0.6 * large_error(unmoved_m)


def test_what_neighbours_need_is_named(raw: KittiRaw, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--lidar_neighbours must not be negative"):
        LidarTeacher(num_neighbours=-1)
    rig = open_recordings(build_rig_tree(tmp_path / "rig", raw.root))
    with pytest.raises(UserError, match="moves sweeps by GPS/IMU packets, which a rig's folder"):
        predicted(rig, rig.frames_of(rig.drives()[0])[1], num_neighbours=1)
    raw.oxts_path(middle(raw)).unlink()
    with pytest.raises(FileNotFoundError, match="no such GPS/IMU packet"):
        predicted(raw, middle(raw), num_neighbours=1)
    (raw.root / middle(raw).date / "calib_imu_to_velo.txt").unlink()
    with pytest.raises(DataError, match=r"calib_imu_to_velo\.txt.*--lidar_neighbours out"):
        predicted(KittiRaw(raw.root), middle(raw), num_neighbours=1)
    raw.velodyne_path(middle(raw)).unlink()
    with pytest.raises(FileNotFoundError, match="no such laser scan"):
        predicted(raw, middle(raw))


def test_the_flag_chooses_the_teacher(tmp_path: Path) -> None:
    assert choose_teachers(kitti_root=tmp_path, lidar_neighbours=0).depth_teacher == "lidar"
    chosen = choose_teachers(kitti_root=tmp_path, lidar_neighbours=2)
    teacher = chosen.make_depth_teacher()
    assert "2 sweeps on either side" in teacher.source
    assert not chosen.is_neural


def test_a_rig_of_one_camera_and_a_scanner_is_labelled(tmp_path: Path) -> None:
    kitti = build_kitti_tree(tmp_path / "kitti", num_frames=2)
    root = build_rig_tree(tmp_path / "rig", kitti)
    for right in root.glob("*/right"):
        shutil.rmtree(right)
    content = json.loads((root / "rig.json").read_text())
    del content["baseline_m"]
    (root / "rig.json").write_text(json.dumps(content))
    request = GenerationRequest(
        kitti_root=root, split="all", teachers=LIDAR, output=tmp_path / "labels"
    )
    assert [record.status for record in generate(request)] == ["finished"] * 4
    store = LabelStore.open(tmp_path / "labels")
    manifest = store.manifest
    assert (manifest.depth_teacher, manifest.depth_source, manifest.bias) == (
        "lidar",
        "LiDAR",
        "none",
    )
    for frame in store.frames:
        depth_m = predicted(open_recordings(root), frame)
        np.testing.assert_allclose(store.read_depth(frame), depth_m, atol=1 / 512)
        assert (depth_m > 0).any()
    sgm = TeacherChoice(depth_teacher="sgm")
    request = dataclasses.replace(request, teachers=sgm, output=tmp_path / "sgm", bias="none")
    (why,) = {record.why for record in generate(request)}
    assert "this rig has one camera" in why


@pytest.mark.dataset
def test_it_agrees_with_kittis_own_depth_picture(kitti_mini: Path) -> None:
    raw = KittiRaw(kitti_mini / "raw")
    frame = FrameId.parse("2011_09_26/2011_09_26_drive_0001_sync 0000000005 l")
    (official,) = (kitti_mini / "data_depth_annotated").glob(
        f"**/{frame.drive}/proj_depth/velodyne_raw/image_02/{frame.name}.png"
    )
    truth_m = cv2.imread(str(official), cv2.IMREAD_UNCHANGED) / 256
    depth_m = predicted(raw, frame)
    both = (truth_m > 0) & (depth_m > 0)
    # KITTI moved each point by the car's motion during the sweep: a third stays on its pixel.
    assert both.sum() > 0.3 * (truth_m > 0).sum()
    assert np.median(np.abs(depth_m[both] - truth_m[both])) < 0.05
    assert (depth_m > 0).mean() == pytest.approx(0.041, abs=0.001)
