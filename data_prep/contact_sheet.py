"""One picture of many labelled frames: to look at before hours are spent on them."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import colorize
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.pictures import write_png
from mtdepth.runtime.colors import depth_colors

NAME = "contact_sheet.png"
_TILE_WIDTH_PX = 416
_MAX_ROWS = 12
_NEAR_M, _FAR_M = 2.0, 80.0
_LETTERS, _WHITE, _BLACK = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255), (0, 0, 0)


class Row(NamedTuple):
    """A labelled frame.

    Attributes:
      image: `[height, width, 3]` uint8 RGB.
      depth_m: `[height, width]`; 0 is no label.
      train_id: `[height, width]` uint8, or None where there are no classes.
      caption: Written over the picture; empty for nothing.
    """

    image: npt.NDArray[np.uint8]
    depth_m: npt.NDArray[np.floating]
    train_id: npt.NDArray[np.uint8] | None
    caption: str = ""


def write_contact_sheet(path: Path, rows: Iterable[Row]) -> None:
    """Writes rows of picture, depth (near is bright, 2 to 80 m, log, no label black) and classes.

    All rows have classes, or none has.
    """
    write_png(path, np.vstack([_painted(row) for row in rows]))


def _painted(row: Row) -> npt.NDArray[np.uint8]:
    """`[height, 3 * _TILE_WIDTH_PX, 3]`, a third less without classes."""
    shown = [row.image, depth_colors(row.depth_m, near_m=_NEAR_M, far_m=_FAR_M)]
    if row.train_id is not None:
        shown.append(colorize(row.train_id))
    height, width = row.image.shape[:2]
    size = (_TILE_WIDTH_PX, round(_TILE_WIDTH_PX * height / width))
    tiles = [cv2.resize(tile, size, interpolation=cv2.INTER_AREA) for tile in shown]
    line = np.hstack(tiles).astype(np.uint8)
    for color, thickness in ((_BLACK, 3), (_WHITE, 1)) if row.caption else ():
        cv2.putText(line, row.caption, (6, 16), _LETTERS, 0.36, color, thickness, cv2.LINE_AA)
    return line


def write_sheet_of_labels(root: Path) -> Path:
    """Writes `contact_sheet.png` into a label store: twelve frames spread over all, each captioned.

    Returns:
      The picture.

    Raises:
      FileNotFoundError, DataError: If the store or a file of it cannot be read.
    """
    store = LabelStore.open(root)
    frames = evenly_spaced(store.frames, number=_MAX_ROWS)
    write_contact_sheet(root / NAME, (_row(store, frame) for frame in frames))
    return root / NAME


def _row(store: LabelStore, frame: FrameId) -> Row:
    image, depth_m, train_id = store.read_sample(frame)
    share = float(np.mean(depth_m > 0))
    return Row(
        image, depth_m, train_id, f"{frame.drive} {frame.index}: depth on {100 * share:.0f} %"
    )
