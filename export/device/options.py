"""The command line of `python -m export.device`."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from export.device.controls import AUTO
from export.device.outputs import OUTPUTS
from export.device.show import DISPLAYS
from mtdepth.pretrained.names import PRETRAINED, exported_file
from mtdepth.runtime.colors import MAGMA, PALETTES
from mtdepth.runtime.command_line import add_lens_flags, parser_of


def parse(argv: Sequence[str], *, description: str | None) -> argparse.Namespace:
    """Reads and checks the command line; a wrong one ends the program with status 2."""
    parser = parser_of("export.device", description)
    _add_what(parser)
    _add_camera(parser)
    _add_shown(parser)
    _add_sizes(parser)
    options = parser.parse_args(argv)
    options.model = exported_file(options.model, precision="int8")
    _check(parser, options)
    return options


def _add_what(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what is run, and what is written").add_argument
    add(
        *("--model",),
        type=Path,
        default=Path(PRETRAINED),
        help="model.tflite, model.json beside it; a folder with one of each size; or what comes "
        "with mtdepth, such as pretrained:fast:int8 (default: %(default)s)",
    )
    add(
        "--source",
        required=True,
        help="folder, picture, video file, camera (its number, /dev/videoN, or best its name in "
        "/dev/v4l/by-id, which it keeps), picamera2, rtsp://... or http://...",
    )
    add(
        "--output",
        type=Path,
        help="folder to write to; of a camera or stream each start writes to a folder of its own "
        "in it: run_0001, run_0002, ...",
    )
    add(
        "--write",
        help=f"of {','.join(OUTPUTS)}, with commas between (default: overlay,depth of "
        "pictures, video of the rest)",
    )
    add("--video", type=float, help="pictures become one video of so many frames/s")
    add(
        "--obstacles",
        help="file, named pipe, or - for standard output: nearest obstacles as JSON lines; of a "
        "camera or stream they are appended to a file",
    )
    add("--num_columns", type=int, default=24, help="of the obstacles (default: 24)")
    add("--num_threads", type=int, default=2, help="of the interpreter (default: 2)")
    add("--max_frames", type=int, help="stop after so many")
    add("--loop", action="store_true", help="files are played again and again")


def _add_camera(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the camera")
    add_lens_flags(group)
    add = group.add_argument
    add("--camera_height_m", type=float, help="above the ground; tells ground from obstacles")
    add("--camera_pitch_deg", type=float, default=0.0, help="looking down (default: 0)")
    add("--width", type=int, help="that a camera is asked for")
    add("--height", type=int, help="that a camera is asked for")
    add("--fps", type=float, help="that a camera is asked for")
    add("--max_retries", type=int, help="of a lost camera or stream, in a row (default: no end)")


def _add_shown(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what is shown").add_argument
    add(
        *("--display",),
        choices=tuple(DISPLAYS),
        default="none",
        help="show results as they come: in a window, or as a web page",
    )
    add("--host", default="127.0.0.1", help="of the page; 0.0.0.0: the whole network can watch")
    add("--port", type=int, default=8000, help="of the page (default: 8000)")
    add("--alpha", type=float, default=0.5, help="share of the class colours (default: 0.5)")
    add("--palette", choices=PALETTES, default=MAGMA, help=f"of depth (default: {MAGMA})")
    add("--threshold", type=float, default=5.0, help="nearer obstacles are red (default: 5)")


def _add_sizes(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("sizes, where the model has several").add_argument
    add("--size", help=f"to begin with, or {AUTO} (default: the largest)")
    add("--target_fps", type=float, help="a smaller size is taken where that is not reached")
    add("--max_temperature_c", type=float, help="a smaller size is taken where it is hotter")


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    for names, rule in (
        (
            ("focal_px", "fov_deg", "camera_height_m", "fps", "video", "threshold", "target_fps"),
            "positive",
        ),
        (("max_temperature_c",), "positive"),
        (("num_threads", "num_columns", "max_frames", "width", "height"), "at least 1"),
    ):
        for name in names:
            value = getattr(options, name)
            if value is not None and not 0 < value < math.inf:
                parser.error(f"--{name} must be {rule}, got {value}")
    for name, is_legal, rule in (
        ("alpha", 0 <= options.alpha <= 1, "in 0..1"),
        ("max_retries", (options.max_retries or 0) >= 0, "at least 0"),
        ("port", 0 <= options.port < 65536, "in 0..65535"),
        ("camera_pitch_deg", abs(options.camera_pitch_deg) < 90, "between -90 and 90"),
    ):
        if not is_legal:
            parser.error(f"--{name} must be {rule}, got {getattr(options, name)}")
    _check_together(parser, options)


def _check_together(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if (options.width is None) != (options.height is None):
        parser.error("--width and --height go together")
    kinds = write_kinds(options)
    unknown = sorted(set(kinds) - set(OUTPUTS))
    if unknown:
        parser.error(f"--write knows {', '.join(OUTPUTS)}, got {', '.join(unknown)}")
    if kinds and options.output is None:
        parser.error("--write needs --output")
    for kind in kinds:
        why = OUTPUTS[kind].needs_camera
        if why and not (options.focal_px or options.fov_deg or options.camera):
            parser.error(f"--write {kind} needs --focal_px, --fov_deg or --camera: {why}")
    if options.output is None and options.obstacles is None and options.display == "none":
        parser.error("nothing would come of it: give --output, --obstacles or --display")


def write_kinds(options: argparse.Namespace) -> tuple[str, ...]:
    """What `--write` names."""
    return tuple(kind for kind in (options.write or "").split(",") if kind)
