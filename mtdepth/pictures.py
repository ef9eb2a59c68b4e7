"""Pictures: which files are some, and how they are read and written, wherever one is needed."""

import re
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from mtdepth.files import DataError, atomic_path, read_bytes, visible_files

# Of pictures that every reader takes, in the order in which they are looked for.
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
# ours: 200 MB of RGB; looked for in the header, since a small file can unpack to gigabytes.
MAX_PIXELS = 2**26

_AGAIN = "copy or download it again"
_JPEG_START = b"\xff\xd8\xff"
# ours: cameras pad a scan to whole words; a lost piece of a scan leaves more.
_MAX_PADDING_BYTES = 3
_MAX_SEGMENT_BYTES = 2**16
_BLOCK_PX = {"444": (8, 8), "Gray": (8, 8), "422": (8, 16), "440": (16, 8), "411": (8, 32)}
# ours: of 678 whole pictures of 416 to 1242 columns none has more than 0.53 of such blocks, of 80
# damaged ones 65 have more than 0.7 (white skies and black shadows do not step).
_SEAM_LEVELS, _SEAM_SHARE = 5.0, 0.7
_MIN_BLOCKS = 3
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_BYTES, _PNG_GRAY, _PNG_PALETTE = 25, 0, 3
# ours: of 16 bits a camera of 14 leaves two empty; a picture at night still has a lamp, which is
# more than the few pixels of a sensor that are always full.
_MAX_EMPTY_VALUE = 2**14
_HOT_SHARE = 1e-5


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
      DataError: If it is no picture, cut short, damaged inside, larger than `MAX_PIXELS`, or of 16
        bits of which the upper ones are empty.
    """
    content = read_bytes(path)
    if content.startswith(_JPEG_START):
        image = _decode_jpeg(path, content)
        # OpenCV knows print colours, and turns a picture as its EXIF says.
        if image.shape[2] == 3 and b"Exif\0\0" not in content[:_MAX_SEGMENT_BYTES]:
            return image
    elif content.startswith(_PNG_START):
        # Their checksums are enough here: what is unpacked is summed by libpng, which only misses
        # the sum where it comes after the last pixel (of flips behind right checksums 0.7 %), and
        # unpacking twice, as for labels, makes reading 70 % slower.
        content = b"".join([_PNG_START, *_png_chunks(path, content)])
    image = _opencv(path, content, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if image.dtype == np.uint16:
        image = _upper_bits(path, image)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def read_gray_png(path: Path, dtype: type[np.uint8] | type[np.uint16]) -> npt.NDArray[Any]:
    """Reads a one-channel PNG of the stated depth as `[height, width]`; of a palette the indices.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is no PNG, cut short, damaged inside, larger than `MAX_PIXELS`, or of another
        depth or channel count.
    """
    content = read_bytes(path)
    if not content.startswith(_PNG_START):
        raise DataError(path, f"not a PNG ({len(content)} bytes), which labels are stored in")
    header, *others = _png_chunks(path, content)
    try:  # libpng only warns; a label is a number that no eye will ever check
        zlib.decompress(b"".join(each[8:-4] for each in others if each[4:8] == b"IDAT"))
    except zlib.error as error:
        raise DataError(path, f"damaged inside ({error}); {_AGAIN}") from error
    num_bits, kind = header[16], header[17]
    if kind == _PNG_PALETTE:
        # Stored as grey is, but OpenCV would turn the indices into colours.
        described = header[4:17] + bytes([_PNG_GRAY]) + header[18:21]
        header = header[:4] + described + zlib.crc32(described).to_bytes(4, "big")
        others = [each for each in others if each[4:8] in (b"IDAT", b"IEND")]
    image = _opencv(path, b"".join([_PNG_START, header, *others]), cv2.IMREAD_UNCHANGED)
    if image.ndim != 2 or image.dtype != dtype:
        raise DataError(
            path,
            f"expected a one-channel {np.dtype(dtype).name} PNG, "
            f"found shape {image.shape} of {image.dtype}; write the numbers themselves, not their "
            "colours, as one channel of that depth",
        )
    # OpenCV spreads the values of fewer bits over 0..255.
    return image // (255 // (2**num_bits - 1)) if num_bits < 8 else image


def _decode_jpeg(path: Path, content: bytes) -> npt.NDArray[np.uint8]:
    """Decodes to `[height, width, 3]` RGB, or 4 print colours, unless libjpeg warns of damage.

    OpenCV decodes by the same library to the same pixels, and hides the warning.
    """
    try:
        height_px, width_px, colors, sampling = simplejpeg.decode_jpeg_header(content)
        _check_size(path, width_px, height_px)
        to_colors = "CMYK" if colors in ("CMYK", "YCCK") else "RGB"
        try:
            image = simplejpeg.decode_jpeg(content, to_colors)
        except ValueError as error:
            padding = re.search(r"(\d+) extraneous bytes before marker 0xd9", str(error))
            if padding is None or int(padding[1]) > _MAX_PADDING_BYTES:
                raise
            image = simplejpeg.decode_jpeg(content, to_colors, strict=False)
    except ValueError as error:
        why = f"cut short or damaged inside ({len(content)} bytes: {error}); {_AGAIN}"
        raise DataError(path, why) from error
    if to_colors == "RGB" and _has_seam(image, _BLOCK_PX.get(sampling, (16, 16))):
        raise DataError(path, f"damaged inside: from one block on all colours are off; {_AGAIN}")
    return image


def _has_seam(image: npt.NDArray[np.uint8], block_px: tuple[int, int]) -> bool:
    """Whether all blocks of a JPEG from one on are lighter, darker or tinted.

    A scan tells a block's mean by its difference to the block before. Where a piece was lost and
    decoding fell into step again, libjpeg sees nothing, but all that follows is off by one amount:
    the rest of that row of blocks steps against the row above, and so does the beginning of the
    next row. No scene and no frame around a picture has both.

    Args:
      image: `[height, width, 3]`.
      block_px: (height, width) of what the scan codes in one piece.
    """
    rows = np.arange(block_px[0], image.shape[0] - 1, block_px[0])
    num_blocks = image.shape[1] // block_px[1]
    if len(rows) < 2 or num_blocks <= 2 * _MIN_BLOCKS:
        return False
    lines = image[:, : num_blocks * block_px[1]]
    above, before, after, below = (lines[rows + k].astype(np.int16) for k in (-2, -1, 0, 1))
    # Beyond what the slopes above and below would give.
    steps = (3 * (after - before) + above - below).astype(np.float32) / 2
    steps = cv2.resize(steps, (num_blocks, len(rows)), interpolation=cv2.INTER_AREA)
    first = np.arange(_MIN_BLOCKS, num_blocks - _MIN_BLOCKS)
    for sign in (1, -1):
        votes = (sign * steps > _SEAM_LEVELS).astype(np.int32) - 3 * (sign * steps < -_SEAM_LEVELS)
        sums = np.cumsum(votes, axis=1)
        rest = (sums[:-1, -1:] - sums[:-1, first - 1]) / (num_blocks - first)[:, None]
        beginning = sums[1:, first - 1] / first[:, None]
        if (np.minimum(rest, beginning) > _SEAM_SHARE).any():
            return True
    return False


def _png_chunks(path: Path, content: bytes) -> list[bytes]:
    """The chunks of a PNG, each with its length and checksum; what follows its end is left out.

    libpng believes every length, and only warns where some checksums are wrong.
    """
    chunks: list[bytes] = []
    start = len(_PNG_START)
    while not chunks or chunks[-1][4:8] != b"IEND":
        end = start + 12 + int.from_bytes(content[start : start + 4], "big")
        chunk = content[start:end]
        if end > len(content):
            raise DataError(path, f"cut short or damaged at byte {start} of {end}; {_AGAIN}")
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise DataError(path, f"damaged inside (checksum of bytes {start} to {end}); {_AGAIN}")
        chunks.append(chunk)
        start = end
    if chunks[0][4:8] != b"IHDR" or len(chunks[0]) != _PNG_HEADER_BYTES:
        raise DataError(path, f"not a PNG: it does not begin with its size; {_AGAIN}")
    width_px, height_px = (int.from_bytes(chunks[0][at : at + 4], "big") for at in (8, 12))
    _check_size(path, width_px, height_px)
    return chunks


def _check_size(path: Path, width_px: int, height_px: int) -> None:
    if width_px * height_px > MAX_PIXELS:
        raise DataError(
            path,
            f"a picture of {width_px}x{height_px} (width x height) has more than {MAX_PIXELS:,} "
            "pixels; shrink it",
        )


def _opencv(path: Path, content: bytes, flags: int) -> npt.NDArray[Any]:
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    except cv2.error as error:  # of a size that it refuses
        raise DataError(path, f"not a readable picture ({error.err}); {_AGAIN}") from error
    if image is None:
        raise DataError(path, f"not a readable picture ({len(content)} bytes)")
    return image


def _upper_bits(path: Path, image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The upper 8 of 16 bits; refuses a picture whose numbers are of 8, 10, 12 or 14."""
    brightest = _brightest(image)
    if 0 < brightest < _MAX_EMPTY_VALUE:
        num_bits = next(bits for bits in (8, 10, 12, 14) if brightest < 2**bits)
        raise DataError(
            path,
            f"16 bits whose brightest value is {brightest}: are these {num_bits} bits? Then it "
            f"would be read {2 ** (16 - num_bits)} times too dark; multiply by "
            f"{2 ** (16 - num_bits)}, or write 8 bits",
        )
    return (image >> 8).astype(np.uint8)


def _brightest(image: npt.NDArray[Any]) -> int:
    """The largest value but for hot pixels; of a small picture, the largest."""
    brightest = int(image.max())
    num_hot = int(_HOT_SHARE * image.size)
    if brightest < _MAX_EMPTY_VALUE or np.count_nonzero(image >= _MAX_EMPTY_VALUE) > num_hot:
        return brightest
    return int(image[image < _MAX_EMPTY_VALUE].max())
