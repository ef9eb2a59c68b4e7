"""From light to the eight bits of a camera: exposure, lens, tone curve, noise, compression."""

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.demo_world.texture import Image
from data_prep.demo_world.variety import Variety

_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)
_EXPOSURE_STEPS = 4
_MAX_GAIN = 4.0  # ours: a camera at dusk still shows that it is dusk


def exposed(light: Image, variety: Variety, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The picture `[height, width, 3]` uint8 of light `[height, width, 3]`.

    Args:
      light: What arrives, 1 is white before automatic exposure.
      variety: The camera's properties.
      rng: Draws the noise alone.
    """
    image = _lens(light, variety)
    balance = np.exp([variety.warmth / 2, variety.tint, -variety.warmth / 2]).astype(np.float32)
    image = image * balance
    if variety.level:
        image = image * np.float32(_gain(image[::2, ::2], variety))
    image = _toned(image, variety)
    if variety.saturation != 1.0:
        grey = (image @ _BRIGHTNESS)[..., None]
        image = np.clip(grey + (image - grey) * np.float32(variety.saturation), 0.0, 1.0)
    grain = rng.standard_normal(image.shape, np.float32) * np.float32(variety.noise)
    eight_bits = np.rint(np.clip(image + grain, 0.0, 1.0) * 255.0).astype(np.uint8)
    return _compressed(eight_bits, variety) if variety.jpeg_quality else eight_bits


def _lens(light: Image, variety: Variety) -> Image:
    """Blur of lens and motion, and the dark corners."""
    image = cv2.GaussianBlur(light, (5, 5), variety.blur_px)
    if variety.motion_px:
        # A line as long as the motion, its ends half covered.
        size, angle = 2 * int(np.ceil(variety.motion_px / 2)) + 1, np.radians(variety.motion_deg)
        kernel = np.zeros((size, size), np.float32)
        along = np.linspace(-0.5, 0.5, 8 * size) * variety.motion_px
        for x, y in zip(along * np.cos(angle), along * np.sin(angle), strict=True):
            kernel[round(size // 2 + y), round(size // 2 + x)] += 1.0
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    if variety.vignette:
        height, width = image.shape[:2]
        v, u = np.mgrid[:height, :width].astype(np.float32)
        reach = np.hypot(u / (width - 1) - 0.5, v / (height - 1) - 0.5) * np.float32(2**0.5)
        image = image * (1.0 - np.float32(variety.vignette) * reach[..., None] ** 2)
    return image


def _toned(image: Image, variety: Variety) -> Image:
    above_black = (image - np.float32(variety.black)) / np.float32(1.0 - variety.black)
    bright = cv2.pow(np.clip(above_black, 0.0, 1.0), variety.gamma)
    curved = bright * bright * (3.0 - 2.0 * bright)
    return bright + np.float32(variety.contrast) * (curved - bright)


def _gain(image: Image, variety: Variety) -> float:
    """Exposure that brings the toned picture's mean to the wanted level, within limits."""
    gain = 1.0
    for _ in range(_EXPOSURE_STEPS):
        mean = float(_toned(image * np.float32(gain), variety).mean())
        gain *= (variety.level / max(mean, 1e-3)) ** (1.0 / variety.gamma)
        gain = float(np.clip(gain, 1 / _MAX_GAIN, _MAX_GAIN))
    return gain


def _compressed(image: npt.NDArray[np.uint8], variety: Variety) -> npt.NDArray[np.uint8]:
    quality = [cv2.IMWRITE_JPEG_QUALITY, round(variety.jpeg_quality)]
    _, code = cv2.imencode(".jpg", image[..., ::-1], quality)
    decoded = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])
