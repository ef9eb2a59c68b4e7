"""The Make3D test set: 134 upright pictures with laser depths, its published crop and errors."""

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.datasets.mat_file import read_mat_array
from mtdepth.files import DataError, UserError
from mtdepth.metrics.depth import DepthErrors, ErrorSums, error_sums
from mtdepth.pictures import read_rgb
from mtdepth.runtime.pipeline import Pipeline

DOWNLOAD_PAGE = "http://make3d.cs.cornell.edu/data.html"
GRID_KEY = "Position3DGrid"  # [55, 305, 4]: y, x, z, distance
MAX_DEPTH_M = 70.0  # criterion C1 of Liu et al. 2014: farther truth is left out
MIN_DEPTH_M = 1e-3  # ours: keeps the logarithms finite
CROP_ASPECT = 2.0  # width / height of the central crop: Godard et al. 2017, 6.4

Floats = npt.NDArray[np.floating[Any]]

_IMAGE = re.compile(r"img-(.+)\.(jpg|jpeg|png)")
_DEPTH = re.compile(r"depth_sph_corr-(.+)\.mat")


@dataclasses.dataclass(frozen=True)
class Make3dFrame:
    """One picture with its laser depths.

    Attributes:
      name: What both files share, such as `op57-p-016t000`.
      image_path: `img-<name>.jpg`.
      depth_path: `depth_sph_corr-<name>.mat`.
    """

    name: str
    image_path: Path
    depth_path: Path

    def read(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """Reads the central crops of picture `[h, w, 3]` and depths `[rows, columns]` in metres.

        Raises:
          DataError: If a file is damaged.
        """
        image, depth_m = read_rgb(self.image_path), read_depth(self.depth_path)
        share = min(1.0, image.shape[1] / CROP_ASPECT / image.shape[0])
        return _central_rows(image, share), _central_rows(depth_m, share)


def find_frames(root: Path) -> list[Make3dFrame]:
    """Pairs the pictures and depth files anywhere below a folder.

    The archives unpack to `Test134/img-*.jpg` and `Gridlaserdata/depth_sph_corr-*.mat`.

    Raises:
      FileNotFoundError: If there is no pair; says what was found.
    """
    images = _by_name(root, _IMAGE)
    depths = _by_name(root, _DEPTH)
    frames = [
        Make3dFrame(name, path, depths[name]) for name, path in images.items() if name in depths
    ]
    if not frames:
        raise FileNotFoundError(
            f"{root}: no picture with its depths: {len(images)} img-*.jpg and {len(depths)} "
            f"depth_sph_corr-*.mat below it; unpack Test134.tar.gz and Test134Depth.tar.gz "
            f"({DOWNLOAD_PAGE}) there"
        )
    return frames


def read_depth(path: Path) -> npt.NDArray[np.float64]:
    """Reads laser depths `[rows, columns]`, metres.

    Raises:
      DataError: If it is no such file.
    """
    grid = read_mat_array(path, GRID_KEY)
    if grid.ndim != 3 or grid.shape[2] != 4:
        raise DataError(path, f"{GRID_KEY} must be [rows, columns, 4], found {grid.shape}")
    return grid[:, :, 3]


def make3d_errors(truth_m: Floats, predicted: Floats, *, median_scaling: bool) -> ErrorSums:
    """Compares one picture's prediction with its laser depths.

    Args:
      truth_m: `[rows, columns]`; what is not between 0 and 70 m is left out.
      predicted: The same shape; of any scale with `median_scaling`, else metres.
      median_scaling: Whether the prediction is first multiplied by median(truth) / median(it).

    Raises:
      UserError: If no truth is left, or a depth is predicted as NaN, infinite or negative.
      ValueError: If the shapes differ.
    """
    if truth_m.shape != predicted.shape:
        raise ValueError(f"truth is {truth_m.shape}, prediction {predicted.shape}")
    counts = (truth_m > 0) & (truth_m < MAX_DEPTH_M)
    if not counts.any():
        raise UserError(f"no laser depth below {MAX_DEPTH_M:g} m in the crop")
    truth, found = truth_m[counts].astype(np.float64), predicted[counts].astype(np.float64)
    if not (np.isfinite(found).all() and (found >= 0).all()):
        raise UserError("the prediction holds NaN, infinite or negative depths")
    found = np.maximum(found, MIN_DEPTH_M)
    if median_scaling:
        found = found * (np.median(truth) / np.median(found))
    return error_sums(truth, np.clip(found, MIN_DEPTH_M, MAX_DEPTH_M))


def make3d_columns(errors: DepthErrors) -> dict[str, float]:
    """The errors that Make3D's tables have, by name.

    The logarithmic error is to base *10* there (`rmse_log10`); some published columns hold that of
    natural logarithms (`rmse_ln`).
    """
    return {
        "abs_rel": errors.abs_rel,
        "sq_rel": errors.sq_rel,
        "rmse": errors.rmse,
        "rmse_log10": errors.rmse_log / math.log(10),
        "rmse_ln": errors.rmse_log,
    }


def score_frame(frame: Make3dFrame, predictor: Pipeline) -> tuple[ErrorSums, Any]:
    """Scores one picture with median scaling; returns its errors, and crop and depth for a sheet.

    The prediction is compared at the laser's rows and columns: the nearest pixel of each.

    Raises:
      DataError: If a file is damaged.
      UserError: If no depth counts.
    """
    image, truth_m = frame.read()
    predicted = predictor.predict(image).depth_m
    rows, columns = truth_m.shape
    at_laser = cv2.resize(predicted, (columns, rows), interpolation=cv2.INTER_NEAREST_EXACT)
    return make3d_errors(truth_m, at_laser, median_scaling=True), (image, truth_m, predicted)


def _by_name(root: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    found = ((pattern.fullmatch(path.name), path) for path in sorted(root.rglob("*")))
    return {match[1]: path for match, path in found if match}


def _central_rows(values: npt.NDArray[Any], share: float) -> npt.NDArray[Any]:
    num_rows = round(len(values) * share)
    top = (len(values) - num_rows) // 2
    return values[top : top + num_rows]
