r"""An example ROS 2 node: depth, classes and camera info from a camera, on three topics.

Nothing here imports it. It needs ROS 2 (rclpy, sensor_msgs) beside what the device program needs:

    source /opt/ros/jazzy/setup.bash
    python -m export.device.ros2_example --model models/model.tflite --source 0 --focal_px 600

Topics: `depth/image` (sensor_msgs/Image, 32FC1, metres, NaN = not measured), `classes/image`
(mono8, train ids, 255 = unknown), `depth/camera_info`. A model whose depth has no unit is refused:
the messages' unit is the metre. It was tried with stand-ins for ROS only: no ROS 2 was at hand.
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
from export.device.engine import Engine
from export.device.live import Request
from export.device.models import open_models
from export.device.result import Look, Result
from export.device.sources import Picture
from mtdepth.geometry.camera import Intrinsics


class DepthTopics:
    """Publishes each result; as sensor data, so the newest counts and none is sent again.

    Args:
      node: Of rclpy.
      messages: The module `sensor_msgs.msg`.
      qos: Quality of service.
      frame_id: Of the camera.
    """

    def __init__(self, node: Any, messages: Any, *, qos: Any, frame_id: str) -> None:
        self._node = node
        self._messages = messages
        self._frame_id = frame_id
        self._depth = node.create_publisher(messages.Image, "depth/image", qos)
        self._classes = node.create_publisher(messages.Image, "classes/image", qos)
        self._camera = node.create_publisher(messages.CameraInfo, "depth/camera_info", qos)

    def publish(self, result: Result) -> None:
        """Sends one result."""
        stamp = self._node.get_clock().now().to_msg()
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
    topics = DepthTopics(node, messages, qos=qos, frame_id=options.frame_id)
    source = open_live(options.source, request=Request())
    try:
        for item in source.frames():
            if not rclpy.ok():
                break
            if isinstance(item, Picture):
                topics.publish(engine.predict(item, Look()))
    finally:
        source.close()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
