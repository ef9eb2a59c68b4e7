"""Speed and memory of DeepLab: each backbone and head, and what flip and scales cost.

    python tests/benchmarks/deeplab_speed.py --height 375 --width 1242 --threads 2

Each row is a process of its own: one warm-up for each size, then the median of three pictures,
through the teacher from RGB to train ids. The weights are random, which does not change the time.
The last row is plain resnet18 v3plus.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from measured import child, report, table

NETWORKS = tuple(
    f"{backbone} {head}"
    for backbone in ("mobilenet_v3_small", "mobilenet_v3_large", "resnet50", "resnet18")
    for head in ("v3", "v3plus")
)
OPTIONS = (["--flip"], ["--scales=0.75,1,1.25"], ["--flip", "--scales=0.75,1,1.25"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=375)
    parser.add_argument("--width", type=int, default=1242)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--networks", default=",".join(NETWORKS), help="Which; the last is 1.")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--flip", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--scales", default="1", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        report(run_of(given))
        return
    networks = given.networks.split(",")
    base = networks[-1]
    size = [f"--height={given.height}", f"--width={given.width}"]
    wanted = [(base, options) for options in OPTIONS] + [(name, []) for name in networks]
    rows = [
        (
            " ".join([name, *options]),
            child(__file__, *size, f"--only={name}", *options, num_threads=given.threads),
        )
        for name, options in wanted
    ]
    sys.stdout.write(f"{given.height} x {given.width}, {given.threads} threads\n\n{table(rows)}")


def run_of(given: argparse.Namespace) -> Any:
    import numpy as np

    from teachers.deeplab_v3.checkpoint import DeepLabInfo, save_deeplab
    from teachers.deeplab_v3.network import build_deeplab
    from teachers.deeplab_v3.teacher import DeepLabTeacher

    backbone, head = given.only.split()
    image = np.random.default_rng(1).integers(0, 256, (given.height, given.width, 3), np.uint8)
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "random.keras"
    info = DeepLabInfo(backbone=backbone, head=head, origin="random")
    save_deeplab(path, build_deeplab(backbone=backbone, head=head), info)
    scales = tuple(float(text) for text in given.scales.split(","))
    teacher = DeepLabTeacher(path, flip=given.flip, scales=scales)

    def run() -> None:
        teacher.train_ids(image)
        folder.cleanup()  # read at the first picture; harmless afterwards

    return run


if __name__ == "__main__":
    main()
