"""Runs a program of this project as `python -m` does, but in the process of the tests.

A fresh Python that loads TensorFlow takes five to ten seconds, the work of most programs less than
one. So a program's behaviour is tested here, and one real process per program shows that it starts.
"""

import contextlib
import io
import logging as standard_logging
import os
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
from absl import app, flags, logging
from absl.testing import flagsaver

ROOT = Path(__file__).parents[2]


def run_program(
    module: str,
    *arguments: object,
    cwd: Path | str = ROOT,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """What `python -m module arguments...` does, in this process.

    The module's code runs anew as `__main__`, with flags of its own; everything that it imports is
    shared, and may be patched. Flags, logging, signals, environment, folder and standard streams
    are as before afterwards.

    Args:
      module: Dotted name, as after `python -m`.
      *arguments: Of its command line; `str` makes them text.
      cwd: Folder to run in.
      env: Variables beside the present ones.

    Returns:
      Status, standard output and standard error (log lines, and the traceback of an error that the
      program let through, as an interpreter shows it). Text that C++ code writes is not in it.
    """
    command = [module, *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with (
        _as_found(module, env or {}),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _logging_to(err),
        _no_flags_but_absls_own(),
    ):
        sys.argv = command  # the first is replaced by the file's path
        status = _status_of(module)
    return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())


def run_process(
    module: str,
    *arguments: object,
    cwd: Path | str = ROOT,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """The same in a real process: slow; once for each program."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def _status_of(module: str) -> int:
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except Exception:  # noqa: BLE001 (as the interpreter)
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def _as_found(module: str, env: Mapping[str, str]) -> Iterator[None]:
    """Gives back what a program may change for its process."""
    argv, variables = list(sys.argv), dict(os.environ)
    threads = cv2.getNumThreads()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # As in a new process, the program's file has not been imported by its own name.
    file = f"{module}.__main__" if (ROOT / module.replace(".", "/")).is_dir() else module
    imported = sys.modules.pop(file, None)
    os.environ.update(env)
    try:
        yield
    finally:
        if imported is not None:
            sys.modules[file] = imported
        sys.argv = argv
        os.environ.clear()
        os.environ.update(variables)
        cv2.setNumThreads(threads)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _logging_to(stream: io.StringIO) -> Iterator[None]:
    """absl's handler, which took hold of standard error when it was imported."""
    root, handler = standard_logging.getLogger(), logging.get_absl_handler()
    before = (list(root.handlers), root.level, handler.python_handler.stream)
    handler.python_handler.stream = stream
    logging.use_absl_handler()  # absl does so at the first start alone
    try:
        yield
    finally:
        root.handlers[:], root.level, handler.python_handler.stream = before
        logging.set_verbosity(logging.get_verbosity())  # levels follow the handlers


@contextlib.contextmanager
def _no_flags_but_absls_own() -> Iterator[None]:
    """absl's flags at their defaults and no others; the present ones come back afterwards."""
    app.define_help_flags()
    values = flags.FLAGS
    was_parsed = values.is_parsed()
    by_module = values.flags_by_module_dict()
    ours = {
        flag.name: (module, flag)
        for module, defined in by_module.items()
        if not module.startswith("absl.")
        for flag in defined
        if flag.name in values
    }
    for name in ours:
        delattr(values, name)
    try:
        with flagsaver.flagsaver():
            values.unparse_flags()
            for name in values:
                values[name].unparse()
            yield
    finally:
        for name, (module, flag) in ours.items():
            values[name] = flag
            values.register_flag_by_module(module, flag)
        if was_parsed:
            values.mark_as_parsed()
