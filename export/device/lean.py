"""Keeps the program small on a machine of little memory."""

import contextlib
import ctypes
import re
from pathlib import Path

_M_ARENA_MAX = -8  # malloc.h
_MADV_DONTNEED = 4  # sys/mman.h of Linux, on every processor that LiteRT runs on
# proc(5): addresses, permissions, offset, device, inode, path.
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+)\b.*")
_CHANGED = re.compile(r"Anonymous: +(\d+) kB")


def share_heap_among_threads() -> None:
    """Else the C library gives each thread a heap of its own, none of which shrinks again."""
    with contextlib.suppress(AttributeError, OSError):  # only GNU's has it
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back_code(smaps: Path = Path("/proc/self/smaps")) -> int:
    """Unmaps the code of libraries that was read so far; what runs again is mapped again.

    Most of it ran once, when the libraries were loaded: 20 MB of OpenCV, LiteRT, numpy and Python.
    The pages are the files' own, so that nothing is lost; the kernel has them in its cache as long
    as nobody needs the room, and no longer counts them as this process's.

    Args:
      smaps: What the kernel says of this process's memory; another one for tests.

    Returns:
      Bytes of address space that were given back, 0 where the system is not Linux.
    """
    given_bytes = 0
    with contextlib.suppress(AttributeError, OSError, UnicodeDecodeError):
        advise = ctypes.CDLL(None).madvise
        for start, length in code_ranges(smaps.read_text(encoding="utf-8")):
            if advise(ctypes.c_void_p(start), ctypes.c_size_t(length), _MADV_DONTNEED) == 0:
                given_bytes += length
    return given_bytes


def code_ranges(smaps: str) -> list[tuple[int, int]]:
    """Address and length of every mapping that is code as it stands in a file.

    Not where a page was changed since, which could not be read from the file again, and not what
    may be written to.

    Args:
      smaps: The content of `/proc/PID/smaps`.
    """
    found: list[tuple[int, int]] = []
    candidate: tuple[int, int] | None = None
    for line in smaps.splitlines():
        if mapping := _MAPPING.fullmatch(line):
            start, end = (int(address, 16) for address in mapping.group(1, 2))
            is_code = mapping[3] == "r-xp" and mapping[4] != "0"
            candidate = (start, end - start) if is_code else None
        elif candidate and (changed := _CHANGED.fullmatch(line)):
            if changed[1] == "0":
                found.append(candidate)
            candidate = None
    return found
