"""Peak memory of the runtime: a process of its own that opens a file and predicts one picture."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from export.device.telemetry import peak_memory_bytes

_TIMEOUT_S = 600.0


def peak_memory(
    path: Path, *, picture_size: tuple[int, int], num_threads: int, size: str | None = None
) -> dict[str, Any]:
    """Runs `main` below in a fresh process; arguments as of `open_network`.

    Returns:
      `peak_memory_mb`, the most that the process held (VmHWM in millions of bytes, with Python,
      numpy, OpenCV and LiteRT), `imported_mb`, what it held before it opened the file, and
      `first_result_s`, from the start of the process to its first result. Nothing where the system
      has no `/proc`.

    Raises:
      OSError: If the process fails, as where the system ended it for want of memory.
    """
    command = [sys.executable, "-m", "export.benchmark.memory", str(path)]
    command += [str(number) for number in (*picture_size, num_threads)]
    command += [] if size is None else [size]
    start_s = time.perf_counter()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, timeout=_TIMEOUT_S
    )
    wall_s = time.perf_counter() - start_s
    if done.returncode != 0:
        raise OSError(
            f"{path}: the process that measures its memory ended with status {done.returncode}; "
            "--no_memory leaves it out"
        )
    if not done.stdout.strip():
        return {}
    return {**json.loads(done.stdout.splitlines()[-1]), "first_result_s": round(wall_s, 3)}


def main() -> None:
    """Opens the file of the command line, predicts one picture, and says what it held."""
    # What a device loads; nothing else may count.
    import cv2
    import numpy as np

    from export.benchmark.network import open_network

    cv2.setNumThreads(1)
    path, height_px, width_px, num_threads, *sizes = sys.argv[1:]
    picture = np.zeros((int(height_px), int(width_px), 3), np.uint8)
    imported_mb = _peak_mb()
    network = open_network(
        Path(path), picture, num_threads=int(num_threads), size=sizes[0] if sizes else None
    )
    for call in network.stages.values():
        call()
    found = {"imported_mb": imported_mb, "peak_memory_mb": _peak_mb()}
    if None not in found.values():
        sys.stdout.write(json.dumps(found) + "\n")


def _peak_mb() -> float | None:
    peak_bytes = peak_memory_bytes()
    return None if peak_bytes is None else round(peak_bytes / 1e6, 1)


if __name__ == "__main__":
    main()
