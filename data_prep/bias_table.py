"""The bias table: how far a teacher's depth is off LiDAR, by distance, and its repair.

`correction_m` is LiDAR minus teacher, in bins of distance. A table says by which distance its bins
were filled (`index`) and which middle of each bin it holds (`statistic`), because on noisy depth
the choice decides whether the table helps: binned by LiDAR distance, far bins hold just those
pixels whose true depth is large, so that even an unbiased teacher seems to under-estimate there
(regression to the mean), and correcting by *predicted* distance, the only one known when labels
are made, then makes labels worse.
"""

import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from mtdepth.files import DataError, UserError, read_json, write_json

Floats = npt.NDArray[np.floating[Any]]
Statistic = Literal["mean", "median"]
Index = Literal["lidar", "predicted"]

FORMAT_VERSION = 1
TABLE_NAME, FIGURE_NAME = "bias_table.json", "bias_error_by_distance.png"  # in a folder
BIN_WIDTH_M = 1.0
MAX_DEPTH_M = 80.0  # the cap of the KITTI protocols
MIN_POINTS = 100  # ours: a bin's middle is then known to a tenth of its spread
MAX_SHORTENING = 0.9  # ours: a correction never takes away more than this part of a depth


@dataclasses.dataclass(frozen=True, eq=False)
class BiasTable:
    """A correction by distance.

    Guaranteed at construction, so that `apply` needs no care: the map from depth to corrected depth
    is continuous, positive and never decreasing, so no two pixels change their order.

    Attributes:
      bin_edges_m: `[n + 1]`, increasing, the first >= 0.
      correction_m: `[n]`, LiDAR minus teacher, to be added at the bin's centre.
      num_points: `[n]` LiDAR points that fell into each bin.
      statistic: `"mean"` or `"median"` of a bin's residuals.
      index: Distance that filled the bins, `"lidar"` or `"predicted"`.
      num_frames: Frames with LiDAR that there were to fit on, 0 = not known.
    """

    bin_edges_m: npt.NDArray[np.float64]
    correction_m: npt.NDArray[np.float64]
    num_points: npt.NDArray[np.int64]
    statistic: Statistic = "median"
    index: Index = "predicted"
    num_frames: int = 0

    def __post_init__(self) -> None:
        """Rejects a table that would reverse the order of depths or make one negative."""
        _check_choices(statistic=self.statistic, index=self.index)
        num_bins = len(self.bin_edges_m) - 1
        if num_bins < 1 or self.correction_m.shape != (num_bins,):
            raise ValueError(
                f"{num_bins + 1} bin edges need {num_bins} >= 1 corrections, "
                f"got {self.correction_m.shape}"
            )
        if self.num_points.shape != (num_bins,):
            raise ValueError(f"num_points must be [{num_bins}], got {self.num_points.shape}")
        if (self.num_points < 0).any():
            raise ValueError("num_points must be counts")
        if self.bin_edges_m[0] < 0 or not (np.diff(self.bin_edges_m) > 0).all():
            raise ValueError("bin_edges_m must be >= 0 and increasing")
        corrected_m = self.centers_m + self.correction_m
        # A hair of slack: centres and corrections are added and taken apart in floating point.
        if not ((corrected_m > 0).all() and (np.diff(corrected_m) >= -1e-9).all()):
            raise ValueError("bin centre + correction must be positive and never decrease")

    @property
    def centers_m(self) -> npt.NDArray[np.float64]:
        """`[n]` bin centres."""
        return (self.bin_edges_m[:-1] + self.bin_edges_m[1:]) / 2

    def apply(self, depth_m: Floats) -> npt.NDArray[np.float32]:
        """Corrects depth.

        The correction is linear between bin centres, proportional to depth below the first centre
        (so that depth stays positive) and that of the last centre beyond it.

        Args:
          depth_m: Any shape, as the teacher made it; <= 0 is no label.

        Returns:
          The same shape: corrected metres, > 0, in the order that they had; 0 where no label.
        """
        labelled = depth_m > 0
        near_m = np.where(labelled, depth_m, 1.0).astype(np.float64)
        knots_m = np.concatenate([[0.0], self.centers_m])
        correction_m = np.interp(near_m, knots_m, np.concatenate([[0.0], self.correction_m]))
        return np.where(labelled, near_m + correction_m, 0.0).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """The table as JSON types."""
        return {
            "format_version": FORMAT_VERSION,
            "statistic": self.statistic,
            "index": self.index,
            "bin_edges_m": self.bin_edges_m.tolist(),
            "correction_m": self.correction_m.tolist(),
            "num_points": self.num_points.tolist(),
            "num_frames": self.num_frames,
        }

    def save(self, path: Path) -> None:
        """Writes the table as JSON, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> "BiasTable":
        """Reads a saved table.

        Raises:
          FileNotFoundError: If it is missing.
          DataError: If it is damaged or of another version.
        """
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: no such bias table; make one by `python -m data_prep.fit_bias_table`"
            )
        content = read_json(path)
        try:
            if content["format_version"] != FORMAT_VERSION:
                raise ValueError(f"format_version must be {FORMAT_VERSION}")
            return cls(
                bin_edges_m=np.array(content["bin_edges_m"], np.float64),
                correction_m=np.array(content["correction_m"], np.float64),
                num_points=np.array(content["num_points"], np.int64),
                statistic=content["statistic"],
                index=content["index"],
                num_frames=int(content.get("num_frames", 0)),
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise DataError(
                path,
                f"not a bias table ({error!r}); make it again by "
                "`python -m data_prep.fit_bias_table`",
            ) from error


def fit_bias_table(
    predicted_m: Floats,
    lidar_m: Floats,
    *,
    statistic: Statistic = "median",
    index: Index = "predicted",
    bin_width_m: float = BIN_WIDTH_M,
    max_depth_m: float = MAX_DEPTH_M,
    min_points: int = MIN_POINTS,
) -> BiasTable:
    """Fits a table to a teacher's depth at LiDAR points.

    Bins of fewer than `min_points` take the line between their well-filled neighbours; before the
    first of those the correction is proportional to distance, after the last it stays. Where noise
    would make the corrected depth fall from one bin to the next, such bins are pooled, weighted by
    their points (isotonic regression).

    Args:
      predicted_m: `[n]` teacher's depth, uncorrected; pairs with <= 0 are left out.
      lidar_m: `[n]` LiDAR depth of the same pixels; pairs with <= 0 are left out.
      statistic: Middle of a bin's residuals.
      index: Distance by which pairs are put into bins.
      bin_width_m: Width of a bin.
      max_depth_m: Pairs with either distance beyond it are left out: a disparity near 0 is a depth
        of any size, and a mean must not hang on it.
      min_points: Points that make a bin well-filled.

    Raises:
      ValueError: If the arrays differ in shape, or a choice is unknown.
      UserError: If no bin is well-filled.
    """
    # Imported here: a process that only applies tables starts a second sooner.
    from scipy.optimize import isotonic_regression
    from scipy.stats import binned_statistic

    _check_choices(statistic=statistic, index=index)
    if predicted_m.shape != lidar_m.shape:
        raise ValueError(f"one LiDAR depth a pixel: got {predicted_m.shape} and {lidar_m.shape}")
    used = (predicted_m > 0) & (predicted_m < max_depth_m)
    used &= (lidar_m > 0) & (lidar_m < max_depth_m)
    predicted = predicted_m[used].astype(np.float64)
    lidar = lidar_m[used].astype(np.float64)
    num_bins = int(np.ceil(max_depth_m / bin_width_m))
    edges_m = np.arange(num_bins + 1, dtype=np.float64) * bin_width_m
    at_m = lidar if index == "lidar" else predicted
    num_points, _ = np.histogram(at_m, edges_m)
    filled = num_points >= min_points
    if not filled.any():
        raise UserError(
            f"{len(predicted)} LiDAR points in all, and no bin of {bin_width_m} m has "
            f"{min_points}: fit on more frames, or use no table"
        )
    middle_m, _, _ = binned_statistic(at_m, lidar - predicted, statistic, edges_m)
    centers_m = (edges_m[:-1] + edges_m[1:]) / 2
    correction_m = np.interp(centers_m, centers_m[filled], middle_m[filled])
    first_m = centers_m[filled][0]
    correction_m[centers_m < first_m] *= centers_m[centers_m < first_m] / first_m
    correction_m = np.maximum(correction_m, -MAX_SHORTENING * centers_m)
    ordered_m = isotonic_regression(centers_m + correction_m, weights=np.maximum(num_points, 1)).x
    return BiasTable(edges_m, ordered_m - centers_m, num_points, statistic, index)


def _check_choices(*, statistic: str, index: str) -> None:
    if statistic not in get_args(Statistic):
        raise ValueError(f"statistic is one of {get_args(Statistic)}, got {statistic!r}")
    if index not in get_args(Index):
        raise ValueError(f"index is one of {get_args(Index)}, got {index!r}")
