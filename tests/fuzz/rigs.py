"""Readers of other programs' calibrations and of ROS bags."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fakes.bags import BagPlan, write_bag
from fakes.stereo_rig import (
    FakeRig,
    kalibr_text,
    rectified_values,
    ros_text,
    stereo_values,
    write_opencv,
)
from fuzz import mutate, sane
from fuzz.case import Case, Reader

from data_prep.rig.formats import read_calibration
from data_prep.rig.from_bag import BagRequest, list_contents, take_out
from data_prep.rig.rectify import claim
from data_prep.rig.writing import read_pose
from mtdepth.datasets.camera_file import read_camera_file
from mtdepth.files import DataError
from mtdepth.pictures import read_rgb

_RIG = FakeRig()
_SIZE = (376, 1241)
_KITTI = "".join(
    f"P{number}: 718.856 0 607.19 {-386.1 * (number % 2)} 0 718.856 185.2157 0 0 0 1 0\n"
    for number in range(4)
)
_POSE = [[0, -1, 0, 0.1], [0, 0, -1, 0.2], [1, 0, 0, -0.3], [0, 0, 0, 1]]


def _of_file(name: str, content: str | None = None) -> Callable[[Path], Case]:
    """A calibration in one file, which `content` or OpenCV writes."""

    def prepare(folder: Path) -> Case:
        path = folder / name
        if content is None:
            write_opencv(path, stereo_values(_RIG))
        else:
            path.write_text(content)
        return Case(path, lambda: _numbers_of(read_calibration([path], size=_sized(name))))

    return prepare


def _sized(name: str) -> tuple[int, int] | None:
    return _SIZE if name == "calib.txt" else None


def _numbers_of(calibration: Any) -> tuple[Any, ...]:
    """What a calibration gives, as one picture's rectification uses it."""
    lenses = [(lens.distortion, rotation) for lens, rotation in calibration.lenses]
    return calibration.camera, calibration.baseline_m, lenses, calibration.T_lidar_to_camera


def _camera(found: tuple[Any, ...]) -> None:
    sane.camera(found[0])


def _ros_pair(folder: Path) -> Case:
    found = rectified_values(_RIG)
    paths = [folder / "left.yaml", folder / "right.yaml"]
    for side, (path, lens) in enumerate(zip(paths, (_RIG.left, _RIG.right), strict=True), start=1):
        path.write_text(ros_text(lens, found[f"R{side}"], found[f"P{side}"]))
    return Case(paths[1], lambda: _numbers_of(read_calibration(paths)))


def _pose(folder: Path) -> Case:
    path = folder / "pose.json"
    path.write_text(json.dumps(_POSE))
    return Case(path, lambda: read_pose(path))


def _bent_camera(folder: Path) -> Case:
    path = folder / "camera.json"
    numbers = {**_RIG.left.camera.to_dict(), "distortion": list(_RIG.left.distortion)}
    path.write_text(json.dumps(numbers))
    return Case(path, lambda: read_camera_file(path))


def _claim(folder: Path) -> Case:
    record = {"bag": "a.bag", "topics": {"left": "/a"}, "max_offset_s": 0.005}
    claim(folder / "new", record)
    return Case(folder / "new" / "made_of.json", lambda: claim(folder / "new", record))


def _bag(name: str, *, is_compressed: bool = False) -> Callable[[Path], Case]:
    """A bag that is listed and taken out; what failed in it is refused, by name."""
    words = "/compressed" * is_compressed
    request = BagRequest(
        left=f"/cam/left/image_rect{words}",
        right=f"/cam/right/image_rect{words}",
        lidar="/velodyne_points",
    )

    def prepare(folder: Path) -> Case:
        bag = write_bag(folder / name, BagPlan(num_frames=2, is_compressed=is_compressed))
        file = next(bag.glob("*.db3")) if bag.is_dir() else bag

        def read() -> Any:
            output = folder / "out"
            shutil.rmtree(output, ignore_errors=True)
            list_contents(bag)
            if failures := take_out(bag, output, request):
                raise DataError(bag, failures[0])
            return [read_rgb(path).mean() for path in sorted(output.glob("*/left/0*"))]

        return Case(file, read)

    return prepare


RIGS = (
    Reader("OpenCV stereo.yml", _of_file("stereo.yml"), mutate.by_text, 0.5, _camera),
    Reader("OpenCV stereo.xml", _of_file("stereo.xml"), mutate.by_text, 0.5, _camera),
    Reader("ROS camera_info", _ros_pair, mutate.by_text, 0.3, _camera),
    Reader(
        "Kalibr camchain",
        _of_file("camchain.yaml", kalibr_text(_RIG)),
        mutate.by_text,
        0.3,
        _camera,
    ),
    Reader(
        "KITTI calib.txt, for a rig",
        _of_file("calib.txt", _KITTI),
        mutate.by_text,
        0.5,
        _camera,
    ),
    Reader("LiDAR pose.json", _pose, mutate.by_json),
    Reader("device camera file, bent", _bent_camera, mutate.by_json, 0.5),
    Reader("made_of.json", _claim, mutate.by_json, 0.5),
    Reader("bag of ROS 1", _bag("drive.bag"), mutate.by_bytes, 0.05),
    Reader("bag of ROS 2, mcap", _bag("drive.mcap", is_compressed=True), mutate.by_bytes, 0.05),
    Reader("bag of ROS 2, sqlite", _bag("drive"), mutate.by_bytes, 0.05),
)
