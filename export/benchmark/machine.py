"""The machine that a benchmark runs on, as far as the kernel's files and a Pi's tool say it.

Whatever is not there is left out.
"""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from export.device import telemetry


def describe_machine(root: Path = Path("/")) -> dict[str, Any]:
    """What does not change while the benchmark runs.

    Args:
      root: Where `proc` and `sys` lie; another one for tests.
    """
    found = {
        "processor": _processor(root),
        "board": _text(root / "proc/device-tree/model"),
        "architecture": platform.machine(),
        "num_cores": os.cpu_count(),
        "system": platform.platform(),
        "governor": _text(_cpu(root) / "cpufreq/scaling_governor"),
        "max_frequency_mhz": _scaled(_cpu(root) / "cpufreq/scaling_max_freq", 1e-3),
        "python": platform.python_version(),
        "litert": _version("ai-edge-litert"),
        "onnxruntime": _version("onnxruntime"),
        "numpy": _version("numpy"),
    }
    return {name: value for name, value in found.items() if value is not None}


def describe_state(root: Path = Path("/")) -> dict[str, Any]:
    """What changes with heat and load; taken before and after."""
    temperature_c, throttling = telemetry.temperature_c(root), telemetry.throttling(root)
    load = _text(root / "proc/loadavg")
    found = {
        "frequency_mhz": _scaled(_cpu(root) / "cpufreq/scaling_cur_freq", 1e-3),
        "temperature_c": None if temperature_c is None else round(temperature_c, 1),
        "load_average": float(load.split()[0]) if load else None,
        "throttling": throttling
        and [
            *(f"{reason} now" for reason in throttling.now),
            *(f"{reason} since boot" for reason in throttling.since_boot),
        ],
    }
    return {name: value for name, value in found.items() if value is not None}


def _cpu(root: Path) -> Path:
    return root / "sys/devices/system/cpu/cpu0"


def _processor(root: Path) -> str | None:
    # x86 says "model name"; 64-bit ARM says only numbers, of which the part names the core.
    lines = (_text(root / "proc/cpuinfo") or "").splitlines()
    fields = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    name = fields.get("model name") or fields.get("Model")
    if name:
        return name.strip()
    part = fields.get("CPU part", "").strip()
    return f"ARM part {part}" if part else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _scaled(path: Path, factor: float) -> float | None:
    text = _text(path)
    try:
        return None if text is None else round(float(text) * factor, 1)
    except ValueError:
        return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
