"""Make3D's files, as this test writes them, through reader and crop."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from mtdepth.evaluation.make3d import (
    find_frames,
    make3d_columns,
    make3d_errors,
    read_depth,
    score_frame,
)
from mtdepth.files import DataError
from mtdepth.pictures import write_png
from mtdepth.runtime.pipeline import Prediction

HEIGHT_PX, WIDTH_PX = 227, 170  # a tenth of the real ones


def write_frame(root: Path, name: str, depth_m: np.ndarray, image: np.ndarray) -> None:
    (root / "Gridlaserdata").mkdir(parents=True, exist_ok=True)
    grid = np.zeros((*depth_m.shape, 4))
    grid[:, :, 3] = depth_m
    scipy.io.savemat(root / f"Gridlaserdata/depth_sph_corr-{name}.mat", {"Position3DGrid": grid})
    write_png(root / f"Test134/img-{name}.png", image)


def rows_as_depth() -> np.ndarray:
    """Depths that say which of the 55 rows they are."""
    return np.repeat(np.arange(1.0, 56.0)[:, None], 305, axis=1)


def rows_as_grey() -> np.ndarray:
    ramp = np.arange(HEIGHT_PX, dtype=np.uint8)
    return np.repeat(np.repeat(ramp[:, None, None], WIDTH_PX, axis=1), 3, axis=2)


@dataclasses.dataclass
class RowPredictor:
    """Says of each pixel the true depth at the row of the whole picture that it is from."""

    factor: float = 0.02
    seen: tuple[int, ...] = ()

    def predict(self, image_rgb: np.ndarray) -> Prediction:
        self.seen = image_rgb.shape
        laser_row = (image_rgb[..., 0].astype(np.float32) + 0.5) * 55 / HEIGHT_PX + 0.5
        return Prediction(laser_row * np.float32(self.factor), None)


def test_picture_and_depths_are_cropped_alike(tmp_path: Path) -> None:
    write_frame(tmp_path, "op57-p-016t000", rows_as_depth(), rows_as_grey())
    (frame,) = find_frames(tmp_path)
    image, depth_m = frame.read()
    assert image.shape == (85, 170, 3)
    assert depth_m.shape == (21, 305)  # as published
    assert (depth_m[0, 0], depth_m[-1, 0]) == (18.0, 38.0)  # rows 17 to 37 of 0 to 54
    predictor = RowPredictor()
    sums, _ = score_frame(frame, predictor)  # type: ignore[arg-type]
    assert predictor.seen == (85, 170, 3)
    # What is left is the rounding of rows: at most one of about 28.
    assert sums.errors().abs_rel < 0.02


def test_other_crops_of_the_same_files_would_be_noticed(tmp_path: Path) -> None:
    write_frame(tmp_path, "a", rows_as_depth()[::-1], rows_as_grey())
    (frame,) = find_frames(tmp_path)
    sums, _ = score_frame(frame, RowPredictor())  # type: ignore[arg-type]
    assert sums.errors().abs_rel > 0.15


def test_pairs_are_found_wherever_they_lie(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"0 img-\*.jpg and 0 depth_sph_corr-\*.mat"):
        find_frames(tmp_path)
    for name in ("b", "a"):
        write_frame(tmp_path / "deep", name, rows_as_depth(), rows_as_grey())
    write_png(tmp_path / "deep/Test134/img-lonely.png", rows_as_grey())
    assert [frame.name for frame in find_frames(tmp_path)] == ["a", "b"]


def test_a_damaged_depth_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "depth_sph_corr-x.mat"
    path.write_bytes(b"no matlab file")
    with pytest.raises(DataError, match=r"depth_sph_corr-x\.mat.*Position3DGrid"):
        read_depth(path)
    scipy.io.savemat(path, {"other": np.zeros(3)})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="copy it again"):
        read_depth(path)
    scipy.io.savemat(path, {"Position3DGrid": np.full((2, 2, 4), "far", object)})
    with pytest.raises(DataError, match="copy it again"):
        read_depth(path)
    scipy.io.savemat(path, {"other": np.zeros(3)})
    with pytest.raises(DataError, match="Position3DGrid"):
        read_depth(path)
    scipy.io.savemat(path, {"Position3DGrid": np.zeros((3, 3))})
    with pytest.raises(DataError, match=r"must be \[rows, columns, 4\]"):
        read_depth(path)


def test_errors_by_hand() -> None:
    truth_m = np.array([[10.0, 40.0, 80.0, 0.0]])  # the third is too far, the fourth unmeasured
    sums = make3d_errors(truth_m, np.array([[20.0, 20.0, 1.0, 1.0]]), median_scaling=False)
    found = make3d_columns(sums.errors())
    np.testing.assert_allclose(found["abs_rel"], (1.0 + 0.5) / 2)
    np.testing.assert_allclose(found["sq_rel"], (100 / 10 + 400 / 40) / 2)
    np.testing.assert_allclose(found["rmse"], np.sqrt((100 + 400) / 2))
    np.testing.assert_allclose(found["rmse_log10"], np.log10(2))  # both are off by a factor of two
    np.testing.assert_allclose(found["rmse_ln"], np.log(2))


def test_median_scaling_makes_scale_irrelevant() -> None:
    rng = np.random.default_rng(0)
    truth_m = rng.uniform(2, 60, (21, 305))
    predicted = truth_m * rng.uniform(0.8, 1.25, truth_m.shape)
    once = make3d_errors(truth_m, predicted, median_scaling=True).errors()
    again = make3d_errors(truth_m, predicted * 0.037, median_scaling=True).errors()
    np.testing.assert_allclose(again.abs_rel, once.abs_rel, rtol=1e-9)
    assert 0.05 < once.abs_rel < 0.2


def test_far_predictions_count_as_seventy_metres() -> None:
    found = make3d_errors(np.array([[35.0]]), np.array([[900.0]]), median_scaling=False).errors()
    np.testing.assert_allclose(found.abs_rel, 1.0)


def test_a_broken_prediction_and_nothing_to_score_are_said() -> None:
    truth_m = np.array([[10.0, 10.0]])
    with pytest.raises(ValueError, match="NaN, infinite or negative"):
        make3d_errors(truth_m, np.array([[np.nan, 10.0]]), median_scaling=False)
    with pytest.raises(ValueError, match="no laser depth below 70 m"):
        make3d_errors(np.array([[90.0]]), np.array([[1.0]]), median_scaling=True)
    with pytest.raises(ValueError, match=r"truth is \(1, 2\)"):
        make3d_errors(truth_m, np.ones((2, 2)), median_scaling=True)
