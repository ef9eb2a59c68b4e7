"""One picture that shows what a world looks like."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.demo_world import layout
from data_prep.demo_world.settings import WorldSettings
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import colorize
from mtdepth.datasets.label_store import read_depth_png, read_train_id_png
from mtdepth.pictures import read_rgb
from mtdepth.runtime.colors import depth_colors

_TILE_WIDTH_PX = 416
_MAX_ROWS = 12
_NEAR_M, _FAR_M = 2.0, 80.0


def contact_sheet(root: Path, settings: WorldSettings) -> npt.NDArray[np.uint8]:
    """A frame of each drive; of more than 12 drives the first 12."""
    rows = []
    for number, drive in enumerate(settings.drive_names[:_MAX_ROWS]):
        frame = FrameId(drive, (number * 7 + settings.num_frames // 2) % settings.num_frames, "l")
        paths = layout.paths_of(root, frame)
        rows.append(
            sheet_row(
                read_rgb(paths.left), read_depth_png(paths.depth), read_train_id_png(paths.train_id)
            )
        )
    return np.vstack(rows)


def sheet_row(
    picture: npt.NDArray[np.uint8],
    depth_m: npt.NDArray[np.float32],
    train_id: npt.NDArray[np.uint8],
) -> npt.NDArray[np.uint8]:
    """Picture, depth (near is bright, 2 to 80 m, log) and classes of a frame side by side.

    Returns:
      `[height, 1248, 3]` RGB.
    """
    tiles = (picture, depth_colors(depth_m, near_m=_NEAR_M, far_m=_FAR_M), colorize(train_id))
    height_px = round(_TILE_WIDTH_PX * picture.shape[0] / picture.shape[1])
    size = (_TILE_WIDTH_PX, height_px)
    row = np.hstack([cv2.resize(tile, size, interpolation=cv2.INTER_AREA) for tile in tiles])
    return row.astype(np.uint8)
