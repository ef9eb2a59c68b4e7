"""The pinhole camera of a rectified image, and what resizing, cropping and flipping do to it."""

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.files import UserError

Floats = npt.NDArray[np.floating[Any]]

# Sides may differ by so much from the aspect ratio: a row or column lost in scaling.
_ASPECT_TOLERANCE = 0.01


@dataclasses.dataclass(frozen=True, kw_only=True)
class Intrinsics:
    """A pinhole camera without distortion.

    A point `(x, y, z)` of the camera frame (x right, y down, z forward, metres) is seen at column
    `u = fx_px * x / z + cx_px` and row `v = fy_px * y / z + cy_px`. Pixel (0, 0) is centred at
    u = v = 0, so the image covers -0.5 <= u <= width_px - 0.5.

    Attributes:
      fx_px: Horizontal focal length, positive.
      fy_px: Vertical focal length, positive.
      cx_px: Column of the principal point; may lie outside the image after a crop.
      cy_px: Row of the principal point.
      width_px: Image width.
      height_px: Image height.
    """

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        """Rejects a camera that cannot form an image."""
        numbers = (self.fx_px, self.fy_px, self.cx_px, self.cy_px)
        if not all(math.isfinite(number) for number in numbers):
            raise UserError(f"every number of a camera must be finite, got {self}")
        if self.fx_px <= 0 or self.fy_px <= 0:
            raise UserError(f"fx_px and fy_px must be positive, got {self.fx_px}, {self.fy_px}")
        _check_size(width_px=self.width_px, height_px=self.height_px)

    @property
    def K(self) -> npt.NDArray[np.float64]:
        """The matrix `[3, 3]` that takes camera-frame points to homogeneous pixels."""
        return np.array(
            [[self.fx_px, 0.0, self.cx_px], [0.0, self.fy_px, self.cy_px], [0.0, 0.0, 1.0]]
        )

    @property
    def focal_px(self) -> float:
        """Geometric mean of the two focal lengths.

        The metric scale of a monocular prediction depends on it: one picture does not tell a near
        small thing from a far large one, a known focal length does.
        """
        return math.sqrt(self.fx_px * self.fy_px)

    @classmethod
    def centred(cls, focal_px: float, *, width_px: int, height_px: int) -> "Intrinsics":
        """A lens of one focal length whose principal point is the picture's middle."""
        return cls(
            fx_px=focal_px,
            fy_px=focal_px,
            cx_px=(width_px - 1) / 2,
            cy_px=(height_px - 1) / 2,
            width_px=width_px,
            height_px=height_px,
        )

    @classmethod
    def of_matrix(cls, matrix: Floats, size: tuple[int, int]) -> "Intrinsics":
        """The pinhole of a camera matrix, or of the left part of a projection matrix.

        Args:
          matrix: `[3, 3]` or `[3, 4]`; only its focal lengths and principal point count.
          size: (height, width) of the pictures.

        Raises:
          ValueError: If there is no such camera.
        """
        return cls(
            fx_px=float(matrix[0, 0]),
            fy_px=float(matrix[1, 1]),
            cx_px=float(matrix[0, 2]),
            cy_px=float(matrix[1, 2]),
            width_px=size[1],
            height_px=size[0],
        )

    def resized(self, *, width_px: int, height_px: int) -> "Intrinsics":
        """Returns the camera of the same view sampled at another size.

        The image's *edges* stay where they are, so pixel centres move:
        `cx' = (cx + 0.5) * scale - 0.5`. This is how OpenCV and Keras resize.
        """
        _check_size(width_px=width_px, height_px=height_px)
        scale_u, scale_v = width_px / self.width_px, height_px / self.height_px
        return Intrinsics(
            fx_px=self.fx_px * scale_u,
            fy_px=self.fy_px * scale_v,
            cx_px=(self.cx_px + 0.5) * scale_u - 0.5,
            cy_px=(self.cy_px + 0.5) * scale_v - 0.5,
            width_px=width_px,
            height_px=height_px,
        )

    def rescaled(self, *, width_px: int, height_px: int) -> "Intrinsics":
        """The same camera's pictures at another size of their shape.

        Raises:
          UserError: If they cannot be a scaling of this camera's.
        """
        if (height_px, width_px) == (self.height_px, self.width_px):
            return self
        ratio = (width_px / height_px) / (self.width_px / self.height_px)
        if abs(ratio - 1) > _ASPECT_TOLERANCE:
            raise UserError(
                f"is {height_px}x{width_px} (height x width), which is no scaling of the camera's "
                f"{self.height_px}x{self.width_px}"
            )
        return self.resized(width_px=width_px, height_px=height_px)

    def cropped(self, *, left_px: int, top_px: int, width_px: int, height_px: int) -> "Intrinsics":
        """Returns the camera of the window whose first pixel is column `left_px`, row `top_px`.

        Raises:
          ValueError: If the window reaches outside the image.
        """
        _check_size(width_px=width_px, height_px=height_px)
        fits_u = 0 <= left_px <= self.width_px - width_px
        fits_v = 0 <= top_px <= self.height_px - height_px
        if not (fits_u and fits_v):
            raise ValueError(
                f"the crop must lie inside the image of {self.width_px}x{self.height_px} "
                f"(width x height), got {width_px}x{height_px} at column {left_px}, row {top_px}"
            )
        return dataclasses.replace(
            self,
            cx_px=self.cx_px - left_px,
            cy_px=self.cy_px - top_px,
            width_px=width_px,
            height_px=height_px,
        )

    def flipped(self) -> "Intrinsics":
        """Returns the camera of the image mirrored left to right, which sees the world at -x."""
        return dataclasses.replace(self, cx_px=self.width_px - 1 - self.cx_px)

    def project(self, points_m: Floats) -> tuple[Floats, Floats]:
        """Projects camera-frame points.

        Args:
          points_m: `[..., 3]`, x right, y down, z forward.

        Returns:
          `uv_px` `[..., 2]` (column, row), NaN where the point is not in front of the camera
          (z <= 0), also outside the image; and `z_m` `[...]`.

        Raises:
          ValueError: If the last axis is not 3.
        """
        points_m = np.asarray(points_m)
        if points_m.ndim == 0 or points_m.shape[-1] != 3:
            raise ValueError(f"points_m must be [..., 3], got {points_m.shape}")
        z_m = points_m[..., 2]
        is_in_front = z_m > 0
        divisor_m = np.where(is_in_front, z_m, 1.0)
        u = points_m[..., 0] / divisor_m * self.fx_px + self.cx_px
        v = points_m[..., 1] / divisor_m * self.fy_px + self.cy_px
        uv_px = np.stack([u, v], axis=-1)
        return np.where(is_in_front[..., None], uv_px, np.nan), z_m

    def unproject(self, depth_m: Floats) -> Floats:
        """Lifts a depth image to camera-frame points.

        Args:
          depth_m: `[height, width]` of this camera, camera z; 0 is not measured.

        Returns:
          `[height, width, 3]` metres, at the origin where not measured.

        Raises:
          ValueError: If the image is not of this camera's size.
        """
        depth_m = np.asarray(depth_m)
        if depth_m.shape != (self.height_px, self.width_px):
            raise ValueError(
                f"depth_m must have this camera's size (height, width) = "
                f"({self.height_px}, {self.width_px}), got {depth_m.shape}"
            )
        ray_x = (np.arange(self.width_px) - self.cx_px) / self.fx_px
        ray_y = (np.arange(self.height_px) - self.cy_px) / self.fy_px
        points_m = [depth_m * ray_x[None, :], depth_m * ray_y[:, None], depth_m]
        return np.stack(points_m, axis=-1).astype(depth_m.dtype, copy=False)

    def to_dict(self) -> dict[str, float | int]:
        """Returns the six numbers by name, as JSON can hold them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Intrinsics":
        """Rebuilds what `to_dict` gave.

        Raises:
          UserError: If a name is missing, unknown, or its value is not a number.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        if set(content) != names:
            raise UserError(f"a camera has exactly {sorted(names)}, got {sorted(content)}")
        for name, value in content.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UserError(f"every value of a camera is a number, got {name} {value!r}")
            if name in ("width_px", "height_px") and not float(value).is_integer():
                raise UserError(f"{name} must be a whole number, got {value}")
        sides = {name: int(content[name]) for name in ("width_px", "height_px")}
        return cls(**{name: float(value) for name, value in content.items()} | sides)  # type: ignore[arg-type]  # by name


