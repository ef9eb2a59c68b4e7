"""Which camera took a picture: by one focal length, or by a file or name that tells the lens."""

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.plausible import focal_problem
from mtdepth.files import DataError, UserError
from mtdepth.geometry.camera import Intrinsics, check_one_lens, focal_of_field
from mtdepth.geometry.lens import KnownCamera, Straightener


class CameraModel:
    """The intrinsics of every picture of a source, whose distortion is taken out.

    Args:
      focal_px: Of pictures of the first one's size, principal point in the middle.
      fov_deg: Or their horizontal field of view.
      lens: In full, at its own size; pictures of the same aspect ratio are scaled to.
    """

    def __init__(
        self,
        *,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        lens: KnownCamera | None = None,
    ) -> None:
        check_one_lens(focal_px, fov_deg, lens)
        self._focal_px, self._fov_deg = focal_px, fov_deg
        self._straightener = None if lens is None else Straightener(lens)
        self._size: tuple[int, int] | None = None

    @property
    def is_known(self) -> bool:
        """Whether pictures have intrinsics."""
        return any(
            given is not None for given in (self._focal_px, self._fov_deg, self._straightener)
        )

    def straightened(self, image_rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """`[height, width, 3]` as the pinhole sees it that `of` tells; as it is without distortion.

        Raises:
          UserError: If the size is not one that the camera gives.
        """
        return image_rgb if self._straightener is None else self._straightener.picture(image_rgb)

    def of(self, size: tuple[int, int]) -> Intrinsics | None:
        """The camera of a picture of a size (height, width); None where nothing is known.

        Raises:
          UserError: If the size is not one that the camera gives.
          DataError: If the focal length is none for pictures of the first one's size.
        """
        height_px, width_px = size
        if self._straightener is not None:
            return self._straightener.camera(size)
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
