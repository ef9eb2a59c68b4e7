"""A ROS bag becomes a drive of recordings."""

import concurrent.futures
import dataclasses
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from rosbags.highlevel import AnyReader
from tqdm import tqdm

from data_prep.rig.bag_files import contents, opened
from data_prep.rig.bag_messages import (
    CAMERA_INFO,
    CLOUD,
    COMPRESSED,
    PICTURES,
    TRANSFORMS,
    entries_of,
    jpeg_of,
    picture_of,
    stamp_ns,
    sweep_of,
    transforms_of,
    way_between,
)
from data_prep.rig.bag_times import (
    Times,
    frame_numbers,
    gaps_in_words,
    pair_up,
    period_ns,
    time_stamps,
)
from data_prep.rig.calibration import Calibration, Matrix
from data_prep.rig.rectifier import Rectifier
from data_prep.rig.rectify import claim, identity, write_picture
from data_prep.rig.ros_files import from_entries
from data_prep.rig.writing import write_rig
from mtdepth.attempts import Failed, attempt
from mtdepth.datasets.plausible import sweep_problem
from mtdepth.datasets.rig_folder import RIG_FILE, RigFolder
from mtdepth.files import DataError, UserError, atomic_path, remove_leftovers, write_text
from mtdepth.pictures import PICTURE_SUFFIXES

LEFT, RIGHT = RigFolder.layout.camera_folders["l"], RigFolder.layout.camera_folders["r"]
LIDAR = RigFolder.layout.lidar_folder
_TIMES_FILE = "timestamps.txt"
_SUFFIX_OF_COMPRESSED = "/compressed"
# ours: fewer pairs than this of all left pictures are no recording of a synchronised rig.
_MIN_PAIRED = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class BagRequest:
    """What to take out of a bag.

    Attributes:
      left: Topic of the left, or only, camera's pictures.
      right: Of the right one's.
      lidar: Of the scanner's clouds.
      camera_infos: Of the calibrations, left first; empty for those beside the pictures.
      calibration: Instead of camera_info.
      T_lidar_to_left: `[4, 4]` instead of the bag's static transforms.
      is_rectified: Whether the pictures are; None for what their topic says.
      max_offset_s: Between the pictures of a pair.
    """

    left: str
    right: str | None = None
    lidar: str | None = None
    camera_infos: tuple[str, ...] = ()
    calibration: Calibration | None = None
    T_lidar_to_left: Matrix | None = None
    is_rectified: bool | None = None
    max_offset_s: float = 0.005

    @property
    def topics(self) -> dict[str, str]:
        """The topic of each folder of a drive."""
        named = {LEFT: self.left, RIGHT: self.right, LIDAR: self.lidar}
        return {folder: topic for folder, topic in named.items() if topic is not None}

    @property
    def takes_rectified(self) -> bool:
        """Whether the pictures are rectified already: `image_rect`, `image_rect_color`, ..."""
        if self.is_rectified is not None:
            return self.is_rectified
        return "rect" in self.left.removesuffix(_SUFFIX_OF_COMPRESSED).rpartition("/")[2]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Index:
    """When everything was taken, and what else the bag tells."""

    times_ns: Mapping[str, Times]  # by folder, as recorded
    frames: Mapping[str, str]  # the coordinate frame of each folder's messages
    infos: Mapping[str, Any]  # the first CameraInfo of each topic
    transforms: list[tuple[str, str, Matrix]]


def list_contents(path: Path) -> str:
    """What is in a bag, in words; raises as `opened`."""
    with opened(path) as reader:
        return contents(path, reader)


