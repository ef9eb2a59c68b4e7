"""ImageNet's mean and standard deviation, which both teachers' pictures are normalised by."""

from typing import Any

import numpy as np
import numpy.typing as npt

# Of RGB in 0..1; torchvision's and the PSMNet authors' figures.
MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)


def normalise_imagenet(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Shifts and scales a picture as networks that began with ImageNet weights expect it.

    Args:
      image: `[..., 3]` RGB, 0..255.

    Returns:
      The same shape, `(image / 255 - MEAN) / STANDARD_DEVIATION`, about -2.1..2.6.

    Raises:
      ValueError: If the picture is not uint8 with three channels.
    """
    if image.dtype != np.uint8 or image.shape[-1:] != (3,):
        raise ValueError(f"expected [..., 3] uint8 RGB, got {image.shape} of {image.dtype}")
    scale, shift = _scale_and_shift()
    return image.astype(np.float32) * scale - shift


def _scale_and_shift() -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    mean, deviation = np.array(MEAN), np.array(STANDARD_DEVIATION)
    return (1 / (255 * deviation)).astype(np.float32), (mean / deviation).astype(np.float32)
