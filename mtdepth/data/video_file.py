"""Films: decoded once, front to back, into a folder of pictures.

Pictures can be read in any order, by several threads, and films cannot. So a film is read to its
end once and kept as JPEG.
"""

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import tqdm
from absl import logging

from mtdepth.files import DataError, check_regular, read_record, temporary_folder, write_json
from mtdepth.runtime.film import MAX_BYTES, Film

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm", ".mpg", ".mpeg", ".mjpeg", ".ts"}
)
MAX_SIDE_PX = 1280  # ours: above KITTI's width and any network's here; keeps a 4K film small
_JPEG_QUALITY = 95  # ours: finer than KITTI's usual copies
_MANIFEST = "film.json"
_VERSION = 1
_HEAD_BYTES = 2**20


def decode_video(path: Path, *, cache_dir: Path) -> dict[int, Path]:
    """Returns the frames of a film as pictures, decoding it if that has not been done.

    Pictures larger than `MAX_SIDE_PX` are shrunk. A frame that cannot be decoded is a gap.

    Args:
      path: The film.
      cache_dir: A folder of this film's own is made in it.

    Returns:
      The picture of each frame number.

    Raises:
      DataError: If no frame can be read.
    """
    check_regular(path, max_bytes=MAX_BYTES)
    folder = cache_dir / f"{path.stem}-{_digest(path)[:16]}"
    if not (folder / _MANIFEST).is_file():
        with temporary_folder(cache_dir, prefix=f".{path.stem}-") as temporary:
            numbers = _decode_into(path, temporary)
            write_json(temporary / _MANIFEST, {"film": str(path), "numbers": numbers})
            _publish(temporary, folder)
    listed = read_record(folder / _MANIFEST).get("numbers")
    if not isinstance(listed, list) or any(type(number) is not int for number in listed):
        raise DataError(folder / _MANIFEST, "has no numbers of frames; delete this folder")
    return {number: _picture(folder, number) for number in listed}


def _publish(temporary: Path, folder: Path) -> None:
    temporary.chmod(0o755)
    try:
        temporary.rename(folder)
    except OSError:
        # Another process was faster; what it made of the same bytes is the same.
        if not (folder / _MANIFEST).is_file():
            raise


def _digest(path: Path) -> str:
    """Digest of a film by its length, beginning and end, which tell films apart at any size."""
    num_bytes = path.stat().st_size
    hasher = hashlib.sha256(f"{_VERSION} {MAX_SIDE_PX} {_JPEG_QUALITY} {num_bytes}".encode())
    with path.open("rb") as file:
        hasher.update(file.read(_HEAD_BYTES))
        file.seek(max(0, num_bytes - _HEAD_BYTES), os.SEEK_SET)
        hasher.update(file.read(_HEAD_BYTES))
    return hasher.hexdigest()


def _decode_into(path: Path, folder: Path) -> list[int]:
    film, numbers = Film(path), []
    told = max(0, film.num_told) or None  # good for a progress bar, not for a loop
    with tqdm.tqdm(total=told, unit="frame", desc=f"decoding {path.name}") as bar:
        for frame in film.frames():
            _write(_picture(folder, frame.number), frame.image_rgb)
            numbers.append(frame.number)
            bar.update()
    if not numbers:
        raise DataError(path, film.shortage)
    if film.shortage:
        logging.warning("%s %s", path, film.shortage)
    return numbers


def _write(path: Path, image: npt.NDArray[np.uint8]) -> None:
    height_px, width_px = image.shape[:2]
    scale = MAX_SIDE_PX / max(height_px, width_px)
    if scale < 1:
        size = (round(width_px * scale), round(height_px * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    path.write_bytes(content.tobytes())


def _picture(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.jpg"
