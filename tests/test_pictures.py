"""Pictures: read as OpenCV reads them, and refused where they are cut, damaged or too large."""

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from mtdepth.files import DataError
from mtdepth.pictures import read_gray_png, read_rgb, write_png


def smooth(height: int = 96, width: int = 160) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 255, (height, width, 3))
    blurred = cv2.GaussianBlur(noise, (0, 0), 4)
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def picture(height: int = 24, width: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_a_picture_comes_back_in_rgb(tmp_path: Path) -> None:
    image = picture()
    write_png(tmp_path / "a.png", image)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), image)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png")), image[..., ::-1])


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_cut_picture_is_refused_by_name(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), picture())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=path.name):
        read_rgb(path)


def progressive_jpeg(path: Path) -> bytes:
    cv2.imwrite(str(path), picture(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    return path.read_bytes()


def test_a_jpeg_with_data_behind_its_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    content = progressive_jpeg(path)
    expected = read_rgb(path)
    # Also what looks like another scan, as a film of a second behind the picture may.
    for trailer in (bytes(range(128)), b"\xff\xda" * 100, bytes(5000)):
        path.write_bytes(content + trailer)
        np.testing.assert_array_equal(read_rgb(path), expected)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.95])
def test_the_end_of_a_preview_is_not_the_end_of_the_picture(tmp_path: Path, share: float) -> None:
    # An application segment (FF E1, two bytes of length) that holds a whole small JPEG.
    path = tmp_path / "a.jpg"
    content = progressive_jpeg(path)
    preview = content[: content.index(b"\xff\xdb")] + b"\xff\xda\x00\x02\x01\x02\xff\xd9"
    segment = b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview
    path.write_bytes(content[:2] + segment + content[2:])
    read_rgb(path)
    path.write_bytes(content[:2] + segment + content[2 : int(share * len(content))])
    with pytest.raises(DataError, match="cut short"):
        read_rgb(path)


def test_a_png_of_another_depth_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_png(path, picture()[..., 0])
    with pytest.raises(DataError, match="uint16"):
        read_gray_png(path, np.uint16)


JPEG_OPTIONS = {
    "of_half_colors": [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420],
    "of_all_colors": [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "with_restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 4],
}


@pytest.mark.parametrize("name", JPEG_OPTIONS)
@pytest.mark.parametrize("is_gray", [False, True])
def test_a_jpeg_is_read_as_opencv_reads_it(tmp_path: Path, name: str, is_gray: bool) -> None:
    path = tmp_path / "a.jpg"
    image = smooth(97, 161)
    cv2.imwrite(str(path), image[..., 0] if is_gray else image, JPEG_OPTIONS[name])
    np.testing.assert_array_equal(read_rgb(path), cv2.imread(str(path))[..., ::-1])


def test_a_jpeg_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), smooth())
    content = path.read_bytes()
    # TIFF, big endian, one entry: 0x0112, orientation, one short: 6, a quarter turn.
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    upright = read_rgb(path)
    path.write_bytes(content[:2] + segment + content[2:])
    np.testing.assert_array_equal(read_rgb(path), np.rot90(upright, -1))


@pytest.mark.parametrize("way", ["zeroed", "lost", "noise"])
def test_a_jpeg_damaged_inside_its_scan_is_refused(tmp_path: Path, way: str) -> None:
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), smooth(384, 640), [cv2.IMWRITE_JPEG_QUALITY, 95])
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    first = content.rindex(b"\xff\xda") + 14
    size = 1024
    for at in rng.integers(first, len(content) - size - 2, 20):
        piece = {"zeroed": bytes(size), "lost": b"", "noise": rng.bytes(size)}[way]
        path.write_bytes(content[:at] + piece + content[at + size :])
        with pytest.raises(DataError, match=r"a\.jpg: .*damaged inside.*; copy"):
            read_rgb(path)


def test_a_picture_that_goes_on_in_other_colours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    image = smooth(384, 640)
    # A frame as of films, and a bright sign that ends with a row of blocks, are no damage.
    image[:64], image[-64:], image[128:160, 100:500] = 0, 0, 255
    cv2.imwrite(str(path), image)
    read_rgb(path)
    # From the twentieth block of the tenth row on all is darker, as after a lost piece.
    image[144:160, 320:] //= 2
    image[160:] //= 2
    cv2.imwrite(str(path), image)
    with pytest.raises(DataError, match=r"a\.jpg: damaged inside: from one block on"):
        read_rgb(path)


