r"""Disparity of one rectified pair by PSMNet.

Full example:

    python -m teachers.psmnet --weights psmnet_kitti2015.npz --left left.png --right right.png \
        --output disparity.png --picture disparity_colours.png

--weights is a file of teachers.psmnet.convert, or the authors' checkpoint as it is where PyTorch is
installed (then with --align_corners for the releases of 2018, --noalign_corners for that of 2021).
The output is a uint16 PNG of disparity in pixels * 256, as KITTI's own, at the pictures' size.
"""

import time
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
from absl import flags, logging

from mtdepth import program
from mtdepth.datasets.label_store import DISPARITY_UNITS_PER_PX
from mtdepth.files import UserError
from mtdepth.pictures import read_rgb, write_png
from mtdepth.runtime.colors import depth_colors
from teachers.psmnet.sizes import Precision
from teachers.psmnet.teacher import PsmnetTeacher

FLAGS = flags.FLAGS
flags.DEFINE_string("weights", None, "A converted .npz, or the authors' .tar/.pth.", required=True)
flags.DEFINE_string("left", None, "Left picture of a rectified pair.", required=True)
flags.DEFINE_string("right", None, "Right picture, same size.", required=True)
flags.DEFINE_string("output", None, "Disparity PNG to write.", required=True)
flags.DEFINE_string("picture", None, "Coloured PNG to write as well; near is bright.")
flags.DEFINE_integer("max_disparity", None, "Searched px, a multiple of 16. Default: the file's.")
flags.DEFINE_bool("align_corners", None, "Rule of upsampling of an authors' checkpoint.")
flags.DEFINE_enum("dtype", "float32", list(get_args(Precision)), "Of the convolutions.")

# Larger disparities do not fit into 16 bits of 1/256 px.
_MAX_STORED_DISPARITY_PX = 256


def main() -> None:
    """Checks, matches, writes."""
    _check_flags()
    left, right = _read("left"), _read("right")
    if left.shape != right.shape:
        raise UserError(
            f"{FLAGS.left} is {left.shape[0]}x{left.shape[1]} (height x width) and {FLAGS.right} "
            f"is {right.shape[0]}x{right.shape[1]}: a rectified pair has one size"
        )
    teacher = PsmnetTeacher(
        Path(FLAGS.weights),
        max_disparity_px=FLAGS.max_disparity,
        align_corners=FLAGS.align_corners,
        dtype=FLAGS.dtype,
    )
    if teacher.max_disparity_px > _MAX_STORED_DISPARITY_PX:
        raise UserError(
            f"disparities up to {teacher.max_disparity_px} px do not fit into the PNG (px * 256 "
            f"in 16 bits); give --max_disparity {_MAX_STORED_DISPARITY_PX} or less"
        )
    start_s = time.perf_counter()
    disparity_px = teacher.disparity_px(left, right)
    logging.info(
        "%s: disparity %.2f..%.2f px, median %.2f, in %.1f s",
        teacher.version,
        disparity_px.min(),
        disparity_px.max(),
        np.median(disparity_px),
        time.perf_counter() - start_s,
    )
    units = np.rint(disparity_px * DISPARITY_UNITS_PER_PX)
    write_png(Path(FLAGS.output), units.astype(np.uint16))
    logging.info("Wrote %s.", FLAGS.output)
    if FLAGS.picture:
        write_png(Path(FLAGS.picture), _colours(disparity_px))
        logging.info("Wrote %s.", FLAGS.picture)


def _check_flags() -> None:
    for flag in ("output", "picture"):
        name = FLAGS[flag].value
        if name and Path(name).suffix != ".png":
            raise UserError(f"--{flag} must end in .png, got {name}")


def _read(flag: str) -> npt.NDArray[np.uint8]:
    path = Path(FLAGS[flag].value)
    if not path.is_file():
        raise FileNotFoundError(f"--{flag} {path}: no such file")
    return read_rgb(path)


def _colours(disparity_px: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """From bright (the nearest hundredth) to dark (the farthest) in equal ratios."""
    far_px, near_px = np.maximum(np.percentile(disparity_px, (1, 99)), 0.5)
    depth = 1 / np.maximum(disparity_px, 0.5)  # up to focal length and baseline
    return depth_colors(depth, near_m=1 / max(near_px, far_px * 1.01), far_m=1 / far_px)


if __name__ == "__main__":
    program.run(main)
