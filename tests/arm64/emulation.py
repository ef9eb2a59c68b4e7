"""A 64-bit ARM Python as on a Raspberry Pi, under QEMU's user mode: no board, root or container.

Everything lies in a cache folder outside the source tree (`$XDG_CACHE_HOME/mtdepth/arm64`, about
500 MB for both systems) and is made once: QEMU and an ARM Python from Debian by apt, wheels by pip.
Raspberry Pi OS takes both from the same places; what it has from apt (numpy, OpenCV) stands here as
wheels of the same versions.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

QEMU = "qemu-aarch64-static"


@dataclass(frozen=True, kw_only=True)
class System:
    """A Raspberry Pi OS.

    Attributes:
      codename: Of it and of the Debian that it is made from.
      python: Its Python.
      apt_packages: What it has from apt, as wheels of the versions there.
    """

    codename: str
    python: str
    apt_packages: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Processor:
    """The processor of a Raspberry Pi.

    Attributes:
      board: Its name in messages.
      qemu_name: As `-cpu` takes it.
      part, variant, revision, features: As `/proc/cpuinfo` says them.
    """

    board: str
    qemu_name: str
    part: str
    variant: str
    revision: str
    features: str


BOOKWORM = System(
    codename="bookworm",
    python="3.11",
    apt_packages=("numpy==1.24.2", "opencv-python-headless==4.6.0.66"),
)
TRIXIE = System(
    codename="trixie",
    python="3.13",
    apt_packages=("numpy==2.2.4", "opencv-python-headless==4.10.0.84"),
)
_ARMV8 = "fp asimd evtstrm crc32 cpuid"
PI_3 = Processor(
    board="Pi 3",
    qemu_name="cortex-a53",
    part="0xd03",
    variant="0x0",
    revision="4",
    features=_ARMV8,
)
PI_4 = Processor(
    board="Pi 4",
    qemu_name="cortex-a72",
    part="0xd08",
    variant="0x0",
    revision="3",
    features=_ARMV8,
)
PI_5 = Processor(
    board="Pi 5",
    qemu_name="cortex-a76",
    part="0xd0b",
    variant="0x4",
    revision="1",
    features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc "
    "dcpop asimddp",
)


@dataclass(frozen=True)
class Machine:
    """An emulated system.

    Attributes:
      system: What it runs.
      qemu: The emulator.
      root: Folder of its `/usr`, `/proc` and `/sys`.
      site: Folder of its Python packages.
    """

    system: System
    qemu: Path
    root: Path
    site: Path

    def run(
        self, processor: Processor, arguments: Sequence[str], *, folder: Path
    ) -> subprocess.CompletedProcess[str]:
        """Runs the ARM Python with arguments in a folder, whose modules it finds."""
        _pretend(self.root, processor)
        environment = {"PATH": "/usr/bin", "PYTHONPATH": f"{folder}:{self.site}", "HOME": "/tmp"}
        command = (
            str(self.qemu),
            *("-cpu", processor.qemu_name, "-L", str(self.root)),
            str(self.root / "usr/bin" / f"python{self.system.python}"),
            "-S",
            *arguments,
        )
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )


def cache_folder() -> Path:
    """Where the emulated systems lie."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mtdepth" / "arm64"


def prepare(system: System, *, requirements: Path) -> Machine:
    """Makes an emulated system, or finds it in the cache.

    Args:
      system: Which.
      requirements: What the bundle tells pip to install.

    Raises:
      RuntimeError: If apt or pip fails; says what it said.
    """
    folder = cache_folder() / system.codename
    key = "\n".join((requirements.read_text(encoding="utf-8"), *system.apt_packages))
    mark = folder / "ready"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != key:
        shutil.rmtree(folder, ignore_errors=True)
        _make_root(system, folder)
        _install_wheels(system, folder, requirements)
        mark.write_text(key, encoding="utf-8")
    return Machine(system, _qemu(), folder / "root", folder / "site")


def _qemu() -> Path:
    installed = shutil.which(QEMU)
    if installed:
        return Path(installed)
    folder = cache_folder() / "qemu"
    found = folder / QEMU
    if not found.is_file():
        _fetch(("qemu-user-static",), folder, options=())
        (folder / "root/usr/bin" / QEMU).rename(found)
        # Those of all the other processors.
        shutil.rmtree(folder / "root")
    return found


