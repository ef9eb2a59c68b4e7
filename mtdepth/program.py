"""How every program of this project begins and ends."""

import errno
import logging as standard_logging
import signal
import sys
from collections.abc import Callable, Sequence

import tqdm
from absl import app, flags, logging

from mtdepth.defaults import DEMO
from mtdepth.files import DataError, UserError, disk_error, is_memory_error

USER_ERRORS = (
    ConnectionError,
    DataError,
    FileExistsError,
    FileNotFoundError,
    ImportError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
    UserError,
)


def require(*names: str) -> None:
    """Refuses a command line that lacks flags which have no default.

    absl's own `required` would hold for whoever imports the module, too.

    Raises:
      UserError: Naming them.
    """
    if missing := [f"--{name}" for name in names if not flags.FLAGS[name].value]:
        raise UserError(f"{', '.join(missing)} needed; --help shows a full example")


def run(main: Callable[..., int | None], *, choices: Sequence[str] = (), takes: str = "") -> None:
    """Parses the flags, runs `main`, and turns a user's mistake into one clear line.

    What the caller can mend (a bad argument, a missing or damaged file, a full disk) ends the
    program with status 1 and its message alone; `--verbosity=1` adds the traceback. Anything else
    is a fault of ours and keeps its traceback.

    Args:
      main: Returns the exit status; None stands for 0. Takes no argument, or the one word.
      choices: Words of which the command line must hold one; it is handed to `main`.
      takes: What the one word is that the command line must hold, where it may be any.
    """

    def guarded(argv: list[str]) -> None:
        if logging.get_verbosity() < logging.INFO:
            logging.set_verbosity(logging.INFO)
        words = argv[1:]
        if choices and (not words or words[0] not in choices):
            found = repr(words[0]) if words else "nothing"
            raise app.UsageError(f"expected one of {', '.join(choices)}, got {found}")
        if takes and not words:
            raise app.UsageError(f"expected {takes}, got nothing")
        chosen = words[: 1 if choices or takes else 0]
        if extra := words[len(chosen) :]:
            raise app.UsageError(f"unexpected argument {extra[0]!r}; every option is --name value")
        try:
            sys.exit(main(*chosen))
        except KeyboardInterrupt:
            _end_bars()
            logging.error("interrupted; give the same command again to go on")
            sys.exit(128 + signal.SIGINT)
        except Exception as error:
            is_users = isinstance(error, USER_ERRORS) or disk_error(error) is not None
            if not is_users and not is_memory_error(error):
                raise
            _end_bars()
            logging.error("%s%s", str(error) or type(error).__name__, _remedy(error))
            logging.debug("the error came from", exc_info=True)
            sys.exit(1)

    _show_every_flag()
    logging.get_absl_handler().setFormatter(_PlainFormatter())
    app.run(guarded, flags_parser=_parsed)


def _parsed(argv: list[str]) -> list[str]:
    """What absl leaves of a command line; it ends with status 1, also after --help."""
    try:
        return list(app.parse_flags_with_usage(argv))
    except SystemExit:
        sys.exit(0 if any(word.startswith(("--help", "-help")) for word in argv) else 1)


class _PlainFormatter(standard_logging.Formatter):
    """What is said without the time, process and line of the program that says it."""

    def format(self, record: standard_logging.LogRecord) -> str:
        said = super().format(record)
        is_information = record.levelno <= standard_logging.INFO
        return said if is_information else f"{record.levelname.lower()}: {said}"


def _remedy(error: Exception) -> str:
    if (code := disk_error(error)) is not None:
        first = "make it writable" if code == errno.EROFS else "make room"
        return f"; {first}, then give the same command again"
    if is_memory_error(error) and not isinstance(error, ConnectionError):  # of workers, told
        return "; no memory is left: close other programs, or lift the limit that `ulimit -v` shows"
    if isinstance(error, FileNotFoundError) and f"{DEMO}/" in str(error) and not DEMO.exists():
        return f"; or, to try it without data of your own, `make demo`: it fills {DEMO}/"
    return ""


def _end_bars() -> None:
    """Ends progress bars, which would be drawn once more below the error."""
    for bar in list(getattr(tqdm.tqdm, "_instances", ())):
        bar.close()


def _show_every_flag() -> None:
    """Makes --help show the flags of all of our modules; absl shows those of the program's file."""
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if not module.startswith("absl."):
            for flag in defined:
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
