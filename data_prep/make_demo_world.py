r"""Renders synthetic streets in KITTI's raw layout, with exact truth beside them.

Full example:

    python -m data_prep.make_demo_world --output demo/kitti --drives 8 --frames 60 --seed 0 \
        --width 621 --height 188

Eight streets of 60 frames: rectified stereo pictures, laser sweeps, calibration and oxts as KITTI
writes them; below truth/ depth, disparity, classes and camera poses; below splits/ the lists
train.txt and val.txt. Stopped and started again, it goes on where it stopped.

For training only, three times as fast: one camera of any rig, exact depth and classes, as a label
store that `python -m mtdepth.train --data` takes:

    python -m data_prep.make_demo_world --training --output world --drives 1000 --frames 10 \
        --width 416 --height 128

A world as your robot sees it: add `--rig my_rig.json --camera_height_m 0.45
--camera_pitch_deg -5`; `--rig kitti` gives all drives KITTI's camera, without --rig nearly half
have it and the others one drawn for each.
"""

from pathlib import Path

from absl import flags, logging

from data_prep.demo_world.kitti_world import write_world
from data_prep.demo_world.settings import WorldSettings
from data_prep.demo_world.training_world import TrainingSettings, write_training_world
from data_prep.jobs.pools import define_pool_flags, pool_from_flags
from mtdepth import program
from mtdepth.datasets.rig_folder import read_rig_file
from mtdepth.files import UserError

_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to; new, or begun before.")
_DRIVES = flags.DEFINE_integer("drives", 8, "Number of streets; a quarter is held out as val.")
_FRAMES = flags.DEFINE_integer(
    "frames", 60, "Frames per street, 0.1 s apart; for --training 2 to 8 m unless --video."
)
_SEED = flags.DEFINE_integer("seed", 0, "Another seed gives other streets.")
_WIDTH = flags.DEFINE_integer("width", 621, "Width of the pictures, pixels (KITTI: 1242).")
_HEIGHT = flags.DEFINE_integer("height", 188, "Height of the pictures, pixels (KITTI: 375).")
_AZIMUTH_STEP = flags.DEFINE_float(
    "lidar_azimuth_step_deg",
    None,
    "Degrees between shots; default: KITTI's 0.09 times 1242 over the width, 0.18 at 621.",
)
_TRAINING = flags.DEFINE_bool("training", False, "One camera and labels, as a label store.")
_VIDEO = flags.DEFINE_bool("video", False, "Training: frames 0.1 s apart, as a video.")
_RIG = flags.DEFINE_string(
    "rig", None, "Training: kitti, or a rig.json (docs: mtdepth/datasets/rig_folder.py)."
)
_CAMERA_HEIGHT_M = flags.DEFINE_list(
    "camera_height_m", None, "Training: one height, or LOW,HIGH; default: KITTI's 1.65, or 0.2,2."
)
_CAMERA_PITCH_DEG = flags.DEFINE_float(
    "camera_pitch_deg", None, "Training: of all drives, positive looks up; default: 0, or drawn."
)
define_pool_flags()


def main() -> int:
    """Flags to a world on disk."""
    root = Path(_OUTPUT.value)
    total = _DRIVES.value * _FRAMES.value
    pool = pool_from_flags(is_neural=False)
    if _TRAINING.value:
        num_rendered = write_training_world(root, _training_settings(), pool=pool)
    else:
        num_rendered = write_world(root, _world_settings(), pool=pool)
    if num_rendered < total:
        logging.info("%d frames were there already and were kept", total - num_rendered)
    logging.info(
        "wrote %d frames of %d drives to %s; look at %s",
        num_rendered,
        _DRIVES.value,
        root,
        root / "contact_sheet.png",
    )
    return 0


def _world_settings() -> WorldSettings:
    given = {
        "--rig": _RIG.value,
        "--camera_height_m": _CAMERA_HEIGHT_M.value,
        "--camera_pitch_deg": _CAMERA_PITCH_DEG.value,
        "--video": _VIDEO.value or None,
    }
    wrong = [name for name, value in given.items() if value is not None]
    if wrong:
        raise UserError(f"{', '.join(wrong)}: only a --training world has another camera")
    return WorldSettings(
        num_drives=_DRIVES.value,
        num_frames=_FRAMES.value,
        seed=_SEED.value,
        height_px=_HEIGHT.value,
        width_px=_WIDTH.value,
        lidar_azimuth_step_deg=_AZIMUTH_STEP.value,
    )


def _training_settings() -> TrainingSettings:
    is_kitti = _RIG.value == "kitti"
    is_given = _RIG.value is not None and not is_kitti
    return TrainingSettings(
        num_drives=_DRIVES.value,
        num_frames=_FRAMES.value,
        seed=_SEED.value,
        height_px=_HEIGHT.value,
        width_px=_WIDTH.value,
        camera=read_rig_file(Path(_RIG.value)).intrinsics_left if is_given else None,
        is_kitti=is_kitti,
        camera_heights_m=_heights_m(_CAMERA_HEIGHT_M.value),
        camera_pitch_deg=_CAMERA_PITCH_DEG.value,
        is_video=_VIDEO.value,
    )


def _heights_m(given: list[str] | None) -> tuple[float, float] | None:
    if given is None:
        return None
    try:
        low_m, high_m = (float(text) for text in (given * 2 if len(given) == 1 else given))
    except ValueError:
        raise UserError(
            f"--camera_height_m={','.join(given)}: give metres, as 0.45, or the lowest and the "
            "highest, as 1.2,2"
        ) from None
    return low_m, high_m


if __name__ == "__main__":
    flags.mark_flag_as_required("output")
    program.run(main)
