"""Sky by its looks, for stereo teachers where no class teacher knows it.

A matcher paints the sky: it has no texture, so what is found at its border is carried into it, and
on 57 % of KITTI's sky semi-global matching has a depth, of trees or of nothing. What is light or
blue, without texture, and reaches up to the picture's upper edge is taken for sky. `README.md` says
how much of it that is, and how much else.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from teachers.interface import DepthTeacher, Floats, Image, StereoSample, Teacher

# ours, by 84 real frames with sky from a segmentation network: see README.md.
_LIGHT = 160  # of 255, grey
_BLUE, _BLUE_LIGHT = 10, 140  # blue above red by so much counts as light from here on
_WINDOW_PX, _MAX_DEVIATION = 7, 4.0  # grey levels within the window; more is texture
_BRIDGE_PX = 9  # wires and lamp posts do not divide a sky
_MIN_SHARE = 0.002  # of the picture, that a sky has at least
_RIM = 16  # of 255; what lies above a rectified picture is black, but for what JPEG makes of it
_MAX_RIM_SHARE = 1 / 8  # of the height


def sky_of(image: Image) -> npt.NDArray[np.bool_]:
    """Where a picture shows sky, by its looks.

    Args:
      image: `[height, width, 3]` RGB.

    Returns:
      `[height, width]`.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    is_blue = cv2.subtract(image[..., 2], image[..., 0]) > _BLUE
    is_light = (grey >= _LIGHT) | (is_blue & (grey >= _BLUE_LIGHT))
    window = (_WINDOW_PX, _WINDOW_PX)
    variance = cv2.blur(grey * grey, window) - cv2.blur(grey, window) ** 2
    is_plain = is_light & (variance <= _MAX_DEVIATION**2)
    bridge = np.ones((_BRIDGE_PX, _BRIDGE_PX), np.uint8)
    reaching = (is_plain | _black_rim(image)).astype(np.uint8)
    bridged = cv2.morphologyEx(reaching, cv2.MORPH_CLOSE, bridge)
    _, part, stats, _ = cv2.connectedComponentsWithStats(bridged, connectivity=4)
    is_sky_part = stats[:, cv2.CC_STAT_AREA] >= _MIN_SHARE * grey.size
    is_sky_part &= stats[:, cv2.CC_STAT_TOP] == 0
    is_sky_part[0] = False  # the rest of the picture
    found = is_sky_part[part] & is_plain
    # Next to its border a window holds texture that is not the sky's.
    near = cv2.dilate(found.astype(np.uint8), np.ones(window, np.uint8)) > 0
    return found | (near & is_light)


def _black_rim(image: Image) -> npt.NDArray[np.bool_]:
    """What is black from the upper edge on: a rectified picture does not reach up to it."""
    is_rim = np.zeros(image.shape[:2], np.bool_)
    upper = image[: round(_MAX_RIM_SHARE * len(image))]
    is_rim[: len(upper)] = np.logical_and.accumulate(upper.max(axis=2) <= _RIM, axis=0)
    return is_rim


class WithoutSky(Teacher[Floats]):
    """A depth teacher that has no depth where the picture shows sky."""

    def __init__(self, teacher: DepthTeacher) -> None:
        self._teacher = teacher
        self.name, self.needs_partner = teacher.name, teacher.needs_partner
        self.version = f"{teacher.version}, without what looks like sky"
        self.source = teacher.source

    def predict_batch(self, samples: Sequence[StereoSample]) -> list[Floats]:
        """Depth of each labelled view, 0 where there is sky; the samples are of one size."""
        depths_m = self._teacher.predict_batch(samples)
        return [
            np.where(sky_of(sample.image), np.float32(0), depth_m)
            for sample, depth_m in zip(samples, depths_m, strict=True)
        ]