def _make_root(system: System, folder: Path) -> None:
    root = folder / "root"
    (root / "usr/lib").mkdir(parents=True)
    if system is not BOOKWORM:
        # Since trixie, Debian's packages say /usr/lib only.
        (root / "lib").symlink_to("usr/lib")
    sources = folder / "sources.list"
    sources.write_text(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
        f"http://deb.debian.org/debian {system.codename} main\n",
        encoding="utf-8",
    )
    packages = (f"python{system.python}", "libstdc++6", "libgcc-s1", "zlib1g")
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "Dir::Etc::sourcelist": str(sources),
        "Dir::Etc::sourceparts": "-",
    }
    _fetch(packages, folder, options=[f"-o{name}={value}" for name, value in options.items()])


def _fetch(packages: Sequence[str], folder: Path, *, options: Sequence[str]) -> None:
    """Downloads packages with what they need, in an apt of its own, and unpacks them to `root`."""
    apt = folder / "apt"
    for name in ("state/lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    private = {
        "Dir::State": str(apt / "state"),
        "Dir::Cache": str(apt / "cache"),
        "Dir::State::status": str(apt / "status"),
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    command = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in private.items())]
    command += options
    _checked([*command, "update"])
    _checked(
        [*command, "--yes", "--no-install-recommends", "--download-only", "install", *packages]
    )
    for archive in sorted((apt / "cache/archives").glob("*.deb")):
        _checked(["dpkg-deb", "-x", str(archive), str(folder / "root")])
    shutil.rmtree(apt)


def _install_wheels(system: System, folder: Path, requirements: Path) -> None:
    tag = f"cp{system.python.replace('.', '')}"
    platforms = ["manylinux2014_aarch64", *(f"manylinux_2_{n}_aarch64" for n in range(17, 29))]
    options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", system.python]
    for name in (tag, "abi3", "none"):
        options += ["--abi", name]
    for name in (*platforms, "any"):
        options += ["--platform", name]
    _checked(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *options,
            *("--target", str(folder / "site")),
            *applicable(requirements, {"python_version": system.python}),
            *system.apt_packages,
        ]
    )


def applicable(requirements: Path, environment: Mapping[str, str]) -> list[str]:
    """The lines of a requirements file that hold in an environment, without their conditions.

    pip evaluates conditions for the Python that it runs in, whatever `--python-version` says.
    """
    lines = requirements.read_text(encoding="utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    holding = [item for item in parsed if not item.marker or item.marker.evaluate({**environment})]
    return [f"{item.name}{item.specifier}" for item in holding]


def _checked(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")


def _pretend(root: Path, processor: Processor) -> None:
    """Shows the guest a Pi's processor.

    QEMU would show it this machine's `/proc/cpuinfo`, at which XNNPACK's detection crashes.
    Features that `-cpu` lacks would end in an illegal instruction.
    """
    core = (
        "BogoMIPS\t: 108.00\n"
        f"Features\t: {processor.features}\n"
        "CPU implementer\t: 0x41\nCPU architecture: 8\n"
        f"CPU variant\t: {processor.variant}\nCPU part\t: {processor.part}\n"
        f"CPU revision\t: {processor.revision}\n\n"
    )
    cores = range(4)
    _put(root / "proc/cpuinfo", "".join(f"processor\t: {number}\n{core}" for number in cores))
    cpus = root / "sys/devices/system/cpu"
    for name in ("possible", "present", "online"):
        _put(cpus / name, "0-3\n")
    _put(cpus / "kernel_max", "255\n")
    for number in cores:
        for name, value in (
            ("topology/physical_package_id", "0"),
            ("topology/core_id", f"{number}"),
            ("topology/core_siblings_list", "0-3"),
            ("topology/thread_siblings_list", f"{number}"),
            ("cpufreq/cpuinfo_max_freq", "1500000"),
            ("cpufreq/cpuinfo_min_freq", "600000"),
            ("cpufreq/scaling_governor", "ondemand"),
        ):
            _put(cpus / f"cpu{number}" / name, f"{value}\n")


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
