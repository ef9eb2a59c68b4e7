"""Which sizes PSMNet takes; without Keras, so that a wrong one is refused before that loads."""

SIZE_MULTIPLE = 16  # of height, width and disparities: features at 1/4, hourglasses at 1/16 of them


def check_max_disparity(max_disparity_px: int) -> None:
    """Refuses a range of disparities that the hourglasses cannot halve.

    Raises:
      ValueError: If it is not a positive multiple of `SIZE_MULTIPLE`.
    """
    if max_disparity_px <= 0 or max_disparity_px % SIZE_MULTIPLE:
        raise ValueError(
            f"the largest disparity must be a positive multiple of {SIZE_MULTIPLE}, "
            f"got {max_disparity_px}"
        )
