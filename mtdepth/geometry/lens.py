"""A lens that bends straight lines, and the pinhole camera that its pictures are brought to."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics

Floats = npt.NDArray[np.floating[Any]]
Image = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

DistortionModel = Literal["radtan", "fisheye"]
# What OpenCV's calib3d takes: k1 k2 p1 p2, k3, k4 k5 k6, s1..s4, tau_x tau_y; k1..k4 of a fisheye.
NUM_COEFFICIENTS: dict[DistortionModel, tuple[int, ...]] = {
    "radtan": (4, 5, 8, 12, 14),
    "fisheye": (4,),
}
_NUM_BORDER_POINTS = 33  # of a side; a border bends smoothly
# ours: a point of the border that comes back elsewhere lies where the polynomial has turned.
_MAX_RETURN_PX = 0.5
_RETURN_PX, _MAX_STEPS = 1e-4, 100  # enough of it
_MAX_RAY_SOUGHT = 1e3  # x / z of 89.94 degrees off the axis
# ours: x / z of 56 degrees off the axis. Beyond, a pinhole stretches things more than threefold.
_MAX_RAY = 1.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lens:
    """A camera whose lens bends straight lines.

    Attributes:
      camera: The pinhole that the distortion is applied before (OpenCV's camera matrix), with the
        size of the pictures as they are taken.
      distortion: OpenCV's coefficients (calib3d, "Detailed Description"); empty for none.
      model: `radtan` (Brown-Conrady: k1 k2 p1 p2 [k3 [k4 k5 k6 ...]]) or `fisheye` (Kannala and
        Brandt 2006: k1 k2 k3 k4 of the angle).
    """

    camera: Intrinsics
    distortion: tuple[float, ...] = ()
    model: DistortionModel = "radtan"

    def __post_init__(self) -> None:
        """Rejects coefficients that no model has."""
        if self.model not in NUM_COEFFICIENTS:
            models = " or ".join(NUM_COEFFICIENTS)
            raise UserError(f"the model of a distortion is {models}, got {self.model!r}")
        counts = NUM_COEFFICIENTS[self.model]
        if self.distortion and len(self.distortion) not in counts:
            raise UserError(
                f"a distortion of model {self.model} has {' or '.join(map(str, counts))} numbers, "
                f"got {len(self.distortion)}"
            )
        if not all(math.isfinite(number) for number in self.distortion):
            raise UserError(f"every number of a distortion must be finite, got {self.distortion}")

    @property
    def is_straight(self) -> bool:
        """Whether it is a pinhole already."""
        return self.model == "radtan" and not any(self.distortion)

    def resized(self, *, width_px: int, height_px: int) -> "Lens":
        """The lens of the same pictures at another size; the distortion has no pixels in it."""
        camera = self.camera.resized(width_px=width_px, height_px=height_px)
        return dataclasses.replace(self, camera=camera)

    def rescaled(self, *, width_px: int, height_px: int) -> "Lens":
        """The same at another size of their shape; raises as `Intrinsics.rescaled`."""
        camera = self.camera.rescaled(width_px=width_px, height_px=height_px)
        return dataclasses.replace(self, camera=camera)

    def rays_of(self, uv_px: Floats) -> Matrix:
        """The directions `[n, 2]` (x / z, y / z) of pixels `[n, 2]`; NaN where there is none.

        A polynomial turns somewhere, and beyond the point one ray has two pixels.
        """
        points = np.asarray(uv_px, np.float64).reshape(-1, 2)
        undistort = cv2.fisheye.undistortPoints if self._is_fisheye else cv2.undistortPoints
        found = undistort(points[:, None], self.camera.K, self._coefficients)
        rays = np.asarray(found, np.float64).reshape(-1, 2)
        # OpenCV stops after a few steps, and OpenCV 4 cannot be told otherwise.
        for _ in range(_MAX_STEPS):
            rays[~(np.abs(rays) < _MAX_RAY_SOUGHT).all(axis=1)] = np.nan
            miss_px = points - self.project(rays)
            if not np.nanmax(np.abs(miss_px), initial=0.0) > _RETURN_PX:
                break
            rays = rays + miss_px / [self.camera.fx_px, self.camera.fy_px]
        rays[~(np.abs(miss_px) <= _MAX_RETURN_PX).all(axis=1)] = np.nan
        return rays

    def project(self, rays: Floats) -> Matrix:
        """The pixels `[n, 2]` of directions `[n, 2]`: the inverse of `rays_of`."""
        points = np.column_stack([rays, np.ones(len(rays))]).reshape(-1, 1, 3)
        none = np.zeros(3)
        project = cv2.fisheye.projectPoints if self._is_fisheye else cv2.projectPoints
        pixels = project(points, none, none, self.camera.K, self._coefficients)[0]
        return np.asarray(pixels, np.float64).reshape(-1, 2)

    def straightened(self) -> Intrinsics:
        """The pinhole of the same size that sees as much as has no border without a picture."""
        return inscribed([(self, np.eye(3))])

    def maps_to(self, camera: Intrinsics, rotation: Matrix | None = None) -> tuple[Any, Any]:
        """What `cv2.remap` takes to bring a picture of this lens to a pinhole.

        Args:
          camera: The pinhole, with the size of the result.
          rotation: `[3, 3]`, points of this lens's frame to the pinhole's; None where they agree.

        Returns:
          Two maps of fixed point numbers, the fastest kind.
        """
        rotation = np.eye(3) if rotation is None else rotation
        maps = cv2.fisheye.initUndistortRectifyMap if self._is_fisheye else None
        size = (camera.width_px, camera.height_px)
        of = (self.camera.K, self._coefficients, rotation, camera.K, size, cv2.CV_16SC2)
        first, second = (maps or cv2.initUndistortRectifyMap)(*of)
        return first, second

    @property
    def _is_fisheye(self) -> bool:
        return self.model == "fisheye"

    @property
    def _coefficients(self) -> Matrix:
        return np.array(self.distortion or (0.0,) * 4)


class KnownCamera(Protocol):
    """What knows the lens of its pictures at each of their sizes."""

    def rescaled(self, *, width_px: int, height_px: int) -> Lens:
        """Of pictures of that size; `UserError` if they cannot be its."""


class Straightener:
    """Brings pictures of one camera to a pinhole; the maps are computed once for each size.

    Args:
      lens: That took them.
    """

    def __init__(self, lens: KnownCamera) -> None:
        self.lens = lens
        self._of_size: dict[tuple[int, int], tuple[Intrinsics, tuple[Any, Any] | None]] = {}

    def camera(self, size: tuple[int, int]) -> Intrinsics:
        """The pinhole of straightened pictures of a (height, width).

        Raises:
          UserError: If the size is no scaling of the lens's.
        """
        return self._at(size)[0]

    def picture(self, image: Image) -> Image:
        """`[height, width, 3]` as the pinhole of that size sees it."""
        maps = self._at((image.shape[0], image.shape[1]))[1]
        return image if maps is None else np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR))

    def _at(self, size: tuple[int, int]) -> tuple[Intrinsics, tuple[Any, Any] | None]:
        if size not in self._of_size:
            lens = self.lens.rescaled(width_px=size[1], height_px=size[0])
            if lens.is_straight:
                self._of_size[size] = (lens.camera, None)
            else:
                camera = lens.straightened()
                self._of_size[size] = (camera, lens.maps_to(camera))
        return self._of_size[size]


def inscribed(views: Sequence[tuple[Lens, Matrix]]) -> Intrinsics:
    """The pinhole, of the first lens's size and square pixels, that every lens fills with picture.

    Its field is the largest that lies within all of them, at most 112 degrees.

    Args:
      views: Lenses, and the `[3, 3]` rotations from their frames to the pinhole's.

    Raises:
      UserError: If a lens's distortion leaves nothing.
    """
    size = views[0][0].camera
    boxes = np.array([_box_of(lens, rotation) for lens, rotation in views])
    left, top = boxes[:, :2].max(axis=0)
    right, bottom = boxes[:, 2:].min(axis=0)
    if not (right > left and bottom > top):
        raise UserError(
            "no field is seen by all cameras after rectification: of another size than the "
            "pictures, a rotation in degrees, or left and right exchanged?"
        )
    focal_px = max(
        size.width_px / (right - left),
        size.height_px / (bottom - top),
    )
    return Intrinsics(
        fx_px=focal_px,
        fy_px=focal_px,
        # The middle of the field in the middle of the picture; its edges lie at -0.5, width - 0.5.
        cx_px=(size.width_px - 1) / 2 - focal_px * (left + right) / 2,
        cy_px=(size.height_px - 1) / 2 - focal_px * (top + bottom) / 2,
        width_px=size.width_px,
        height_px=size.height_px,
    )


def _box_of(lens: Lens, rotation: Matrix) -> tuple[float, float, float, float]:
    """The largest box of rays (left, top, right, bottom) around the middle that a picture fills."""
    camera = lens.camera
    u = np.linspace(-0.5, camera.width_px - 0.5, _NUM_BORDER_POINTS)
    v = np.linspace(-0.5, camera.height_px - 0.5, _NUM_BORDER_POINTS)
    sides = (
        np.column_stack([np.full_like(v, u[0]), v]),
        np.column_stack([u, np.full_like(u, v[0])]),
        np.column_stack([np.full_like(v, u[-1]), v]),
        np.column_stack([u, np.full_like(u, v[-1])]),
    )
    limits = []
    for axis, (side, sign) in enumerate(zip(sides, (1, 1, -1, -1), strict=True)):
        rays = lens.rays_of(side)
        rays = rays[np.isfinite(rays).all(axis=1)]
        if len(rays) < _NUM_BORDER_POINTS // 2 and lens.model == "radtan":
            raise UserError(
                f"the distortion {lens.distortion} folds the picture of "
                f"{camera.width_px}x{camera.height_px} px: are its numbers of this camera, in the "
                "order k1 k2 p1 p2 k3?"
            )
        points = np.column_stack([rays, np.ones(len(rays))]) @ rotation.T
        points = points[points[:, 2] > 0]  # a fisheye's border may lie behind the camera
        innermost = (sign * points[:, axis % 2] / points[:, 2]).max(initial=-_MAX_RAY)
        limits.append(sign * float(innermost))
    return limits[0], limits[1], limits[2], limits[3]
