r"""Speed and memory of PSMNet: this project's network against PyTorch's run of the same weights.

    python tests/benchmarks/psmnet_speed.py --height 375 --width 1242 --max_disparity 192 \
        --threads 2

Sides of 241 px and more, which the largest pool of the PyTorch network needs. Each row is a process
of its own: one warm-up, then the median of three pairs. The pictures are
noise and the weights random, neither of which changes the time; both networks get the padded size.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from measured import child, report, table

OURS = ("float32", "bfloat16", "float16")
ORACLE = "PyTorch"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=375)
    parser.add_argument("--width", type=int, default=1242)
    parser.add_argument("--max_disparity", type=int, default=192)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtypes", default="float32,bfloat16", help=f"Of {', '.join(OURS)}.")
    parser.add_argument("--only", choices=(*OURS, ORACLE), help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        report(oracle(given) if given.only == ORACLE else ours(given))
        return
    with tempfile.TemporaryDirectory() as folder:
        weights = write_weights(Path(folder) / "random.npz", given.max_disparity)
        arguments = [f"--{key}={getattr(given, key)}" for key in ("height", "width", "threads")]
        arguments.append(f"--weights={weights}")
        rows = [
            (name, child(__file__, *arguments, f"--only={name}", num_threads=given.threads))
            for name in (*given.dtypes.split(","), ORACLE)
        ]
    sys.stdout.write(
        f"{given.height} x {given.width}, {given.max_disparity} disparities, "
        f"{given.threads} threads\n\n{table(rows)}"
    )


def write_weights(path: Path, max_disparity_px: int) -> Path:
    """Beforehand, so that no measured process holds the other's library."""
    from oracles.psmnet_torch import random_state

    from teachers.psmnet.checkpoint import PsmnetCheckpoint, save

    tensors = {
        name: tensor.numpy()
        for name, tensor in random_state(seed=0).items()
        if not name.endswith("num_batches_tracked")
    }
    checkpoint = PsmnetCheckpoint(
        tensors=tensors, align_corners=True, max_disparity_px=max_disparity_px, origin="random"
    )
    save(checkpoint, path)
    return path


def ours(given: argparse.Namespace) -> Any:
    from teachers.psmnet.teacher import PsmnetTeacher

    teacher = PsmnetTeacher(given.weights, dtype=given.only)
    views = pair(given)
    return lambda: teacher.disparity_px(*views)


def oracle(given: argparse.Namespace) -> Any:
    import numpy as np
    import torch
    from oracles.psmnet_torch import PsmnetOracle

    from teachers.psmnet.checkpoint import read_checkpoint
    from teachers.psmnet.teacher import padded_input

    torch.set_num_threads(given.threads)  # the oracle's module leaves one
    checkpoint = read_checkpoint(given.weights)
    network = PsmnetOracle(max_disparity_px=checkpoint.max_disparity_px, align_corners=True).eval()
    state = {name: torch.from_numpy(value) for name, value in checkpoint.tensors.items()}
    network.load_state_dict(state, strict=False)  # all but the counters of batches
    images = pair(given)

    @torch.inference_mode()
    def run() -> None:
        network(*(torch.from_numpy(np.moveaxis(padded_input(v), -1, 0)[None]) for v in images))

    return run


def pair(given: argparse.Namespace) -> Any:
    import numpy as np

    shape = (2, given.height, given.width, 3)
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


if __name__ == "__main__":
    main()
