"""The seven depth errors, of all pixels and by groups of them, as sums so that frames add up.

Everything here works on the pixels that count: two flat arrays of equal length, chosen and clamped
by `mtdepth.metrics.protocols`.
"""

import dataclasses
import functools
import itertools
import operator
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mtdepth.files import UserError

Floats = npt.NDArray[np.floating[Any]]

_GROUP_MEANS = ("mean_error_m", "mean_abs_error_m", "mean_abs_rel")
ERROR_NAMES = ("abs_rel", "sq_rel", "rmse", "rmse_log", "d1", "d2", "d3")
DELTA_THRESHOLD = (
    1.25  # Eigen et al. 2014, sec. 4.2: max(truth/predicted, predicted/truth) < 1.25^k
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DepthErrors:
    """The seven errors of Eigen et al. 2014 (sec. 4.2).

    Attributes:
      abs_rel: Mean of |predicted - truth| / truth.
      sq_rel: Mean of (predicted - truth)^2 / truth, metres.
      rmse: Root of the mean squared error, metres.
      rmse_log: Root of the mean squared difference of *natural* logarithms.
      d1: Share of pixels whose larger ratio is below 1.25; `d2`, `d3`: below 1.25^2, 1.25^3.
    """

    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    d1: float
    d2: float
    d3: float


@dataclasses.dataclass(frozen=True)
class ErrorSums:
    """Sums over pixels from which the seven errors follow by one division each.

    Attributes:
      totals: `[7]` float64 in the order of `ERROR_NAMES`; squared sums where the error has a root.
      num_pixels: How many pixels were summed.
    """

    totals: npt.NDArray[np.float64]
    num_pixels: int

    @classmethod
    def zero(cls) -> Self:
        """Returns the sums over no pixel."""
        return cls(np.zeros(len(ERROR_NAMES)), 0)

    def __add__(self, other: Self) -> Self:
        return dataclasses.replace(
            self,
            totals=self.totals + other.totals,
            num_pixels=self.num_pixels + other.num_pixels,
        )

    def errors(self) -> DepthErrors:
        """Divides by the count and takes the roots.

        Raises:
          ValueError: If no pixel was summed.
        """
        if not self.num_pixels:
            raise UserError("no pixel was both measured and predicted, so there is no error")
        means = dict(zip(ERROR_NAMES, (self.totals / self.num_pixels).tolist(), strict=True))
        means["rmse"], means["rmse_log"] = means["rmse"] ** 0.5, means["rmse_log"] ** 0.5
        return DepthErrors(**means)


def error_sums(truth_m: Floats, predicted_m: Floats) -> ErrorSums:
    """Sums the seven errors over pixels.

    Args:
      truth_m: `[num_pixels]`, positive.
      predicted_m: `[num_pixels]`, positive.

    Raises:
      ValueError: If the shapes differ or a value is not positive and finite.
    """
    truth, predicted = _checked(truth_m), _checked(predicted_m)
    if truth.shape != predicted.shape:
        raise ValueError(
            f"truth has shape {truth.shape} and prediction {predicted.shape}; they must be equal"
        )
    difference = predicted - truth
    ratio = np.maximum(truth / predicted, predicted / truth)
    totals = [
        np.sum(_relative_errors(truth, predicted)),
        np.sum(difference**2 / truth),
        np.sum(difference**2),
        np.sum((np.log(predicted) - np.log(truth)) ** 2),
        *(np.count_nonzero(ratio < DELTA_THRESHOLD**power) for power in (1, 2, 3)),
    ]
    return ErrorSums(np.asarray(totals, np.float64), truth.size)


def per_image_mean(images: list[ErrorSums]) -> DepthErrors:
    """Averages each error over images, every image counting the same.

    This is what published Eigen results are: the root of `rmse` is taken inside an image and the
    roots are averaged, so it differs from the errors of all pixels together.

    Raises:
      ValueError: If there is no image, or one of them has no pixel.
    """
    if not images:
        raise UserError("no image was scored, so there is no mean")
    rows = [dataclasses.astuple(image.errors()) for image in images]
    means = np.mean(rows, axis=0).tolist()
    return DepthErrors(**dict(zip(ERROR_NAMES, means, strict=True)))


def abs_rel_sum(
    truth_m: Floats, predicted_m: Floats, *, far_m: float, match_median: bool = False
) -> tuple[float, int]:
    """Sums |predicted - truth| / truth over one image, without crop or clamping.

    Training and fine-tuning choose their weights by it; what is published goes by a protocol.

    Args:
      truth_m: `[height, width]`, 0 where unmeasured.
      predicted_m: `[height, width]`, the same size; NaN gives NaN.
      far_m: Truth beyond it does not count.
      match_median: Whether the prediction is first multiplied by median(truth) / median(predicted)
        of the pixels that count, as depth without a unit needs.

    Returns:
      The sum and the number of pixels. `all_pixels_abs_rel` divides them.
    """
    counts = (truth_m > 0) & (truth_m <= far_m)
    truth, predicted = truth_m[counts].astype(np.float64), predicted_m[counts].astype(np.float64)
    if match_median and truth.size:
        predicted = predicted * (np.median(truth) / np.median(predicted))
    return float(np.sum(_relative_errors(truth, predicted))), truth.size


def all_pixels_abs_rel(images: Iterable[tuple[float, int]]) -> float:
    """Abs Rel of all pixels together, of the sums that `abs_rel_sum` gave of each image.

    Raises:
      ValueError: If no pixel was measured.
    """
    totals, counts = zip(*images, strict=True)
    if not sum(counts):
        raise UserError("no pixel was measured, so there is no error")
    return sum(totals) / sum(counts)


@dataclasses.dataclass(frozen=True)
class GroupSums:
    """Sums of the error by groups of pixels; frames add up with `+`.

    Attributes:
      groups: What each of the n groups is, for people and for JSON: `{"from_m": 0.0, "to_m": 10.0}`
        or `{"class": "road"}`.
      totals: `[n, 3]` float64: predicted - truth in metres (positive where too far), its absolute
        value, and that divided by the truth.
      counts: `[n]` pixels in each group.
    """

    groups: tuple[dict[str, Any], ...]
    totals: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    def __add__(self, other: Self) -> Self:
        return dataclasses.replace(
            self, totals=self.totals + other.totals, counts=self.counts + other.counts
        )

    def rows(self) -> list[dict[str, Any]]:
        """Returns one record a group; the means of an empty group are None."""
        return [
            {
                **group,
                "num_pixels": count,
                **dict(
                    zip(
                        _GROUP_MEANS,
                        (totals / count).tolist() if count else [None] * 3,
                        strict=True,
                    )
                ),
            }
            for group, count, totals in zip(
                self.groups, self.counts.tolist(), self.totals, strict=True
            )
        ]


def added(sums: Iterable[GroupSums]) -> GroupSums:
    """The sums of several images, at least one, of the same groups."""
    return functools.reduce(operator.add, sums)


def group_sums(
    truth_m: Floats,
    predicted_m: Floats,
    group: npt.NDArray[np.integer[Any]],
    groups: Sequence[dict[str, Any]],
) -> GroupSums:
    """Sums the error by group.

    Args:
      truth_m: `[num_pixels]`, positive.
      predicted_m: `[num_pixels]`.
      group: `[num_pixels]`, an index into `groups`; pixels of any other number are in none.
      groups: What each is.
    """
    num_groups = len(groups)
    inside = (group >= 0) & (group < num_groups)
    index = group[inside].astype(np.int64)
    truth = np.asarray(truth_m, np.float64)[inside]
    predicted = np.asarray(predicted_m, np.float64)[inside]
    difference = predicted - truth
    columns = (difference, np.abs(difference), _relative_errors(truth, predicted))
    totals = [np.bincount(index, weights=column, minlength=num_groups) for column in columns]
    counts = np.bincount(index, minlength=num_groups).astype(np.int64)
    return GroupSums(tuple(groups), np.stack(totals, axis=1), counts)


def distance_sums(
    truth_m: Floats, predicted_m: Floats, *, max_depth_m: float, width_m: float = 10.0
) -> GroupSums:
    """Sums the error by distance of the truth, in bins from 0 that end at `max_depth_m`.

    Args:
      truth_m: `[num_pixels]`, positive; what is farther is in no bin.
      predicted_m: `[num_pixels]`.
      max_depth_m: Where the last bin ends.
      width_m: Of a bin; `from_m <= truth < to_m`.
    """
    edges_m = np.append(np.arange(0.0, max_depth_m, width_m), max_depth_m)
    bins = [
        {"from_m": float(low), "to_m": float(high)} for low, high in itertools.pairwise(edges_m)
    ]
    index = np.searchsorted(edges_m, np.asarray(truth_m, np.float64), side="right") - 1
    return group_sums(truth_m, predicted_m, index, bins)


def _relative_errors(truth_m: Floats, predicted_m: Floats) -> npt.NDArray[np.float64]:
    return np.abs(predicted_m - truth_m) / truth_m


def _checked(depth_m: Floats) -> npt.NDArray[np.float64]:
    depth = np.asarray(depth_m, np.float64)
    # One NaN compares false, so it is caught here too.
    if not np.all((depth > 0) & (depth < np.inf)):
        raise ValueError(
            "depths must be positive and finite here; choose and clamp the pixels by a protocol"
        )
    return depth
