"""Named evaluation protocols: which truth, which pixels, which limits, which scaling.

A depth error means nothing without these, so every table and every JSON carries the name, and
the name stands for exactly one `Protocol` here.
"""

import dataclasses
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import CLASS_NAMES, IGNORE_ID
from mtdepth.files import UserError
from mtdepth.metrics.depth import (
    ErrorSums,
    GroupSums,
    distance_sums,
    error_sums,
    group_sums,
)

Floats = npt.NDArray[np.floating[Any]]

Truth = Literal["lidar_eigen", "lidar_camera_z", "annotated", "labels"]
Crop = Literal["none", "garg", "eigen"]

MIN_DEPTH_M = 1e-3  # Godard et al. 2017, released evaluation code

# Top, bottom (of the height), left, right (of the width); products are cut to whole pixels.
CROP_FRACTIONS: dict[Crop, tuple[float, float, float, float]] = {
    "none": (0.0, 1.0, 0.0, 1.0),
    # Garg et al. 2016, in the digits of Godard et al. 2017's released evaluation code
    "garg": (0.40810811, 0.99189189, 0.03594771, 0.96405229),
    # Eigen et al. 2014, in the digits of the same code
    "eigen": (0.3324324, 0.91351351, 0.0359477, 0.96405229),
}

# Of the picture's height; ten are fine enough to tell the near road from the horizon.
_BANDS = tuple({"from_height": band / 10, "to_height": (band + 1) / 10} for band in range(10))
_CLASSES = tuple({"class": name} for name in CLASS_NAMES)

