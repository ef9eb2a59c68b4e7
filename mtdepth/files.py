"""Reading and writing files so that a fault is named and nothing half-written looks whole."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A disk that takes no more: full, over quota, or mounted to be read.
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class UserError(ValueError):
    """What a user asked for cannot be done; the message names the argument, the rule, the remedy.

    A program ends with the message alone. Any other `ValueError` is a fault of the program.
    """


class DataError(Exception):
    """A file whose content breaks a rule.

    Args:
      path: The file.
      why: The rule that it breaks, what was found, and the remedy where there is one.
    """

    def __init__(self, path: Path | str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = Path(path)
        self.why = why

    def __reduce__(self) -> tuple[type["DataError"], tuple[Path, str]]:
        """Pickles with both arguments, so that it survives the way out of a worker process."""
        return (DataError, (self.path, self.why))


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, renamed to it only when the block succeeds.

    The temporary name keeps every suffix, which writers choose their format by, and begins with a
    dot: a killed process leaves such a file behind, which `visible_files` does not list. The file's
    mode is what the user's umask says. It is on the disk before it is renamed: after a power cut
    there is the old file or the whole new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stem, dot, suffixes = path.name.partition(".")
    temporary = path.with_name(f".{stem}-{secrets.token_hex(4)}{dot}{suffixes}")
    # Not by tempfile, whose files are their owner's alone.
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def visible_files(folder: Path, pattern: str = "*") -> list[Path]:
    """Returns what matches in a folder, sorted, without names that begin with a dot.

    Args:
      folder: Where to look; may be absent.
      pattern: As `Path.glob` takes it, which by itself lists hidden names as well.
    """
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Writes `content` as indented JSON, atomically."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(path, f"not valid JSON ({error}); delete it and make it again") from error


def sha256_of(path: Path) -> str:
    """Digest of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
