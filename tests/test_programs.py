"""That a program run in this process behaves as in its own, and leaves nothing behind."""

import logging as standard_logging
import os
import signal
import sys
from pathlib import Path

import pytest
from absl import flags
from fakes.programs import run_process, run_program


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--video", "x"),
        *(pytest.param(each, marks=pytest.mark.slow) for each in (("--nonsense",), ("tea",))),
    ],
)
def test_it_says_what_a_process_says(arguments: tuple[str, ...]) -> None:
    process, here = (run("mtdepth.train", *arguments) for run in (run_process, run_program))
    assert (here.returncode, here.stdout) == (process.returncode, process.stdout)
    # Each line of the log begins with its time and the process's number.
    assert here.stderr.split("] ")[-1] == process.stderr.split("] ")[-1]


def test_a_run_inherits_no_flag_from_the_one_before_it() -> None:
    for extra in (("--model", "mininet"), ()):
        done = run_program("mtdepth.train", "--data", "nowhere", *extra)
        assert ("no meaning for --model mininet" in done.stderr) == bool(extra), done.stderr


def test_the_process_is_as_before(tmp_path: Path) -> None:
    def state() -> tuple[object, ...]:
        root = standard_logging.getLogger()
        return (
            *(list(sys.argv), Path.cwd(), dict(os.environ), signal.getsignal(signal.SIGTERM)),
            *(sorted(flags.FLAGS), flags.FLAGS.is_parsed(), list(root.handlers), root.level),
            *(sys.stdout, sys.stderr, sys.modules["__main__"]),
        )

    run_program("mtdepth.train", "--help")  # absl defines its own flags at the first start
    before = state()
    done = run_program("mtdepth.train", "--data", "nowhere", cwd=tmp_path, env={"NOISE": "1"})
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert state() == before


def test_an_error_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr("mtdepth.defaults.default_kitti_root", broken)
    done = run_program("mtdepth.train")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("RuntimeError: ours\n")
