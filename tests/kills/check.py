"""Kills a training and an evaluation at random moments, and fills their disk: the end is the same.

    make kills                            # 50 kills of either
    make kills KILLS="--disk /mnt/small"  # as root

Each try is a process of its own, forked from one that has loaded TensorFlow but not used it; with
one thread, so that sums have one order and files equal bytes. With `--disk` the same jobs run on a
small tmpfs of growing size: each ends with one line, and after room was made the same job ends with
the same bytes.
"""

import argparse
import contextlib
import errno
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from fakes.kitti_tree import build_kitti_tree
from fakes.label_store import build_label_store
from fakes.programs import run_program

import mtdepth.evaluation.page
import mtdepth.evaluation.pictures  # noqa: F401 (loaded once, before the forks)
from mtdepth.data.features import FRAME
from mtdepth.datasets.label_store import LabelStore
from mtdepth.evaluation.prediction_store import PredictionStore
from mtdepth.files import disk_error
from mtdepth.models.weights import save_weights
from mtdepth.recipes.schedule import TrainingSchedule
from mtdepth.runtime.pipeline import Prediction
from mtdepth.training.batch_statistics import BatchStatistics
from mtdepth.training.loop import RunOptions, training_loop
from mtdepth.workdir import Workdir

cv2.setNumThreads(1)
Job = Callable[[Path], None]
SCHEDULE = TrainingSchedule(
    batch_size=8, num_epochs=3, steps_per_epoch=4, learning_rate=1e-2, schedule="cosine"
)
LOG = Path(tempfile.gettempdir()) / "mtdepth-kills.log"
FULL = 28  # exit status of a job that says that its disk is full
NOT_COMPARED = ("data_wait_s", "network_ms", "cost", "versions", "model", "kitti_root")


