"""How every program of this project begins and ends."""

import sys
from collections.abc import Callable

from absl import app, logging

from mtdepth.files import DataError

USER_ERRORS = (
    ConnectionError,
    DataError,
    FileNotFoundError,
    ImportError,
    NotADirectoryError,
    PermissionError,
    ValueError,
)


def run(main: Callable[[], int | None]) -> None:
    """Parses the flags, runs `main`, and turns a user's mistake into one clear line.

    What the caller gave wrong (a bad argument, a missing or damaged file) ends the program with
    status 1 and its message alone; `--verbosity=1` adds the traceback. Anything else is a fault of
    ours and keeps its traceback.

    Args:
      main: Returns the exit status; None stands for 0.
    """

    def guarded(argv: list[str]) -> None:
        if logging.get_verbosity() < logging.INFO:
            logging.set_verbosity(logging.INFO)
        if len(argv) > 1:
            raise app.UsageError(f"unexpected argument {argv[1]!r}; every option is --name value")
        try:
            sys.exit(main())
        except USER_ERRORS as error:
            logging.error("%s", error)
            logging.debug("the error came from", exc_info=True)
            sys.exit(1)

    app.run(guarded)
