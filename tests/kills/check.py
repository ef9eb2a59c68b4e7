"""Kills every kind of job at random moments, or fills its disk: the end is the same.

    make kills                            # 50 kills of each
    make disks                            # as root, who may mount a small disk

Each try is a process of its own, forked from one that has loaded TensorFlow but not used it; with
one thread, so that sums have one order and files equal bytes. A disk is a tmpfs of a size from
nothing to what the job needs, its temporary files included: the job ends with one line, and after
room was made the same job ends with the same bytes.
"""

import argparse
import contextlib
import importlib
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
from kills.jobs import Job, content, differences, jobs, prepare

from mtdepth.files import disk_error

# Loaded once, before the forks.
for module in ("export.onnx", "export.tflite"):
    importlib.import_module(f"{module}.target")
for module in ("page", "pictures"):
    importlib.import_module(f"mtdepth.evaluation.{module}")

cv2.setNumThreads(1)
LOG = Path(tempfile.gettempdir()) / "mtdepth-kills.log"
FULL = 28  # exit status of a job that says that its disk is full
PAGE_KB = 4  # of a tmpfs


def main() -> None:
    """Runs every job undisturbed, then disturbed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--disks", type=int, default=0, help="sizes of disk instead of kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--job", default="", help="part of its name; all by default")
    arguments = parser.parse_args()
    if arguments.disks and os.geteuid():
        raise SystemExit("only root may mount small disks; run it by sudo")
    with tempfile.TemporaryDirectory(prefix="mtdepth-kills-") as name:
        root = Path(name)
        os.environ["MTDEPTH_TESTS_SHARED"] = name
        if ended(forked(prepare, root)):
            raise SystemExit(f"nothing to work on: see {LOG}")
        for part, job in jobs(root).items():
            if arguments.job in part:
                folder = root / "jobs" / part.replace(" ", "_")
                said = _disturbed(job, folder, arguments)
                sys.stdout.write(f"{part}: {said}\n")
                sys.stdout.flush()


def _disturbed(job: Job, folder: Path, arguments: argparse.Namespace) -> str:
    undisturbed = folder / "undisturbed"
    undisturbed.mkdir(parents=True)
    if (status := ended(forked(job, undisturbed))) != 0:
        raise SystemExit(f"undisturbed it ended with {status}: see {LOG}")
    wanted = content(undisturbed)
    if arguments.disks:
        disks = fill_disks(job, wanted, folder, number=arguments.disks)
        return f"{len(wanted)} files, {disks}"
    runs = kill_often(job, wanted, folder, number=arguments.kills, seed=arguments.seed)
    return f"{len(wanted)} files, killed {arguments.kills} times, {runs} runs ended, all alike"


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
        # A training looks for room before it begins.
        if disk_error(error) is not None or "make room" in str(error):
            status = FULL
    finally:
        sys.stderr.flush()
        os._exit(status)


def ended(number: int) -> int:
    """Waits for a process; its exit status, or the negative number of its signal."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def kill_often(job: Job, wanted: dict[str, object], root: Path, *, number: int, seed: int) -> int:
    """Kills until there are enough; returns how many runs ended, all with the wanted content."""
    rng, kills, runs = random.Random(seed), 0, 0
    (root / "timed").mkdir()
    begun = time.monotonic()
    _, num_writes = watched(forked(job, root / "timed"), root / "timed")
    seconds = time.monotonic() - begun
    while kills < number:
        folder = root / f"killed{runs}"
        folder.mkdir()
        is_alive = True
        while is_alive and kills < number:
            # Half of the kills fall anywhere, the others just when something was written. A job
            # that goes on has less to do, so that few of them are over before.
            part = rng.random() ** 2
            if rng.random() < 0.5:
                moment = {"seconds": part * seconds}
            else:
                moment = {"writes": 1 + part * (num_writes - 1)}
            is_alive, _ = watched(forked(job, folder), folder, **moment)
            kills += is_alive
        if is_alive and (status := ended(forked(job, folder))) != 0:
            raise SystemExit(f"after kills it ended with {status}: see {LOG}")
        if found := differences(content(folder), wanted):
            raise SystemExit(f"after kills {found} differ")
        runs += 1
    return runs


def watched(
    number: int, folder: Path, *, seconds: float = math.inf, writes: float = math.inf
) -> tuple[bool, int]:
    """Kills a process after some time or some writes.

    Returns:
      Whether it was alive then (one that ended ended well), and how many writes were seen.
    """
    seen, num_writes, until = _names(folder), 0, time.monotonic() + seconds
    while time.monotonic() < until and num_writes < writes:
        if (found := os.waitpid(number, os.WNOHANG))[0]:
            if status := os.waitstatus_to_exitcode(found[1]):
                raise SystemExit(f"it ended with {status}: see {LOG}")
            return False, num_writes
        if math.isinf(seconds) and (now := _names(folder)) != seen:
            seen, num_writes = now, num_writes + 1
        time.sleep(0.001)
    os.kill(number, signal.SIGKILL)
    return ended(number) == -signal.SIGKILL, num_writes


def _names(folder: Path) -> set[tuple[str, int]]:
    found = set()
    # Unlike rglob it bears folders that go while it looks.
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(OSError):
                found.add((name, (Path(parent) / name).stat().st_mtime_ns))
    return found


def fill_disks(job: Job, wanted: dict[str, object], root: Path, *, number: int) -> str:
    """Runs a job on small disks of different sizes, then with room; says how often it was full."""
    mount = root / "disk"
    mount.mkdir()
    full = tried = 0
    # Up to where it was large enough, and a few sizes more: temporary files come and go.
    size_kb = step_kb = _step_kb(job, mount, number)
    enough = 0
    while enough < 3:
        with _disk(mount, size_kb):
            folder = mount / "job"
            folder.mkdir()
            status = ended(forked(job, folder))
            if status not in (0, FULL):
                raise SystemExit(f"{size_kb} kB: ended with {status}: see {LOG}")
            tried, full, enough = tried + 1, full + (status == FULL), enough + (status == 0)
            subprocess.run(["mount", "-o", "remount,size=1g", str(mount)], check=True)
            if (status := ended(forked(job, folder))) != 0:
                raise SystemExit(f"{size_kb} kB, then room: ended with {status}: see {LOG}")
            if found := differences(content(folder), wanted):
                raise SystemExit(f"{size_kb} kB, then room: {found} differ")
        size_kb += step_kb
    return f"{tried} disks in steps of {step_kb} kB, {full} full; with room all alike"


def _step_kb(job: Job, mount: Path, number: int) -> int:
    """So that about a number of disks are too small."""
    with _disk(mount, 2**20):
        (mount / "job").mkdir()
        started, peak_kb = forked(job, mount / "job"), 0
        while not os.waitpid(started, os.WNOHANG)[0]:
            disk = os.statvfs(mount)
            peak_kb = max(peak_kb, (disk.f_blocks - disk.f_bfree) * disk.f_frsize // 1024)
            time.sleep(0.001)
    return max(1, round(peak_kb / number / PAGE_KB)) * PAGE_KB


@contextlib.contextmanager
def _disk(mount: Path, size_kb: int) -> Iterator[None]:
    """A small disk, for temporary files too."""
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(mount)]
    subprocess.run(mounted, check=True)
    (mount / "tmp").mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(mount / "tmp")
    try:
        yield
    finally:
        tempfile.tempdir = before
        subprocess.run(["umount", str(mount)], check=True)


if __name__ == "__main__":
    main()
