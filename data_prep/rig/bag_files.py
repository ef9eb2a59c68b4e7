"""ROS bags of both kinds, opened; and what is in them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from apsw import Error as SqliteError  # what rosbags reads .db3 by
from rosbags.highlevel import AnyReader
from rosbags.highlevel.anyreader import AnyReaderError, ReaderErrors
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from data_prep.rig.bag_messages import CAMERA_INFO, CLOUD, PICTURES, TRANSFORMS
from mtdepth.files import DAMAGE, DataError

_TRANSFORMS_TEXT = "geometry_msgs/TransformStamped[] transforms"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[AnyReader]:
    """Opens a `.bag`, a `.mcap` or `.db3` file, or the folder of a ROS 2 bag.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is none, or damaged; also what is read from it later.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such bag")
    if path.is_dir() and not (path / "metadata.yaml").is_file():
        raise DataError(
            path, "is a folder without metadata.yaml; give the .mcap or .db3 file in it"
        )
    try:
        with AnyReader([path], default_typestore=known_types(Stores.ROS2_HUMBLE)) as reader:
            yield reader
    except (AnyReaderError, SqliteError, *ReaderErrors, *DAMAGE) as error:
        if isinstance(error, FileNotFoundError | PermissionError) or _is_ours(error):
            raise
        raise DataError(
            path,
            f"no bag that can be read ({str(error) or type(error).__name__}); copy it again, or "
            "mend it by `ros2 bag reindex` or `rosbag reindex`",
        ) from error


def known_types(distribution: Stores) -> Typestore:
    """How messages are built, for bags that do not say it, as those of ROS 2 before Iron."""
    store = get_typestore(distribution)
    if TRANSFORMS not in store.types:
        store.register(get_types_from_msg(_TRANSFORMS_TEXT, TRANSFORMS))
    return store


def _is_ours(error: Exception) -> bool:
    return type(error).__module__.startswith(("mtdepth", "data_prep"))


def contents(path: Path, reader: AnyReader) -> str:
    """A table of what is in a bag, and the command that would take it out.

    Args:
      path: Of the bag, for the command.
      reader: It, opened.
    """
    seconds = max((reader.end_time - reader.start_time) / 1e9, 1e-9)
    rows = []
    for name, topic in sorted(reader.topics.items()):
        rate = f"{(topic.msgcount - 1) / seconds:.1f}/s" if topic.msgcount > 1 else ""
        rows.append((name, topic.msgtype or "of several types", str(topic.msgcount), rate))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else [0] * 4
    table = "\n".join(
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return (
        f"{path}: {seconds:.1f} s, {reader.message_count} messages\n{table}\n{_hint(path, reader)}"
    )


def _hint(path: Path, reader: AnyReader) -> str:
    kinds = {name: topic.msgtype for name, topic in sorted(reader.topics.items())}
    pictures = [name for name, kind in kinds.items() if kind in PICTURES]
    pictures.sort(key=lambda name: "rect" not in name)
    clouds = [name for name, kind in kinds.items() if kind == CLOUD]
    if not pictures:
        return f"no pictures in it: recordings need {' or '.join(PICTURES)}"
    left = next((name for name in pictures if "left" in name), pictures[0])
    right = left.replace("left", "right")
    words = [f"python -m data_prep.rig --bag {path} --left {left}"]
    words += [f"--right {right}"] if right != left and right in pictures else []
    words += [f"--lidar {clouds[0]}"] if clouds else []
    note = "" if CAMERA_INFO in kinds.values() else "; no camera_info in it: add --calibration FILE"
    return f"take it out by: {' '.join(words)} --output recordings{note}"
