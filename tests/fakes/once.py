"""What several tests read and none changes is built once in a whole run, by whichever needs it."""

import os
from collections.abc import Callable
from pathlib import Path

import filelock

# `conftest.py` makes the folder, and every worker process of a run inherits its name.
VARIABLE = "MTDEPTH_TESTS_SHARED"


def built_once(name: str, build: Callable[[Path], object]) -> Path:
    """The folder that `build(folder)` has filled; a test that changes one copies it first.

    Args:
      name: Of the thing built; one name, one content.
      build: Is given the path of a folder that does not exist yet.
    """
    root = Path(os.environ[VARIABLE])
    folder, built = root / name, root / f"{name}.built"
    with filelock.FileLock(root / f"{name}.lock"):
        if not built.exists():
            build(folder)
            built.touch()
    return folder
