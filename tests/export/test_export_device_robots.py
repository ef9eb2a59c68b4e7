"""What robots read: nearest obstacles, point clouds, depth and classes as files, ROS."""

import json
import math
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from fakes.device import engine, picture, result

from export.device.camera_model import CameraModel
from export.device.controls import Settings
from export.device.lines import obstacle_line
from export.device.outputs import FileWriter
from export.device.ros2_example import DepthTopics
from export.device.sources import Picture
from mtdepth.datasets.camera_file import open_camera
from mtdepth.datasets.label_map import CLASS_NAMES, FREE_CLASSES, OBSTACLE_CLASSES
from mtdepth.datasets.label_store import read_depth_png, read_train_id_png
from mtdepth.files import DataError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.lens import Lens, Straightener
from mtdepth.runtime.obstacles import (
    Mount,
    Obstacle,
    Rule,
    height_above_ground,
    nearest_obstacles,
)
from mtdepth.runtime.picture_files import points_of, write_ply
from mtdepth.runtime.pipeline import Prediction

ROAD, CAR, PERSON, SKY = (CLASS_NAMES.index(name) for name in ("road", "car", "person", "sky"))
# fx differs from fy, and the principal point is not in the middle.
CAMERA = Intrinsics(fx_px=50.0, fy_px=40.0, cx_px=29.5, cy_px=20.0, width_px=80, height_px=60)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Road at 3 m everywhere, a car at 8 m in columns 20..39, a person at 5 m in 30..39."""
    depth_m = np.full((60, 80), 3.0, np.float32)
    train_id = np.full((60, 80), ROAD, np.uint8)
    depth_m[10:40, 20:40], train_id[10:40, 20:40] = 8.0, CAR
    depth_m[20:40, 30:40], train_id[20:40, 30:40] = 5.0, PERSON
    return depth_m, train_id


def columns(**options: object) -> list[Obstacle]:
    depth_m, train_id = scene()
    rule = Rule(num_columns=8)
    return nearest_obstacles(depth_m, train_id, camera=CAMERA, rule=rule, **options)  # type: ignore[arg-type]


# Obstacles


def test_the_nearest_obstacle_of_each_column_is_named_and_the_road_is_none() -> None:
    found = columns()
    assert [each.class_name for each in found] == [None, None, "car", "person", *[None] * 4]
    assert [each.depth for each in found[1:4]] == [None, 8.0, 5.0]
    assert found[3].by_class == {"person": 5.0, "car": 8.0}
    assert found[3].column_px == (30, 39)


def test_bearing_is_positive_to_the_right_and_distance_is_along_it() -> None:
    found = columns()
    # Column 3: its middle is pixel 34.5, 5 px right of the axis of 29.5: atan(5 / 50).
    assert found[3].bearing_deg == pytest.approx(math.degrees(math.atan(0.1)))
    assert found[3].distance == pytest.approx(5.0 * math.sqrt(1.01))
    assert found[0].bearing_deg == pytest.approx(math.degrees(math.atan(-25 / 50)))
    assert found[0].distance is None


def test_a_few_wrong_pixels_are_no_obstacle_and_the_nearest_pixel_is_no_distance() -> None:
    depth_m, train_id = scene()
    train_id[0, 70:72] = CAR  # 2 of 600 pixels, under half a percent
    depth_m[25, 32] = 0.2  # one of the person's 200: noise
    found = nearest_obstacles(depth_m, train_id, camera=None, rule=Rule(num_columns=8))
    assert found[7].depth is None
    assert found[3].depth == 5.0
    assert found[3].bearing_deg is None
    assert found[3].distance is None


@pytest.mark.parametrize("behind", [0, CLASS_NAMES.index("building")], ids=["road", "a wall"])
def test_a_thing_of_several_classes_is_found_and_named_after_most_of_it(behind: int) -> None:
    # 13 of 1200 pixels (1.1 %) at 1.5 m, none of whose classes has half a percent: 6 pixels.
    depth_m = np.full((60, 20), 9.0, np.float32)
    train_id = np.full((60, 20), behind, np.uint8)
    depth_m[30:33, 5:10] = 1.5
    train_id[30:33, 5:10] = [[PERSON] * 5, [PERSON + 1] * 5, [18] * 5]
    depth_m[30:32, 5], train_id[30:32, 5] = 9.0, behind
    (found,) = nearest_obstacles(depth_m, train_id, camera=None, rule=Rule(num_columns=1))
    assert (found.depth, found.class_name) == (1.5, CLASS_NAMES[18])
    assert next(iter(found.by_class.items())) == (CLASS_NAMES[18], 1.5)
    (without,) = nearest_obstacles(depth_m, None, camera=None, rule=Rule(num_columns=1))
    assert without.depth == 1.5


@pytest.mark.parametrize("width_px", [479, 481, 1279, 1242, 1280])
def test_no_column_leaves_the_picture(width_px: int) -> None:
    depth_m = np.full((4, width_px), 9.0, np.float32)
    found = nearest_obstacles(depth_m, None, camera=None, rule=Rule())
    edges = [edge for each in found for edge in each.column_px]
    assert edges[0] == 0
    assert edges[-1] == width_px - 1
    assert all(after == before + 1 for before, after in zip(edges[1::2], edges[2::2], strict=False))


def test_unmeasured_pixels_do_not_count() -> None:
    depth_m, train_id = scene()
    depth_m[10:40, 20:30] = 0
    found = nearest_obstacles(depth_m, train_id, camera=CAMERA, rule=Rule(num_columns=8))
    assert found[2].depth is None


def test_wide_pictures_are_looked_at_coarsely_but_their_columns_are_their_own() -> None:
    depth_m = np.full((40, 1000), 9.0, np.float32)
    depth_m[:, 500:] = 4.0
    train_id = np.full((40, 1000), CAR, np.uint8)
    found = nearest_obstacles(depth_m, train_id, camera=None, rule=Rule(num_columns=2))
    assert [each.depth for each in found] == [9.0, 4.0]
    assert found[0].column_px[0] == 0
    assert abs(found[1].column_px[0] - 500) <= 3


def test_what_is_free_is_said_once() -> None:
    assert set(FREE_CLASSES) | set(OBSTACLE_CLASSES) == set(CLASS_NAMES)
    assert "person" in OBSTACLE_CLASSES


def test_without_classes_the_mount_tells_ground_from_obstacle() -> None:
    mount = Mount(height_m=1.2, pitch_deg=10.0)
    # A level ground, from geometry alone: down per depth is ray_y cos + sin.
    pitch = math.radians(10.0)
    slope = (np.arange(60) - CAMERA.cy_px) / CAMERA.fy_px * math.cos(pitch) + math.sin(pitch)
    ground_m = np.where(slope > 0.02, 1.2 / np.maximum(slope, 0.02), 0).astype(np.float32)
    depth_m = np.repeat(ground_m[:, None], 80, axis=1)
    heights = height_above_ground(depth_m, camera=CAMERA, mount=mount)
    np.testing.assert_allclose(heights[depth_m > 0], 0, atol=1e-5)
    depth_m[20:45, 40:50] = 2.0  # stands in front of it
    rule = Rule(num_columns=8, mount=mount)
    found = nearest_obstacles(depth_m, None, camera=CAMERA, rule=rule)
    assert [each.depth for each in found] == [None] * 4 + [2.0] + [None] * 3
    assert found[4].class_name is None
    without = nearest_obstacles(depth_m, None, camera=CAMERA, rule=Rule(num_columns=8))
    assert without[0].depth is not None  # the ground counts, as the line says


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "classes"),
        ({"has_classes": False}, "depth only: the ground counts as well"),
        (
            {"has_classes": False, "focal_px": 50.0, "rule": Rule(mount=Mount(height_m=1.0))},
            "above the ground plane",
        ),
    ],
)
def test_a_line_says_what_counted_as_an_obstacle(options: dict, words: str) -> None:
    line = obstacle_line(result(**options))
    assert line["rule"] == words
    assert line["unit"] == "m"
    json.dumps(line)


def test_a_line_says_when_its_picture_came() -> None:
    item = replace(picture(), time_s=5.0)
    line = obstacle_line(result(item))
    assert line["captured_s"] == 5.0
    assert line["time_s"] > 5.0
    # Two clocks that run alike.
    offset_s = time.time() - time.monotonic()
    assert line["captured_unix_s"] == pytest.approx(5.0 + offset_s, abs=0.5)


# Point clouds


def read_ply(path: Path) -> tuple[list[str], np.ndarray]:
    """An independent reader: types by the header's own words."""
    head, _, body = path.read_bytes().partition(b"end_header\n")
    lines = head.decode().splitlines()
    kinds = {"float": "<f4", "uchar": "u1"}
    fields = [
        (line.split()[2], kinds[line.split()[1]]) for line in lines if line.startswith("property")
    ]
    return lines, np.frombuffer(body, fields)


