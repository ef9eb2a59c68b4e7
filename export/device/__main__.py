r"""Runs an exported network on pictures: numpy, OpenCV and LiteRT only, no TensorFlow.

Full example, a folder of pictures from a camera of 720 px focal length:

    python -m export.device --model runs/export_s_int8/model.tflite \
        --source pictures --output results --focal_px 720 --num_threads 4

A folder or a picture gives `<name>_overlay.png` and `<name>_depth.png` (uint16, metres * 256) for
each picture, or with --video 10 one `overlay.mp4` at 10 frames/s; a video file or a camera (its
number) gives `overlay.mp4`. `latency.json` holds the median and 90th percentile of every stage.
Without --focal_px depth is in metres only for a camera like the one of the training pictures.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from export.device.display import Window
from export.device.job import Display, Job, NoDisplay, Writer
from export.device.sources import PictureFiles, Stream, open_source
from export.device.writers import BROWSER_VIDEO_KINDS, PictureWriter, VideoWriter
from mtdepth.files import DataError, write_json
from mtdepth.runtime.tflite import TfliteBackend

_LOG = logging.getLogger("export.device")
_USER_ERRORS = (DataError, OSError, ValueError, ImportError)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        "python -m export.device",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", type=Path, required=True, help="model.tflite; model.json stands beside it")
    add("--source", required=True, help="folder, picture, video file, or number of a camera")
    add("--output", type=Path, required=True, help="folder to write to")
    add("--focal_px", type=float, help="focal length of the source, in its own pixels")
    add("--num_threads", type=int, default=2, help="of the interpreter (default: 2)")
    add("--alpha", type=float, default=0.5, help="share of the class colours (default: 0.5)")
    add("--max_frames", type=int, help="stop after so many")
    add("--video", type=float, help="pictures become one video of so many frames/s")
    add("--display", choices=("none", "window"), default="none", help="show results as they come")
    options = parser.parse_args(argv)
    for name, is_legal, rule in (
        ("focal_px", options.focal_px is None or options.focal_px > 0, "positive"),
        ("num_threads", options.num_threads >= 1, "at least 1"),
        ("alpha", 0 <= options.alpha <= 1, "in 0..1"),
        ("video", options.video is None or options.video > 0, "positive"),
        ("max_frames", options.max_frames is None or options.max_frames >= 1, "at least 1"),
    ):
        if not is_legal:
            parser.error(f"--{name} must be {rule}, got {getattr(options, name)}")
    return options


def run(options: argparse.Namespace) -> int:
    """Predicts a whole source; returns the exit status: 1 if any frame failed."""
    backend = TfliteBackend(options.model, num_threads=options.num_threads)
    source = open_source(options.source)
    options.output.mkdir(parents=True, exist_ok=True)
    display: Display = Window() if options.display == "window" else NoDisplay()
    job = Job(backend, options.num_threads, focal_px=options.focal_px, alpha=options.alpha)
    job.run(
        source.frames(),
        writer=_writer(source, options),
        display=display,
        max_frames=options.max_frames,
    )
    for failure in job.failures:
        _LOG.error("%s: %s", failure.name, failure.why)
    report = job.report()
    write_json(options.output / "latency.json", report)
    if report["num_frames"]:
        _say(report)
    _LOG.info("%d frames to %s, %d failed", report["num_frames"], options.output, len(job.failures))
    return 1 if job.failures or not report["num_frames"] else 0


def _writer(source: PictureFiles | Stream, options: argparse.Namespace) -> Writer:
    if isinstance(source, Stream):
        return VideoWriter(options.output, fps=options.video or source.fps)
    if options.video:
        return VideoWriter(options.output, fps=options.video, kinds=BROWSER_VIDEO_KINDS)
    return PictureWriter(options.output)


def _say(report: dict[str, object]) -> None:
    for name in ("preprocess_ms", "inference_ms", "postprocess_ms", "total_ms"):
        _LOG.info("%-15s %s", name, report[name])
    _LOG.info("frames/s %s, threads %s", report["frames_per_second"], report["num_threads"])


def main() -> int:
    """The program."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    options = parse(sys.argv[1:])
    try:
        return run(options)
    except _USER_ERRORS as error:
        _LOG.error("%s", error)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
