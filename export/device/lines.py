"""The nearest obstacles as lines of JSON: into a file, a pipe, or the standard output."""

import contextlib
import errno
import json
import mmap
import os
import select
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export.device.recording import BusyError, GoneError, Writer
from export.device.result import Result
from mtdepth.files import DISK_ERRORS, DataError

STANDARD_OUTPUT = "-"
# A reader who takes no line of a live source for so long gets a newer one instead.
PATIENCE_S = 0.5
_POLL_S = 0.02
# pipe(7): of so many bytes or fewer a pipe takes all or none.
_ATOMIC_BYTES = 4096
_TAIL_BYTES = 2**20


class LineWriter(Writer):
    """Writes each result as one line, at once, to a file, a named pipe, or the standard output `-`.

    Lines are whole: one that a disk takes half of is cut away again, and one that a pipe took half
    of is ended before the next. Into a pipe a line begins only where there is room for it. With
    `is_live` a slow reader is left without old lines, and a file is appended to.

    Raises:
      OSError: If the file cannot be made, or there is no standard output.
      DataError: If the file that would be appended to holds something else.
    """

    def __init__(
        self, target: str, *, is_live: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._target, self._is_live, self._clock = target, is_live, clock
        self._is_stream = is_stream(target)
        self._is_abandoned = False
        self._descriptor: int | None = None
        self._rest = b""
        if target == STANDARD_OUTPUT:
            _standard_output()
        elif not self._is_stream:
            _prepare(Path(target), is_live=is_live)

    def write(self, result: Result) -> None:
        """Writes one line, as `Writer` says."""
        line = json.dumps(obstacle_line(result), separators=(",", ":")).encode() + b"\n"
        if self._descriptor is None:
            self._descriptor = self._opened()
        descriptor = self._descriptor
        if not self._is_stream:
            self._append(descriptor, line)
            return
        self._pass_rest(descriptor)
        self._wait_until(lambda: _has_room(descriptor, len(line)))
        self._rest = line
        try:
            self._pass_rest(descriptor)
        except BusyError:
            # Where it has begun, its end comes before the next.
            if not self._rest:
                raise

    def close(self, *, is_kept: bool = True) -> None:
        """Ends the last line where somebody takes it, and closes the file."""
        del is_kept
        if self._descriptor is None:
            return
        with contextlib.suppress(BusyError, OSError):
            self._pass_rest(self._descriptor)
        if self._target != STANDARD_OUTPUT:
            self._let_go()

    def abandon(self) -> None:
        """Waits for no reader any more."""
        self._is_abandoned = True

    def _let_go(self) -> None:
        descriptor, self._descriptor, self._rest = self._descriptor, None, b""
        if descriptor is not None:
            os.close(descriptor)

    def _opened(self) -> int:
        if self._target == STANDARD_OUTPUT:
            return _without_waiting(_standard_output())
        if not self._is_stream:
            return os.open(self._target, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        found: list[int] = []

        def is_read() -> bool:
            try:
                found.append(os.open(self._target, os.O_WRONLY | os.O_NONBLOCK))
            except OSError as error:
                # A named pipe without a reader.
                if error.errno != errno.ENXIO:
                    raise
            return bool(found)

        self._wait_until(is_read)
        return found[0]

    def _append(self, descriptor: int, line: bytes) -> None:
        state = os.fstat(descriptor)
        if not state.st_nlink:  # somebody deleted it: what is written there is lost
            self._let_go()
            descriptor = self._descriptor = self._opened()
            state = os.fstat(descriptor)
        rest = line
        try:
            # A disk that is nearly full takes a part of a line, and refuses only the next.
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, state.st_size)
            raise OSError(error.errno, error.strerror, self._target) from error

    def _pass_rest(self, descriptor: int) -> None:
        while self._rest:
            self._wait_until(lambda: _has_room(descriptor, 1))
            try:
                num_bytes = os.write(descriptor, self._rest[:_ATOMIC_BYTES])
            except BlockingIOError as error:
                # A terminal has less room than it says: it makes two characters of a line's end.
                if self._is_live or self._is_abandoned:
                    raise BusyError from error
                time.sleep(_POLL_S)
                continue
            except BrokenPipeError as error:
                if self._target == STANDARD_OUTPUT:
                    why = "nobody reads the standard output any more"
                    raise GoneError(error.errno, why) from error
                if not self._is_live:
                    raise OSError(error.errno, f"{self._target}: nobody reads it") from error
                # Its next reader is waited for as the first was.
                self._let_go()
                raise BusyError from error
            except OSError as error:
                raise OSError(error.errno, error.strerror, self._target) from error
            self._rest = self._rest[num_bytes:]

    def _wait_until(self, is_so: Callable[[], bool]) -> None:
        deadline_s = self._clock() + PATIENCE_S
        while not is_so():
            if self._is_abandoned or (self._is_live and self._clock() >= deadline_s):
                raise BusyError
            time.sleep(_POLL_S)


def is_stream(target: str) -> bool:
    """Whether a target is no file but a pipe, a device or the standard output."""
    path = Path(target)
    return target == STANDARD_OUTPUT or (path.exists() and not (path.is_file() or path.is_dir()))


def obstacle_line(result: Result) -> dict[str, Any]:
    """The nearest obstacles of a result, as JSON holds them."""
    return {
        "name": result.name,
        "number": result.number,
        "captured_s": round(result.captured_s, 3),
        # What another machine's records are matched by; this clock may be set, the others not.
        "captured_unix_s": round(time.time() - result.age_s, 3),
        "time_s": round(result.time_s, 3),
        "age_s": round(result.time_s - result.captured_s, 3),
        "unit": result.unit,
        "rule": result.rule_in_words,
        "columns": [obstacle.to_dict() for obstacle in result.obstacles],
    }


def _standard_output() -> int:
    if sys.stdout is None:
        raise OSError("--obstacles -: this program was started without a standard output")
    return sys.stdout.fileno()


def _without_waiting(descriptor: int) -> int:
    """A terminal's own: one that was stopped (Ctrl-S), or whose net is down, holds a write."""
    if os.isatty(descriptor):
        with contextlib.suppress(OSError):  # another user's, or of another container
            return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    return descriptor


def _prepare(path: Path, *, is_live: bool) -> None:
    """A wrong path is told at once; that a disk is full is for `write` to tell of a live source."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not is_live:
            path.write_bytes(b"")
        elif path.exists():
            _cut_half_line(path)
        elif not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    except OSError as error:
        if not is_live or error.errno not in DISK_ERRORS:
            raise


def _cut_half_line(path: Path) -> None:
    """Cuts what a killed program, or one that lost its power, wrote of its last line."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
        half = tail[tail.rfind(b"\n") + 1 :]
        if not half.startswith(b"{") and half.strip(b"\0"):
            raise DataError(path, "is no file of JSON lines to be appended to; give another")
        # Only then: another program may have appended a line meanwhile.
        if half:
            file.truncate(size - len(half))


def _has_room(descriptor: int, num_bytes: int) -> bool:
    """Whether so many bytes can be written without waiting, or fail without waiting."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    events = poll.poll(0)
    if not events or events[0][1] != select.POLLOUT:
        return bool(events)  # an error is for `write` to tell
    is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    if num_bytes <= _ATOMIC_BYTES or not is_pipe or sys.platform != "linux":
        return True
    import fcntl
    import termios

    unread = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
    num_unread = int.from_bytes(unread, sys.byteorder)
    # A pipe is a row of pages, of which any two neighbours hold more than one's worth.
    num_used = 2 * num_unread // mmap.PAGESIZE + 2 if num_unread else 0
    num_pages = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) // mmap.PAGESIZE
    return num_unread == 0 or num_pages - num_used >= num_bytes // mmap.PAGESIZE + 2
