"""Does what is carried to a Raspberry Pi work there? Run by `make test-arm64`, without a Pi.

Exports a random network of four sizes as integers and as floats, bundles both, and runs the bundle
under emulation as on a Pi 3, 4 and 5 with bookworm, and on a Pi 5 with trixie: `export.verify`
(integers bit for bit as here, floats within 1e-5 of their range) and `export.device` on pictures,
whose depth must be what the same program writes here. No TensorFlow is there to be found. Emulated
time says nothing about a Pi; memory includes the emulator's own.

    PYTHONPATH=.:tests python tests/arm64/check.py [MODEL ...]
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Python puts a script's own folder alone on its path.
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from arm64.emulation import BOOKWORM, PI_3, PI_4, PI_5, TRIXIE, Machine, Processor, prepare  # noqa: E402

NETWORK_SIZE = (128, 192)
DEPTH_STEP_M = 1 / 256  # of the depth pictures
NUM_PICTURES = 2

# Imports what the bundle's programs import, and says what it holds in memory.
_PROBE = """
import importlib.util, runpy, sys
heavy = [name for name in ("tensorflow", "keras", "absl") if importlib.util.find_spec(name)]
if heavy: sys.exit(f"found {heavy}")
module, sys.argv = sys.argv[1], sys.argv[1:]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
finally:
    # Not getrusage: its peak is inherited from whoever started the emulator.
    (peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print("peak_mb", int(peak.split()[1]) // 1024)
"""


def main(arguments: list[str]) -> None:
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = [Path(argument).resolve() for argument in arguments] or random_models(folder)
        bundle = folder / "bundle"
        host("export.bundle", *flags("--model", models), "--output", bundle)
        carried = sorted((bundle / "models").glob("*/model.tflite"))
        pictures = made_pictures(folder / "pictures", carried[0])
        expected = folder / "here"
        for model in carried:
            host("export.device", *device_options(model, pictures, expected / model.parent.name))
        for system, processors in ((BOOKWORM, (PI_3, PI_4, PI_5)), (TRIXIE, (PI_5,))):
            machine = prepare(system, requirements=bundle / "requirements-pi.txt")
            for processor in processors:
                check(machine, processor, bundle, pictures, expected)
    say(f"all good, {time.monotonic() - start_s:.0f} s")


def random_models(folder: Path) -> list[Path]:
    from fakes.four_sizes import export_random_sizes

    from mtdepth.specs.student import StudentSpec

    real = {"size": NETWORK_SIZE, "spec": StudentSpec(tasks=("depth", "segmentation"))}
    return [
        export_random_sizes(folder / f"all_{precision}", precision=precision, **real)
        for precision in ("int8", "float32")  # type: ignore[misc]
    ]


def made_pictures(folder: Path, model: Path) -> Path:
    """Pictures of the network's own size: so that no resizing stands between the two machines."""
    from fakes.conditioned import pictures

    from mtdepth.contract import Contract, contract_path
    from mtdepth.pictures import write_png

    size = Contract.load(contract_path(model)).input_size
    for number, picture in enumerate(pictures(NUM_PICTURES, size=size, seed=30)):
        write_png(folder / f"{number}.png", picture)
    return folder


def check(
    machine: Machine, processor: Processor, bundle: Path, pictures: Path, expected: Path
) -> None:
    models = sorted((bundle / "models").glob("*/model.tflite"))
    start_s = time.monotonic()
    lines = guest(
        machine, processor, bundle, "export.verify", "--max_steps", 0, *flags("--model", models)
    )
    num_good = sum(" good " in line for line in lines)
    worst = max(map(float, re.findall(r"off by (\S+) of its range", "\n".join(lines))), default=0.0)
    peaks = []
    for model in models:
        output = (
            bundle.parent / f"{machine.system.codename}_{processor.qemu_name}" / model.parent.name
        )
        said = guest(
            machine, processor, bundle, "export.device", *device_options(model, pictures, output)
        )
        peaks.append(next(line.split()[1] for line in said if line.startswith("peak_mb")))
        compare_depth(output, expected / model.parent.name)
    say(
        f"{processor.board} ({processor.qemu_name}), {machine.system.codename}: "
        f"{num_good} golden pairs good (integers exact, floats within {worst:.1e} of their range), "
        f"depth pictures agree, "
        f"peak {'/'.join(peaks)} MB with the emulator, {time.monotonic() - start_s:.0f} s"
    )


def device_options(model: Path, pictures: Path, output: Path) -> tuple[object, ...]:
    return ("--model", model, "--source", pictures, "--output", output, "--num_threads", 1)


def compare_depth(found: Path, expected: Path) -> None:
    import numpy as np

    from mtdepth.datasets.label_store import read_depth_png

    names = sorted(path.name for path in expected.glob("*_depth.png"))
    if not names:
        sys.exit(f"no depth pictures in {expected}")
    for name in names:
        difference_m = np.abs(read_depth_png(found / name) - read_depth_png(expected / name)).max()
        if difference_m > DEPTH_STEP_M:
            sys.exit(f"{found / name}: depth is off by {difference_m} m from {expected / name}")


def flags(name: str, values: list[Path]) -> list[object]:
    return [item for value in values for item in (name, value)]


def host(module: str, *arguments: object) -> None:
    run([sys.executable, "-m", module, *map(str, arguments)])


def guest(
    machine: Machine, processor: Processor, bundle: Path, module: str, *arguments: object
) -> list[str]:
    done = machine.run(processor, ["-c", _PROBE, module, *map(str, arguments)], folder=bundle)
    if done.returncode:
        said = done.stdout + done.stderr
        sys.exit(f"{module} as on a {processor.board}: status {done.returncode}\n{said}")
    return (done.stdout + done.stderr).splitlines()


def run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        main(sys.argv[1:])
    except (OSError, RuntimeError) as fault:
        sys.exit(f"{fault}\nthis check needs Debian's apt-get and dpkg-deb, and the network")
