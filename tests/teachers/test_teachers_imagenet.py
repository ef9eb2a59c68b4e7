"""The normalisation that both teachers share."""

import numpy as np
import pytest

from teachers.imagenet import normalise_imagenet


def test_black_white_and_the_mean_by_hand() -> None:
    image = np.array([[[0, 0, 0], [255, 255, 255], [124, 116, 104]]], np.uint8)
    # -0.485 / 0.229 = -2.1179; (1 - 0.485) / 0.229 = 2.2489; 124/255 - 0.485 = 0.00127 -> 0.0056
    expected = [
        [-2.117904, -2.035714, -1.804444],
        [2.248908, 2.428571, 2.64],
        [0.005566, -0.004902, 0.008192],
    ]
    np.testing.assert_allclose(normalise_imagenet(image)[0], expected, atol=2e-6)


@pytest.mark.parametrize(
    "image", [np.zeros((2, 2, 3), np.float32), np.zeros((2, 2), np.uint8)], ids=["float", "gray"]
)
def test_anything_but_rgb_bytes_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 RGB"):
        normalise_imagenet(image)
