"""One array of numbers of a MATLAB file, version 5.

Read by hand: scipy's reader ends the whole process at some damaged files.
"""

import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtdepth.files import DataError, check_finite, read_bytes

# "MAT-File Format" (The MathWorks), level 5: header, types of data, classes of arrays of numbers.
_HEADER_BYTES = 128
_ORDERS = {b"IM": "<", b"MI": ">"}
_TYPES = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = range(6, 16)
_MAX_UNPACKED_BYTES = 2**28


def read_mat_array(path: Path, name: str) -> npt.NDArray[np.float64]:
    """Reads the array of that name.

    Raises:
      FileNotFoundError: If the file is missing.
      DataError: If it is no such file, damaged, or has no such array of finite numbers.
    """
    content = read_bytes(path)
    try:
        array = _find(content, name)
    except (LookupError, ValueError, StopIteration, struct.error, zlib.error) as error:
        raise DataError(path, f"no {name} can be read ({error}); copy it again") from error
    check_finite(path, name, array)
    return array


def _find(content: bytes, name: str) -> npt.NDArray[np.float64]:
    order = _ORDERS[content[_HEADER_BYTES - 2 : _HEADER_BYTES]]
    for kind, data in _elements(content[_HEADER_BYTES:], order):
        if kind == _COMPRESSED:
            kind, data = next(_elements(_unpacked(data), order))
        parts = _elements(data, order)
        (_, flags), (_, sizes), (_, found) = itertools.islice(parts, 3)
        if kind != _MATRIX or found != name.encode():
            continue
        if flags[0 if order == "<" else 3] not in _NUMBERS:
            raise ValueError("it holds no numbers")
        stored, numbers = next(parts)
        shape = np.frombuffer(sizes, f"{order}i4")
        if (shape <= 0).any():
            raise ValueError(f"its size is {shape}")
        array = np.frombuffer(numbers, order + _TYPES[stored])
        return array.reshape(shape, order="F").astype(np.float64)
    raise ValueError("it is not there")


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of one after the other."""
    start = 0
    while start < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, start)
        start += 8
        if kind >> 16:  # up to four bytes stand in the tag
            kind, size, start = kind & 0xFFFF, kind >> 16, start - 4
        data = content[start : start + size]
        if len(data) < size:
            raise ValueError("it is cut short")
        yield kind, data
        start += size if kind == _COMPRESSED else size + -(start + size) % 8


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(data, _MAX_UNPACKED_BYTES)
    if not unpacker.eof:
        raise ValueError("it is cut short, or becomes too large")
    return content
