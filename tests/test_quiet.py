"""TensorFlow starts in silence, and a failure of it is heard."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAYS = "import os; os.write(2, b'E0000 failed call to cuInit'); "
CONFIG = "import types; config = types.SimpleNamespace(list_physical_devices=lambda: 0); "


def start(folder: Path, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Imports a `tensorflow` of this code after `mtdepth`, in a process of its own."""
    package = folder / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(code.replace("; ", "\n"))
    (package / "inner.py").write_text("answer = 42")
    left = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import mtdepth; from tensorflow.inner import answer; print(answer)",
        ],
        env={**left, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_start_that_goes_well_says_nothing(tmp_path: Path) -> None:
    done = start(tmp_path, SAYS + CONFIG)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_whoever_wants_to_hear_it_does(tmp_path: Path) -> None:
    done = start(tmp_path, SAYS + CONFIG, TF_CPP_MIN_LOG_LEVEL="0")
    assert (done.stdout, done.stderr) == ("42\n", "E0000 failed call to cuInit")


@pytest.mark.parametrize(
    ("end", "heard"),
    [
        ("raise ImportError('libcuda')", "ImportError: libcuda"),
        ("os.abort()", "Fatal Python error"),
    ],
)
def test_a_start_that_fails_is_heard(tmp_path: Path, end: str, heard: str) -> None:
    done = start(tmp_path, SAYS + end)
    assert done.returncode != 0
    assert heard in done.stderr
    if "Error:" in heard:
        assert "failed call to cuInit" in done.stderr


def test_the_real_one_says_nothing() -> None:
    left = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    code = "import mtdepth, tensorflow as tf; print(int(tf.constant(1) + 1))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=left,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("2\n", "")
