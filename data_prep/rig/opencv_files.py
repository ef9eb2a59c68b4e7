"""What OpenCV programs store of a camera or a pair by `cv2.FileStorage`: YAML, XML or JSON.

There is no standard of names. Taken are those of OpenCV's own samples (`stereo_calib.cpp`: M1 D1 M2
D2 and R T R1 R2 P1 P2 in two files; `calibration.cpp`: camera_matrix, distortion_coefficients) and
what tutorials write.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np

from data_prep.rig.calibration import Calibration, Matrix, of_one, of_pair, of_projections
from data_prep.rig.entries import Entries, read_yaml
from mtdepth.files import DAMAGE, DataError, atomic_path, read_record, read_text
from mtdepth.geometry.lens import Lens

_MATRIX = {
    "left": (
        "K1",
        "M1",
        "cameraMatrix1",
        "camera_matrix_1",
        "camera_matrix_left",
        "K_left",
        "mtxL",
    ),
    "right": (
        *("K2", "M2", "cameraMatrix2", "camera_matrix_2", "camera_matrix_right", "K_right", "mtxR"),
    ),
    "only": ("camera_matrix", "cameraMatrix", "K", "M", "mtx"),
}
_DISTORTION = {
    "left": (
        *("D1", "distCoeffs1", "dist_coeffs_1", "distortion_coefficients_1", "dist1"),
        *("distortion_coefficients_left", "D_left", "distL"),
    ),
    "right": (
        *("D2", "distCoeffs2", "dist_coeffs_2", "distortion_coefficients_2", "dist2"),
        *("distortion_coefficients_right", "D_right", "distR"),
    ),
    "only": ("distortion_coefficients", "distCoeffs", "dist_coeffs", "D", "dist"),
}
_ROTATION, _SHIFT = ("R", "rotation", "Rot", "rotation_matrix"), ("T", "translation", "Trns", "t")
_WIDTH, _HEIGHT = ("image_width", "width", "imageWidth"), ("image_height", "height", "imageHeight")
_SIZE = ("image_size", "imageSize", "size", "img_size")
_IS_FISHEYE = ("fisheye_model", "fisheye", "is_fisheye")


def read_opencv(
    paths: Sequence[Path], *, size: tuple[int, int] | None, is_fisheye: bool
) -> Calibration:
    """Reads one file, or an intrinsic and an extrinsic one together.

    Args:
      paths: The files.
      size: (height, width) where they do not say it.
      is_fisheye: Whether `cv2.fisheye` calibrated it, where the file does not say so.

    Raises:
      FileNotFoundError: If one is missing.
      DataError: If it is damaged or lacks something.
    """
    entries = Entries(paths[0], {})
    for path in paths:
        entries.values |= _stored(path)
    size = _size(entries, size)
    flag = entries.name_of(_IS_FISHEYE)
    is_fisheye = is_fisheye or (flag is not None and bool(entries.numbers(flag).any()))
    lenses = {
        side: _lens(entries, side, size=size, is_fisheye=is_fisheye)
        for side, names in _MATRIX.items()
        if entries.name_of(names)
    }
    if "P1" in entries and "P2" in entries:
        return of_projections(
            entries.path,
            entries.matrix("P1", (3, 4)),
            entries.matrix("P2", (3, 4)),
            size=size,
            lens=lenses.get("left") if "R1" in entries else None,
            lens_right=lenses.get("right") if "R2" in entries else None,
            R_left=entries.matrix("R1", (3, 3)) if "R1" in entries else None,
            R_right=entries.matrix("R2", (3, 3)) if "R2" in entries else None,
        )
    if "left" in lenses and "right" in lenses:
        return of_pair(
            entries.path,
            lenses["left"],
            lenses["right"],
            T_left_to_right=_way(entries),
        )
    if "only" in lenses or "left" in lenses:
        return of_one(entries.path, lenses.get("only", lenses.get("left")))  # type: ignore[arg-type]
    there = ", ".join(entries.values) or "nothing"
    raise DataError(
        entries.path,
        "no camera is told: neither P1 and P2, nor K1 D1 K2 D2 R T (or M1 ...), "
        f"nor camera_matrix; there are {there[:300]}. Give the intrinsic and the extrinsic file "
        "together, with a comma",
    )


def _way(entries: Entries) -> Matrix:
    """R, a matrix or three numbers as `cv2.Rodrigues` takes them, and T."""
    turn, shift = entries.name_of(_ROTATION) or "R", entries.name_of(_SHIFT) or "T"
    way = np.eye(4)
    if entries.numbers(turn).size == 3:
        way[:3, :3] = cv2.Rodrigues(entries.matrix(turn, (3,)))[0]
    else:
        way[:3, :3] = entries.matrix(turn, (3, 3))
    way[:3, 3] = entries.matrix(shift, (3,))
    return way


def _lens(entries: Entries, side: str, *, size: tuple[int, int], is_fisheye: bool) -> Lens:
    camera = entries.camera(entries.name_of(_MATRIX[side]) or "", size=size)
    key = entries.name_of(_DISTORTION[side])
    if key is None:
        raise DataError(
            entries.path,
            f"no {_DISTORTION[side][0]}, the distortion of the {side} camera; write zeros where "
            "there is none",
        )
    try:
        return Lens(
            camera=camera,
            distortion=tuple(entries.numbers(key).tolist()),
            model="fisheye" if is_fisheye else "radtan",
        )
    except ValueError as error:
        raise entries.error(key, f": {error}") from error


def _size(entries: Entries, given: tuple[int, int] | None) -> tuple[int, int]:
    width, height = entries.name_of(_WIDTH), entries.name_of(_HEIGHT)
    both = entries.name_of(_SIZE)
    told = None
    if width and height:
        told = (entries.whole(height), entries.whole(width))
    elif both:
        width_px, height_px = entries.matrix(both, (2,))
        told = (round(height_px), round(width_px))
    if told is None and given is None:
        raise DataError(
            entries.path,
            "no image_width and image_height: say the size of the pictures that were calibrated, "
            "such as --size 1280x720",
        )
    if told is not None and given is not None and told != given:
        raise DataError(
            entries.path,
            f"is of pictures of {told[1]}x{told[0]} px, but --size says {given[1]}x{given[0]}; "
            "leave --size out",
        )
    return told or given  # type: ignore[return-value]


def _stored(path: Path) -> dict[str, Any]:
    """What `cv2.FileStorage` wrote, read without it: of a damaged file it ends the process."""
    text = read_text(path)
    if text.lstrip().startswith("<"):
        return _of_xml(path, text)
    if text.lstrip().startswith("{"):
        return read_record(path)
    return read_yaml(path)


def _of_xml(path: Path, text: str) -> dict[str, Any]:
    try:
        root = ElementTree.fromstring(text)
    except (*DAMAGE, ElementTree.ParseError) as error:
        raise DataError(path, f"not valid XML ({str(error)[:120]})") from error
    return {each.tag: _xml_value(each) for each in root}


def _xml_value(element: ElementTree.Element) -> Any:
    data = element.find("data")
    if data is not None:
        element = data
    children = list(element)
    words = [child.text or "" for child in children] if children else (element.text or "").split()
    return words[0] if len(words) == 1 else words


def write_opencv(path: Path, values: dict[str, Any]) -> None:
    """Writes numbers, words and matrices so that OpenCV programs and `read_opencv` read them."""
    with atomic_path(path) as temporary:
        storage = cv2.FileStorage(str(temporary), cv2.FILE_STORAGE_WRITE)
        for key, value in values.items():
            storage.write(key, value)
        storage.release()
