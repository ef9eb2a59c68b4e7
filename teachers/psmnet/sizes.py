"""What PSMNet can be asked for; without Keras, so that it is refused before that loads."""

from typing import Literal

from mtdepth.files import UserError

Precision = Literal["float32", "bfloat16", "float16"]  # of the convolutions
SIZE_MULTIPLE = 16  # of height, width and disparities: features at 1/4, hourglasses at 1/16 of them


def check_max_disparity(max_disparity_px: int) -> None:
    """Refuses a range of disparities that the hourglasses cannot halve.

    Raises:
      UserError: If it is not a positive multiple of `SIZE_MULTIPLE`.
    """
    if max_disparity_px <= 0 or max_disparity_px % SIZE_MULTIPLE:
        raise UserError(
            f"the largest disparity must be a positive multiple of {SIZE_MULTIPLE}, "
            f"got {max_disparity_px}"
        )
