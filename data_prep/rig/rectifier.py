"""Pictures as a camera took them become those of the rectified rig."""

import threading
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.rig.calibration import Calibration, Matrix
from mtdepth.files import DataError
from mtdepth.geometry.camera import Intrinsics

Image = npt.NDArray[np.uint8]


class Rectifier:
    """A rig's maps, computed once for each size of pictures. For any number of threads.

    Args:
      calibration: Of the pictures as they are taken.

    Raises:
      DataError: If it tells of rectified pictures alone.
    """

    def __init__(self, calibration: Calibration) -> None:
        needed = 1 if calibration.baseline_m is None else 2
        if len(calibration.lenses) < needed:
            raise DataError(
                calibration.path,
                "tells of rectified pictures alone: to rectify, the lenses are needed as well (K1 "
                "D1 K2 D2 with R T, or with R1 R2 P1 P2)",
            )
        self._calibration = calibration
        self._lock = threading.Lock()
        self._maps: dict[tuple[int, tuple[int, int]], tuple[Any, Any]] = {}

    def camera(self, size: tuple[int, int]) -> Intrinsics:
        """The pinhole of rectified pictures, of pictures taken at (height, width).

        Raises:
          UserError: If the size is no scaling of the calibration's.
        """
        taken = self._calibration.lenses[0][0].camera
        at_size = taken.rescaled(width_px=size[1], height_px=size[0])
        camera = self._calibration.camera
        if at_size == taken:
            return camera
        return camera.resized(
            width_px=round(camera.width_px * size[1] / taken.width_px),
            height_px=round(camera.height_px * size[0] / taken.height_px),
        )

    def picture(self, image_rgb: Image, side: int) -> Image:
        """`[height, width, 3]`, rectified.

        Args:
          image_rgb: As it was taken.
          side: 0 for the left or only camera, 1 for the right one.

        Raises:
          UserError: If its size is no scaling of the calibration's.
        """
        size = (image_rgb.shape[0], image_rgb.shape[1])
        with self._lock:
            if (side, size) not in self._maps:
                lens, rotation = self._calibration.lenses[side]
                scaled = lens.rescaled(width_px=size[1], height_px=size[0])
                self._maps[side, size] = scaled.maps_to(self.camera(size), rotation)
            maps = self._maps[side, size]
        return np.asarray(cv2.remap(image_rgb, *maps, cv2.INTER_LINEAR), np.uint8)

    def before(self, uv_px: Matrix, side: int, size: tuple[int, int]) -> Matrix:
        """Where pixels `[n, 2]` of a rectified picture were, in one taken at (height, width)."""
        lens, rotation = self._calibration.lenses[side]
        camera = self.camera(size)
        rays = np.column_stack(
            [
                (uv_px[:, 0] - camera.cx_px) / camera.fx_px,
                (uv_px[:, 1] - camera.cy_px) / camera.fy_px,
                np.ones(len(uv_px)),
            ]
        )
        turned = rays @ rotation
        scaled = lens.rescaled(width_px=size[1], height_px=size[0])
        return scaled.project(turned[:, :2] / turned[:, 2:])
