"""How every program of this project begins and ends."""

import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from mtdepth.files import DISK_ERRORS, DataError, UserError

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


def run(main: Callable[..., int | None], *, choices: Sequence[str] = ()) -> None:
    """Parses the flags, runs `main`, and turns a user's mistake into one clear line.

    What the caller can mend (a bad argument, a missing or damaged file, a full disk) ends the
    program with status 1 and its message alone; `--verbosity=1` adds the traceback. Anything else
    is a fault of ours and keeps its traceback.

    Args:
      main: Returns the exit status; None stands for 0. Takes no argument, or the word chosen.
      choices: Words of which the command line must hold one; it is handed to `main`.
    """

    def guarded(argv: list[str]) -> None:
        if logging.get_verbosity() < logging.INFO:
            logging.set_verbosity(logging.INFO)
        words = argv[1:]
        if choices and (not words or words[0] not in choices):
            found = repr(words[0]) if words else "nothing"
            raise app.UsageError(f"expected one of {', '.join(choices)}, got {found}")
        chosen = words[: 1 if choices else 0]
        if extra := words[len(chosen) :]:
            raise app.UsageError(f"unexpected argument {extra[0]!r}; every option is --name value")
        try:
            sys.exit(main(*chosen))
        except (*USER_ERRORS, OSError) as error:
            is_users = isinstance(error, USER_ERRORS) or error.errno in DISK_ERRORS
            if not is_users:
                raise
            logging.error("%s", error)
            logging.debug("the error came from", exc_info=True)
            sys.exit(1)

    app.run(guarded)
