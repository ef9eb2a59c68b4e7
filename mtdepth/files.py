"""Reading and writing files so that a fault is named and nothing half-written looks whole."""

import concurrent.futures
import contextlib
import errno
import hashlib
import itertools
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# A disk that takes no more: full, over quota, or mounted to be read.
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_BLOCK_BYTES = 4096


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


def content_digest(files: Iterable[tuple[str, Path | None]]) -> str:
    """Tells one list of files from another by names and contents, wherever they lie.

    Of a file its size and 4 kB of its beginning, middle and end are read, which is quick for
    100,000 files. A PNG ends with a checksum of all its pixels, and a JPEG's bytes depend on what
    went before, so that files made anew differ even at equal sizes.

    Args:
      files: Name and file; None for one that is absent.

    Returns:
      `content:` and the hexadecimal digits of a SHA-256. (Digests without the word, in older runs,
      were of sizes alone.)

    Raises:
      FileNotFoundError: If a file is missing.
    """
    hasher, remaining = hashlib.sha256(), iter(files)
    # Several at once: over a network most of the time is waiting.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        while some := list(itertools.islice(remaining, 1024)):
            for mark in pool.map(_content_mark, some):
                hasher.update(mark)
    return f"content:{hasher.hexdigest()}"


def _content_mark(named: tuple[str, Path | None]) -> bytes:
    name, path = named
    if path is None:
        return f"{name} absent\n".encode()
    with path.open("rb", buffering=0) as file:
        num_bytes = os.fstat(file.fileno()).st_size
        if num_bytes <= 3 * _BLOCK_BYTES:
            content = file.read()
        else:
            starts = (0, num_bytes // 2, num_bytes - _BLOCK_BYTES)
            content = b"".join(os.pread(file.fileno(), _BLOCK_BYTES, at) for at in starts)
    return f"{name} {num_bytes} {hashlib.sha256(content).hexdigest()}\n".encode()


def sha256_of(path: Path) -> str:
    """Digest of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
