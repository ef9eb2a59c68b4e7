"""What is carried to a Raspberry Pi: complete, light, installable, and refused where it is not."""

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from arm64.emulation import applicable
from fakes.programs import run_program

from export.bundle import texts
from export.bundle.contents import checked_models, write_bundle
from export.bundle.modules import BundleError, closure, data_files
from mtdepth.files import DataError

# What LiteRT itself imports; on a Pi, pip installs it with LiteRT.
DEVICE_PACKAGES = ("numpy", "cv2", "simplejpeg", "ai_edge_litert", "flatbuffers", "tqdm")


def bundle(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run_program("export.bundle", *arguments)


@pytest.fixture(scope="module")
def archive(golden_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "mtdepth-pi.tar.gz"
    models = [item for model in golden_models.values() for item in ("--model", model)]
    done = bundle(*models, "--output", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def folder(archive: Path) -> Path:
    with tarfile.open(archive) as content:
        content.extractall(archive.parent, filter="data")
    return archive.parent / "mtdepth-pi"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of a device and no other."""
    made = tmp_path_factory.mktemp("site")
    for name in DEVICE_PACKAGES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        for path in (
            package,
            *package.parent.glob(f"{name}.libs"),
            *package.parent.glob("opencv*.libs"),
        ):
            target = made / path.name
            if not target.exists():
                target.symlink_to(path)
    return made


def on_device(folder: Path, site: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the bundle by a Python that has a device's packages only."""
    return subprocess.run(
        [sys.executable, "-S", *map(str, arguments)],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{site}", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


# Modules


def source_tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_imports_are_followed_wherever_they_stand(tmp_path: Path) -> None:
    root = source_tree(
        tmp_path,
        {
            "a/__init__.py": "",
            "a/main.py": "import json, numpy\nfrom a.b import thing\nfrom a import c\n",
            "a/b.py": "def f():\n    from a.late import g\n    import picamera2\n",
            "a/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n"
            "    from a import unused\nelse:\n    from a import otherwise\n",
            "a/late.py": "import a.deep.er\n",
            "a/deep/__init__.py": "import a.above\n",
            **{f"a/{name}.py": "" for name in ("deep/er", "above", "unused", "otherwise", "stray")},
        },
    )
    names = ("a", "a.above", "a.b", "a.c", "a.deep", "a.deep.er", "a.late", "a.main", "a.otherwise")
    assert tuple(closure(root, ["a.main"])) == names


def test_what_a_device_lacks_is_named_with_who_wants_it(tmp_path: Path) -> None:
    root = source_tree(tmp_path, {"a/__init__.py": "", "a/main.py": "import tensorflow as tf\n"})
    with pytest.raises(BundleError, match=r"a\.main imports tensorflow, which a device does not"):
        closure(root, ["a.main"])
    with pytest.raises(
        BundleError, match=r"the list of programs needs a\.gone, which is not below"
    ):
        closure(root, ["a.gone"])


def test_files_beside_the_devices_modules_come_along(tmp_path: Path) -> None:
    root = source_tree(
        tmp_path,
        {
            "export/__init__.py": "",
            "export/notes.txt": "no",
            "export/device/__init__.py": "",
            "export/device/page.html": "yes",
            "export/device/.hidden": "no",
        },
    )
    assert data_files(closure(root, ["export.device"])) == [root / "export/device/page.html"]


# The bundle


def test_the_bundle_holds_what_the_readme_says(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("README.md", "install.sh", "requirements-pi.txt", "mtdepth.service", "mtdepth.env"),
        *("models", "mtdepth", "export"),
    }
    readme = (folder / "README.md").read_text()
    commands = [line for line in readme.splitlines() if line.startswith("    ")]
    assert len(commands) == 5
    models = sorted(path.parent.name for path in folder.glob("models/*/model.tflite"))
    assert len(models) == 2
    assert all(f"models/{name}/model.tflite" in readme for name in models)
    assert os.access(folder / "install.sh", os.X_OK)
    assert not list(folder.rglob("*.pyc"))


def test_the_archive_names_nobody(archive: Path) -> None:
    with tarfile.open(archive) as content:
        members = content.getmembers()
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {
        (0, 0, "", "")
    }
    assert {member.mode for member in members if member.isfile()} == {0o644, 0o755}


def test_every_module_imports_with_a_devices_packages_alone(folder: Path, site: Path) -> None:
    names = [
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for package in ("mtdepth", "export")
        for path in (folder / package).rglob("*.py")
        if path.name != "__main__.py"
    ]
    assert len(names) > 20
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "heavy = {'tensorflow', 'keras', 'absl', 'matplotlib', 'flatbuffers', 'tqdm'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = on_device(folder, site, "-c", code)
    assert done.returncode == 0, done.stderr
    assert "tensorflow" not in done.stdout


def test_the_bundle_verifies_and_runs_by_itself(
    folder: Path, site: Path, golden_models: dict[str, Path]
) -> None:
    models = sorted(folder.glob("models/*/model.tflite"))
    arguments = [item for model in models for item in ("--model", model)]
    done = on_device(folder, site, "-m", "export.verify", "--max_steps", 0, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("all pairs are good") == len(golden_models)
    done = on_device(folder, site, "-m", "export.device", "--help")
    assert done.returncode == 0, done.stderr
    assert "--display" in done.stdout


def test_the_service_runs_options_that_the_program_has(folder: Path, site: Path) -> None:
    options = (folder / "mtdepth.env").read_text().partition("MTDEPTH_OPTIONS=")[2].split()
    assert (folder / options[options.index("--model") + 1]).is_file()
    assert options[options.index("--host") + 1] == "127.0.0.1"
    options[options.index("--model") + 1] = "absent.tflite"
    done = on_device(folder, site, "-m", "export.device", *options)
    # Not 2, the status of a flag that is none.
    assert done.returncode == 1
    assert "absent.tflite: no such file" in done.stderr


def test_the_unit_starts_again_whatever_happens(folder: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(folder / "mtdepth.service")
    service = unit["Service"]
    assert service["ExecStart"] == "@FOLDER@/venv/bin/python -m export.device $MTDEPTH_OPTIONS"
    assert (service["Restart"], service["User"]) == ("always", "@USER@")
    assert service["EnvironmentFile"] == "@FOLDER@/mtdepth.env"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"


# Installing, on a system whose commands only say what they were asked


@pytest.fixture
def pi(folder: Path, tmp_path: Path) -> Path:
    """The bundle where a user put it, and a Pi's commands in `bin`."""
    home = shutil.copytree(folder, tmp_path / "home" / "mtdepth-pi")
    commands = tmp_path / "bin"
    commands.mkdir()
    python = (
        'echo "python3 $*" >> "$LOG"\n'
        'case "$*" in *picamera2*) exit 1 ;; *venv*) mkdir -p venv/bin; '
        'printf \'#!/bin/sh\\necho "venv $*" >> "$LOG"\\n\' > venv/bin/python; '
        "chmod +x venv/bin/python ;; esac"
    )
    for name, body in {
        "uname": 'echo "${MACHINE:-aarch64}"',
        "sudo": 'echo "sudo $*" >> "$LOG"; case "$2 $*" in -m*) cp "$4" "$UNIT" ;; esac',
        "python3": python,
        "id": "echo bob",
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{body}\n")
        (commands / name).chmod(0o755)
    return home


def install(home: Path, *arguments: str, machine: str = "aarch64") -> tuple[int, str, list[str]]:
    log = home.parents[1] / "log"
    log.write_text("")
    done = subprocess.run(
        ["sh", home / "install.sh", *arguments],
        cwd="/",
        env={
            "PATH": f"{home.parents[1] / 'bin'}:/usr/bin:/bin",
            "LOG": str(log),
            "UNIT": str(home.parents[1] / "unit"),
            "MACHINE": machine,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr, log.read_text().splitlines()


def test_installing_takes_packages_makes_an_environment_and_verifies(pi: Path) -> None:
    status, error, log = install(pi)
    assert status == 0, error
    assert "sudo apt-get install -y python3-venv python3-opencv" in log
    assert "sudo apt-get install -y python3-picamera2" in log
    assert "python3 -m venv --system-site-packages venv" in log
    assert log[-2].endswith("-r requirements-pi.txt")
    assert log[-1].startswith("venv -m export.verify --model models/")
    assert not [line for line in log if "systemctl" in line]


def test_the_service_is_installed_for_this_user_and_folder(pi: Path) -> None:
    status, error, log = install(pi, "--service")
    assert status == 0, error
    unit = (pi.parents[1] / "unit").read_text()
    assert "User=bob" in unit
    assert f"ExecStart={pi}/venv/bin/python -m export.device" in unit
    assert "@" not in unit.split("[Unit]")[1]
    assert log[-2:] == [
        "sudo systemctl enable mtdepth.service",
        "sudo systemctl restart mtdepth.service",
    ]


@pytest.mark.parametrize(
    ("arguments", "machine", "status", "message"),
    [
        ((), "armv7l", 1, "install the 64-bit Raspberry Pi OS"),
        (("--start",), "aarch64", 2, "unknown option --start; there is --service"),
    ],
)
def test_what_cannot_be_installed_is_said_before_anything_is_done(
    pi: Path, arguments: tuple[str, ...], machine: str, status: int, message: str
) -> None:
    found, error, log = install(pi, *arguments, machine=machine)
    assert (found, log) == (status, [])
    assert message in error


def test_numpy_is_held_where_picamera2_needs_it() -> None:
    given = {"litert": "2.3.0", "folder": "pi", "is_archive": True, "options": "", "table": ""}
    found = texts.bundle_texts(["m"], **given)  # type: ignore[arg-type]
    lines = found[texts.REQUIREMENTS_NAME].splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "ai-edge-litert==2.3.0",
        "simplejpeg>=1.8,<2",
        'numpy<2; python_version < "3.13"',
        'numpy>=2,<3; python_version >= "3.13"',
    ]


@pytest.mark.parametrize(("python", "numpy"), [("3.11", "numpy<2"), ("3.13", "numpy<3,>=2")])
def test_each_system_gets_its_own_numpy(folder: Path, python: str, numpy: str) -> None:
    lines = applicable(folder / texts.REQUIREMENTS_NAME, {"python_version": python})
    assert lines[0].startswith("ai-edge-litert==")
    assert lines[2:] == [numpy]


# Refusals


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pi").mkdir()
    with pytest.raises(FileExistsError, match=r"pi exists: give another"):
        write_bundle(tmp_path / "pi", copied={}, texts={}, scripts=frozenset())
    assert list(tmp_path.iterdir()) == [tmp_path / "pi"]


def test_models_that_cannot_be_carried_are_named(
    golden_models: dict[str, Path], tmp_path: Path
) -> None:
    model = golden_models["int8"]
    with pytest.raises(BundleError, match="needs at least one model"):
        checked_models([])
    with pytest.raises(BundleError, match=r"model\.onnx: a Raspberry Pi runs \.tflite files"):
        checked_models([tmp_path / "model.onnx"])
    twin = shutil.copytree(model.parent, tmp_path / model.parent.name) / model.name
    with pytest.raises(BundleError, match="two models stand in folders named"):
        checked_models([model, twin])
    twin.write_bytes(twin.read_bytes()[:-1])
    with pytest.raises(DataError, match="damaged, or from another export"):
        checked_models([twin])


def test_the_program_says_what_is_wrong_and_writes_nothing(tmp_path: Path) -> None:
    done = bundle("--model", tmp_path / "none.tflite", "--output", tmp_path / "pi.tar.gz")
    assert done.returncode == 1
    assert "none.tflite: no such file" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