TRUTH_DESCRIPTIONS: dict[Truth, str] = {
    "lidar_eigen": "LiDAR as published Eigen tables take it: the scanner's x at round(u) - 1",
    "lidar_camera_z": "LiDAR as the camera sees it: its z at round(u), as KITTI's depth maps",
    "annotated": "KITTI's annotated depth maps (the 'improved' ground truth)",
    "labels": "the depth of a label store",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """One way to compare a predicted depth map with a truth.

    Attributes:
      name: What tables and files call it.
      truth: Where the true depth comes from.
      crop: The region of the image that counts.
      max_depth_m: Predictions are clamped to it, and truth from here on is left out.
      min_depth_m: Truth up to here is left out; predictions are clamped to it.
      median_scaling: Whether each prediction is first multiplied by
        median(truth) / median(predicted) of its image, as scale-free methods need.
      is_truth_capped: Whether truth from `max_depth_m` on is left out; predictions are clamped to
        it all the same.
    """

    name: str
    truth: Truth
    crop: Crop
    max_depth_m: float
    min_depth_m: float = MIN_DEPTH_M
    median_scaling: bool = False
    is_truth_capped: bool = True

    @property
    def description(self) -> str:
        """One sentence that says the whole protocol."""
        region = {"none": "the whole image", "garg": "Garg crop", "eigen": "Eigen crop"}[self.crop]
        scaling = "median scaling per image" if self.median_scaling else "no median scaling"
        limits = f"{self.min_depth_m:g} m to {self.max_depth_m:g} m"
        if not self.is_truth_capped:
            limits += ", truth beyond it, too"
        return f"Truth: {TRUTH_DESCRIPTIONS[self.truth]}; {region}; {limits}; {scaling}."

    def to_dict(self) -> dict[str, Any]:
        """Returns every setting and the description."""
        return {**dataclasses.asdict(self), "description": self.description}

    def counts(self, truth_m: Floats) -> npt.NDArray[np.bool_]:
        """Marks the valid pixels: measured, inside both crop and limits.

        Args:
          truth_m: `[height, width]`, 0 where unmeasured.

        Returns:
          `[height, width]`.
        """
        valid = np.zeros(truth_m.shape, bool)
        valid[crop_region(self.crop, size=truth_m.shape)] = True
        valid &= truth_m > self.min_depth_m
        return valid & (truth_m < self.max_depth_m) if self.is_truth_capped else valid


def crop_region(crop: Crop, *, size: tuple[int, ...]) -> tuple[slice, slice]:
    """Returns the rows and columns of a crop in an image of `size` (height, width)."""
    height, width = size
    top, bottom, left, right = CROP_FRACTIONS[crop]
    return (
        slice(int(top * height), int(bottom * height)),
        slice(int(left * width), int(right * width)),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageScore:
    """What one image adds to a score.

    Attributes:
      sums: Of the seven errors, over the pixels that are valid and predicted.
      by_distance: The same pixels by distance.
      by_row: The same pixels by where they lie in the picture, in ten bands from its top.
      by_class: The same pixels by their true class, those that have one.
      num_valid: Pixels that the protocol counts.
      scale: What the prediction was multiplied by (1 without median scaling).
    """

    sums: ErrorSums
    by_distance: GroupSums
    by_row: GroupSums
    by_class: GroupSums
    num_valid: int
    scale: float

    @property
    def coverage(self) -> float:
        """Share of the valid pixels that have a prediction."""
        return self.sums.num_pixels / max(self.num_valid, 1)


def score_image(
    truth_m: Floats,
    predicted_m: Floats,
    protocol: Protocol,
    *,
    train_id: npt.NDArray[np.uint8] | None = None,
) -> ImageScore:
    """Compares one prediction with its truth.

    A pixel predicted as exactly 0 has no prediction: it lowers the coverage and enters no error.

    Args:
      truth_m: `[height, width]`, 0 where unmeasured.
      predicted_m: `[height, width]`, the same size.
      protocol: Which pixels count, and how.
      train_id: `[height, width]` true classes, 255 where unknown; None for none.

    Raises:
      ValueError: If the sizes differ, or the truth is not finite.
      UserError: If a pixel that counts is predicted as NaN, infinite or negative; to drop it would
        reward the network.
    """
    if truth_m.shape != predicted_m.shape:
        raise ValueError(
            f"truth is {truth_m.shape} and prediction {predicted_m.shape} (height, width); "
            "resize the prediction to its image first"
        )
    if not np.all(np.isfinite(truth_m)):
        raise ValueError("the truth holds NaN or infinity; unmeasured pixels are 0")
    valid = protocol.counts(truth_m)
    used = valid & (predicted_m != 0)
    truth, predicted = truth_m[used].astype(np.float64), predicted_m[used].astype(np.float64)
    if broken := int(np.count_nonzero(~((predicted > 0) & (predicted < np.inf)))):
        raise UserError(f"{broken} of {truth.size} pixels are NaN, infinite or negative")
    scale = 1.0
    if protocol.median_scaling and truth.size:
        scale = float(np.median(truth) / np.median(predicted))
    predicted = np.clip(predicted * scale, protocol.min_depth_m, protocol.max_depth_m)
    rows = np.nonzero(used)[0] * len(_BANDS) // truth_m.shape[0]
    classes = np.full(truth.shape, IGNORE_ID) if train_id is None else train_id[used]
    return ImageScore(
        sums=error_sums(truth, predicted),
        by_distance=distance_sums(truth, predicted, max_depth_m=protocol.max_depth_m),
        by_row=group_sums(truth, predicted, rows, _BANDS),
        by_class=group_sums(truth, predicted, classes, _CLASSES),
        num_valid=int(np.count_nonzero(valid)),
        scale=scale,
    )


def _registry() -> dict[str, Protocol]:
    metric = [
        Protocol(name="camera_z_garg_80m", truth="lidar_camera_z", crop="garg", max_depth_m=80.0),
        Protocol(name="camera_z_80m", truth="lidar_camera_z", crop="none", max_depth_m=80.0),
        Protocol(name="eigen_garg_80m", truth="lidar_eigen", crop="garg", max_depth_m=80.0),
        Protocol(name="eigen_garg_50m", truth="lidar_eigen", crop="garg", max_depth_m=50.0),
        Protocol(name="eigen_crop_80m", truth="lidar_eigen", crop="eigen", max_depth_m=80.0),
        Protocol(name="eigen_full_80m", truth="lidar_eigen", crop="none", max_depth_m=80.0),
        # Godard et al. 2019's released evaluation, `eigen_benchmark`
        Protocol(
            name="eigen_improved_80m",
            truth="annotated",
            crop="none",
            max_depth_m=80.0,
            is_truth_capped=False,
        ),
        Protocol(name="annotated_garg_80m", truth="annotated", crop="garg", max_depth_m=80.0),
        Protocol(name="labels_80m", truth="labels", crop="none", max_depth_m=80.0),
        Protocol(name="labels_garg_80m", truth="labels", crop="garg", max_depth_m=80.0),
    ]
    scaled = [
        dataclasses.replace(protocol, name=f"{protocol.name}_median", median_scaling=True)
        for protocol in metric
    ]
    return {protocol.name: protocol for protocol in (*metric, *scaled)}


PROTOCOLS: dict[str, Protocol] = _registry()


def protocol_named(name: str) -> Protocol:
    """Returns the protocol of that name.

    Raises:
      ValueError: If there is none; the message lists what there is.
    """
    if name not in PROTOCOLS:
        known = "\n".join(f"  {each.name}: {each.description}" for each in PROTOCOLS.values())
        raise UserError(f"no protocol is called {name!r}; there are:\n{known}")
    return PROTOCOLS[name]