def train(folder: Path) -> None:
    """Trains a small network in `folder` by the one loop, saving after every step."""
    keras.utils.set_random_seed(0)
    image = keras.Input((4,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(64)(image))
    network = keras.Model(image, keras.layers.Dense(1)(hidden))

    def losses(batch: dict[str, Any]) -> dict[str, Any]:
        error = network(batch["x"], training=True) - batch["y"]
        return {"total": keras.ops.mean(keras.ops.square(error))}

    def batches(step: int) -> Iterator[dict[str, Any]]:
        for number in itertools.count(step):
            x = np.random.default_rng(number).normal(size=(8, 4)).astype(np.float32)
            yield {"x": x, "y": x.sum(1, keepdims=True), FRAME: np.array([b"frame"])}

    workdir = Workdir(folder / "run")
    loop = training_loop(
        workdir,
        SCHEDULE,
        network,
        losses,
        options=RunOptions(checkpoint_seconds=0),
        ema_decay=0.9,
        statistics=BatchStatistics(network, lambda batch: network(batch["x"], training=True)),
        num_statistics_batches=2,
        stream=batches,
        judge=lambda *_: {"val": float(np.square(network.get_weights()[0]).sum())},
        save_weights=lambda checkpoint, _: save_weights(network, workdir.weights_path(checkpoint)),
        weights_path=workdir.weights_path("best"),
        chooser="val",
    )
    loop.run()


def evaluate(tree: Path, labels: Path, folder: Path) -> None:
    """Evaluates saved predictions, with everything that can be written."""
    done = run_program(
        "mtdepth.evaluate",
        *("--model", labels.parent / "saved", "--kitti_root", tree, "--split", tree / "left.txt"),
        *("--labels", labels, "--train_labels", labels, "--protocol", "labels_80m"),
        *("--num_pictures", "2", "--output", folder / "out/results.json"),
        *("--pictures", folder / "pictures", "--save_predictions", folder / "predictions"),
    )
    if "make room" in done.stderr:
        raise OSError(errno.ENOSPC, done.stderr.strip().splitlines()[-1])
    if done.returncode:
        raise RuntimeError(done.stderr)


def save_truth(store: LabelStore, folder: Path) -> None:
    """Writes predictions to evaluate: the truth, a tenth too far."""
    saved = PredictionStore(folder)
    for frame in store.frames:
        saved.write(frame, Prediction(1.1 * store.read_depth(frame), store.read_train_id(frame)))


def forked(job: Job, folder: Path) -> int:
    """Starts a job in a process of its own; returns the process's number."""
    if number := os.fork():
        return number
    status = 1
    try:
        with LOG.open("a") as log:
            os.dup2(log.fileno(), 2)
            os.dup2(log.fileno(), 1)
            job(folder)
        status = 0
    except Exception as error:  # noqa: BLE001 (its status is told to the parent)
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        if disk_error(error) is not None or "make room" in str(error):
            status = FULL
    finally:
        os._exit(status)


def ended(number: int) -> int:
    """Waits for a process; its exit status, or the negative number of its signal."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def content(folder: Path) -> dict[str, object]:
    """What a job left, without what tells of time and place; a leftover is in it by its name."""
    return {str(path.relative_to(folder)): _comparable(path) for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "logs" not in path.parts and path.name != ".lock":
            yield path


def _comparable(path: Path) -> object:
    if path.suffix in (".json", ".jsonl"):
        return [_stripped(json.loads(each)) for each in _documents(path)]
    if path.suffix in (".html", ".txt", ".png") and "pictures" in path.parts:
        return len(path.read_bytes()) > 0  # they tell the folder and times
    return path.read_bytes()


def _documents(path: Path) -> list[str]:
    text = path.read_text()
    return text.splitlines() if path.suffix == ".jsonl" else [text]


def _stripped(value: object) -> object:
    if isinstance(value, dict):
        return {key: _stripped(each) for key, each in value.items() if key not in NOT_COMPARED}
    return [_stripped(each) for each in value] if isinstance(value, list) else value


def killed(job: Job, folder: Path, rng: random.Random) -> bool:
    """Starts a job and kills it; whether it was alive then. One that ended ended well."""
    number = forked(job, folder)
    # Half of the kills fall anywhere, the others just when something is being written.
    seen, until = _names(folder), time.monotonic() + rng.uniform(0, 10)
    writes = rng.randrange(1, 12) if rng.random() < 0.5 else 10**6
    while time.monotonic() < until or writes < 10**6:
        if os.waitpid(number, os.WNOHANG)[0]:
            return False
        if (now := _names(folder)) != seen:
            seen, writes = now, writes - 1
            if not writes:
                break
        time.sleep(0.0005)
    os.kill(number, signal.SIGKILL)
    return ended(number) == -signal.SIGKILL


def _names(folder: Path) -> set[tuple[str, int]]:
    found = set()
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            found.add((path.name, path.stat().st_mtime_ns))
    return found


def kill_often(job: Job, wanted: dict[str, object], root: Path, *, number: int, seed: int) -> int:
    """Kills until there are enough; returns how many runs ended, all with the wanted content."""
    rng, kills, runs = random.Random(seed), 0, 0
    while kills < number:
        folder = root / f"killed{runs}"
        folder.mkdir()
        while killed(job, folder, rng):
            kills += 1
            if kills == number:
                break
        if (status := ended(forked(job, folder))) != 0:
            raise SystemExit(f"after kills it ended with {status}: {folder}")
        if found := differences(content(folder), wanted):
            raise SystemExit(f"after kills {found} differ: {folder}")
        runs += 1
    return runs


def differences(found: dict[str, object], wanted: dict[str, object]) -> list[str]:
    """Names of files that differ, are missing, or are left over."""
    return [name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name)]


def fill_disk(job: Job, wanted: dict[str, object], mount: Path, sizes_kb: list[int]) -> str:
    """Runs a job on a small disk of each size, then with room; returns how often it was full."""
    full = 0
    for size_kb in sizes_kb:
        mounted = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(mount)]
        subprocess.run(mounted, check=True)
        try:
            folder = mount / "job"
            folder.mkdir()
            status = ended(forked(job, folder))
            if status not in (0, FULL):
                raise SystemExit(f"{size_kb} kB: ended with {status}")
            full += status == FULL
            roomy = ["mount", "-o", "remount,size=100m", str(mount)]
            subprocess.run(roomy, check=True)
            if (status := ended(forked(job, folder))) != 0:
                raise SystemExit(f"{size_kb} kB, then room: ended with {status}")
            if found := differences(content(folder), wanted):
                raise SystemExit(f"{size_kb} kB, then room: {found} differ")
        finally:
            subprocess.run(["umount", str(mount)], check=True)
    return f"{full} of {len(sizes_kb)} disks were full"


def main() -> None:
    """Runs both jobs undisturbed, then disturbed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--disk", type=Path)
    parser.add_argument("--job", choices=("training", "evaluation"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        tree = build_kitti_tree(root / "raw", num_drives=2, num_frames=2, size=(96, 320))
        store = build_label_store(root / "labels", tree)
        save_truth(store, root / "saved")
        lists = [
            (tree / f"splits/{part}.txt").read_text().splitlines() for part in ("train", "val")
        ]
        left = [line for line in (*lists[0], *lists[1]) if line.endswith(" l")]
        (tree / "left.txt").write_text("\n".join(left) + "\n")
        undisturbed = root / "undisturbed"
        for part in ("training", "evaluation"):
            (undisturbed / part).mkdir(parents=True)
        jobs: dict[str, Job] = {
            "training": train,
            "evaluation": lambda folder: evaluate(tree, store.root, folder),
        }
        for part, job in jobs.items():
            if arguments.job not in (None, part):
                continue
            begun = time.monotonic()
            if (status := ended(forked(job, undisturbed / part))) != 0:
                raise SystemExit(f"{part} ended with {status}: see {LOG}")
            wanted = content(undisturbed / part)
            sys.stdout.write(f"{part}: {len(wanted)} files, {time.monotonic() - begun:.0f} s\n")
            if arguments.disk:
                sizes = [60, 120, 200, 300, 400, 500, 700, 900, 1200, 1600, 2000, 2600]
                sys.stdout.write(f"{part}: {fill_disk(job, wanted, arguments.disk, sizes)}\n")
            else:
                (root / part).mkdir()
                runs = kill_often(
                    job, wanted, root / part, number=arguments.kills, seed=arguments.seed
                )
                sys.stdout.write(
                    f"{part}: killed {arguments.kills} times, {runs} runs ended, all alike\n"
                )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
