r"""Measures how fast demo worlds are rendered, and prints a table.

Full example, from the project's root, on a machine that does nothing else; several minutes:

    python tests/benchmarks/demo_world_speed.py

One row per world of two drives: size of the pictures, frames per drive, worker processes, seconds
and frames per second from the first call to the finished world: stereo, sweep, truth and files.
With `--training` a training world (one camera, no sweep) of the same size follows each, and how
many times as fast it is. `--sizes 416x128 --frames 5 --processes 1` measures less. Pytest does not
collect this file.
"""

import argparse
import functools
import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Run as a file, Python looks for packages beside it only.
sys.path.insert(0, str(Path(__file__).parents[2]))

from data_prep.demo_world.kitti_world import write_world
from data_prep.demo_world.settings import WorldSettings
from data_prep.demo_world.training_world import TrainingSettings, write_training_world
from data_prep.jobs.pools import LocalPool

NUM_DRIVES = 2
_ROW = "{:>8}  {:>10}  {:>12}  {:>9}  {:>8}  {:>8}  {:>6}\n"


def main() -> None:
    """Flags to a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = [_size("416x128"), _size("621x188"), _size("1242x375")]
    parser.add_argument("--sizes", nargs="+", type=_size, default=sizes, help="width x height")
    parser.add_argument("--frames", nargs="+", type=int, default=[5, 20], help="per drive")
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--training", action="store_true", help="also worlds for training only")
    choice = parser.parse_args()
    sys.stdout.write(
        _ROW.format("world", "size", "frames/drive", "processes", "seconds", "frames/s", "times")
    )
    for (width_px, height_px), frames, processes in itertools.product(
        choice.sizes, choice.frames, choice.processes
    ):
        common: dict[str, Any] = {
            "num_drives": NUM_DRIVES,
            "num_frames": frames,
            "seed": choice.seed,
            "height_px": height_px,
            "width_px": width_px,
        }
        write = functools.partial(write_world, settings=WorldSettings(**common))
        full_s = _seconds_of(write, processes)
        rows = [("full", full_s)]
        if choice.training:
            settings = TrainingSettings(**common)
            write = functools.partial(write_training_world, settings=settings)
            rows.append(("training", _seconds_of(write, processes)))
        for world, seconds in rows:
            rate = NUM_DRIVES * frames / seconds
            numbers = f"{seconds:.1f}", f"{rate:.2f}", f"{full_s / seconds:.2f}"
            size = f"{width_px}x{height_px}"
            sys.stdout.write(_ROW.format(world, size, frames, processes, *numbers))
            sys.stdout.flush()


def _size(text: str) -> tuple[int, int]:
    width_px, height_px = text.split("x")
    return int(width_px), int(height_px)


def _seconds_of(write: Callable[..., Any], num_processes: int) -> float:
    """Wall time of a world rendered into a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        start_s = time.perf_counter()
        write(Path(folder), pool=LocalPool(num_processes))
        return time.perf_counter() - start_s


if __name__ == "__main__":
    main()
