"""Runs one measurement in a process of its own, so that its memory and CPU time are its alone."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NUM_RUNS = 3
# Python puts a script's own folder alone on its path.
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


def child(script: str, *arguments: str, num_threads: int) -> dict[str, float]:
    """Starts a script with arguments; its last line of output is the JSON of `measure`.

    The environment limits the threads of the numeric libraries and hides a GPU.
    """
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "OMP_NUM_THREADS": str(num_threads),
        "TF_NUM_INTRAOP_THREADS": str(num_threads),
        "TF_NUM_INTEROP_THREADS": str(num_threads),
    }
    done = subprocess.run(
        [sys.executable, script, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(run: Callable[[], Any]) -> None:
    """Times a call after one warm-up and writes what it took, as `child` reads it.

    `loaded_mb` is what the process held before the first call, `peak_mb` the most at the end.
    """
    loaded_mb = _peak_mb()
    start_s = time.perf_counter()
    run()
    first_s = time.perf_counter() - start_s
    wall_s, cpu_s = [], []
    for _ in range(NUM_RUNS):
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        run()
        wall_s.append(time.perf_counter() - start_s)
        cpu_s.append(time.process_time() - start_cpu_s)
    found = {
        "first_s": first_s,
        "wall_s": statistics.median(wall_s),
        "cpu_s": statistics.median(cpu_s),
        "loaded_mb": loaded_mb,
        "peak_mb": _peak_mb(),
    }
    sys.stdout.write(json.dumps(found) + "\n")


def table(rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """A Markdown table of what was measured; ratios are to the last row."""
    base = rows[-1][1]
    lines = [
        f"| what | s (median of {NUM_RUNS}) | CPU-s | first s | peak MB | s / last row's | MB / |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {found['wall_s']:.2f} | {found['cpu_s']:.2f} | {found['first_s']:.1f} "
        f"| {found['peak_mb']:.0f} (loaded {found['loaded_mb']:.0f}) "
        f"| {found['wall_s'] / base['wall_s']:.2f} | {found['peak_mb'] / base['peak_mb']:.2f} |"
        for name, found in rows
    ]
    return "\n".join(lines) + "\n"


def _peak_mb() -> float:
    # Not getrusage's, which begins with what the parent held when it started this process.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000  # kB
