"""How a picture of any size meets a network of one size, and how the answer comes back.

One law for training data, the evaluator and the device. Both ways follow pixel centres: column `u`
of an image resized by `s` lies at `(u + 0.5) * s - 0.5`.

- `stretch` resizes the whole picture, whatever that does to its aspect ratio.
- `crop` cuts the centred part that has the network's aspect ratio, then resizes.
- `mirror` shrinks the whole picture until it fits, and continues it by its mirror images. It is no
  way to train; a picture whose shape a stretched network has never seen is asked about so.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.contract import Fit
from mtdepth.datasets.label_map import IGNORE_ID
from mtdepth.geometry.camera import Intrinsics

PictureFit = Fit | Literal["mirror"]
Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Output = TypeVar("Output", Floats, Bytes)


@dataclass(frozen=True)
class Window:
    """A part of a picture, in whole pixels."""

    left_px: int
    top_px: int
    width_px: int
    height_px: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return (
            slice(self.top_px, self.top_px + self.height_px),
            slice(self.left_px, self.left_px + self.width_px),
        )


def seen_window(*, image_size: tuple[int, int], size: tuple[int, int], fit: PictureFit) -> Window:
    """The part of a picture that reaches the network.

    Args:
      image_size: (height, width) of the picture.
      size: (height, width) of the network's input, or of any map with its aspect ratio.
      fit: How the picture is fitted.

    Raises:
      ValueError: For another `fit` or an empty size.
    """
    height_px, width_px = image_size
    net_height_px, net_width_px = size
    if min(*image_size, *size) < 1:
        raise ValueError(
            f"sizes must be at least 1 pixel, got picture {image_size}, network {size}"
        )
    if fit in ("stretch", "mirror"):
        return Window(0, 0, width_px, height_px)
    if fit != "crop":
        raise ValueError(f"fit must be 'stretch', 'crop' or 'mirror', got {fit!r}")
    # One of the two is the whole side. At least one pixel is left of a sliver.
    seen_width_px = max(1, min(width_px, round(height_px * net_width_px / net_height_px)))
    seen_height_px = max(1, min(height_px, round(width_px * net_height_px / net_width_px)))
    return Window(
        (width_px - seen_width_px) // 2,
        (height_px - seen_height_px) // 2,
        seen_width_px,
        seen_height_px,
    )


def mirrored_inset(*, image_size: tuple[int, int], size: tuple[int, int]) -> Window:
    """Where a whole picture lies in the network's input, its mirror images around it.

    Args:
      image_size: (height, width) of the picture.
      size: (height, width) of the network's input, or of any map with its aspect ratio.
    """
    height_px, width_px = image_size
    net_height_px, net_width_px = size
    inset_width_px = max(1, min(net_width_px, round(net_height_px * width_px / height_px)))
    inset_height_px = max(1, min(net_height_px, round(net_width_px * height_px / width_px)))
    return Window(
        (net_width_px - inset_width_px) // 2,
        (net_height_px - inset_height_px) // 2,
        inset_width_px,
        inset_height_px,
    )


def fit_image(image_rgb: Bytes, *, size: tuple[int, int], fit: PictureFit) -> Bytes:
    """Brings a picture to the network's input size.

    A side that shrinks is averaged over areas (no aliasing), one that grows is interpolated; a
    picture that shrinks one way and grows the other goes through one after the other, since
    OpenCV's area filter silently becomes something else when either side grows.

    Args:
      image_rgb: `[height, width, 3]`.
      size: (height, width) to reach.
      fit: How.

    Returns:
      `[size[0], size[1], 3]`.

    Raises:
      ValueError: If `image_rgb` is no 3-channel uint8 picture.
    """
    if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8:
        raise ValueError(
            "image_rgb must be [height, width, 3] uint8, "
            f"got {image_rgb.shape} of {image_rgb.dtype}"
        )
    if fit == "mirror":
        inset = mirrored_inset(image_size=image_rgb.shape[:2], size=size)
        whole = fit_image(image_rgb, size=(inset.height_px, inset.width_px), fit="stretch")
        below_px = size[0] - inset.top_px - inset.height_px
        right_px = size[1] - inset.left_px - inset.width_px
        sides = (inset.top_px, below_px, inset.left_px, right_px)
        return cv2.copyMakeBorder(whole, *sides, cv2.BORDER_REFLECT)
    window = seen_window(image_size=image_rgb.shape[:2], size=size, fit=fit)
    seen = np.ascontiguousarray(image_rgb[window.slices])
    shrunk_width_px = min(size[1], window.width_px)
    shrunk_height_px = min(size[0], window.height_px)
    if (shrunk_height_px, shrunk_width_px) != seen.shape[:2]:
        seen = cv2.resize(seen, (shrunk_width_px, shrunk_height_px), interpolation=cv2.INTER_AREA)
    if size != seen.shape[:2]:
        seen = cv2.resize(seen, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return seen


def fitted_intrinsics(camera: Intrinsics, *, size: tuple[int, int], fit: PictureFit) -> Intrinsics:
    """The camera that would have taken the fitted picture.

    Args:
      camera: Of the picture, at the picture's size.
      size: (height, width) of the network's input.
      fit: How the picture is fitted.
    """
    if fit == "mirror":
        inset = mirrored_inset(image_size=(camera.height_px, camera.width_px), size=size)
        whole = camera.resized(width_px=inset.width_px, height_px=inset.height_px)
        return replace(
            whole,
            cx_px=whole.cx_px + inset.left_px,
            cy_px=whole.cy_px + inset.top_px,
            width_px=size[1],
            height_px=size[0],
        )
    window = seen_window(image_size=(camera.height_px, camera.width_px), size=size, fit=fit)
    cropped = camera.cropped(
        left_px=window.left_px,
        top_px=window.top_px,
        width_px=window.width_px,
        height_px=window.height_px,
    )
    return cropped.resized(width_px=size[1], height_px=size[0])


def restore_depth(depth_net_m: Floats, *, image_size: tuple[int, int], fit: PictureFit) -> Floats:
    """Brings predicted depth onto the picture, bilinearly.

    Args:
      depth_net_m: `[height, width]` of the network's output; its aspect ratio is the input's.
      image_size: (height, width) of the picture.
      fit: As the picture was fitted.

    Returns:
      `image_size`, float32; 0 outside a crop, where nothing was predicted.
    """
    depth_net_m = _of_picture(depth_net_m, image_size=image_size, fit=fit)
    window = seen_window(image_size=image_size, size=_size_of(depth_net_m), fit=fit)
    # OpenCV's bilinear filter follows pixel centres and repeats the border.
    seen_m = cv2.resize(
        np.ascontiguousarray(depth_net_m, np.float32),
        (window.width_px, window.height_px),
        interpolation=cv2.INTER_LINEAR,
    )
    if seen_m.shape == image_size:
        return seen_m
    depth_m = np.zeros(image_size, np.float32)
    depth_m[window.slices] = seen_m
    return depth_m


def restore_train_id(train_id_net: Bytes, *, image_size: tuple[int, int], fit: PictureFit) -> Bytes:
    """Brings predicted classes onto the picture; each pixel takes the nearest output pixel's.

    Args:
      train_id_net: `[height, width]` of the network's output; its aspect ratio is the input's.
      image_size: (height, width) of the picture.
      fit: As the picture was fitted.

    Returns:
      `image_size`, uint8; 255 outside a crop.
    """
    train_id_net = _of_picture(train_id_net, image_size=image_size, fit=fit)
    height_px, width_px = _size_of(train_id_net)
    window = seen_window(image_size=image_size, size=(height_px, width_px), fit=fit)
    train_id = np.full(image_size, IGNORE_ID, np.uint8)
    # Not cv2.INTER_NEAREST, which takes pixel corners. Columns first: the smaller gather.
    columns = _nearest(window.width_px, width_px)
    rows = _nearest(window.height_px, height_px)
    train_id[window.slices] = train_id_net.take(columns, axis=1).take(rows, axis=0)
    return train_id


def _of_picture(output: Output, *, image_size: tuple[int, int], fit: PictureFit) -> Output:
    """What of a network's output is of the picture, and not of its mirror images."""
    if fit != "mirror":
        return output
    return output[mirrored_inset(image_size=image_size, size=_size_of(output)).slices]


def _nearest(num_to: int, num_from: int) -> npt.NDArray[np.intp]:
    # floor((i + 0.5) * from / to) in integers, so that no rounding can move a class border.
    return (2 * np.arange(num_to) + 1) * num_from // (2 * num_to)


def _size_of(output: npt.NDArray[np.float32] | Bytes) -> tuple[int, int]:
    if output.ndim != 2:
        raise ValueError(f"a network's output must be [height, width], got shape {output.shape}")
    return output.shape[0], output.shape[1]
