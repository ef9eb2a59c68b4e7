"""Pictures in folders as shots, in the order of `mtdepth.datasets.frame_order`."""

from pathlib import Path

from absl import logging

from mtdepth.datasets.frame_order import frame_numbers, moments_of, natural_key
from mtdepth.files import visible_files
from mtdepth.pictures import is_picture, pictures_in


def picture_folders(root: Path) -> list[Path]:
    """Returns the folders at and below `root` that hold pictures, sorted; hidden ones not."""
    folders = {path.parent for path in visible_files(root, "**/*") if is_picture(path)}
    return sorted(
        folder
        for folder in folders
        if not any(part.startswith(".") for part in folder.relative_to(root).parts)
    )


def read_folder(folder: Path) -> dict[int, Path]:
    """Numbers the pictures of a folder in the order they were taken.

    Args:
      folder: Holds at least one picture.

    Returns:
      The picture of each number, ascending; a jump is a gap in time.
    """
    paths = sorted(pictures_in(folder), key=lambda path: natural_key(path.name))
    moments = moments_of([path.stem for path in paths])
    if moments is None:
        logging.warning(
            "%s: names such as %s tell no times; taken as neighbours without a gap, in their order",
            *(folder, paths[0].name),
        )
        return dict(enumerate(paths))
    order = sorted(range(len(paths)), key=lambda place: moments[place])
    numbers, step = frame_numbers([moments[place] for place in order])
    if step != 1:
        logging.info("%s: names %d apart are taken as neighbours in time", folder, step)
    return {number: paths[place] for number, place in zip(numbers, order, strict=True)}
