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
_NEAR_M, _FAR_M = 3.0, 80.0


def contact_sheet(root: Path, settings: WorldSettings) -> npt.NDArray[np.uint8]:
    """Picture, depth (near is bright, 3 to 80 m, log) and classes of a frame of each drive.

    Of more than 12 drives the first 12 are shown.
    """
    height_px = round(_TILE_WIDTH_PX * settings.height_px / settings.width_px)
    rows = []
    for number, drive in enumerate(settings.drive_names[:_MAX_ROWS]):
        frame = FrameId(drive, (number * 7 + settings.num_frames // 2) % settings.num_frames, "l")
        paths = layout.paths_of(root, frame)
        tiles = (
            read_rgb(paths.left),
            depth_colors(read_depth_png(paths.depth), near_m=_NEAR_M, far_m=_FAR_M),
            colorize(read_train_id_png(paths.train_id)),
        )
        size = (_TILE_WIDTH_PX, height_px)
        rows.append(
            np.hstack([cv2.resize(tile, size, interpolation=cv2.INTER_AREA) for tile in tiles])
        )
    return np.vstack(rows).astype(np.uint8)
