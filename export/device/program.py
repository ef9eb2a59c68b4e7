r"""Runs an exported network on pictures: numpy, OpenCV and LiteRT only, no TensorFlow.

Full examples: a folder of pictures from a camera of 720 px focal length, and a web page at
http://127.0.0.1:8000 of what a Raspberry Pi's camera sees:

    python -m export.device --model runs/export_s_int8/model.tflite \
        --source pictures --output results --focal_px 720 --num_threads 4
    python -m export.device --model runs/export_s_int8/model.tflite \
        --source picamera2 --width 640 --height 480 --display web

A folder or a picture gives `<name>_overlay.png` and `<name>_depth.png` (uint16, metres * 256) for
each picture, or with --video 10 one `overlay.mp4` at 10 frames/s; a video file gives `overlay.mp4`,
a camera or a stream `overlay.mkv`; --write chooses otherwise. `latency.json` holds the median and
90th percentile of every stage of the last run.

What files give replaces what an earlier run made of them. Of a camera or a stream nothing is
replaced: each start writes to the next of `run_0001`, `run_0002`, ... in --output, and --obstacles
FILE is appended to. A video is called `overlay_unfinished` until it is whole; where the program was
killed, or the power went, it stays so, and a camera's can be played but for its last seconds, after
a power cut its last half minute.

Cameras and streams are opened again when they are lost, a USB camera also under another number. A
recording of theirs stops before the disk is full; the rest goes on, and so does the recording when
there is room again, the video as `overlay_2.mkv`. The exit status is then 1.
Without --focal_px or --camera depth is in metres only for a camera like that of the training.
"""

import argparse
import logging
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from export.device.camera_model import CameraModel
from export.device.cameras import is_live_name, open_live
from export.device.controls import AUTO, Controls, Settings
from export.device.engine import Engine
from export.device.governor import Limits
from export.device.live import Request
from export.device.models import open_models
from export.device.options import parse as parse_options
from export.device.options import write_kinds
from export.device.outputs import open_outputs
from export.device.service import Service
from export.device.show import show
from export.device.sources import RUN_NAME, Repeated, Source, open_files
from mtdepth.datasets.camera_file import open_camera
from mtdepth.files import UserError, write_json
from mtdepth.runtime.command_line import run as run_program
from mtdepth.runtime.obstacles import Mount, Rule
from mtdepth.runtime.seen import Look

_LOG = logging.getLogger("export.device")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    return parse_options(argv, description=__doc__)


def run(options: argparse.Namespace) -> int:
    """Predicts a whole source; returns the exit status: 1 if any frame failed."""
    engine = _engine(options)
    limits = Limits(target_fps=options.target_fps, max_temperature_c=options.max_temperature_c)
    controls = _controls(options, engine, limits)
    source = _source(options)
    recording_to = open_outputs(
        options.output,
        names=write_kinds(options),
        source=source,
        video_fps=options.video,
        obstacles=options.obstacles,
        is_shown=options.display == "web",
    )
    service = Service(
        source,
        engine,
        controls,
        recordings=recording_to.recordings,
        limits=limits,
        max_frames=options.max_frames,
    )
    try:
        stopped_by = _run_until_stopped(service, options)
    finally:
        recording_to.tidy()
    if service.fault is not None:
        raise service.fault
    report = service.report()
    _say(report, recording_to.folder or options.output)
    if options.output is not None:
        path = options.output / RUN_NAME
        try:
            write_json(path, report)
        except OSError as error:
            # Of a full disk the system does not say whose it is.
            raise OSError(error.errno, error.strerror, str(path)) from error
    if stopped_by == signal.SIGINT:
        return 128 + signal.SIGINT
    return 1 if service.failures or not report["num_frames"] else 0


def _run_until_stopped(service: Service, options: argparse.Namespace) -> int | None:
    """Runs it to its end; returns the signal that ended it, None where it ended by itself."""
    received: list[int] = []
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        # A second one ends the program at once. First, since the event's lock may be held by what
        # the signal interrupted.
        signal.signal(number, signal.SIG_DFL)
        stopped.set()

    before = {number: signal.signal(number, stop) for number in _ending_signals()}
    try:
        show(service, options, stopped=stopped)
    finally:
        service.stop()
        service.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    return received[0] if received else None


def _ending_signals() -> list[signal.Signals]:
    """Those that end a run as Ctrl-C does: also a terminal that goes away, unless under nohup."""
    ending = [signal.SIGINT, signal.SIGTERM]
    hung_up = getattr(signal, "SIGHUP", None)
    if hung_up is not None and signal.getsignal(hung_up) != signal.SIG_IGN:
        ending.append(hung_up)
    return ending


def _engine(options: argparse.Namespace) -> Engine:
    models = open_models(options.model, num_threads=options.num_threads)
    if options.size not in (None, AUTO):
        models.select(options.size)
    lens = None if options.camera is None else open_camera(options.camera)
    mount = None
    if options.camera_height_m is not None:
        mount = Mount(height_m=options.camera_height_m, pitch_deg=options.camera_pitch_deg)
    return Engine(
        models,
        num_threads=options.num_threads,
        camera=CameraModel(focal_px=options.focal_px, fov_deg=options.fov_deg, lens=lens),
        rule=Rule(num_columns=options.num_columns, mount=mount),
    )


def _controls(options: argparse.Namespace, engine: Engine, limits: Limits) -> Controls:
    sizes = engine.models.sizes
    if limits.is_active and len(sizes) < 2:
        raise UserError(
            f"--target_fps and --max_temperature_c choose among sizes, but {options.model} has "
            f"one, {sizes[0]}; give a folder with several, or a file of several"
        )
    if options.size == AUTO and not limits.is_active:
        raise UserError("--size auto needs --target_fps or --max_temperature_c")
    return Controls(
        Settings(
            look=Look(palette=options.palette, alpha=options.alpha),
            # A named --size is then only where it begins.
            size=AUTO if limits.is_active else None,
            threshold_m=options.threshold,
        ),
        sizes=(*sizes, AUTO) if limits.is_active else sizes,
    )


def _source(options: argparse.Namespace) -> Source:
    if not is_live_name(options.source):
        files = open_files(options.source)
        return Repeated(files) if options.loop else files
    size = None if options.width is None else (options.height, options.width)
    request = Request(size=size, fps=options.fps)
    return open_live(options.source, request=request, max_retries=options.max_retries)


def _say(report: dict[str, object], output: Path | None) -> None:
    for name in ("preprocess_ms", "inference_ms", "postprocess_ms", "total_ms"):
        if name in report:
            _LOG.info("%-15s %s", name, report[name])
    _LOG.info("frames/s %s, threads %s", report["frames_per_second"], report["num_threads"])
    _LOG.info(
        "%d frames%s, %d failed, %d dropped",
        report["num_frames"],
        "" if output is None else f" to {output}",
        report["num_failures"],
        report["num_dropped"],
    )


def main() -> int:
    """The program."""
    return run_program(parse, run)
