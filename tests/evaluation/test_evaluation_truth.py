"""Each kind of truth against what it stands for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import write_depth_png
from mtdepth.datasets.lidar import eigen_depth, project_to_depth, read_velodyne
from mtdepth.datasets.rig_folder import RigFolder
from mtdepth.evaluation.truth import TruthReader
from mtdepth.files import DataError, UserError
from mtdepth.metrics.protocols import Truth

SIZE = (64, 192)


@pytest.fixture(scope="module")
def raw(tree: Path) -> KittiRaw:
    return KittiRaw(tree)


@pytest.fixture(scope="module")
def frame(raw: KittiRaw) -> FrameId:
    return raw.frames_of(raw.drives()[0])[1]


def annotated_path(root: Path, frame: FrameId, part: str) -> Path:
    folder = root / part / frame.drive / "proj_depth" / "groundtruth" / frame.camera
    return folder / f"{frame.name}.png"


def test_the_two_lidar_truths_are_camera_z_and_the_published_one(
    raw: KittiRaw, frame: FrameId
) -> None:
    reader = TruthReader(raw=raw)
    points = read_velodyne(raw.velodyne_path(frame))
    rig = raw.calibration(frame.date)
    truths: tuple[tuple[Truth, Any], ...] = (
        ("lidar_camera_z", project_to_depth),
        ("lidar_eigen", eigen_depth),
    )
    for truth, project in truths:
        found = reader.read(truth, frame, size=SIZE, label_depth_m=None)
        np.testing.assert_array_equal(found, project(points, rig, side="l", size=SIZE))
        assert np.count_nonzero(found) > 100


def test_scanner_x_is_refused_where_no_one_knows_where_x_points(frame: FrameId) -> None:
    class Rig:
        layout = RigFolder.layout

    reader = TruthReader(raw=Rig())  # type: ignore[arg-type]
    with pytest.raises(UserError, match="take --protocol camera_z_garg_80m"):
        reader.read("lidar_eigen", frame, size=SIZE, label_depth_m=None)


@pytest.mark.parametrize("part", ["train", "val"])
def test_annotated_depth_is_found_in_either_part(
    raw: KittiRaw, frame: FrameId, tmp_path: Path, part: str
) -> None:
    depth_m = np.zeros(SIZE, np.float32)
    depth_m[40, 100] = 12.5
    write_depth_png(annotated_path(tmp_path, frame, part), depth_m)
    reader = TruthReader(raw=raw, annotated_root=tmp_path)
    found = reader.read("annotated", frame, size=SIZE, label_depth_m=None)
    np.testing.assert_array_equal(found, depth_m)


def test_annotated_depth_that_is_missing_or_of_another_size_is_named(
    raw: KittiRaw, frame: FrameId, tmp_path: Path
) -> None:
    reader = TruthReader(raw=raw, annotated_root=tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"{frame.name}\.png: no annotated depth"):
        reader.read("annotated", frame, size=SIZE, label_depth_m=None)
    write_depth_png(annotated_path(tmp_path, frame, "train"), np.ones((10, 20), np.float32))
    with pytest.raises(DataError, match=r"is \(10, 20\) but its picture is \(64, 192\)"):
        reader.read("annotated", frame, size=SIZE, label_depth_m=None)


def test_a_truth_whose_source_was_not_given_names_the_flag(raw: KittiRaw, frame: FrameId) -> None:
    reader = TruthReader(raw=raw)
    with pytest.raises(ValueError, match="--annotated_root"):
        reader.read("annotated", frame, size=SIZE, label_depth_m=None)
    with pytest.raises(ValueError, match="--labels"):
        reader.read("labels", frame, size=SIZE, label_depth_m=None)


@pytest.mark.dataset
def test_real_annotated_depth_agrees_with_the_sweep_it_was_made_from(kitti_mini: Path) -> None:
    reader = TruthReader(
        raw=KittiRaw(kitti_mini / "raw"), annotated_root=kitti_mini / "data_depth_annotated"
    )
    frame = FrameId.parse("2011_09_26/2011_09_26_drive_0001_sync 0000000005 l")
    annotated, sweep = (
        reader.read(truth, frame, size=(375, 1242), label_depth_m=None)
        for truth in ("annotated", "lidar_camera_z")
    )
    both = (annotated > 0) & (sweep > 0)
    assert np.count_nonzero(both) > 5000
    # The annotation joins this sweep with ten others taken from a moving car.
    assert np.median((np.abs(annotated - sweep) / sweep.clip(1))[both]) < 0.01
