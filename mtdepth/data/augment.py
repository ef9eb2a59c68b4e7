"""From a labelled picture to a training example: fitted, varied, and metric for one camera.

Picture, depth, classes and intrinsics change together or not at all. All functions are pure; chance
enters through the generator that the caller passes.
"""

import dataclasses
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.contract import Fit
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.geometry.camera import Intrinsics, depth_for_focal
from mtdepth.recipes.base import Augmentation
from mtdepth.runtime.fitting import fit_image, fitted_intrinsics, seen_window

_SKY_TRAIN_ID = CLASS_NAMES.index("sky")


@dataclasses.dataclass(frozen=True)
class Example:
    """A labelled picture and its camera, all of one size.

    Attributes:
      image: `[height, width, 3]` RGB uint8.
      depth_m: `[height, width]` float32 metres, 0 = none.
      train_id: `[height, width]` uint8, 255 = ignore.
      camera: The intrinsics of this very picture.
    """

    image: npt.NDArray[np.uint8]
    depth_m: npt.NDArray[np.float32]
    train_id: npt.NDArray[np.uint8]
    camera: Intrinsics


def fit_example(example: Example, *, size_px: tuple[int, int], fit: Fit) -> Example:
    """Brings an example to the network's input size, by the law that the predictor uses.

    Labels take the nearest pixel: a mean of two depths lies where nothing is.

    Args:
      example: Any size.
      size_px: Network input (height, width).
      fit: Stretched, or the centre cropped.
    """
    window = seen_window(image_size=example.depth_m.shape, size=size_px, fit=fit).slices
    shape = (size_px[1], size_px[0])
    return Example(
        image=fit_image(example.image, size=size_px, fit=fit),
        depth_m=_resize_nearest(example.depth_m[window], shape),
        train_id=_resize_nearest(example.train_id[window], shape),
        camera=fitted_intrinsics(example.camera, size=size_px, fit=fit),
    )


def flipped(example: Example) -> Example:
    """Mirrors an example left to right."""
    return Example(
        image=np.ascontiguousarray(example.image[:, ::-1]),
        depth_m=np.ascontiguousarray(example.depth_m[:, ::-1]),
        train_id=np.ascontiguousarray(example.train_id[:, ::-1]),
        camera=example.camera.flipped(),
    )


def cropped(
    example: Example, *, top_px: int, left_px: int, height_px: int, width_px: int
) -> Example:
    """Cuts a window out of an example. Enlarging it afterwards is a zoom."""
    window = np.s_[top_px : top_px + height_px, left_px : left_px + width_px]
    return Example(
        image=example.image[window],
        depth_m=example.depth_m[window],
        train_id=example.train_id[window],
        camera=example.camera.cropped(
            left_px=left_px, top_px=top_px, width_px=width_px, height_px=height_px
        ),
    )


def random_crop(example: Example, rng: np.random.Generator, *, max_zoom: float) -> Example:
    """Cuts a window of 1/zoom of the picture at a random place, zoom uniform in [1, max_zoom]."""
    zoom = rng.uniform(1.0, max_zoom)
    height_px, width_px = example.image.shape[:2]
    crop_height_px, crop_width_px = round(height_px / zoom), round(width_px / zoom)
    return cropped(
        example,
        top_px=int(rng.integers(height_px - crop_height_px + 1)),
        left_px=int(rng.integers(width_px - crop_width_px + 1)),
        height_px=crop_height_px,
        width_px=crop_width_px,
    )


def recolored(
    image: npt.NDArray[np.uint8], rng: np.random.Generator, augmentation: Augmentation
) -> npt.NDArray[np.uint8]:
    """Varies brightness, contrast, saturation and hue, in that order.

    Args:
      image: `[height, width, 3]` RGB uint8.
      rng: Source of the factors.
      augmentation: Their ranges.
    """

    def factor(spread: float) -> float:
        return rng.uniform(1 - spread, 1 + spread)

    color = image.astype(np.float32) * factor(augmentation.brightness)
    gray = cv2.cvtColor(np.clip(color, 0, 255), cv2.COLOR_RGB2GRAY)
    mean = float(gray.mean())
    color = (color - mean) * factor(augmentation.contrast) + mean
    gray = cv2.cvtColor(np.clip(color, 0, 255), cv2.COLOR_RGB2GRAY)[..., None]
    color = np.clip((color - gray) * factor(augmentation.saturation) + gray, 0, 255)
    turn = rng.uniform(-augmentation.hue, augmentation.hue)
    if turn:
        hsv = cv2.cvtColor(color / 255, cv2.COLOR_RGB2HSV)  # float: hue in degrees
        hsv[..., 0] = (hsv[..., 0] + 360 * turn) % 360
        color = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255
    return np.clip(color + 0.5, 0, 255).astype(np.uint8)


def augmented(example: Example, rng: np.random.Generator, augmentation: Augmentation) -> Example:
    """Returns a random variation of an example at its own size, or a window of it."""
    if augmentation.max_zoom > 1:
        example = random_crop(example, rng, max_zoom=augmentation.max_zoom)
    if rng.random() < augmentation.flip_probability:
        example = flipped(example)
    return example


def metric_for(example: Example, *, focal_px: float) -> Example:
    """Rescales depth to what a camera of another focal length must read from the same picture.

    A network cannot see the focal length; it learns depth for one. A zoomed or different camera's
    picture is what that camera would see at `depth * focal_px / own focal`.

    Args:
      example: At the network's input size.
      focal_px: The training camera's focal length at that size.
    """
    depth_m = depth_for_focal(example.depth_m, from_px=example.camera.focal_px, to_px=focal_px)
    return dataclasses.replace(example, depth_m=depth_m.astype(np.float32))


def with_far_sky(example: Example, *, far_m: float) -> Example:
    """Sets the depth of sky pixels to `far_m`."""
    depth_m = np.where(example.train_id == _SKY_TRAIN_ID, np.float32(far_m), example.depth_m)
    return dataclasses.replace(example, depth_m=depth_m)


def without_sky(example: Example) -> Example:
    """Removes the depth of sky pixels: whatever a stereo teacher found there is not the truth."""
    depth_m = np.where(example.train_id == _SKY_TRAIN_ID, np.float32(0), example.depth_m)
    return dataclasses.replace(example, depth_m=depth_m)


def _resize_nearest(array: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[Any]:
    # INTER_NEAREST_EXACT takes the pixel whose centre is nearest; INTER_NEAREST is off by half.
    return cv2.resize(array, shape, interpolation=cv2.INTER_NEAREST_EXACT)
