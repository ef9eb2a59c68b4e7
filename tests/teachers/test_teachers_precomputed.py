"""Teachers that read files: the right file, in the right units, at the right size."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from mtdepth.datasets.frames import FrameId
from mtdepth.files import DataError, UserError
from teachers.interface import StereoSample
from teachers.precomputed import PrecomputedDepth, PrecomputedDisparity, PrecomputedTrainIds

LEFT = FrameId("2011_09_26_drive_0005_sync", 10)
RIGHT = FrameId("2011_09_26_drive_0005_sync", 10, "r")
LAYOUTS = [
    "2011_09_26/2011_09_26_drive_0005_sync/image_02/data/0000000010.png",
    "2011_09_26/2011_09_26_drive_0005_sync/image_02/0000000010.png",
    "2011_09_26_drive_0005_sync/image_02/0000000010.png",
    "2011_09_26/2011_09_26_drive_0005_sync/0000000010.png",
    "2011_09_26_drive_0005_sync/0000000010.png",
]


def sample(frame: FrameId = LEFT, size: tuple[int, int] = (4, 6)) -> StereoSample:
    return StereoSample(
        frame=frame,
        image=np.zeros((*size, 3), np.uint8),
        partner=None,
        focal_px=700.0,
        baseline_m=0.5,
    )


def write(path: Path, value: int, dtype: type = np.uint16, size: tuple[int, int] = (4, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full(size, value, dtype)
    image[0, 0] = 0
    cv2.imwrite(str(path), image)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_disparity_becomes_metres_by_the_rig_in_every_layout(layout: str, tmp_path: Path) -> None:
    write(tmp_path / layout, 35 * 256)
    depth_m = PrecomputedDisparity(tmp_path).predict(sample())
    assert depth_m[0, 0] == 0
    assert (depth_m.ravel()[1:] == 10.0).all()  # 700 px * 0.5 m / 35 px


def test_depth_is_read_as_256ths_of_a_metre(tmp_path: Path) -> None:
    write(tmp_path / LAYOUTS[2], 2560)
    depth_m = PrecomputedDepth(tmp_path).predict(sample())
    assert depth_m.ravel()[:2].tolist() == [0.0, 10.0]


def test_another_unit_is_a_factor_and_stands_in_the_version(tmp_path: Path) -> None:
    write(tmp_path / LAYOUTS[2], 2560)
    teacher = PrecomputedDepth(tmp_path, 0.5)
    assert teacher.predict(sample()).ravel()[:2].tolist() == [0.0, 5.0]
    assert teacher.version.endswith(" times 0.5")
    with pytest.raises(UserError, match="--depth_factor must be positive, got -1"):
        PrecomputedDepth(tmp_path, -1.0)


def test_the_files_ceiling_is_no_number(tmp_path: Path) -> None:
    write(tmp_path / LAYOUTS[2], 65535)
    for teacher in (PrecomputedDepth, PrecomputedDisparity):
        assert not teacher(tmp_path).predict(sample()).any()


def test_a_suffix_in_capitals_is_one(tmp_path: Path) -> None:
    write(tmp_path / LAYOUTS[2], 2560)
    (tmp_path / LAYOUTS[2]).rename((tmp_path / LAYOUTS[2]).with_suffix(".PNG"))
    assert PrecomputedDepth(tmp_path).predict(sample()).max() == 10.0


def test_train_ids_are_read_as_they_are(tmp_path: Path) -> None:
    write(tmp_path / LAYOUTS[2], 18, np.uint8)
    train_id = PrecomputedTrainIds(tmp_path).predict(sample())
    assert train_id.ravel()[:2].tolist() == [0, 18]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_left_frames_file_is_never_taken_for_the_right_one(layout: str, tmp_path: Path) -> None:
    write(tmp_path / layout, 35 * 256)
    with pytest.raises(FileNotFoundError, match=r"no file for frame .* r; tried .*image_03"):
        PrecomputedDisparity(tmp_path).predict(sample(RIGHT))


def test_a_missing_file_names_folder_frame_and_flag(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=re.escape(str(tmp_path)) + r".*--train_id_dir.*0000000010 l"
    ):
        PrecomputedTrainIds(tmp_path).predict(sample())


def test_a_missing_folder_names_its_flag(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such folder; --disparity_dir"):
        PrecomputedDisparity(tmp_path / "nowhere")


def test_a_file_of_another_size_names_both_sizes(tmp_path: Path) -> None:
    write(tmp_path / LAYOUTS[0], 256, size=(2, 3))
    for teacher in (PrecomputedDisparity(tmp_path), PrecomputedDepth(tmp_path)):
        with pytest.raises(DataError, match=r"is 2x3 .*is 4x6"):
            teacher.predict(sample())


def test_a_file_of_another_depth_is_refused(tmp_path: Path) -> None:
    write(tmp_path / LAYOUTS[0], 200, np.uint8)
    with pytest.raises(DataError, match="expected a one-channel uint16 PNG"):
        PrecomputedDisparity(tmp_path).predict(sample())


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / LAYOUTS[0]
    write(path, 256)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match="cut short"):
        PrecomputedDisparity(tmp_path).predict(sample())


def test_label_ids_are_not_taken_for_train_ids(tmp_path: Path) -> None:
    write(tmp_path / LAYOUTS[0], 26, np.uint8)
    with pytest.raises(DataError, match="found 26"):
        PrecomputedTrainIds(tmp_path).predict(sample())
