"""How machine and process are doing: temperature, throttling, memory, age."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")

# Raspberry Pi documentation, `vcgencmd get_throttled`: bits 0..3 are now, bits 16..19 since boot.
_THROTTLED_BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft limit"}
_SINCE_BOOT_SHIFT = 16


@dataclass(frozen=True, kw_only=True)
class Throttling:
    """What a Raspberry Pi says of itself: reasons that hold now, and those since it was started."""

    now: tuple[str, ...]
    since_boot: tuple[str, ...]


def temperature_c(root: Path = ROOT) -> float | None:
    """Of the hottest processor zone that the kernel shows, None where there is none."""
    found = []
    for path in sorted(root.glob("sys/class/thermal/thermal_zone*/temp")):
        # A zone whose sensor sleeps answers by an error.
        with contextlib.suppress(OSError, ValueError):
            found.append(int(path.read_text().strip()) / 1e3)
    # Zones of absent sensors say 0 or -274.
    return max((value for value in found if value > 0), default=None)


def peak_memory_bytes(root: Path = ROOT) -> int | None:
    """The most that this process ever held at once, shared libraries counted in; None off Linux.

    Not `resource.getrusage`, which counts what its parent held as well.
    """
    try:
        lines = (root / "proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = next((line.split() for line in lines if line.startswith("VmHWM:")), None)
    return None if found is None else int(found[1]) * 1024


def process_age_s(root: Path = ROOT) -> float | None:
    """How long ago this process was started, to a hundredth; None off Linux."""
    try:
        # proc(5): the name in brackets may hold blanks; the start is the 20th field behind it.
        fields = (root / "proc/self/stat").read_text().rpartition(")")[2].split()
        uptime_s = float((root / "proc/uptime").read_text().split()[0])
    except OSError:
        return None
    return uptime_s - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def throttling(root: Path = ROOT) -> Throttling | None:
    """Whether a Raspberry Pi slows itself down, None on other machines."""
    for text in _throttled_texts(root):
        with contextlib.suppress(ValueError):
            return parse_throttled(text)
    return None


def parse_throttled(text: str) -> Throttling:
    """Reads `throttled=0x50005` of vcgencmd, or the kernel's `50005`; else a ValueError."""
    bits = int(text.strip().rpartition("=")[2], 16)
    now, since_boot = (
        tuple(name for bit, name in _THROTTLED_BITS.items() if bits >> shift + bit & 1)
        for shift in (0, _SINCE_BOOT_SHIFT)
    )
    return Throttling(now=now, since_boot=since_boot)


def _throttled_texts(root: Path) -> Iterator[str]:
    for path in root.glob("sys/devices/platform/soc*/soc*:firmware/get_throttled"):
        with contextlib.suppress(OSError):
            yield path.read_text()
    command = shutil.which("vcgencmd") if root == ROOT else None
    if command is not None:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            yield subprocess.run(
                [command, "get_throttled"], capture_output=True, text=True, timeout=2, check=True
            ).stdout
