"""Reading and writing files so that a fault is named and nothing half-written looks whole."""

import codecs
import concurrent.futures
import contextlib
import errno
import fcntl
import glob
import hashlib
import itertools
import json
import math
import os
import re
import secrets
import shutil
import stat
import struct
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# A disk that takes no more: full, over quota, or mounted to be read.
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
# What decoders raise for a damaged file.
DAMAGE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, EOFError),
    *(MemoryError, RuntimeError, SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
    *(AssertionError, struct.error),  # PyTorch's
)
MAX_TEXT_BYTES = 2**26  # of a file of JSON; the largest that we write has 10 MB
MAX_ARRAY_BYTES = 2**32  # of all arrays in a file
_TEMPORARY = re.compile(r"\..+-[0-9a-f]{8}(\..*)?")  # as `atomic_path` names them
_BLOCK_BYTES = 4096
# A thread, a process or a library could not have any; the last is TensorFlow's.
_NO_MEMORY = (
    *("can't start new thread", os.strerror(errno.ENOMEM), "Insufficient memory"),
    *("failed to map segment", "OOM when allocating"),
)


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
    # Not by tempfile, whose files are their owner's alone. The lock says that its writer lives.
    with temporary.open("xb") as held:
        try:
            with contextlib.suppress(OSError):  # a network drive without locks
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Removes the temporary files of killed writers; those of writers at work stay."""
    for path in folder.glob(".*") if folder.is_dir() else ():
        if not _TEMPORARY.fullmatch(path.name):
            continue
        with contextlib.suppress(OSError), path.open("rb") as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


@contextlib.contextmanager
def temporary_folder(parent: Path, *, prefix: str) -> Iterator[Path]:
    """A new folder in `parent` that is gone afterwards, unless it was renamed.

    Those that killed programs left go now: `prefix` names what is done, and a lock who does it.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{glob.escape(prefix)}*"):
        with contextlib.suppress(OSError), _locked(left, fcntl.LOCK_EX):
            shutil.rmtree(left)
    with (
        tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as name,
        contextlib.ExitStack() as held,
    ):
        with contextlib.suppress(OSError):  # a network drive without locks
            held.enter_context(_locked(Path(name), fcntl.LOCK_SH))
        yield Path(name)


@contextlib.contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def disk_error(error: BaseException) -> int | None:
    """The system's number, one of `DISK_ERRORS`, where an error says that a disk takes no more.

    TensorFlow has errors of its own that say it in the system's words; numpy leaves the reason out.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in DISK_ERRORS else None
    if isinstance(error, OSError) and re.search(r"requested and \d+ written", str(error)):
        return errno.ENOSPC
    return next((code for code in DISK_ERRORS if os.strerror(code) in str(error)), None)


def is_memory_error(error: BaseException) -> bool:
    """Whether an error says that no memory is left, in Python's, the system's or OpenCV's words."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _NO_MEMORY)


@contextlib.contextmanager
def disk_errors_named(path: Path) -> Iterator[None]:
    """Makes every error that says that a disk takes no more, in whoever's words, one of the system.

    Raises:
      OSError: With its number, naming `path`.
    """
    try:
        yield
    except Exception as error:
        if (code := disk_error(error)) is None:
            raise
        raise OSError(code, os.strerror(code), str(path)) from error


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


def check_regular(path: Path, *, max_bytes: int = MAX_ARRAY_BYTES) -> None:
    """Checks that a path is a file with an end.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is a folder, a pipe, a chain of links without an end, or too large.
    """
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: no such file") from error
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise
        raise DataError(path, f"leads to no file ({error.strerror})") from error
    if not stat.S_ISREG(found.st_mode):
        raise DataError(path, "is a folder, a pipe or a device, not a file")
    if found.st_size > max_bytes:
        raise DataError(path, f"{found.st_size} bytes; such a file has at most {max_bytes}")


def is_there(path: Path) -> bool:
    """Whether there is a file that may be absent; a thing of its name that is no file is a fault.

    Raises:
      DataError: As `check_regular`, or if it is a link to nothing: what stood there is not here.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        check_regular(path)
    except FileNotFoundError as error:
        raise DataError(path, f"is a link to {path.readlink()}, which is not there") from error
    return True


def read_bytes(path: Path) -> bytes:
    """Reads a regular file whole; raises as `check_regular`."""
    check_regular(path)
    return path.read_bytes()


def read_text(path: Path) -> str:
    """Reads text: UTF-8, or UTF-16 as Windows' editors and shell write it.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is no regular file, or neither.
    """
    check_regular(path, max_bytes=MAX_TEXT_BYTES)
    content = path.read_bytes()
    try:
        return content.decode(_encoding_of(content))
    except UnicodeDecodeError as error:
        raise DataError(path, f"not text in UTF-8 ({error}); save it as UTF-8") from error


def _encoding_of(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Without its mark: every other byte of Western letters and digits is zero.
    for encoding, upper in (("utf-16-le", content[1::2]), ("utf-16-be", content[::2])):
        if upper.count(0) > len(upper) // 2:
            return encoding
    return "utf-8-sig"


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is no regular file or not JSON. NaN and numbers beyond 64 bits are none.
    """
    return parse_json(path, read_text(path))


def read_record(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds one record.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: As `read_json`, or if it holds anything else.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(path, f"must hold a record, found {str(content)[:60]}")
    return content


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Reads a file of one JSON record a line.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is no regular file, or a line is no record.
    """
    lines = read_text(path).splitlines()
    records = [parse_json(path, line, line_number=n) for n, line in enumerate(lines, start=1)]
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise DataError(path, f"line {number} is no record: {str(record)[:60]}")
    return records


def parse_json(path: Path, text: str, *, line_number: int | None = None) -> Any:
    """Reads JSON that stands in a file.

    Args:
      path: The file, for the message.
      text: JSON.
      line_number: Of the text in the file; None for all of it.

    Raises:
      DataError: As `read_json`.
    """
    try:
        return json.loads(
            text, parse_int=_whole, parse_float=_finite, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        where = "" if line_number is None else f"line {line_number} is "
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        raise DataError(path, f"{where}not valid JSON ({why})") from error


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise ValueError(f"{digits[:20]}... is no number of 64 bits")
    return int(digits)


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits[:20]} is no number of 64 bits")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Reads all arrays of an `.npz` file.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is damaged, holds Python objects, or a number is NaN or infinite.
    """
    check_regular(path)
    try:
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            if (num_bytes := sum(each.file_size for each in archive.infolist())) > MAX_ARRAY_BYTES:
                raise ValueError(f"it would become {num_bytes} bytes")
            file.seek(0)
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: np.asarray(stored[name]) for name in stored.files}
    except DAMAGE as error:
        raise DataError(
            path, f"not a file of arrays ({error}); make it or copy it again"
        ) from error
    for name, array in arrays.items():
        check_finite(path, name, array)
    return arrays


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Reads the array of an `.npy` file; raises as `read_npz`."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            array = np.asarray(np.load(file, allow_pickle=False))
    except DAMAGE as error:
        raise DataError(path, f"not an array ({error}); make it or copy it again") from error
    check_finite(path, "the array", array)
    return array


def check_finite(path: Path, name: str, array: npt.NDArray[Any]) -> None:
    """Checks the numbers of a file.

    Raises:
      DataError: If one is NaN or infinite; names the array.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(path, f"{name} holds NaN or infinity; make the file or copy it again")


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
