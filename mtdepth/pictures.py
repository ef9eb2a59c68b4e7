"""Pictures: which files are some, and how they are read and written, wherever one is needed."""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.files import DataError, atomic_path, visible_files

# Of pictures that every reader takes, in the order in which they are looked for.
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


def is_picture(path: Path) -> bool:
    """Whether a name is a picture's, in large or small letters."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, sorted, without those whose names begin with a dot."""
    return [path for path in visible_files(folder) if is_picture(path)]


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