def test_a_cloud_holds_every_measured_pixel_at_its_place(tmp_path: Path) -> None:
    depth_m, train_id = scene()
    depth_m[0, :] = 0
    train_id[1, :5] = SKY
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    points = points_of(image, Prediction(depth_m, train_id), CAMERA)
    write_ply(tmp_path / "a.ply", points, unit="m")
    lines, found = read_ply(tmp_path / "a.ply")
    assert lines[:3] == ["ply", "format binary_little_endian 1.0", "comment unit m"]
    assert f"element vertex {59 * 80 - 5}" in lines
    assert "comment class 11 person" in lines
    assert len(found) == 59 * 80 - 5
    # Row 25, column 35: a person at 5 m. x = (35 - 29.5) / 50 * 5, y = (25 - 20) / 40 * 5.
    number = 24 * 80 - 5 + 35
    assert found[number].tolist()[:3] == pytest.approx((0.55, 0.625, 5.0))
    assert found[number].tolist()[3:] == (*image[25, 35].tolist(), PERSON)


def test_a_cloud_without_classes_has_no_class(tmp_path: Path) -> None:
    depth_m, _ = scene()
    points = points_of(np.zeros((60, 80, 3), np.uint8), Prediction(depth_m, None), CAMERA)
    write_ply(tmp_path / "a.ply", points, unit="relative")
    lines, found = read_ply(tmp_path / "a.ply")
    assert found.dtype.names == ("x", "y", "z", "red", "green", "blue")
    assert "comment unit relative" in lines


