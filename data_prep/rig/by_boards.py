"""From a folder of pictures of a chessboard to a calibration, its files and its picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from data_prep.rig.boards import Board, find_boards
from data_prep.rig.calibrate import CalibratedLens, CalibratedPair, calibrate_one, calibrate_pair
from data_prep.rig.drawing import draw_coverage
from data_prep.rig.opencv_files import write_opencv
from data_prep.rig.writing import write_rig
from mtdepth.datasets.rig_folder import RIG_FILE
from mtdepth.files import UserError, write_text
from mtdepth.geometry.lens import Lens
from mtdepth.pictures import pictures_in, write_png

CALIBRATION_FILE, COVERAGE, REPORT = "calibration.yml", "coverage.png", "report.txt"


def calibrate_folder(root: Path, output: Path, board: Board, *, is_fisheye: bool = False) -> None:
    """Calibrates by pictures in a folder, or in its `left` and `right`; says how well.

    Written are `calibration.yml` for OpenCV and --rectify, `rig.json` of the rectified pictures
    (and `camera.json` of one camera), `coverage.png` and `report.txt`.

    Args:
      root: Pictures of one camera, or `left` and `right`, which are paired by name.
      output: Folder to write to.
      board: The chessboard.
      is_fisheye: Of a lens with a very wide field.

    Raises:
      FileNotFoundError: If there is no such folder.
      UserError: If there are too few boards.
      DataError: If no rig comes of it.
    """
    folders = [root / "left", root / "right"]
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder of pictures")
    if not any(folder.is_dir() for folder in folders):
        folders = [root]
    views = []
    for folder in folders:
        paths = pictures_in(folder)
        if not paths:
            raise UserError(
                f"{folder}: no pictures; --calibrate takes a folder of one camera's, or one with "
                "left and right"
            )
        views.append(find_boards(paths, board))
    path = output / CALIBRATION_FILE
    if len(views) == 1:
        lens, calibration = calibrate_one(root, views[0], board, is_fisheye=is_fisheye)
        lenses, doubts, values = [lens], lens.doubts(), _lens_values(lens.lens, "")
        rows: dict[str, float] = {}
    else:
        pair = calibrate_pair(root, views[0], views[1], board, is_fisheye=is_fisheye)
        lenses, calibration, doubts = [pair.left, pair.right], pair.calibration, pair.doubts()
        values, rows = _pair_values(pair), pair.rows_px
    height_px, width_px = views[0].size
    write_opencv(path, {"image_width": width_px, "image_height": height_px} | values)
    write_png(output / COVERAGE, draw_coverage(lenses))
    text = report(lenses, rows_px=rows)
    write_text(output / REPORT, text)
    logging.info("\n%s", text)
    write_rig(output / RIG_FILE, calibration)
    logging.info("wrote %s; look at %s", path, output / COVERAGE)
    for doubt in doubts:
        logging.warning("%s", doubt)


def report(lenses: Sequence[CalibratedLens], *, rows_px: dict[str, float]) -> str:
    """What was found, and how far each picture is from it."""
    lines = []
    for each in lenses:
        camera = each.lens.camera
        known = "" if each.focal_error_px is None else f" +- {each.focal_error_px:.2f}"
        distortion = ", ".join(f"{number:.4g}" for number in each.lens.distortion)
        lines += [
            f"{each.name}: focal length {camera.fx_px:.2f} {camera.fy_px:.2f}{known} px, middle "
            f"{camera.cx_px:.2f} {camera.cy_px:.2f}, distortion ({each.lens.model}) {distortion}",
            f"  {len(each.errors_px)} pictures, {each.error_px:.3f} px off (root mean square), "
            f"{each.coverage:.0%} of the picture covered",
            *(
                f"  {name}: {error_px:.3f} px"
                + (f", rows differ by {rows_px[name]:.3f} px" if name in rows_px else "")
                for name, error_px in each.errors_px.items()
            ),
            *(f"  {name}: left out, {why}" for name, why in each.views.without.items()),
        ]
    if rows_px:
        total_px = float(np.sqrt(np.mean(np.square(list(rows_px.values())))))
        lines.append(f"{len(rows_px)} pairs: rows differ by {total_px:.3f} px (root mean square)")
    return "\n".join(lines) + "\n"


def _lens_values(lens: Lens, number: str) -> dict[str, Any]:
    names = (f"K{number}", f"D{number}") if number else ("camera_matrix", "distortion_coefficients")
    return {
        names[0]: lens.camera.K,
        names[1]: np.array([lens.distortion]),
        "fisheye_model": int(lens.model == "fisheye"),
    }


def _pair_values(pair: CalibratedPair) -> dict[str, Any]:
    return (
        _lens_values(pair.left.lens, "1")
        | _lens_values(pair.right.lens, "2")
        | {"R": pair.T_left_to_right[:3, :3], "T": pair.T_left_to_right[:3, 3:]}
    )
