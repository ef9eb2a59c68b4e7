r"""Makes `rig.json` of a calibration, calibrates by a chessboard, rectifies recordings.

Full examples. The calibration of another program, of a pair or of one camera:

    python -m data_prep.rig --calibration stereo.yml --output recordings/rig.json
    python -m data_prep.rig --calibration left.yaml,right.yaml --output recordings/rig.json

Read are OpenCV's YAML and XML (P1 P2, or K1 D1 K2 D2 R T, or M1 ...; intrinsics and extrinsics as
two files with a comma), ROS's camera_info (left,right), Kalibr's camchain.yaml, and KITTI's
calib_cam_to_cam.txt or calib.txt. `rig.json` describes pictures after rectification: the
projections of the file where it has some, else those by which --rectify would draw them. Of one
camera `camera.json`, with its distortion, is written beside it for the device.

No calibration yet? 10 to 30 pictures of a chessboard of 10x7 squares, tilted this way and that, all
over the picture; of a pair in boards/left and boards/right under equal names:

    python -m data_prep.rig --calibrate boards --board 9x6 --square_m 0.025 --output calibrated

Recordings that are not rectified (raw/<drive>/left/000000.png, right/000000.png, perhaps lidar):

    python -m data_prep.rig --rectify raw --calibration calibrated/calibration.yml \
        --output recordings
"""

import re
from pathlib import Path

from absl import flags, logging

from data_prep.rig.boards import Board
from data_prep.rig.by_boards import calibrate_folder
from data_prep.rig.calibration import Calibration
from data_prep.rig.formats import read_calibration
from data_prep.rig.rectify import rectify_recordings
from data_prep.rig.writing import read_pose, write_rig
from mtdepth import program
from mtdepth.datasets.rig_folder import RIG_FILE
from mtdepth.files import UserError

_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to; of --calibration also rig.json.")
_CALIBRATION = flags.DEFINE_list("calibration", None, "File of another program, or two.")
_SIZE = flags.DEFINE_string("size", None, "Of the pictures, 1280x720, where no file says it.")
_UNIT_M = flags.DEFINE_float(
    "unit_m", 1.0, "Of the file's baseline: 0.001 where the board was given in millimetres."
)
_FISHEYE = flags.DEFINE_bool("fisheye", False, "The lens is of cv2.fisheye's kind.")
_LIDAR_TO_CAMERA = flags.DEFINE_string(
    "lidar_to_camera", None, "JSON of 4 rows: LiDAR points to the left camera as it was calibrated."
)
_CALIBRATE = flags.DEFINE_string(
    "calibrate", None, "Folder of pictures of a chessboard, or one with left and right."
)
_BOARD = flags.DEFINE_string("board", None, "Its inner corners: 9x6 for 10x7 squares.")
_SQUARE_M = flags.DEFINE_float("square_m", None, "Side of one square, metres.")
_RECTIFY = flags.DEFINE_string("rectify", None, "Recordings as the cameras took them.")


def main() -> int:
    """Does what was asked for; 1 if a picture failed."""
    if _CALIBRATE.value is not None and _RECTIFY.value is not None:
        raise UserError("--calibrate and --rectify: one after the other")
    if _CALIBRATE.value is not None:
        program.require("board", "square_m", "output")
        board = Board.parse(_BOARD.value, square_m=_SQUARE_M.value)
        source, output = Path(_CALIBRATE.value), Path(_OUTPUT.value)
        calibrate_folder(source, output, board, is_fisheye=_FISHEYE.value)
        return 0
    program.require("calibration", "output")
    output = Path(_OUTPUT.value)
    if _RECTIFY.value is None:
        write_rig(output if output.suffix == ".json" else output / RIG_FILE, _calibration())
        return 0
    failures = rectify_recordings(Path(_RECTIFY.value), output, _calibration())
    for why in failures:
        logging.error("%s", why)
    return 1 if failures else 0


def _calibration() -> Calibration:
    calibration = read_calibration(
        [Path(name) for name in _CALIBRATION.value],
        size=_parsed_size(_SIZE.value),
        unit_m=_UNIT_M.value,
        is_fisheye=_FISHEYE.value,
    )
    if _LIDAR_TO_CAMERA.value is None:
        return calibration
    return calibration.with_lidar(read_pose(Path(_LIDAR_TO_CAMERA.value)))


def _parsed_size(text: str | None) -> tuple[int, int] | None:
    """(height, width) of `1280x720`."""
    if text is None:
        return None
    sides = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if sides is None:
        raise UserError(f"--size={text}: width x height in pixels, such as 1280x720")
    return int(sides[2]), int(sides[1])


if __name__ == "__main__":
    program.run(main)
