"""What this machine has room for, and which code runs on it."""

import subprocess
from pathlib import Path

from absl import logging

BYTES_OF_A_TRAINING = 2e9  # ours: what TensorFlow and a batch at full size take, about


def trainings_that_fit(wanted: int) -> int:
    """How many trainings at a time memory is free for, at most `wanted` and at least one."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # no Linux
        return wanted
    free = next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable")), 0)
    fit = max(int(free * 1024 / BYTES_OF_A_TRAINING), 1)
    if free and fit < wanted:
        logging.warning("memory is free for %d trainings at a time, not for %d", fit, wanted)
        return fit
    return wanted


def commit_of_code() -> str:
    """Of the code that runs; empty where git does not know it."""
    here = Path(__file__).parents[2]
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=7"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