def focal_of_field(fov_deg: float, *, width_px: int) -> float:
    """The focal length in pixels of a lens that shows so many degrees across pictures so wide.

    Raises:
      UserError: If no lens does.
    """
    if not 0 < fov_deg < 180:
        raise UserError(f"a field of view is between 0 and 180 degrees, got {fov_deg:g}")
    return width_px / 2 / math.tan(math.radians(fov_deg) / 2)


def check_one_lens(focal_px: float | None, fov_deg: float | None, camera: object) -> None:
    """Checks that a lens was told in one way at most.

    Raises:
      UserError: If two are given.
    """
    if sum(given is not None for given in (focal_px, fov_deg, camera)) > 1:
        raise UserError("give one of focal_px, fov_deg and camera")


def field_deg(focal_px: float, *, width_px: int) -> float:
    """How many degrees across a lens shows; see `focal_of_field`."""
    return math.degrees(2 * math.atan(width_px / 2 / focal_px))


def depth_for_focal(depth_m: Floats, *, from_px: float, to_px: float) -> Floats:
    """Rescales a monocular depth from one camera to another of a different focal length.

    The same picture taken with a focal length k times as long shows things k times as far away:
    `depth_m * to_px / from_px` (Facil et al. 2019, "CAM-Convs", sec. 3; Yin et al. 2023,
    "Metric3D", sec. 3.2). Both lengths refer to the same image size.

    Args:
      depth_m: Any shape, metres, as seen with focal length `from_px`; 0 stays 0.
      from_px: Focal length that the depth refers to (the network's training camera).
      to_px: Focal length of the camera that took the picture.

    Returns:
      The same shape, metres.

    Raises:
      UserError: If a focal length is not positive.
    """
    if not (from_px > 0 and to_px > 0):
        raise UserError(f"focal lengths must be positive, got from {from_px} to {to_px} px")
    return depth_m * (to_px / from_px)


def _check_size(*, width_px: int, height_px: int) -> None:
    if width_px < 1 or height_px < 1:
        raise UserError(
            f"an image has at least one pixel, got width {width_px}, height {height_px}"
        )
