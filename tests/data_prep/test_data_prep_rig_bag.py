"""ROS bags become recordings: bags of both kinds, written by the library that reads them."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from fakes.bags import (
    BASELINE_M,
    START_NS,
    STEP_NS,
    BagPlan,
    K,
    T_velodyne_to_left,
    picture,
    sweep,
    write_bag,
)
from fakes.once import built_once
from fakes.programs import run_program
from fakes.stereo_rig import FakeRig, Painter, rectified_values, wall_planes, write_opencv

from data_prep.doctor.stereo_order import match_corners
from data_prep.rig.bag_messages import picture_of, sweep_of, way_between
from data_prep.rig.bag_times import frame_numbers, gaps_in_words, pair_up, time_stamps
from data_prep.rig.from_bag import drive_of
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import read_times
from mtdepth.datasets.rig_folder import RigFolder
from mtdepth.files import UserError

TOPICS = ("--left", "/cam/left/image_rect", "--right", "/cam/right/image_rect")
LIDAR = ("--lidar", "/velodyne_points")
KINDS = pytest.mark.parametrize("name", ["drive.bag", "drive.mcap", "drive"])


def take_out(bag: Path, *words: object) -> tuple[int, str, RigFolder | None]:
    done = run_program("data_prep.rig", "--bag", bag, "--output", "new", *words, cwd=bag.parent)
    new = bag.parent / "new"
    return done.returncode, done.stderr, RigFolder(new) if (new / "rig.json").is_file() else None


@KINDS
def test_pictures_sweeps_times_and_rig_come_out_as_they_went_in(name: str, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / name)
    status, said, recordings = take_out(bag, *TOPICS, *LIDAR)
    assert status == 0, said
    assert recordings is not None
    assert "5 of 5 left pictures have a right one within 5 ms; nearest ones are 1.00 ms" in said
    frames = recordings.frames_of("drive")
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    for side, letter in enumerate("lr"):
        for number in range(5):
            image = recordings.read_image(FrameId("drive", number, letter))
            np.testing.assert_array_equal(image, picture(side, number))
    np.testing.assert_array_equal(recordings.read_sweep(frames[3]), sweep(3))
    rig = recordings.rig(frames[0])
    np.testing.assert_array_equal(rig.intrinsics_left.K, K)
    assert rig.baseline_m == pytest.approx(BASELINE_M)
    np.testing.assert_allclose(rig.T_velodyne_to("l"), T_velodyne_to_left(), atol=1e-12)
    times_s = read_times(recordings.drive_dir("drive") / "left" / "timestamps.txt")
    assert (times_s * 1e9).astype(np.int64)[4] == pytest.approx(START_NS + 4 * STEP_NS, abs=300)


@KINDS
def test_without_topics_it_tells_what_is_in_the_bag(name: str, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / name)
    done = run_program("data_prep.rig", "--bag", bag)
    assert done.returncode == 0, done.stderr
    assert "/velodyne_points        sensor_msgs/msg/PointCloud2  5  9.5/s" in done.stdout
    assert f"--bag {bag} {' '.join(TOPICS)} {' '.join(LIDAR)} --output recordings" in done.stdout


def test_compressed_pictures_are_kept_as_they_were_recorded(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "drive.mcap", BagPlan(is_compressed=True))
    left, right = (f"/cam/{side}/image_rect/compressed" for side in ("left", "right"))
    status, said, recordings = take_out(bag, "--left", left, "--right", right)
    assert status == 0, said
    assert recordings is not None
    path = recordings.image_path(FrameId("drive", 2))
    stored = cv2.imencode(".jpg", picture(0, 2)[..., ::-1])[1].tobytes()
    assert path.suffix == ".jpg"
    assert path.read_bytes() == stored


def test_one_camera_and_no_scanner(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "drive.bag")
    status, said, recordings = take_out(bag, *TOPICS[:2])
    assert status == 0, said
    assert recordings is not None
    assert not recordings.rig(FrameId("drive", 0)).has_right


def test_what_is_not_rectified_is_rectified_as_it_is_taken_out(tmp_path: Path) -> None:
    rig, found = FakeRig(), rectified_values(FakeRig())

    def build(folder: Path) -> None:
        painters = [Painter(rig.left), Painter(rig.right, rig.T_left_to_right)]
        images = [painter.picture(wall_planes(7)) for painter in painters]
        infos = tuple(
            {
                "k": lens.camera.K,
                "d": lens.distortion,
                "r": found[f"R{side}"],
                "p": found[f"P{side}"],
            }
            for side, lens in enumerate((rig.left, rig.right), start=1)
        )
        plan = BagPlan(
            num_frames=2,
            topic="image_raw",
            picture=lambda side, _: images[side],
            infos=infos,
        )
        write_bag(folder / "drive", plan)

    bag = shutil.copytree(built_once("raw-bag", build) / "drive", tmp_path / "drive")
    words = [word.replace("rect", "raw") for word in TOPICS]
    status, said, recordings = take_out(bag, *words)
    assert status == 0, said
    assert recordings is not None
    views = [recordings.read_image(FrameId("drive", 0, side)) for side in ("l", "r")]
    matches = match_corners(*views)
    assert len(matches.u) > 100
    assert np.median(np.abs(matches.row_shift_px)) < 0.15
    assert recordings.rig(FrameId("drive", 0)).baseline_m == pytest.approx(rig.baseline_m)


def test_a_gap_leaves_numbers_out_and_is_told(tmp_path: Path) -> None:
    plan = BagPlan(
        num_frames=8, left_ns=lambda number: None if number in (3, 4) else number * STEP_NS
    )
    bag = write_bag(tmp_path / "drive.mcap", plan)
    status, said, recordings = take_out(bag, *TOPICS, *LIDAR)
    assert status == 0, said
    assert recordings is not None
    assert "/cam/left/image_rect has 1 gaps, the longest of 0.30 s after 0.2 s" in said
    frames = recordings.frames_of("drive")
    assert [frame.index for frame in frames] == [0, 1, 2, 5, 6, 7]
    np.testing.assert_array_equal(recordings.read_image(frames[3]), picture(0, 5))
    np.testing.assert_array_equal(recordings.read_sweep(frames[3]), sweep(5))
    times_s = read_times(recordings.drive_dir("drive") / "left" / "timestamps.txt")
    assert np.isnan(times_s).tolist() == [False] * 3 + [True] * 2 + [False] * 3


def test_a_right_picture_of_another_moment_makes_no_pair(tmp_path: Path) -> None:
    plan = BagPlan(right_ns=lambda number: number * STEP_NS + (40_000_000 if number == 1 else 0))
    bag = write_bag(tmp_path / "drive.mcap", plan)
    status, said, recordings = take_out(bag, *TOPICS)
    assert status == 0, said
    assert recordings is not None
    assert "4 of 5 left pictures have a right one within 5 ms" in said
    for side in "lr":
        assert [each.index for each in recordings.frames_of("drive", side)] == [0, 2, 3, 4]


def test_cameras_that_run_by_themselves_are_refused(tmp_path: Path) -> None:
    bag = write_bag(
        tmp_path / "drive.mcap", BagPlan(right_ns=lambda number: number * STEP_NS + 30_000_000)
    )
    status, said, _ = take_out(bag, *TOPICS)
    assert status == 1
    assert "0 of 5 left pictures have a right one within 5 ms; nearest ones are 30.00 ms" in said
    status, said, recordings = take_out(bag, *TOPICS, "--max_offset_ms", "40")
    assert status == 0, said
    assert recordings is not None


def test_stopped_and_begun_again_it_goes_on(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "drive.mcap")
    take_out(bag, *TOPICS, *LIDAR)
    files = sorted((tmp_path / "drive" / "new" / "drive").glob("*/0*"))
    assert len(files) == 15
    files[0].unlink()
    before = {path: path.stat().st_mtime_ns for path in files[1:]}
    status, said, _ = take_out(bag, *TOPICS, *LIDAR)
    assert status == 0, said
    assert files[0].is_file()
    assert before == {path: path.stat().st_mtime_ns for path in files[1:]}
    status, said, _ = take_out(bag, *TOPICS, *LIDAR, "--max_offset_ms", "3")
    assert status == 1
    assert "was begun with another max_offset_s" in said


def test_a_second_bag_of_another_rig_has_its_own_file(tmp_path: Path) -> None:
    write_bag(tmp_path / "one.bag")
    longer = {"k": K, "p": np.column_stack([K, [-60 * 0.3, 0, 0]])}
    write_bag(tmp_path / "two.bag", BagPlan(infos=({}, longer)))
    done = run_program(
        *("data_prep.rig", "--bag", "one.bag,two.bag", "--output", "both", *TOPICS), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    both = RigFolder(tmp_path / "both")
    assert both.rig(FrameId("one", 0)).baseline_m == pytest.approx(0.12)
    assert both.rig(FrameId("two", 0)).baseline_m == pytest.approx(0.3)


def test_a_damaged_picture_is_named_while_the_others_come_out(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "drive.mcap", BagPlan(damaged=(2,)))
    status, said, recordings = take_out(bag, *TOPICS)
    assert status == 1
    assert recordings is not None
    assert "left of frame 2: 4728 bytes are no picture of 64x48, 197 bytes a row, as bgr8" in said
    assert [each.index for each in recordings.frames_of("drive")] == [0, 1, 3, 4]


@pytest.mark.parametrize(
    ("plan", "words", "said"),
    [
        (BagPlan(), ("--left", "/cam"), "has no topic /cam; "),
        (BagPlan(), ("--left", "/velodyne_points"), "is sensor_msgs/msg/PointCloud2, it must be"),
        (
            BagPlan(has_info=False),
            TOPICS,
            "no camera_info /cam/left/camera_info, /cam/right/camera_info (there are: none)",
        ),
        (BagPlan(has_transforms=False), (*TOPICS, *LIDAR), "give --lidar_to_camera"),
        (
            BagPlan(infos=({}, {"p": np.column_stack([K, np.zeros(3)])})),
            TOPICS,
            "camera_info: projection_matrix has no baseline",
        ),
        (
            BagPlan(infos=({}, {"p": np.column_stack([K, [-60 * 120.0, 0, 0]])})),
            TOPICS,
            "a baseline of 120 m",
        ),
        (BagPlan(), (*TOPICS, "--camera", "/cam/left/camera_info"), "for each camera: 2"),
    ],
)
def test_what_cannot_become_a_rig_is_refused(
    plan: BagPlan, words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    bag = write_bag(tmp_path / "drive.mcap", plan)
    status, shown, recordings = take_out(bag, *words)
    assert status == 1
    assert said in shown
    assert recordings is None


def test_a_calibration_file_stands_for_camera_info(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "drive.bag", BagPlan(has_info=False))
    P_left = np.column_stack([K, np.zeros(3)])
    P_right = P_left - [[0, 0, 0, 60 * 0.2], [0] * 4, [0] * 4]
    write_opencv(
        tmp_path / "stereo.yml",
        {"image_width": 64, "image_height": 48, "P1": P_left, "P2": P_right},
    )
    status, said, recordings = take_out(bag, *TOPICS, "--calibration", "stereo.yml")
    assert status == 0, said
    assert recordings is not None
    assert recordings.rig(FrameId("drive", 0)).baseline_m == pytest.approx(0.2)


@pytest.mark.parametrize("content", [b"", b"#ROSBAG V2.0\n" + b"\0" * 50, b"nothing"])
@pytest.mark.parametrize("name", ["drive.bag", "drive.mcap", "drive.db3"])
def test_what_is_no_bag_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    done = run_program("data_prep.rig", "--bag", name, cwd=tmp_path)
    assert done.returncode == 1
    assert f"{name}: no bag that can be read" in done.stderr


def test_a_bag_that_is_missing_is_named(tmp_path: Path) -> None:
    done = run_program("data_prep.rig", "--bag", "gone.mcap", cwd=tmp_path)
    assert (done.returncode, "gone.mcap: no such bag" in done.stderr) == (1, True)


# Times


def test_each_moment_goes_with_its_nearest_alone() -> None:
    pairs = pair_up(np.array([0, 100, 200]), np.array([90, 101, 260]), max_offset_ns=50)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([1], [1])
    assert pairs.offset_ns.tolist() == [1]
    pairs = pair_up(np.array([0, 100, 200]), np.array([90, 260]), max_offset_ns=60)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([1, 2], [0, 1])
    assert not len(pair_up(np.array([1]), np.zeros(0, np.int64), max_offset_ns=9).first)


def test_numbers_follow_the_time() -> None:
    assert frame_numbers(np.array([0, 10, 21, 30, 60, 71])).tolist() == [0, 1, 2, 3, 6, 7]
    assert frame_numbers(np.array([0, 1, 10, 20, 30])).tolist() == [0, 1, 2, 3, 4]
    assert frame_numbers(np.array([5])).tolist() == [0]


def test_no_gap_is_no_word() -> None:
    assert gaps_in_words(np.array([0, 10, 20, 31])) == ""


def test_moments_are_written_as_kittis(tmp_path: Path) -> None:
    path = tmp_path / "timestamps.txt"
    path.write_text(time_stamps(np.array([1_500_000_000, 3_250_000_001]), [0, 2]))
    times_s = read_times(path)
    assert times_s[[0, 2]].tolist() == [1.5, 3.250000001]
    assert np.isnan(times_s[1])


@pytest.mark.parametrize(
    ("name", "drive"),
    [("drive 1.mcap", "drive_1"), ("2024.bag", "drive_2024"), ("a/b-c_0.db3", "b-c_0")],
)
def test_a_drive_is_named_by_its_bag(name: str, drive: str) -> None:
    assert drive_of(Path(name)) == drive


# Messages


def message(rows: np.ndarray, encoding: str, *, is_bigendian: int = 0) -> SimpleNamespace:
    height, width = rows.shape[:2]
    content = rows.tobytes()
    return SimpleNamespace(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=is_bigendian,
        step=len(content) // height,
        data=np.frombuffer(content, np.uint8),
    )


@pytest.mark.parametrize(
    ("encoding", "pixel"),
    [
        ("rgb8", [10, 20, 30]),
        ("bgr8", [30, 20, 10]),
        ("rgba8", [10, 20, 30, 255]),
        ("bgra8", [30, 20, 10, 255]),
        ("8UC3", [30, 20, 10]),
    ],
)
def test_channels_are_put_in_order(encoding: str, pixel: list[int]) -> None:
    rows = np.full((4, 6, len(pixel)), pixel, np.uint8)
    image = picture_of(message(rows, encoding), "sensor_msgs/msg/Image")
    assert image.shape == (4, 6, 3)
    assert image[2, 3].tolist() == [10, 20, 30]


@pytest.mark.parametrize("is_bigendian", [0, 1])
def test_of_16_bits_the_upper_ones_are_taken(is_bigendian: int) -> None:
    rows = np.full((4, 6), 0x1234, ">u2" if is_bigendian else "<u2")
    image = picture_of(message(rows, "mono16", is_bigendian=is_bigendian), "sensor_msgs/msg/Image")
    assert image[1, 1].tolist() == [0x12] * 3


@pytest.mark.parametrize(
    ("encoding", "red_at"),
    [
        ("bayer_rggb8", (0, 0)),
        ("bayer_bggr8", (1, 1)),
        ("bayer_gbrg8", (1, 0)),
        ("bayer_grbg8", (0, 1)),
    ],
)
def test_the_red_of_a_mosaic_stays_red(encoding: str, red_at: tuple[int, int]) -> None:
    rows = np.zeros((8, 8), np.uint8)
    rows[red_at[0] :: 2, red_at[1] :: 2] = 200
    image = picture_of(message(rows, encoding), "sensor_msgs/msg/Image")
    assert image[2:6, 2:6].mean(axis=(0, 1)).round().tolist() == [200, 0, 0]


def test_yuv_is_known_in_both_orders() -> None:
    # Grey of 120: U and V are 128.
    for encoding, pair in (("yuv422", [128, 120]), ("yuv422_yuy2", [120, 128])):
        rows = np.full((4, 6, 2), pair, np.uint8)
        image = picture_of(message(rows, encoding), "sensor_msgs/msg/Image")
        assert np.ptp(image, axis=-1).max() <= 2
        assert abs(int(image[0, 0, 0]) - 121) <= 2  # (120 - 16) * 1.164


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(UserError, match="encoding '32FC1' is not one of rgb8"):
        picture_of(message(np.zeros((2, 2), np.float32), "32FC1"), "sensor_msgs/msg/Image")


def test_a_cloud_without_height_is_refused() -> None:
    fields = [SimpleNamespace(name=name, offset=0, datatype=7) for name in "xy"]
    with pytest.raises(UserError, match="the cloud has no z, but x, y"):
        sweep_of(SimpleNamespace(fields=fields))


def test_transforms_are_followed_both_ways() -> None:
    up = np.eye(4)
    up[2, 3] = 1.0
    chain = [("base", "scanner", up), ("base", "mast", up @ up), ("mast", "camera", np.eye(4))]
    way = way_between(chain, "/scanner", "camera")
    np.testing.assert_allclose(way, np.linalg.inv(up))  # the mast is one metre above the scanner
    assert way_between(chain, "scanner", "elsewhere") is None
