"""Films: decoded once, front to back, into a folder of pictures.

Films cannot be relied on to seek to a frame, nor to know how many they have; pictures can be read
in any order, by several threads. So a film is read to its end once and kept as JPEG.
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

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm", ".mpg", ".mpeg", ".mjpeg", ".ts"}
)
MAX_SIDE_PX = 1280  # ours: above KITTI's width and any network's here; keeps a 4K film small
_JPEG_QUALITY = 95  # ours: finer than KITTI's usual copies
_MANIFEST = "film.json"
_VERSION = 1
_HEAD_BYTES = 2**20
# ours: a decoder that gives nothing this often in a row is at the end, not at a damaged frame.
_MAX_MISSES = 30
_MAX_FILM_BYTES = 2**42  # ours: weeks of film
_MIN_SHARE = 0.9  # of the frames that the film says it has, below which a warning is due


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
    check_regular(path, max_bytes=_MAX_FILM_BYTES)
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
    # FFmpeg takes a relative name with a colon in it for a protocol.
    film = cv2.VideoCapture(str(path.absolute()))
    try:
        if not film.isOpened():
            raise DataError(path, f"not a film that OpenCV can open; {_remedy(path)}")
        # What a container says of itself is good for a progress bar, not for a loop.
        stated = max(0, int(film.get(cv2.CAP_PROP_FRAME_COUNT)))
        numbers = _decode_frames(film, folder, name=path.name, stated=stated)
    finally:
        film.release()
    if not numbers:
        raise DataError(path, f"holds no frame that OpenCV can decode; {_remedy(path)}")
    if len(numbers) < _MIN_SHARE * stated:
        logging.warning(
            "%s says it has %d frames, %d could be decoded: is it complete?",
            path,
            stated,
            len(numbers),
        )
    return numbers


def _decode_frames(film: cv2.VideoCapture, folder: Path, *, name: str, stated: int) -> list[int]:
    numbers: list[int] = []
    number = num_misses = 0
    with tqdm.tqdm(total=stated or None, unit="frame", desc=f"decoding {name}") as bar:
        while num_misses < _MAX_MISSES:
            is_read, frame = film.read()
            if is_read:
                num_misses = 0
                _write(_picture(folder, number), frame)
                numbers.append(number)
                bar.update()
            else:
                num_misses += 1
            number += 1
    return numbers


def _write(path: Path, frame_bgr: npt.NDArray[np.uint8]) -> None:
    height_px, width_px = frame_bgr.shape[:2]
    scale = MAX_SIDE_PX / max(height_px, width_px)
    if scale < 1:
        size = (round(width_px * scale), round(height_px * scale))
        frame_bgr = cv2.resize(frame_bgr, size, interpolation=cv2.INTER_AREA)
    _, content = cv2.imencode(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    path.write_bytes(content.tobytes())


def _picture(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.jpg"


def _remedy(path: Path) -> str:
    return (
        "write its frames as pictures and give the folder instead, say by "
        f"`ffmpeg -i {path.absolute()} frames/%06d.jpg`"
    )
