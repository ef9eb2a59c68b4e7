"""Saved predictions."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mtdepth.datasets.frames import FrameId
from mtdepth.evaluation.prediction_store import PredictionStore
from mtdepth.files import DataError
from mtdepth.runtime.pipeline import Prediction

LEFT = FrameId("2011_09_26_drive_0001_sync", 5)
RIGHT = FrameId("2011_09_26_drive_0001_sync", 5, "r")


def prediction(value: float, train_id: int | None = 3) -> Prediction:
    depth_m = np.full((4, 6), value, np.float32)
    return Prediction(depth_m, None if train_id is None else np.full((4, 6), train_id, np.uint8))


def test_the_files_lie_where_the_layout_says(tmp_path: Path) -> None:
    PredictionStore(tmp_path).write(LEFT, prediction(2.5))
    folder = tmp_path / "2011_09_26_drive_0001_sync"
    depth = cv2.imread(str(folder / "0000000005.png"), cv2.IMREAD_UNCHANGED)
    ids = cv2.imread(str(folder / "0000000005_train_id.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16
    assert (depth == 640).all()  # 2.5 m * 256
    assert (ids == 3).all()


def test_left_and_right_of_one_moment_do_not_overwrite_each_other(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    store.write(LEFT, prediction(10))
    store.write(RIGHT, prediction(20))
    assert (store.read(LEFT).depth_m == 10).all()
    assert (store.read(RIGHT).depth_m == 20).all()


def test_train_ids_of_an_earlier_prediction_do_not_stay(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    store.write(LEFT, prediction(10))
    store.write(LEFT, prediction(10, train_id=None))
    assert store.read(LEFT).train_id is None


def test_a_missing_prediction_names_its_file_and_frame(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"0000000005\.png: no prediction for frame 2011"):
        PredictionStore(tmp_path).read(LEFT)


def test_depth_and_train_ids_of_two_sizes_are_refused(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    store.write(LEFT, prediction(10))
    cv2.imwrite(str(store.train_id_path(LEFT)), np.zeros((2, 3), np.uint8))
    with pytest.raises(DataError, match=r"\(2, 3\)"):
        store.read(LEFT)
