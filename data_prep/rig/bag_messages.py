"""Messages of ROS as pictures, sweeps, calibrations and transforms.

sensor_msgs and geometry_msgs of ROS 1 and ROS 2, which differ in the case of some names.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.rig.calibration import Matrix
from data_prep.rig.entries import Entries
from mtdepth.files import UserError

Image = npt.NDArray[np.uint8]

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CLOUD, CAMERA_INFO = "sensor_msgs/msg/PointCloud2", "sensor_msgs/msg/CameraInfo"
TRANSFORMS = "tf2_msgs/msg/TFMessage"
PICTURES = (IMAGE, COMPRESSED)
# sensor_msgs/image_encodings.hpp: channels, bytes of each, and how OpenCV makes RGB of it.
_ENCODINGS: dict[str, tuple[int, int, int | None]] = {
    "rgb8": (3, 1, None),
    "bgr8": (3, 1, cv2.COLOR_BGR2RGB),
    "8uc3": (3, 1, cv2.COLOR_BGR2RGB),
    "rgba8": (4, 1, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, 1, cv2.COLOR_BGRA2RGB),
    "mono8": (1, 1, cv2.COLOR_GRAY2RGB),
    "8uc1": (1, 1, cv2.COLOR_GRAY2RGB),
    "mono16": (1, 2, cv2.COLOR_GRAY2RGB),
    "rgb16": (3, 2, None),
    "bgr16": (3, 2, cv2.COLOR_BGR2RGB),
    "bayer_rggb8": (1, 1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": (1, 1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": (1, 1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": (1, 1, cv2.COLOR_BayerGRBG2RGB),
    "yuv422": (2, 1, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, 1, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, 1, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, 1, cv2.COLOR_YUV2RGB_YUY2),
}
# sensor_msgs/PointField: 1 int8 ... 8 float64.
_FIELD_TYPES = dict(enumerate(("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"), start=1))
_REFLECTANCES = ("intensity", "reflectivity", "reflectance", "i")
_JPEG_START = b"\xff\xd8\xff"


def stamp_ns(content: bytes, *, is_ros_2: bool) -> int:
    """When a message with a header says that it was taken, nanoseconds; 0 where it does not.

    Read from its first bytes, since unpacking a picture for its time takes a hundred times as long:
    in CDR four bytes of representation, then the seconds; in ROS 1 a sequence number before them.
    """
    order = "<" if not is_ros_2 or content[1] & 1 else ">"
    seconds, nanoseconds = np.frombuffer(content, f"{order}u4", count=2, offset=4).tolist()
    return int(seconds) * 10**9 + int(nanoseconds)


def jpeg_of(message: Any) -> bytes | None:
    """The JPEG that a compressed picture is, as it was recorded; None of other kinds."""
    content = bytes(message.data)
    return content if content.startswith(_JPEG_START) else None


def picture_of(message: Any, kind: str) -> Image:
    """A picture message as `[height, width, 3]` RGB.

    Raises:
      UserError: If it is damaged, or of an encoding that is not known; says why.
    """
    return _decompressed(message) if kind == COMPRESSED else _unpacked(message)


def _decompressed(message: Any) -> Image:
    try:
        image = cv2.imdecode(np.frombuffer(bytes(message.data), np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise UserError(f"not a readable picture ({error.err})") from error
    if image is None:
        raise UserError(f"not a readable picture (format {message.format!r})")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _unpacked(message: Any) -> Image:
    encoding = str(message.encoding).lower()
    if encoding not in _ENCODINGS:
        raise UserError(f"encoding {message.encoding!r} is not one of {', '.join(_ENCODINGS)}")
    channels, num_bytes, code = _ENCODINGS[encoding]
    height, width, step = int(message.height), int(message.width), int(message.step)
    row_bytes = width * channels * num_bytes
    content = np.frombuffer(bytes(message.data), np.uint8)
    if not height or not width or step < row_bytes or content.size < height * step:
        raise UserError(
            f"{content.size} bytes are no picture of {width}x{height}, {step} bytes a row, as "
            f"{encoding}"
        )
    rows = content[: height * step].reshape(height, step)[:, :row_bytes]
    if num_bytes == 2:  # the upper bits of it
        rows = rows[:, int(not message.is_bigendian) :: 2]
    image = np.ascontiguousarray(rows).reshape(height, width, channels)
    image = image[..., 0] if channels == 1 else image
    return np.asarray(image if code is None else cv2.cvtColor(image, code), np.uint8)


def sweep_of(message: Any) -> npt.NDArray[np.float32]:
    """A cloud's points `[n, 4]`: x, y, z in its frame, metres, and reflectance, 0 without.

    Points that are not finite, as where no echo came back, are left out.

    Raises:
      UserError: If it has no x, y and z, or is cut short.
    """
    fields = {field.name: field for field in message.fields}
    if missing := [name for name in "xyz" if name not in fields]:
        raise UserError(f"the cloud has no {', '.join(missing)}, but {', '.join(fields)}")
    reflectance = next((name for name in _REFLECTANCES if name in fields), None)
    names = [*"xyz", *([] if reflectance is None else [reflectance])]
    order = ">" if message.is_bigendian else "<"
    try:
        record = np.dtype(
            {
                "names": names,
                "formats": [order + _FIELD_TYPES[fields[name].datatype] for name in names],
                "offsets": [fields[name].offset for name in names],
                "itemsize": message.point_step,
            }
        )
        height, width, step = int(message.height), int(message.width), int(message.row_step)
        content = np.frombuffer(bytes(message.data), np.uint8)
        # Of one row some drivers leave the step out.
        step = step if height > 1 else width * record.itemsize
        rows = content[: height * step].reshape(height, step)[:, : width * record.itemsize]
        found = np.ascontiguousarray(rows).view(record).ravel()
    except (KeyError, ValueError) as error:
        raise UserError(f"the cloud cannot be unpacked ({error})") from error
    points = np.zeros((len(found), 4), np.float32)
    for column, name in enumerate(names):
        points[:, column] = found[name]
    return points[np.isfinite(points[:, :3]).all(axis=1)]


def entries_of(message: Any, source: Path) -> Entries:
    """A CameraInfo as the entries of the YAML of the same content."""

    def numbers(name: str) -> list[float]:
        return list(map(float, getattr(message, name, getattr(message, name.upper(), ()))))

    return Entries(
        source,
        {
            "image_width": int(message.width),
            "image_height": int(message.height),
            "distortion_model": str(message.distortion_model),
            "camera_matrix": numbers("k"),
            "distortion_coefficients": numbers("d"),
            "rectification_matrix": numbers("r"),
            "projection_matrix": numbers("p"),
        },
    )


def transforms_of(message: Any) -> Iterable[tuple[str, str, Matrix]]:
    """Parent frame, child frame and the `[4, 4]` that takes the child's points to the parent."""
    for each in message.transforms:
        turn, shift = each.transform.rotation, each.transform.translation
        way = np.eye(4)
        way[:3, :3] = _rotation(np.array([turn.x, turn.y, turn.z, turn.w], np.float64))
        way[:3, 3] = shift.x, shift.y, shift.z
        yield each.header.frame_id.strip("/"), each.child_frame_id.strip("/"), way


def way_between(
    transforms: Iterable[tuple[str, str, Matrix]], start: str, end: str
) -> Matrix | None:
    """`[4, 4]`, points of one frame to another by a chain of transforms; None without a chain."""
    neighbours: dict[str, dict[str, Matrix]] = {}
    for parent, child, way in transforms:
        neighbours.setdefault(child, {})[parent] = way
        neighbours.setdefault(parent, {})[child] = np.asarray(np.linalg.inv(way), np.float64)
    found = {start.strip("/"): np.eye(4)}
    waiting = list(found)
    while waiting:
        frame = waiting.pop(0)
        for other, way in neighbours.get(frame, {}).items():
            if other not in found:
                found[other] = way @ found[frame]
                waiting.append(other)
    return found.get(end.strip("/"))


def _rotation(xyzw: npt.NDArray[Any]) -> Matrix:
    """A quaternion as `[3, 3]`."""
    x, y, z, w = (xyzw / np.linalg.norm(xyzw)).tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
