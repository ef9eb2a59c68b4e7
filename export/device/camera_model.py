"""Which camera took a picture: by one focal length, or by a file of intrinsics."""

from pathlib import Path

from mtdepth.datasets.plausible import camera_problem, focal_problem
from mtdepth.files import DataError, UserError, read_json
from mtdepth.geometry.camera import Intrinsics, focal_of_field


class CameraModel:
    """The intrinsics of every picture of a source.

    Args:
      focal_px: Of pictures of the first one's size, principal point in the middle.
      fov_deg: Or their horizontal field of view.
      intrinsics: In full, at their own size; pictures of the same aspect ratio are scaled to.
    """

    def __init__(
        self,
        *,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        intrinsics: Intrinsics | None = None,
    ) -> None:
        if sum(given is not None for given in (focal_px, fov_deg, intrinsics)) > 1:
            raise UserError("give one of --focal_px, --fov_deg and --camera")
        self._focal_px, self._fov_deg, self._intrinsics = focal_px, fov_deg, intrinsics
        self._size: tuple[int, int] | None = None

    @property
    def is_known(self) -> bool:
        """Whether pictures have intrinsics."""
        return any(given is not None for given in (self._focal_px, self._fov_deg, self._intrinsics))

    def of(self, size: tuple[int, int]) -> Intrinsics | None:
        """The camera of a picture of a size (height, width); None where nothing is known.

        Raises:
          UserError: If the size is not one that the camera gives.
          DataError: If the focal length is none for pictures of the first one's size.
        """
        height_px, width_px = size
        if self._intrinsics is not None:
            return self._intrinsics.rescaled(width_px=width_px, height_px=height_px)
        if self._focal_px is None and self._fov_deg is not None:
            self._focal_px = focal_of_field(self._fov_deg, width_px=width_px)
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
                f"the focal length was taken to be of, is {self._size[0]}x{self._size[1]}"
            )
        return Intrinsics.centred(self._focal_px, width_px=width_px, height_px=height_px)


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
