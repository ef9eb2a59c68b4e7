"""Which camera took a picture: by one focal length, or by a file of intrinsics."""

from pathlib import Path

from mtdepth.datasets.plausible import camera_problem, focal_problem
from mtdepth.files import DataError, UserError, read_json
from mtdepth.geometry.camera import Intrinsics

# Sides may differ by so much from the camera's aspect ratio: a row or column lost in scaling.
_ASPECT_TOLERANCE = 0.01


class CameraModel:
    """The intrinsics of every picture of a source.

    Args:
      focal_px: Of pictures of the first one's size, principal point in the middle.
      intrinsics: In full, at their own size; pictures of the same aspect ratio are scaled to.
    """

    def __init__(
        self, *, focal_px: float | None = None, intrinsics: Intrinsics | None = None
    ) -> None:
        if focal_px is not None and intrinsics is not None:
            raise UserError("give --focal_px or --camera, not both")
        self._focal_px, self._intrinsics = focal_px, intrinsics
        self._size: tuple[int, int] | None = None

    @property
    def is_known(self) -> bool:
        """Whether pictures have intrinsics."""
        return self._focal_px is not None or self._intrinsics is not None

    def of(self, size: tuple[int, int]) -> Intrinsics | None:
        """The camera of a picture of a size (height, width); None where nothing is known.

        Raises:
          UserError: If the size is not one that the camera gives.
          DataError: If the focal length is none for pictures of the first one's size.
        """
        height_px, width_px = size
        if self._intrinsics is not None:
            return _scaled(self._intrinsics, height_px, width_px)
        if self._focal_px is None:
            return None
        if self._size is None:
            # No fault of this picture: it ends the run.
            if why := focal_problem(self._focal_px, width_px=width_px):
                raise DataError("--focal_px", why)
            self._size = size
        if size != self._size:
            raise UserError(
                f"is {height_px}x{width_px} (height x width), but the first picture, which "
                f"--focal_px was taken to be of, is {self._size[0]}x{self._size[1]}"
            )
        return Intrinsics(
            fx_px=self._focal_px,
            fy_px=self._focal_px,
            cx_px=(width_px - 1) / 2,
            cy_px=(height_px - 1) / 2,
            width_px=width_px,
            height_px=height_px,
        )


def read_intrinsics(path: Path) -> Intrinsics:
    """Reads a camera file: fx_px, fy_px, cx_px, cy_px, width_px, height_px.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is no JSON, not of those six numbers, or of a camera that cannot be.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(path, "a camera file is one JSON object")
    try:
        camera = Intrinsics.from_dict(content)
    except (ValueError, OverflowError) as error:
        raise DataError(path, str(error)) from error
    if why := camera_problem(camera):
        raise DataError(path, why)
    return camera


def _scaled(camera: Intrinsics, height_px: int, width_px: int) -> Intrinsics:
    if (height_px, width_px) == (camera.height_px, camera.width_px):
        return camera
    ratio = (width_px / height_px) / (camera.width_px / camera.height_px)
    if abs(ratio - 1) > _ASPECT_TOLERANCE:
        raise UserError(
            f"is {height_px}x{width_px} (height x width), which is no scaling of the camera file's "
            f"{camera.height_px}x{camera.width_px}"
        )
    return camera.resized(width_px=width_px, height_px=height_px)
