r"""Depth, classes and the nearest obstacle of photos, folders, films, cameras and streams.

Full examples:

    mtdepth predict photo.jpg
    mtdepth predict holiday/ walk.mp4 --output seen --fov_deg 69 --write overlay,depth,ply
    mtdepth predict 0            # a camera, shown at http://127.0.0.1:8000

Each photo gives `<name>_overlay.png` and `<name>_depth.png` (uint16, metres * 256, 0 = nothing) in
--output, and one sentence. Metres rest on the lens: --fov_deg, --focal_px or --camera, else the
photo's EXIF; where nothing tells it, the sentence says what was assumed. A film gives `overlay.mp4`
and a camera is shown as a web page, by the program `mtdepth device`, which has more choices.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from export.device import program as device
from export.device.cameras import is_live_name
from export.device.sources import PictureFiles, open_files
from mtdepth.contract import DECODERS_HELP
from mtdepth.files import DataError, UserError
from mtdepth.photo import Predictor
from mtdepth.pretrained.names import PRETRAINED
from mtdepth.runtime.command_line import add_lens_flags, parser_of, run
from mtdepth.runtime.picture_files import WRITERS

_LOG = logging.getLogger("export.predict")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = parser_of("export.predict", __doc__)
    add = parser.add_argument
    add("sources", nargs="+", help="photos, folders, films, cameras (a number), rtsp://...")
    add("--output", type=Path, default=Path("seen"), help="folder (default: %(default)s)")
    add("--model", default=PRETRAINED, help="workdir or file (default: %(default)s)")
    add("--size", help=f"where the model has several: {DECODERS_HELP}")
    add("--write", default="overlay,depth", help=f"of {','.join(WRITERS)} (default: %(default)s)")
    add_lens_flags(parser)
    add("--num_threads", type=int, default=2, help="of the interpreter (default: %(default)s)")
    options = parser.parse_args(argv)
    if unknown := sorted(set(options.write.split(",")) - set(WRITERS)):
        parser.error(f"--write knows {', '.join(WRITERS)}, got {', '.join(unknown)}")
    return options


def predict(options: argparse.Namespace) -> int:
    """Predicts every source; 1 if any failed."""
    photos: list[Path] = []
    others: list[str] = []
    statuses = []
    for source in options.sources:
        try:
            found = None if is_live_name(source) else open_files(source)
        except (DataError, FileNotFoundError, UserError) as error:
            _LOG.error("%s", error)
            statuses.append(1)
            continue
        if isinstance(found, PictureFiles):
            photos += found.paths
        else:
            others.append(source)
    if photos:
        statuses.append(_photos(photos, options))
    statuses += [_other(source, options) for source in others]
    return max(statuses)


def _photos(paths: list[Path], options: argparse.Namespace) -> int:
    """Predicts photos one by one and says which failed; returns the status."""
    predictor = Predictor(
        options.model,
        size=options.size,
        num_threads=options.num_threads,
        focal_px=options.focal_px,
        fov_deg=options.fov_deg,
        camera=options.camera,
    )
    num_failed = 0
    for path, name in zip(paths, _names(paths), strict=True):
        try:
            seen = predictor(path, name=name)
            seen.save(options.output, write=options.write.split(","))
        except (DataError, FileNotFoundError, UserError) as error:
            num_failed += 1
            _LOG.error("%s", error if str(path) in str(error) else f"{path}: {error}")
            continue
        sys.stdout.write(f"{path}: {seen.in_words}\n")
        sys.stdout.flush()
    _LOG.info("wrote %d of %d to %s", len(paths) - num_failed, len(paths), options.output)
    return 1 if num_failed else 0


def _names(paths: list[Path]) -> list[str]:
    """What each photo's files are called: its stem, and as much more as makes it the only one."""
    for words in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["_".join((*path.parts[-words:-1], path.stem)) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{number:06d}_{path.name}" for number, path in enumerate(paths)]


def _other(source: str, options: argparse.Namespace) -> int:
    """Runs the device's program on a film, a camera or a stream."""
    is_live = is_live_name(source)
    given = {
        "--model": None if options.model == PRETRAINED else options.model,
        "--source": source,
        "--output": None if is_live else options.output / Path(source).stem,
        "--display": "web" if is_live else None,
        "--size": options.size,
        "--focal_px": options.focal_px,
        "--fov_deg": options.fov_deg,
        "--camera": options.camera,
        "--num_threads": options.num_threads,
    }
    words = [word for name, value in given.items() if value is not None for word in (name, value)]
    return device.run(device.parse([str(word) for word in words]))


if __name__ == "__main__":
    sys.exit(run(parse, predict))
