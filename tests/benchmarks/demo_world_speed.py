r"""Measures how fast demo worlds are rendered, and prints a table.

Full example, from the project's root, on a machine that does nothing else; several minutes:

    python tests/benchmarks/demo_world_speed.py

One row per world of two drives: size of the pictures, frames per drive, worker processes, seconds
and frames per second from the first call to the finished world: stereo, sweep, truth and files.
`--sizes 416x128 --frames 5 --processes 1` measures less. Pytest does not collect this file.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

# Run as a file, Python looks for packages beside it only.
sys.path.insert(0, str(Path(__file__).parents[2]))

from data_prep.demo_world.kitti_world import write_world
from data_prep.demo_world.settings import WorldSettings
from data_prep.jobs.pools import LocalPool

NUM_DRIVES = 2
_ROW = "{:>10}  {:>12}  {:>9}  {:>8}  {:>8}\n"


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
    choice = parser.parse_args()
    sys.stdout.write(_ROW.format("size", "frames/drive", "processes", "seconds", "frames/s"))
    for width_px, height_px in choice.sizes:
        for num_frames in choice.frames:
            settings = WorldSettings(
                num_drives=NUM_DRIVES,
                num_frames=num_frames,
                seed=choice.seed,
                height_px=height_px,
                width_px=width_px,
            )
            for num_processes in choice.processes:
                seconds = _seconds_of(settings, num_processes)
                rate = NUM_DRIVES * num_frames / seconds
                sys.stdout.write(
                    _ROW.format(
                        f"{width_px}x{height_px}",
                        num_frames,
                        num_processes,
                        f"{seconds:.1f}",
                        f"{rate:.2f}",
                    )
                )
                sys.stdout.flush()


def _size(text: str) -> tuple[int, int]:
    width_px, height_px = text.split("x")
    return int(width_px), int(height_px)


def _seconds_of(settings: WorldSettings, num_processes: int) -> float:
    """Wall time of a world rendered into a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        start_s = time.perf_counter()
        write_world(Path(folder), settings, pool=LocalPool(num_processes))
        return time.perf_counter() - start_s


if __name__ == "__main__":
    main()