def test_padding_behind_a_scan_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), smooth())
    content = path.read_bytes()
    expected = read_rgb(path)
    path.write_bytes(content[:-2] + b"\0" + content[-2:])
    np.testing.assert_array_equal(read_rgb(path), expected)


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width: int, height: int, *, bits: int = 8, kind: int = 0, chunks: bytes = b"") -> bytes:
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([bits, kind, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + chunk(b"IEND", b"")


def test_every_damaged_byte_of_a_png_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = smooth(16, 24)
    write_png(path, image)
    content = path.read_bytes()
    for at in range(8, len(content), 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        with pytest.raises(DataError, match=r"a\.png: "):
            read_rgb(path)
    path.write_bytes(content + b"what a program of the camera's maker wrote behind it")
    np.testing.assert_array_equal(read_rgb(path), image)


def test_pixels_that_miss_their_own_checksum_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    rows = zlib.compress(bytes(6 * 5))
    path.write_bytes(png(5, 5, chunks=chunk(b"IDAT", rows)))
    assert not read_gray_png(path, np.uint8).any()
    path.write_bytes(png(5, 5, chunks=chunk(b"IDAT", rows[:-1] + b"x")))
    with pytest.raises(DataError, match="incorrect data check"):
        read_gray_png(path, np.uint8)


@pytest.mark.parametrize("kind", [0, 2, 3])
def test_a_small_file_of_a_huge_picture_is_refused_before_it_is_unpacked(
    tmp_path: Path, kind: int
) -> None:
    path = tmp_path / "a.png"
    rows = chunk(b"IDAT", zlib.compress(bytes(10**6)))
    path.write_bytes(png(30_000, 30_000, kind=kind, chunks=rows))
    with pytest.raises(DataError, match=r"30000x30000 .* more than 67,108,864 pixels"):
        read_rgb(path)
    # A chunk that says that it has 4 GB.
    path.write_bytes(png(8, 8)[:33] + b"\xff\xff\xff\xf0IDAT")
    with pytest.raises(DataError, match="cut short"):
        read_rgb(path)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_indices_of_a_palette_are_read(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "ids.png"
    ids = np.random.default_rng(0).integers(0, 2**bits, (5, 16)).astype(np.uint8)
    parts = np.unpackbits(ids[..., None], axis=2)[..., 8 - bits :].reshape(5, -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in parts)
    palette = (
        chunk(b"PLTE", bytes(range(256)) * 3) if bits == 8 else chunk(b"PLTE", b"abc" * 2**bits)
    )
    image = png(16, 5, bits=bits, kind=3, chunks=palette + chunk(b"IDAT", zlib.compress(rows)))
    path.write_bytes(image)
    np.testing.assert_array_equal(read_gray_png(path, np.uint8), ids)
    path.write_bytes(png(16, 5, bits=bits, chunks=chunk(b"IDAT", zlib.compress(rows))))
    np.testing.assert_array_equal(read_gray_png(path, np.uint8), ids)


@pytest.mark.parametrize(("num_bits", "factor"), [(8, 256), (10, 64), (12, 16), (14, 4)])
def test_fewer_bits_in_sixteen_are_said_with_the_factor(
    tmp_path: Path, num_bits: int, factor: int
) -> None:
    path = tmp_path / "a.png"
    image = smooth().astype(np.uint16)
    write_png(path, image * 257)
    np.testing.assert_array_equal(read_rgb(path), image)
    write_png(path, image * 257 // factor)
    with pytest.raises(DataError, match=f"these {num_bits} bits.* {factor} times too dark"):
        read_rgb(path)
    write_png(path, image[..., 0] * 0)
    assert not read_rgb(path).any()


def test_a_hot_pixel_hides_no_empty_bits(tmp_path: Path) -> None:
    image = np.full((300, 400, 3), 1023, np.uint16)
    image[7, 9, 0] = 65535
    write_png(tmp_path / "a.png", image)
    with pytest.raises(DataError, match=r"these 10 bits"):
        read_rgb(tmp_path / "a.png")
    image[20:24, 30:34] = 65535  # a lamp
    write_png(tmp_path / "a.png", image)
    assert read_rgb(tmp_path / "a.png").max() == 255


def test_a_size_that_opencv_refuses_is_no_fault_of_the_program(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    content = bytearray(path.read_bytes())
    content[22:26] = (2**21).to_bytes(4, "little")  # the height
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.bmp: not a readable picture"):
        read_rgb(path)