# Files


def test_each_kind_is_a_file_that_says_its_unit(tmp_path: Path) -> None:
    item = result(picture(red=73, green=CAR), focal_px=60.0)
    FileWriter(tmp_path, ("overlay", "depth", "npz", "classes", "ply")).write(item)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a_overlay.png", "a_depth.png", "a.npz", "a_classes.png", "a.ply"}
    assert read_depth_png(tmp_path / "a_depth.png")[0, 0] == pytest.approx(7.3, abs=1 / 256)
    assert (read_train_id_png(tmp_path / "a_classes.png") == CAR).all()
    with np.load(tmp_path / "a.npz") as arrays:
        assert set(arrays) == {"depth_m", "train_id", "K"}
        np.testing.assert_allclose(arrays["depth_m"], 7.3, rtol=1e-6)
        assert arrays["K"][0, 0] == 60.0


def test_depth_without_a_unit_is_never_called_metres(tmp_path: Path) -> None:
    item = result(picture(red=73), scale_source="none", focal_px=60.0)
    FileWriter(tmp_path, ("depth", "npz", "ply")).write(item)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a_relative_depth.png", "a.npz", "a.ply"}
    with np.load(tmp_path / "a.npz") as arrays:
        assert set(arrays) == {"relative_depth", "train_id", "K"}
    assert b"comment unit relative\n" in (tmp_path / "a.ply").read_bytes()
    assert obstacle_line(item)["unit"] == "relative"
    assert item.caption[-1] == "relative depth"
    assert not item.scale.is_metric


def test_what_a_model_does_not_give_cannot_be_written(tmp_path: Path) -> None:
    item = result(has_classes=False)
    with pytest.raises(ValueError, match="the model gives no classes"):
        FileWriter(tmp_path, ("classes",)).write(item)
    with pytest.raises(ValueError, match="needs --focal_px, --fov_deg or --camera"):
        FileWriter(tmp_path, ("ply",)).write(item)


# The camera


