"""ROS bags of a made-up stereo rig with a scanner, written by the library that reads them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores

from data_prep.rig.bag_files import known_types

SIZE = (48, 64)
START_NS = 1_714_559_400_123_456_789
STEP_NS = 100_000_000
K = np.array([[60.0, 0, 31], [0, 60, 23], [0, 0, 1]])
BASELINE_M = 0.12
# The scanner looks ahead (x), the optical frame is turned and lies 0.2 m below and 0.1 m ahead.
SHIFT_M, TURN_XYZW = (0.1, 0.0, -0.2), (-0.5, 0.5, -0.5, 0.5)


def _picture(seed: int) -> np.ndarray:
    """`[height, width, 3]` RGB, smooth, unlike any other's."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return cv2.resize(noise, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def _sweep(seed: int) -> np.ndarray:
    """`[points, 4]` around a scanner."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([-20, -20, -1.5, 0], [20, 20, 3, 1], (200, 4))
    return points.astype(np.float32)


@dataclasses.dataclass(kw_only=True)
class BagPlan:
    """What is written.

    Attributes:
      num_frames: Of each camera and the scanner.
      left_ns, right_ns, lidar_ns: Moment of frame i after the start; None leaves it out.
      is_compressed: JPEG messages.
      encoding: Of raw ones.
      has_info, has_transforms: Whether the calibration and the scanner's place are in it.
      topic: Below each camera.
      picture: By side (0, 1) and number.
      infos: Changes of each side's CameraInfo: k, d, r, p.
      damaged: Frames whose left picture is cut short.
    """

    num_frames: int = 5
    left_ns: Callable[[int], int | None] = lambda number: number * STEP_NS
    right_ns: Callable[[int], int | None] = lambda number: number * STEP_NS + 1_000_000
    lidar_ns: Callable[[int], int | None] = lambda number: number * STEP_NS + 20_000_000
    is_compressed: bool = False
    encoding: str = "bgr8"
    has_info: bool = True
    has_transforms: bool = True
    topic: str = "image_rect"
    picture: Callable[[int, int], np.ndarray] = lambda side, number: _picture(10 * number + side)
    infos: tuple[dict[str, Any], ...] = dataclasses.field(default_factory=lambda: ({}, {}))
    damaged: tuple[int, ...] = ()


def picture(side: int, number: int) -> np.ndarray:
    """What a plan's camera sees."""
    return _picture(10 * number + side)


def sweep(number: int) -> np.ndarray:
    """What its scanner sees."""
    return _sweep(number)


