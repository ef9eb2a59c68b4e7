"""Arrays of other projects' predictions, scored as their own evaluation does."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mtdepth.datasets.frames import FrameId
from mtdepth.evaluation.prediction_arrays import ArrayMeaning, array_row
from mtdepth.evaluation.predictors import Scene
from mtdepth.files import DataError, UserError
from mtdepth.geometry.camera import Intrinsics

FRAMES = [FrameId("drive", index) for index in (4, 2, 9)]
CAMERA = Intrinsics(fx_px=40.0, fy_px=40.0, cx_px=23.5, cy_px=7.5, width_px=48, height_px=16)
INVERSE = ArrayMeaning(holds="inverse_depth")


def scene(frame: FrameId) -> Scene:
    image = np.zeros((16, 48, 3), np.uint8)
    return Scene(frame=frame, image=image, camera=CAMERA, label_depth_m=None, label_train_id=None)


def test_inverse_depth_is_resized_before_it_is_inverted_and_rows_follow_the_split(
    tmp_path: Path,
) -> None:
    inverse = np.random.default_rng(0).uniform(0.01, 0.5, (3, 8, 24)).astype(np.float32)
    np.save(tmp_path / "disps.npy", inverse)
    row, identity = array_row(tmp_path / "disps.npy", FRAMES, INVERSE)
    for index, frame in enumerate(FRAMES):
        expected = 1 / cv2.resize(inverse[index], (48, 16))
        np.testing.assert_allclose(row.predict(scene(frame)).depth_m, expected, rtol=1e-6)
    assert identity["scale_source"] == "none"
    assert row.title == "disps.npy (inverse_depth, no unit)"


def test_depth_in_metres_times_its_scale_with_a_channel_too_many(tmp_path: Path) -> None:
    np.savez(tmp_path / "depth.npz", data=np.full((3, 1, 8, 24), 2.0))
    meaning = ArrayMeaning(holds="depth", scale=5.4)
    row, identity = array_row(tmp_path / "depth.npz", FRAMES, meaning)
    np.testing.assert_allclose(row.predict(scene(FRAMES[0])).depth_m, 10.8, rtol=1e-6)
    assert "scale_source" not in identity


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 8, 24)), r"predictions of 2 frames, the split 3: .*in its order"),
        (np.ones((3, 8)), r"is \[3, 8\] of float64, not \[frames, height, width\]"),
        (np.ones((3, 8, 24), np.uint8), "of uint8, not"),
        (np.full((3, 8, 24), np.nan), "NaN"),
    ],
)
def test_another_array_is_named_with_what_it_should_be(
    tmp_path: Path, values: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(DataError, match=rf"a\.npy: .*{message}"):
        array_row(tmp_path / "a.npy", FRAMES, INVERSE)


def test_two_arrays_and_depth_that_is_none_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=np.ones(3), b=np.ones(3))
    with pytest.raises(DataError, match=r"holds not one array, but a, b"):
        array_row(tmp_path / "two.npz", FRAMES, INVERSE)
    np.save(tmp_path / "zero.npy", np.zeros((3, 8, 24), np.float32))
    row, _ = array_row(tmp_path / "zero.npy", FRAMES, INVERSE)
    with pytest.raises(UserError, match=r"row 0 holds inverse_depth of 0 or less"):
        row.predict(scene(FRAMES[0]))
