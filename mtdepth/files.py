"""Reading and writing files so that a fault is named and nothing half-written looks whole."""

import contextlib
import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

# A disk that takes no more: full, over quota, or mounted to be read.
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


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
    dot: a killed process leaves such a file behind, which `visible_files` does not list.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stem, dot, suffixes = path.name.partition(".")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{stem}-", suffix=dot + suffixes)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; a label store is shared.
        temporary.chmod(0o644)
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
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_png(path: Path, image: npt.NDArray[Any]) -> None:
    """Writes `[height, width]` uint8/uint16 or `[height, width, 3]` RGB uint8, atomically."""
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    is_encoded, content = cv2.imencode(".png", stored)
    if not is_encoded:
        raise ValueError(f"{path}: no PNG can be made of {stored.shape} of {stored.dtype}")
    with atomic_path(path) as temporary:
        # Not by OpenCV, which says neither that nor why a disk refuses.
        temporary.write_bytes(content.tobytes())


def read_rgb(path: Path) -> npt.NDArray[np.uint8]:
    """Reads a picture as `[height, width, 3]` RGB uint8.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is no picture, or cut short.
    """
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB).astype(
        np.uint8, copy=False
    )


def read_gray_png(path: Path, dtype: type[np.uint8] | type[np.uint16]) -> npt.NDArray[Any]:
    """Reads a one-channel PNG of the stated depth as `[height, width]`.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is no picture, cut short, or of another depth or channel count.
    """
    image = _decode(path, cv2.IMREAD_UNCHANGED)
    if image.ndim != 2 or image.dtype != dtype:
        raise DataError(
            path,
            f"expected a one-channel {np.dtype(dtype).name} PNG, "
            f"found shape {image.shape} of {image.dtype}",
        )
    return image


_PNG_END = b"IEND\xaeB`\x82"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
# Not a stuffed FF 00, a restart mark or a fill byte, which stand inside a scan.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def _decode(path: Path, flags: int) -> npt.NDArray[Any]:
    content = path.read_bytes()
    # OpenCV decodes a cut file to a picture with a grey or black rest and only logs it, so the
    # end marks are looked for first.
    is_cut_png = content.startswith(_PNG_START) and not content.rstrip(b"\0").endswith(_PNG_END)
    is_cut_jpeg = content.startswith(_JPEG_START) and not _has_jpeg_end(content)
    if is_cut_png or is_cut_jpeg:
        raise DataError(path, f"cut short at {len(content)} bytes; copy or download it again")
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    if image is None:
        raise DataError(path, f"not a readable picture ({len(content)} bytes)")
    return image


def _has_jpeg_end(content: bytes) -> bool:
    """Whether the end mark follows the last scan; phones append data of their own to it.

    Goes from marker to marker: an embedded preview, inside a segment, has an end mark too.
    """
    position = len(_JPEG_START) - 1
    while marker := _JPEG_MARKER.search(content, position):
        if marker[0] == _JPEG_END:
            return True
        # Behind a segment, which begins with its length; a scan's pixels follow its segment.
        position = marker.end() + int.from_bytes(content[marker.end() : marker.end() + 2], "big")
    return False