class _Messages:
    """Makes messages of one ROS."""

    def __init__(self, *, is_ros_2: bool) -> None:
        self.store = known_types(Stores.ROS2_HUMBLE if is_ros_2 else Stores.ROS1_NOETIC)
        self.is_ros_2 = is_ros_2

    def make(self, message: str, **fields: Any) -> Any:
        package, _, kind = message.partition("/")
        return self.store.types[f"{package}/msg/{kind}"](**fields)

    def header(self, time_ns: int, frame: str) -> Any:
        stamp = self.make_time(time_ns)
        numbered = {} if self.is_ros_2 else {"seq": 0}
        return self.make("std_msgs/Header", stamp=stamp, frame_id=frame, **numbered)

    def make_time(self, time_ns: int) -> Any:
        seconds, rest = divmod(time_ns, 10**9)
        return self.store.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=rest)

    def image(self, time_ns: int, frame: str, rgb: np.ndarray, plan: BagPlan) -> Any:
        header = self.header(time_ns, frame)
        if plan.is_compressed:
            content = cv2.imencode(".jpg", rgb[..., ::-1])[1].ravel()
            fields = {"header": header, "format": "jpeg", "data": content}
            return self.make("sensor_msgs/CompressedImage", **fields)
        stored = {"rgb8": rgb, "bgr8": rgb[..., ::-1], "mono8": rgb[..., 0]}[plan.encoding]
        # Rows may end with padding.
        rows = stored.reshape(len(rgb), -1)
        padded = np.pad(rows, ((0, 0), (0, 5)))
        return self.make(
            "sensor_msgs/Image",
            header=header,
            height=rgb.shape[0],
            width=rgb.shape[1],
            encoding=plan.encoding,
            is_bigendian=0,
            step=padded.shape[1],
            data=padded.ravel(),
        )

    def info(self, time_ns: int, side: int, plan: BagPlan) -> Any:
        P_side = np.column_stack([K, [-K[0, 0] * BASELINE_M * side, 0, 0]])
        values = {"d": np.zeros(5), "k": K, "r": np.eye(3), "p": P_side} | plan.infos[side]
        values = {name: np.ravel(each).astype(float) for name, each in values.items()}
        if not self.is_ros_2:
            values = {name.upper(): each for name, each in values.items()}
        height, width = plan.picture(side, 0).shape[:2]
        region = self.make(
            "sensor_msgs/RegionOfInterest",
            **{"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False},
        )
        return self.make(
            "sensor_msgs/CameraInfo",
            header=self.header(time_ns, "left_optical"),
            height=height,
            width=width,
            distortion_model="plumb_bob",
            binning_x=0,
            binning_y=0,
            roi=region,
            **values,
        )

    def cloud(self, time_ns: int, points: np.ndarray) -> Any:
        """x y z, a ring that nobody asked for, intensity, and one point that is not finite."""
        layout = (("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("ring", "<u2"), ("pad", "<u2"))
        record = np.dtype([*layout, ("intensity", "<f4")])
        stored = np.zeros(len(points) + 1, record)
        for column, name in enumerate(("x", "y", "z", "intensity")):
            stored[name][:-1] = points[:, column]
        stored["x"][-1] = np.nan
        kinds = {"x": 7, "y": 7, "z": 7, "ring": 4, "intensity": 7}
        fields = [
            self.make(
                "sensor_msgs/PointField",
                name=name,
                offset=record.fields[name][1],
                datatype=kind,
                count=1,
            )
            for name, kind in kinds.items()
        ]
        return self.make(
            "sensor_msgs/PointCloud2",
            header=self.header(time_ns, "velodyne"),
            height=1,
            width=len(stored),
            fields=fields,
            is_bigendian=False,
            point_step=record.itemsize,
            row_step=stored.nbytes,
            data=np.frombuffer(stored.tobytes(), np.uint8),
            is_dense=False,
        )

    def transforms(self) -> Any:
        """velodyne -> base (0.5 m up), base -> left_optical: two steps, one of them backwards."""
        chain = (
            ("base", "velodyne", (0.0, 0.0, 0.5), (0.0, 0.0, 0.0, 1.0)),
            ("base", "left_optical", (SHIFT_M[0], SHIFT_M[1], SHIFT_M[2] + 0.5), TURN_XYZW),
        )
        made = [
            self.make(
                "geometry_msgs/TransformStamped",
                header=self.header(START_NS, parent),
                child_frame_id=child,
                transform=self.make(
                    "geometry_msgs/Transform",
                    translation=self.make(
                        "geometry_msgs/Vector3", **dict(zip("xyz", shift, strict=True))
                    ),
                    rotation=self.make(
                        "geometry_msgs/Quaternion", **dict(zip("xyzw", turn, strict=True))
                    ),
                ),
            )
            for parent, child, shift, turn in chain
        ]
        return self.make("tf2_msgs/TFMessage", transforms=made)


def T_velodyne_to_left() -> np.ndarray:
    """What the transforms come to: x right is -y, y down is -z, z ahead is x."""
    way = np.eye(4)
    way[:3, :3] = [[0, -1, 0], [0, 0, -1], [1, 0, 0]]
    way[:3, 3] = -way[:3, :3] @ SHIFT_M
    return way


def write_bag(path: Path, plan: BagPlan | None = None) -> Path:
    """Writes a `.bag` of ROS 1, or of ROS 2 a `.mcap` (one file) or a folder with a `.db3`.

    Returns:
      The path; of `.mcap` the file in the folder that ROS 2 makes of it.
    """
    plan = plan or BagPlan()
    is_ros_2 = path.suffix != ".bag"
    made = _Messages(is_ros_2=is_ros_2)
    messages: list[tuple[int, str, Any]] = []
    kind = "/compressed" if plan.is_compressed else ""
    for number in range(plan.num_frames):
        for side, (name, when) in enumerate((("left", plan.left_ns), ("right", plan.right_ns))):
            if (after_ns := when(number)) is None:
                continue
            moment = START_NS + after_ns
            frame = made.image(moment, f"{name}_optical", plan.picture(side, number), plan)
            if side == 0 and number in plan.damaged:
                frame.data = frame.data[: len(frame.data) // 2]
            messages.append((moment, f"/cam/{name}/{plan.topic}{kind}", frame))
            if plan.has_info:
                info = made.info(moment, side, plan)
                messages.append((moment, f"/cam/{name}/camera_info", info))
        if (after_ns := plan.lidar_ns(number)) is not None:
            cloud = made.cloud(START_NS + after_ns, sweep(number))
            messages.append((START_NS + after_ns, "/velodyne_points", cloud))
    if plan.has_transforms:
        messages.append((START_NS, "/tf_static", made.transforms()))
    # Recorded later than taken, as always.
    messages = sorted(
        ((moment + 5_000_000, topic, each) for moment, topic, each in messages),
        key=lambda each: each[0],
    )
    return _write_2(path, made, messages) if is_ros_2 else _write_1(path, made, messages)


def _write_1(path: Path, made: _Messages, messages: list[tuple[int, str, Any]]) -> Path:
    with Writer1(path) as writer:
        topics: dict[str, Any] = {}
        for moment, topic, each in messages:
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, each.__msgtype__, typestore=made.store)
            content = made.store.serialize_ros1(each, each.__msgtype__)
            writer.write(topics[topic], moment, content)
    return path


def _write_2(path: Path, made: _Messages, messages: list[tuple[int, str, Any]]) -> Path:
    is_mcap = path.suffix == ".mcap"
    plugin = StoragePlugin.MCAP if is_mcap else StoragePlugin.SQLITE3
    folder = path.with_suffix("") if is_mcap else path
    with Writer2(folder, version=9, storage_plugin=plugin) as writer:
        topics: dict[str, Any] = {}
        for moment, topic, each in messages:
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, each.__msgtype__, typestore=made.store)
            content = made.store.serialize_cdr(each, each.__msgtype__)
            writer.write(topics[topic], moment, content)
    return next(folder.glob("*.mcap")) if is_mcap else path
