"""Labelled pictures in memory: read, checked, cut and varied. Pure functions but for the readers.

A pair stays a rectified pair: both views are cut by one window and recoloured alike, and never
mirrored, since the mirror image of a pair is the disparity of its right view, which no set has.
"""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.data.augment import recolored
from mtdepth.datasets.label_map import IGNORE_ID, NUM_CLASSES, label_id_to_train_id
from mtdepth.datasets.label_store import DISPARITY_UNITS_PER_PX
from mtdepth.files import DataError, UserError
from mtdepth.pictures import read_gray_png, read_rgb
from mtdepth.recipes.base import Augmentation
from teachers.training.labelled_sets import ClassFiles, PairFiles

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class ClassExample:
    """A picture `[height, width, 3]` RGB and its train ids `[height, width]`, 255 = ignore."""

    image: Image
    train_id: npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, eq=False)
class PairExample:
    """Two views `[height, width, 3]` RGB and the left one's disparity in px, 0 = none."""

    left: Image
    right: Image
    disparity_px: Floats


def read_classes(files: ClassFiles) -> ClassExample:
    """Reads a picture and its classes.

    Raises:
      FileNotFoundError: If a file is missing.
      DataError: If one is damaged, they differ in size, or no pixel has a class of the 19.
    """
    image = read_rgb(files.image)
    ids = read_gray_png(files.ids, np.uint8)
    _check_size(files.ids, ids.shape, picture=files.image, wanted=image.shape[:2])
    if not files.has_train_ids:
        ids = label_id_to_train_id(ids)
    is_ignored = ids == IGNORE_ID
    if (strange := ids[~is_ignored & (ids >= NUM_CLASSES)]).size:
        raise DataError(
            files.ids,
            f"holds {int(strange[0])}; train ids are 0..{NUM_CLASSES - 1} and {IGNORE_ID}",
        )
    if is_ignored.all():
        raise DataError(
            files.ids, "no pixel has one of the 19 classes, so there is nothing to learn; remove it"
        )
    return ClassExample(image, ids)


def read_pair(files: PairFiles, *, max_disparity_px: int) -> PairExample:
    """Reads a pair and its disparity.

    Args:
      files: Where they stand.
      max_disparity_px: The network searches below it.

    Raises:
      FileNotFoundError: If a file is missing.
      DataError: If one is damaged, they differ in size, or no disparity is in the searched range.
    """
    left, right = read_rgb(files.left), read_rgb(files.right)
    units = read_gray_png(files.disparity, np.uint16)
    disparity_px = (units / DISPARITY_UNITS_PER_PX).astype(np.float32)
    _check_size(files.right, right.shape[:2], picture=files.left, wanted=left.shape[:2])
    _check_size(files.disparity, disparity_px.shape, picture=files.left, wanted=left.shape[:2])
    if not np.any((disparity_px > 0) & (disparity_px < max_disparity_px)):
        raise DataError(
            files.disparity,
            f"no disparity between 0 and max_disparity_px={max_disparity_px}, so there is nothing "
            "to learn; remove it, or raise --override max_disparity_px=...",
        )
    return PairExample(left, right, disparity_px)


def vary_classes(
    example: ClassExample,
    rng: np.random.Generator,
    *,
    size_px: tuple[int, int],
    zooms: tuple[float, float],
    augmentation: Augmentation,
) -> ClassExample:
    """Cuts a random window of `size_px / zoom`, brings it to `size_px`, mirrors and recolours it.

    Labels take the nearest pixel.

    Args:
      example: At least `size_px` large.
      rng: Source of everything random.
      size_px: Height and width of the result.
      zooms: Zoom is uniform between the two; below 1 more is seen, as far as the picture reaches.
      augmentation: Its mirror probability and colours; its zoom is not used.

    Raises:
      UserError: If the picture is smaller than `size_px`.
    """
    height_px, width_px = example.train_id.shape
    _check_holds((height_px, width_px), size_px)
    widest = max(size_px[0] / height_px, size_px[1] / width_px)
    zoom = max(rng.uniform(*zooms), widest)
    window = random_window(
        (height_px, width_px), (round(size_px[0] / zoom), round(size_px[1] / zoom)), rng
    )
    shape = (size_px[1], size_px[0])
    # Area is exact for shrinking and turns into plain bilinear for enlarging.
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    image = cv2.resize(example.image[window], shape, interpolation=method)
    # INTER_NEAREST_EXACT takes the pixel whose centre is nearest; INTER_NEAREST is off by half.
    train_id = cv2.resize(example.train_id[window], shape, interpolation=cv2.INTER_NEAREST_EXACT)
    if rng.random() < augmentation.flip_probability:
        image, train_id = image[:, ::-1], train_id[:, ::-1]
    return ClassExample(
        recolored(np.ascontiguousarray(image, dtype=np.uint8), rng, augmentation),
        np.ascontiguousarray(train_id, dtype=np.uint8),
    )


def vary_pair(
    example: PairExample,
    rng: np.random.Generator,
    *,
    size_px: tuple[int, int],
    augmentation: Augmentation,
) -> PairExample:
    """Cuts one random window out of both views and recolours both by the same factors.

    Args:
      example: At least `size_px` large.
      rng: Source of everything random.
      size_px: Height and width of the result.
      augmentation: Its colours; mirroring and zoom are not used.

    Raises:
      UserError: If the picture is smaller than `size_px`.
    """
    window = random_window(example.disparity_px.shape, size_px, rng)
    # As one picture, so that one draw of factors serves both.
    both = recolored(
        np.concatenate([example.left[window], example.right[window]]), rng, augmentation
    )
    left, right = np.split(both, 2)
    return PairExample(left, right, np.ascontiguousarray(example.disparity_px[window]))


def random_window(
    image_size: tuple[int, int], size_px: tuple[int, int], rng: np.random.Generator
) -> tuple[slice, slice]:
    """Places a window of `size_px` uniformly inside a picture; both are (height, width).

    Raises:
      UserError: If the picture is smaller than the window.
    """
    _check_holds(image_size, size_px)
    top = int(rng.integers(image_size[0] - size_px[0] + 1))
    left = int(rng.integers(image_size[1] - size_px[1] + 1))
    return slice(top, top + size_px[0]), slice(left, left + size_px[1])


def _check_holds(image_size: tuple[int, int], size_px: tuple[int, int]) -> None:
    if image_size[0] < size_px[0] or image_size[1] < size_px[1]:
        raise UserError(
            f"the picture is {image_size[0]}x{image_size[1]} (height x width), smaller than the "
            f"crop {size_px[0]}x{size_px[1]}; give a smaller one, --override crop_px=[height,width]"
        )


def _check_size(
    path: Path, size: tuple[int, ...], *, picture: Path, wanted: tuple[int, ...]
) -> None:
    if tuple(size) != tuple(wanted):
        raise DataError(
            path,
            f"is {size[0]}x{size[1]} (height x width) but {picture} is {wanted[0]}x{wanted[1]}; "
            "take both from the same download",
        )
