r"""Makes one page of what evaluations, trainings and benchmarks left: it needs no other file.

Example: what `evaluate --pictures` made, with the training's curves and a benchmark's times:

  python -m mtdepth.report runs/kitti_pictures runs/kitti benchmark.json --output report.html

Two runs side by side:

  python -m mtdepth.report --compare runs/a_pictures runs/b_pictures --output compared.html

A folder is a workdir (its newest results), what `evaluate --pictures` wrote, or an export; what the
results name is found by itself.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from mtdepth.evaluation.findings import find
from mtdepth.evaluation.page import write_report
from mtdepth.runtime.command_line import parser_of
from mtdepth.runtime.command_line import run as run_program


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = parser_of("mtdepth.report", __doc__)
    add = parser.add_argument
    add("places", type=Path, nargs="*", help="folders or files of one run, its results first")
    add("--compare", type=Path, nargs=2, metavar="RUN", help="two runs, a folder of each")
    add(
        "--attach", type=Path, action="append", default=[], help="film, picture or file; repeatable"
    )
    add("--output", type=Path, default=Path("report.html"), help="default: report.html")
    options = parser.parse_args(argv)
    if bool(options.places) == bool(options.compare):
        parser.error("give the places of one run, or --compare RUN RUN")
    return options


def main(options: argparse.Namespace) -> int:
    """Makes the page."""
    runs = [[place] for place in options.compare] if options.compare else [options.places]
    write_report(options.output, [find(places) for places in runs], attach=options.attach)
    num_bytes = options.output.stat().st_size
    logging.getLogger(__name__).info("wrote %s, %.1f MB", options.output, num_bytes / 1e6)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(parse, main))