def test_a_camera_file_is_scaled_to_the_pictures(tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(CAMERA.to_dict()))
    model = CameraModel(lens=open_camera(path))
    assert model.of((60, 80)) == CAMERA
    half = model.of((30, 40))
    assert half is not None
    assert (half.fx_px, half.cx_px) == (25.0, 14.5)
    with pytest.raises(ValueError, match="no scaling of the camera's 60x80"):
        model.of((60, 100))


@pytest.mark.parametrize("text", ["[1]", '{"fx_px": 3}', "nothing"])
def test_a_wrong_camera_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "camera.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"camera\.json"):
        open_camera(path)


def test_a_camera_is_given_in_one_way() -> None:
    with pytest.raises(ValueError, match="one of focal_px"):
        CameraModel(focal_px=3.0, lens=Lens(camera=CAMERA))
    assert CameraModel().of((3, 4)) is None


def test_the_network_sees_straight_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    lens = Lens(camera=CAMERA, distortion=(-0.2, 0.05, 0.0, 0.0))
    at_work = engine()
    monkeypatch.setattr(at_work, "_camera", CameraModel(lens=lens))
    taken = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    prepared = []
    prepare = at_work.models.predictor.prepare
    monkeypatch.setattr(
        at_work.models.predictor, "prepare", lambda image: prepared.append(image) or prepare(image)
    )
    seen = at_work.predict(Picture("a", taken), Settings().look)
    straight = Straightener(lens).picture(taken)
    np.testing.assert_array_equal(prepared[0], straight)
    np.testing.assert_array_equal(seen.image_rgb, straight)
    assert seen.camera == lens.straightened()


# ROS


def test_nothing_needs_the_ros_example() -> None:
    root = Path(__file__).parents[2]
    users = [
        path.name
        for path in (root / "export").rglob("*.py")
        if path.name != "ros2_example.py" and "ros2_example" in path.read_text(encoding="utf-8")
    ]
    assert users == []


class Ago:
    """Stands for rclpy's Duration, and for the time so long ago."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def to_msg(self) -> int:
        return int(self.seconds)


@pytest.mark.parametrize("focal_px", [0.58, 3.04, 26.0, 1e6])
def test_a_focal_length_that_no_lens_has_ends_the_run(focal_px: float) -> None:
    with pytest.raises(DataError, match=rf"--focal_px: a focal length of .* {'px: .*'}\?"):
        CameraModel(focal_px=focal_px).of((480, 640))


def test_a_camera_file_that_is_no_cameras_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps({**CAMERA.to_dict(), "fx_px": 0.58}))
    with pytest.raises(DataError, match=r"camera\.json: .*normalised"):
        open_camera(path)


def test_the_ros_example_publishes_metres_classes_and_camera() -> None:
    """With stand-ins for ROS: every field is set on a message of the right kind."""
    node, messages = MagicMock(), MagicMock()
    messages.Image.side_effect = messages.CameraInfo.side_effect = lambda: MagicMock()
    publishers = {"depth/image": MagicMock(), "classes/image": MagicMock()}
    publishers["depth/camera_info"] = MagicMock()
    node.create_publisher.side_effect = lambda *given: publishers[given[1]]
    item = result(picture(red=73, green=CAR), focal_px=60.0)
    item.prediction.depth_m[0, 0] = 0
    node.get_clock.return_value.now.return_value.__sub__.side_effect = lambda ago: ago
    item = replace(item, captured_s=item.captured_s - 40)
    topics = DepthTopics(node, messages, duration=Ago, qos=None, frame_id="camera")
    topics.write(item)
    depth, classes, camera = (each.publish.call_args.args[0] for each in publishers.values())
    assert (depth.encoding, depth.height, depth.width, depth.step) == ("32FC1", 32, 48, 192)
    values = np.frombuffer(depth.data, "<f4")
    assert np.isnan(values[0])
    np.testing.assert_allclose(values[1:], 7.3, rtol=1e-6)
    # Stamped with the time at which the picture came, not with that of the result.
    assert {each.header.stamp for each in (depth, classes, camera)} == {40}
    assert (classes.encoding, set(classes.data)) == ("mono8", {CAR})
    assert camera.k == [60.0, 0.0, 23.5, 0.0, 60.0, 15.5, 0.0, 0.0, 1.0]
    assert len(camera.p) == 12
