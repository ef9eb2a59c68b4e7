r"""Makes `rig.json` of a calibration, calibrates, rectifies; takes ROS bags apart.

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

A bag of ROS 1 or 2 (.bag, .mcap, .db3, or its folder): what is in it, then as a drive:

    python -m data_prep.rig --bag drive.mcap
    python -m data_prep.rig --bag drive.mcap --left /cam/left/image_rect \
        --right /cam/right/image_rect --lidar /velodyne_points --output recordings

The calibration is the camera_info beside the pictures (or --camera LEFT,RIGHT, or --calibration),
the scanner's place is from the static transforms (or --lidar_to_camera).
"""

import re
import sys
from pathlib import Path

from absl import flags, logging

from data_prep.rig.boards import Board
from data_prep.rig.by_boards import calibrate_folder
from data_prep.rig.calibration import Calibration
from data_prep.rig.formats import read_calibration
from data_prep.rig.from_bag import BagRequest, list_contents, take_out
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
_BAG = flags.DEFINE_list("bag", None, "ROS bags, a drive each; alone it tells what is in them.")
_LEFT = flags.DEFINE_string("left", None, "Topic of the left, or only, camera's pictures.")
_RIGHT = flags.DEFINE_string("right", None, "Topic of the right camera's pictures.")
_LIDAR = flags.DEFINE_string("lidar", None, "Topic of the scanner's clouds.")
_CAMERA = flags.DEFINE_list("camera", [], "Topics of camera_info. Default: beside the pictures.")
_RECTIFIED = flags.DEFINE_bool(
    "rectified", None, "The bag's pictures are rectified. Default: where their topic says rect."
)
_MAX_OFFSET_MS = flags.DEFINE_float("max_offset_ms", 5.0, "Between pictures of a pair.")


def main() -> int:
    """Does what was asked for; 1 if a picture failed."""
    if sum(each.value is not None for each in (_CALIBRATE, _RECTIFY, _BAG)) > 1:
        raise UserError("--calibrate, --rectify and --bag: one after the other")
    if _BAG.value is not None:
        return _take_out([Path(name) for name in _BAG.value])
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
    return _status(rectify_recordings(Path(_RECTIFY.value), output, _calibration()))


def _take_out(bags: list[Path]) -> int:
    """Lists what is in bags, or makes drives of them."""
    if _LEFT.value is None:
        for bag in bags:
            sys.stdout.write(f"{list_contents(bag)}\n")
        return 0
    program.require("output")
    pose = _LIDAR_TO_CAMERA.value
    request = BagRequest(
        left=_LEFT.value,
        right=_RIGHT.value,
        lidar=_LIDAR.value,
        camera_infos=tuple(_CAMERA.value),
        calibration=_read_calibration() if _CALIBRATION.value else None,
        T_lidar_to_left=None if pose is None else read_pose(Path(pose)),
        is_rectified=_RECTIFIED.value,
        max_offset_s=_MAX_OFFSET_MS.value / 1e3,
    )
    return _status([why for bag in bags for why in take_out(bag, Path(_OUTPUT.value), request)])


def _status(failures: list[str]) -> int:
    for why in failures:
        logging.error("%s", why)
    return 1 if failures else 0


def _calibration() -> Calibration:
    """What --calibration names, with the scanner that --lidar_to_camera places."""
    calibration = _read_calibration()
    if _LIDAR_TO_CAMERA.value is None:
        return calibration
    return calibration.with_lidar(read_pose(Path(_LIDAR_TO_CAMERA.value)))


def _read_calibration() -> Calibration:
    return read_calibration(
        [Path(name) for name in _CALIBRATION.value],
        size=_parsed_size(_SIZE.value),
        unit_m=_UNIT_M.value,
        is_fisheye=_FISHEYE.value,
    )


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
