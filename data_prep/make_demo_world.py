r"""Renders synthetic streets in KITTI's raw layout, with exact truth beside them.

Full example:

    python -m data_prep.make_demo_world --output demo/kitti --drives 8 --frames 60 --seed 0 \
        --width 621 --height 188

Eight streets of 60 frames: rectified stereo pictures, laser sweeps, calibration and oxts as KITTI
writes them; below truth/ depth, disparity, classes and camera poses; below splits/ the lists
train.txt and val.txt. Stopped and started again, it goes on where it stopped.
"""

import os
from collections.abc import Iterable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import tqdm
from absl import flags, logging

from data_prep.demo_world.settings import WorldSettings
from data_prep.demo_world.writer import write_world
from mtdepth import program

_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to; new, or begun before.")
_DRIVES = flags.DEFINE_integer("drives", 8, "Number of streets; a quarter is held out as val.")
_FRAMES = flags.DEFINE_integer("frames", 60, "Frames per street, 0.1 s apart.")
_SEED = flags.DEFINE_integer("seed", 0, "Another seed gives other streets.")
_WIDTH = flags.DEFINE_integer("width", 621, "Width of the pictures, pixels (KITTI: 1242).")
_HEIGHT = flags.DEFINE_integer("height", 188, "Height of the pictures, pixels (KITTI: 375).")
_AZIMUTH_STEP = flags.DEFINE_float(
    "lidar_azimuth_step_deg",
    None,
    "Degrees between shots; default: KITTI's 0.09 times 1242 over the width, 0.18 at 621.",
)
_PROCESSES = flags.DEFINE_integer("num_processes", None, "Default: one per core.", lower_bound=1)


def main() -> int:
    """Flags to a world on disk."""
    settings = WorldSettings(
        num_drives=_DRIVES.value,
        num_frames=_FRAMES.value,
        seed=_SEED.value,
        height_px=_HEIGHT.value,
        width_px=_WIDTH.value,
        lidar_azimuth_step_deg=_AZIMUTH_STEP.value,
    )
    root = Path(_OUTPUT.value)
    total = settings.num_drives * settings.num_frames
    num_processes = min(_PROCESSES.value or os.cpu_count() or 1, total)
    try:
        num_rendered = write_world(
            root, settings, num_processes=num_processes, progress=_progress_bar
        )
    except BrokenProcessPool:
        logging.error(
            "a worker process was killed, most likely for want of memory; run the same command "
            "again with a --num_processes below %d: it goes on where it stopped",
            num_processes,
        )
        return 1
    if num_rendered < total:
        logging.info("%d frames were there already and were kept", total - num_rendered)
    logging.info(
        "wrote %d frames of %d drives to %s; look at %s",
        num_rendered,
        settings.num_drives,
        root,
        root / "contact_sheet.png",
    )
    return 0


def _progress_bar(done: Iterable[bool], total: int) -> Iterable[bool]:
    return tqdm.tqdm(done, total=total, unit="frame", desc="rendering")


if __name__ == "__main__":
    flags.mark_flag_as_required("output")
    program.run(main)
