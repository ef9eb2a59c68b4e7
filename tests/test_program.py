"""The command line of a program that must be told one word; how a program ends."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.programs import run_program

CODE = """
from absl import flags, logging
from mtdepth import program
flags.DEFINE_integer("number", 1, "A number.")
program.run(lambda word: logging.info("%s %d", word, flags.FLAGS.number), choices=("tea", "milk"))
"""


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a program's code in this process."""
    monkeypatch.syspath_prepend(tmp_path)

    def run(*arguments: str, code: str = CODE) -> subprocess.CompletedProcess[str]:
        (tmp_path / "made_program.py").write_text(code)
        return run_program("made_program", *arguments)

    return run


@pytest.mark.parametrize("arguments", [("tea", "--number=3"), ("--number", "3", "tea")])
def test_the_word_reaches_the_program_wherever_it_stands(
    run: Run, arguments: tuple[str, ...]
) -> None:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert "tea 3" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected one of tea, milk, got nothing"),
        (("beer",), "expected one of tea, milk, got 'beer'"),
        (("tea", "milk"), "unexpected argument 'milk'"),
    ],
)
def test_another_word_is_answered_with_the_choices(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    done = run(*arguments)
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


ENDINGS = """
import errno, os
import numpy
from mtdepth import program
from mtdepth.files import UserError
def main(word):
    if word == "user":
        raise UserError("--near_m must be positive")
    if word == "full":  # as TensorFlow says it
        raise RuntimeError("variables; " + os.strerror(errno.ENOSPC))
    if word == "memory":
        raise RuntimeError("can't start new thread")
    if word == "empty":
        raise MemoryError
    if word == "read-only":
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "labels")
    numpy.zeros((2, 3)) + numpy.zeros((4, 5))
program.run(main, choices=("user", "fault", "full", "read-only", "memory", "empty"))
"""


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("user", "--near_m must be positive"),
        ("fault", "could not be broadcast"),
        ("full", "No space left on device; make room, then give the same command again"),
        ("memory", "can't start new thread; no memory is left"),
        ("empty", "MemoryError; no memory is left"),
        ("read-only", "Read-only file system: 'labels'; make it writable, then give the same"),
    ],
)
def test_a_users_mistake_is_one_line_and_a_fault_of_ours_keeps_its_traceback(
    run: Run, word: str, message: str
) -> None:
    done = run(word, code=ENDINGS)
    assert done.returncode == 1
    assert ("Traceback" in done.stderr) == (word == "fault")
    assert message in done.stderr


def test_what_is_said_has_no_time_and_place_before_it(run: Run) -> None:
    assert run("tea").stderr == "tea 1\n"
    assert run("user", code=ENDINGS).stderr == "error: --near_m must be positive\n"


INTERRUPTED = """
from mtdepth import program
def main():
    raise KeyboardInterrupt
program.run(main)
"""


def test_an_interrupted_program_ends_with_one_line(run: Run) -> None:
    done = run(code=INTERRUPTED)
    assert done.returncode == 130
    assert "interrupted; give the same command again to go on" in done.stderr
    assert "Traceback" not in done.stderr
