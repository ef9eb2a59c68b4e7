r"""An example ROS 2 node: depth, classes and camera info from a camera, on three topics.

Nothing here imports it. It needs ROS 2 (rclpy, sensor_msgs) beside what the device program needs:

    source /opt/ros/jazzy/setup.bash
    python -m export.device.ros2_example --model models/model.tflite --source 0 --focal_px 600

Topics: `depth/image` (sensor_msgs/Image, 32FC1, metres, NaN = not measured), `classes/image`
(mono8, train ids, 255 = unknown), `depth/camera_info`. A model whose depth has no unit is refused:
the messages' unit is the metre. Messages are stamped with the time at which the picture came, and
the newest picture wins: what came while another was being predicted is left out. It was tried with
stand-ins for ROS only: no ROS 2 was at hand.
"""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.device.camera_model import CameraModel
from export.device.cameras import open_live
from export.device.controls import Controls, Settings
from export.device.engine import Engine
from export.device.live import Request
from export.device.models import open_models
from export.device.recording import Recording, Writer
from export.device.result import Result
from export.device.service import Service
from mtdepth.geometry.camera import Intrinsics


class DepthTopics(Writer):
    """Publishes each result; as sensor data, so the newest counts and none is sent again.

    Takes rclpy's node, the module `sensor_msgs.msg`, `rclpy.duration.Duration`, quality of service.
    """

    def __init__(self, node: Any, messages: Any, *, duration: Any, qos: Any, frame_id: str) -> None:
        self._node, self._messages, self._duration = node, messages, duration
        self._frame_id = frame_id
        self._depth = node.create_publisher(messages.Image, "depth/image", qos)
        self._classes = node.create_publisher(messages.Image, "classes/image", qos)
        self._camera = node.create_publisher(messages.CameraInfo, "depth/camera_info", qos)

    def write(self, result: Result) -> None:
        """Sends one result."""
        # ROS has a clock of its own: the picture came so long before now.
        came = self._node.get_clock().now() - self._duration(seconds=result.age_s)
        stamp = came.to_msg()
        depth_m = result.prediction.depth_m
        measured_m = np.where(depth_m > 0, depth_m, np.float32(np.nan)).astype("<f4")
        self._depth.publish(self._image(measured_m, "32FC1", stamp))
        if result.prediction.train_id is not None:
            self._classes.publish(self._image(result.prediction.train_id, "mono8", stamp))
        if result.camera is not None:
            self._camera.publish(self._camera_info(result.camera, stamp))

    def _image(self, pixels: npt.NDArray[Any], encoding: str, stamp: object) -> Any:
        message = self._messages.Image()
        message.header.stamp = stamp
        message.header.frame_id = self._frame_id
        message.height, message.width = pixels.shape
        message.encoding = encoding
        message.is_bigendian = 0
        message.step = pixels.shape[1] * pixels.itemsize
        message.data = pixels.tobytes()
        return message

    def _camera_info(self, camera: Intrinsics, stamp: object) -> Any:
        message = self._messages.CameraInfo()
        message.header.stamp = stamp
        message.header.frame_id = self._frame_id
        message.height, message.width = camera.height_px, camera.width_px
        message.distortion_model = "plumb_bob"
        message.d = [0.0] * 5
        message.k = camera.K.ravel().tolist()
        message.r = np.eye(3).ravel().tolist()
        message.p = np.hstack([camera.K, np.zeros((3, 1))]).ravel().tolist()
        return message


def main() -> int:
    """The node, until the camera or ROS ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--source", default="0")
    parser.add_argument("--focal_px", type=float, required=True)
    parser.add_argument("--frame_id", default="camera_optical_frame")
    parser.add_argument("--num_threads", type=int, default=2)
    options, ros_arguments = parser.parse_known_args()
    # By name: what checks this project need not have ROS.
    rclpy = importlib.import_module("rclpy")
    qos = importlib.import_module("rclpy.qos").qos_profile_sensor_data
    messages = importlib.import_module("sensor_msgs.msg")
    models = open_models(options.model, num_threads=options.num_threads)
    if not models.backend.contract.is_metric:
        sys.exit(f"{options.model}: its depth has no unit, and these messages are in metres")
    camera = CameraModel(focal_px=options.focal_px)
    engine = Engine(models, num_threads=options.num_threads, camera=camera)
    rclpy.init(args=ros_arguments)
    node = rclpy.create_node("mtdepth")
    duration = importlib.import_module("rclpy.duration").Duration
    topics = DepthTopics(node, messages, duration=duration, qos=qos, frame_id=options.frame_id)
    service = Service(
        open_live(options.source, request=Request()),
        engine,
        Controls(Settings(), sizes=models.sizes),
        recordings=[Recording("topics", topics, is_live=True)],
    )
    service.start()
    try:
        while rclpy.ok() and not service.is_done.wait(0.1):
            pass
    finally:
        service.stop()
        service.join()
        node.destroy_node()
        rclpy.try_shutdown()
    if service.fault is not None:
        raise service.fault
    return 0


if __name__ == "__main__":
    sys.exit(main())