def drive_of(path: Path) -> str:
    """What a bag's drive is called."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem).strip("._-") or "drive"
    return f"drive_{name}" if name.isdigit() else name


def take_out(path: Path, output: Path, request: BagRequest) -> list[str]:
    """Writes a bag's pictures and sweeps as a drive; begun and stopped, it goes on.

    Args:
      path: The bag.
      output: The recordings; other bags' drives may be there.
      request: What to take.

    Returns:
      What failed, in words.

    Raises:
      FileNotFoundError: If there is no such bag.
      DataError: If it is damaged, or its calibration is no rig's.
      UserError: If a topic is missing or of another type, or hardly any pair belongs together.
    """
    with opened(path) as reader:
        _check_topics(path, reader, request)
        index = _index(path, reader, request)
        calibration = _calibration(path, index, request)
        numbers = _numbers(path, index, request)
        drive = output / drive_of(path)
        record = {
            "bag": path.name,
            "topics": request.topics,
            "rectified": request.takes_rectified,
            "max_offset_s": request.max_offset_s,
        }
        claim(drive, record | {"calibration": identity(calibration)})
        for folder in numbers:
            remove_leftovers(drive / folder)
        failures = _write_all(reader, drive, request, numbers, calibration)
    for folder, of_folder in numbers.items():
        stamps = time_stamps(index.times_ns[folder][list(of_folder)], list(of_folder.values()))
        write_text(drive / folder / _TIMES_FILE, stamps)
    _write_rig(output, drive, calibration)
    return [f"{path}: {why}" for why in failures]


def _check_topics(path: Path, reader: AnyReader, request: BagRequest) -> None:
    topics = reader.topics
    wanted = [
        (topic, (CLOUD,) if folder == LIDAR else PICTURES)
        for folder, topic in request.topics.items()
    ]
    wanted += [(topic, (CAMERA_INFO,)) for topic in request.camera_infos]
    for topic, kinds in wanted:
        if topic not in topics:
            raise UserError(f"{path} has no topic {topic}; {contents(path, reader)}")
        if topics[topic].msgtype not in kinds:
            raise UserError(
                f"{path}: {topic} is {topics[topic].msgtype}, it must be {' or '.join(kinds)}"
            )
        if not topics[topic].msgcount:
            raise UserError(f"{path}: {topic} has no message; was it recorded?")


def _index(path: Path, reader: AnyReader, request: BagRequest) -> _Index:
    """Goes through the bag once, without unpacking pictures."""
    folder_of = {topic: folder for folder, topic in request.topics.items()}
    kinds = (CAMERA_INFO, TRANSFORMS)
    wanted = [
        each
        for each in reader.connections
        if each.topic in folder_of or (each.msgtype in kinds and each.topic != "/tf")
    ]
    times: dict[str, list[int]] = {folder: [] for folder in folder_of.values()}
    frames: dict[str, str] = {}
    infos: dict[str, Any] = {}
    transforms: list[tuple[str, str, Matrix]] = []
    num_unstamped = 0
    total = sum(each.msgcount for each in wanted)
    messages = reader.messages(connections=wanted)
    for connection, received_ns, content in tqdm(messages, "times", total, unit="message"):
        if connection.topic in folder_of:
            folder = folder_of[connection.topic]
            moment_ns = stamp_ns(content, is_ros_2=reader.is2)
            num_unstamped += not moment_ns
            times[folder].append(moment_ns or received_ns)
            if folder not in frames:
                message: Any = reader.deserialize(content, connection.msgtype)
                frames[folder] = message.header.frame_id
        elif connection.msgtype == TRANSFORMS:
            transforms += transforms_of(reader.deserialize(content, connection.msgtype))
        elif connection.topic not in infos:
            infos[connection.topic] = reader.deserialize(content, connection.msgtype)
    if num_unstamped:
        logging.warning(
            "%s: %d messages do not say when they were taken; the time they were recorded at is "
            "used", path, num_unstamped,
        )  # fmt: skip
    return _Index(
        times_ns={folder: np.array(each, np.int64) for folder, each in times.items()},
        frames=frames,
        infos=infos,
        transforms=transforms,
    )


def _calibration(path: Path, index: _Index, request: BagRequest) -> Calibration:
    calibration = request.calibration
    if calibration is None:
        topics = [topic for topic in (request.left, request.right) if topic is not None]
        names = request.camera_infos or tuple(map(_info_beside, topics))
        if len(names) != len(topics):
            raise UserError(f"--camera takes a camera_info for each camera: {len(topics)}")
        if missing := [name for name in names if name not in index.infos]:
            there = ", ".join(index.infos) or "none"
            raise UserError(
                f"{path} has no camera_info {', '.join(missing)} (there are: {there}); name it by "
                "--camera LEFT,RIGHT, or give --calibration FILE"
            )
        entries = [entries_of(index.infos[name], Path(f"{path}:{name}")) for name in names]
        right = entries[1] if len(entries) > 1 else None
        calibration = from_entries(entries[0], right, is_rectified=request.takes_rectified)
    if request.right is not None and calibration.baseline_m is None:
        raise DataError(calibration.path, "tells of one camera, but --right names a second")
    if request.right is None:
        calibration = dataclasses.replace(calibration, baseline_m=None, lens_right=None)
    if request.lidar is None:
        return dataclasses.replace(calibration, T_lidar_to_camera=None)
    T_lidar_to_left = request.T_lidar_to_left
    if T_lidar_to_left is None and calibration.T_lidar_to_camera is not None:
        return calibration
    if T_lidar_to_left is None:
        start, end = index.frames[LIDAR], index.frames[LEFT]
        T_lidar_to_left = way_between(index.transforms, start, end)
        if T_lidar_to_left is None:
            raise UserError(
                f"{path}: no static transforms lead from {start!r}, the scanner, to {end!r}, the "
                "left camera; give --lidar_to_camera"
            )
        logging.info("the scanner's place is from the bag: %s to %s", start, end)
    return calibration.with_lidar(T_lidar_to_left)


def _info_beside(topic: str) -> str:
    place = topic.removesuffix(_SUFFIX_OF_COMPRESSED).rpartition("/")[0]
    return f"{place}/camera_info"


def _numbers(path: Path, index: _Index, request: BagRequest) -> dict[str, dict[int, int]]:
    """The frame number of each message that is taken, by folder and its place in its topic."""
    order = {folder: np.argsort(each, kind="stable") for folder, each in index.times_ns.items()}
    for folder, each in index.times_ns.items():
        if (np.diff(each) < 0).any():
            logging.warning("%s: times of %s go back; sorted", path, request.topics[folder])
    times_ns = {folder: each[order[folder]] for folder, each in index.times_ns.items()}
    for folder, each in times_ns.items():
        if said := gaps_in_words(each):
            logging.warning("%s: %s has %s", path, request.topics[folder], said)
    left_ns = times_ns[LEFT]
    numbers_of_left = frame_numbers(left_ns)
    kept = np.arange(len(left_ns))
    found: dict[str, dict[int, int]] = {}
    if RIGHT in times_ns:
        pairs = pair_up(left_ns, times_ns[RIGHT], max_offset_ns=request.max_offset_s * 1e9)
        _say_pairs(path, left_ns, times_ns[RIGHT], pairs.first, request)
        kept = pairs.first
        found[RIGHT] = _named(order[RIGHT][pairs.second], numbers_of_left[pairs.first])
    found[LEFT] = _named(order[LEFT][kept], numbers_of_left[kept])
    if LIDAR in times_ns:
        sweeps = pair_up(
            left_ns[kept], times_ns[LIDAR], max_offset_ns=period_ns(times_ns[LIDAR]) / 2
        )
        logging.info(
            "%s: %d of %d sweeps go with a picture, %.1f ms apart (median)",
            *(path, len(sweeps.first), len(times_ns[LIDAR]), 1e3 * sweeps.typical_offset_s),
        )
        places = order[LIDAR][sweeps.second]
        found[LIDAR] = _named(places, numbers_of_left[kept[sweeps.first]])
    return found


def _named(places: Any, numbers: Any) -> dict[int, int]:
    return dict(zip(places.tolist(), numbers.tolist(), strict=True))


def _say_pairs(
    path: Path, left_ns: Times, right_ns: Times, paired: Any, request: BagRequest
) -> None:
    apart = pair_up(left_ns, right_ns, max_offset_ns=np.inf)
    offset_ms, bound_ms = 1e3 * apart.typical_offset_s, 1e3 * request.max_offset_s
    said = (
        f"{path}: {len(paired)} of {len(left_ns)} left pictures have a right one within "
        f"{bound_ms:g} ms; nearest ones are {offset_ms:.2f} ms apart (median)"
    )
    if len(paired) < _MIN_PAIRED * len(left_ns):
        raise UserError(
            f"{said}: the two cameras were not synchronised, and what moves would be at a wrong "
            "depth; --max_offset_ms takes a wider bound all the same"
        )
    (logging.info if len(paired) == len(left_ns) else logging.warning)("%s", said)


def _write_all(
    reader: AnyReader,
    drive: Path,
    request: BagRequest,
    numbers: Mapping[str, Mapping[int, int]],
    calibration: Calibration,
) -> list[str]:
    rectifier = None if request.takes_rectified else Rectifier(calibration)
    if rectifier is not None:
        logging.info("pictures are rectified as they are taken out")
    folder_of = {topic: folder for folder, topic in request.topics.items()}
    wanted = [each for each in reader.connections if each.topic in folder_of]
    places = dict.fromkeys(folder_of.values(), -1)
    failures = []

    def jobs() -> Iterator[Callable[[], str]]:
        for connection, _, content in reader.messages(connections=wanted):
            folder = folder_of[connection.topic]
            places[folder] += 1
            number = numbers[folder].get(places[folder])
            if number is None or _is_there(drive / folder, number):
                yield lambda: ""
                continue
            message = reader.deserialize(content, connection.msgtype)
            yield _Writing(message, connection.msgtype, drive / folder, number, rectifier)

    total = sum(each.msgcount for each in wanted)
    for why in tqdm(_done(jobs()), f"{drive.name}", total, unit="message"):
        if why:
            failures.append(why)
    return failures


def _done(jobs: Iterator[Callable[[], str]]) -> Iterator[str]:
    """Runs jobs by threads, a few ahead: a bag is larger than memory."""
    num_threads = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(num_threads) as pool:
        waiting: deque[concurrent.futures.Future[str]] = deque()
        for job in jobs:
            waiting.append(pool.submit(job))
            if len(waiting) > 2 * num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _is_there(folder: Path, number: int) -> bool:
    return any((folder / f"{number:06d}{end}").is_file() for end in (*PICTURE_SUFFIXES, ".bin"))


@dataclasses.dataclass(frozen=True)
class _Writing:
    """One message that becomes a file; called, it says what went wrong, or nothing."""

    message: Any
    kind: str
    folder: Path
    number: int
    rectifier: Rectifier | None

    def __call__(self) -> str:
        result = attempt(self._sweep if self.kind == CLOUD else self._picture)
        if isinstance(result, Failed):
            return f"{self.folder.name} of frame {self.number}: {result.why}"
        return ""

    def _picture(self) -> None:
        jpeg = jpeg_of(self.message) if self.kind == COMPRESSED else None
        path = self.folder / f"{self.number:06d}{'.png' if jpeg is None else '.jpg'}"
        image = picture_of(self.message, self.kind)
        if jpeg is not None and self.rectifier is None:
            _write_bytes(path, jpeg)  # as it was recorded, without a loss
            return
        side = 1 if self.folder.name == RIGHT else 0
        if self.rectifier is not None:
            image = self.rectifier.picture(image, side)
        write_picture(path, image)

    def _sweep(self) -> None:
        points = sweep_of(self.message)
        if why := sweep_problem(points):
            raise UserError(f"no sweep in metres around its scanner: {why}")
        _write_bytes(self.folder / f"{self.number:06d}.bin", points.astype("<f4").tobytes())


def _write_bytes(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _write_rig(output: Path, drive: Path, calibration: Calibration) -> None:
    """Of the first bag for all drives; of one with another rig beside its own pictures."""
    own, shared = drive / RIG_FILE, output / RIG_FILE
    write_rig(own, calibration)
    if not shared.is_file() or shared.read_bytes() == own.read_bytes():
        own.replace(shared)
