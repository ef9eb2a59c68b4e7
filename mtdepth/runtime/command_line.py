"""How the programs that run on a device begin and end: without absl, which no device has."""

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Sequence

from mtdepth.files import DataError, UserError
from mtdepth.geometry.presets import PRESETS

USER_ERRORS = (DataError, OSError, UserError, ImportError)


def parser_of(program: str, description: str | None) -> argparse.ArgumentParser:
    """For `python -m PROGRAM`, whose docstring is its help."""
    raw = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(
        f"python -m {program}", description=description, formatter_class=raw
    )


def add_lens_flags(group: argparse._ActionsContainer) -> None:
    """Adds `--focal_px`, `--fov_deg` and `--camera`, of which one may be given."""
    add = group.add_mutually_exclusive_group().add_argument
    add("--focal_px", type=float, help="focal length in the pictures' own pixels")
    add("--fov_deg", type=float, help="or the horizontal field of view")
    add("--camera", help=f"or a camera file, its distortion taken out; or {', '.join(PRESETS)}")


def run(
    parse: Callable[[Sequence[str]], argparse.Namespace],
    main: Callable[[argparse.Namespace], int],
) -> int:
    """Runs a program on the command line; a user's mistake is one line, and status 1."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    options = parse(sys.argv[1:])
    try:
        return main(options)
    except USER_ERRORS as error:
        logging.getLogger(main.__module__).error("%s", error)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
