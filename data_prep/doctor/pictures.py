"""Whether pictures can be decoded, show something, and have the size that the calibration is of."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.doctor.findings import Check, Finding
from mtdepth.datasets.calibration import Side, StereoRig

Image = npt.NDArray[np.uint8]
Size = tuple[int, int]

UNREADABLE_PICTURE = Check(
    name="unreadable_picture",
    severity="error",
    fault="a picture cannot be read, or is damaged",
    remedy="copy or unzip it again, or what its line says",
)
BLANK_PICTURE = Check(
    name="blank_picture",
    severity="error",
    fault="a picture is of one colour",
    remedy="copy it again, or leave the frame out of the list",
)
PAIR_SIZE = Check(
    name="pair_size",
    severity="error",
    fault="the two views of a pair differ in size",
    remedy="take both views of one recording, shrunk alike",
)
PICTURE_SIZE = Check(
    name="picture_size",
    severity="error",
    fault="a picture was cropped: its aspect ratio is not that of its calibration",
    remedy="take uncropped pictures, or write the calibration of the cropped ones",
)
SHRUNK = Check(
    name="resized_pictures",
    severity="note",
    fault="a drive's pictures were resized; the programs scale the calibration",
    remedy="none needed: labels and scores are of the pictures' size",
)
SIZE_CHANGES = Check(
    name="size_changes",
    severity="error",
    fault="pictures of one drive differ in size",
    remedy="bring them to one size: batches and videos need it",
)
IDENTICAL_VIEWS = Check(
    name="identical_views",
    severity="error",
    fault="left and right are the same picture",
    remedy="copy the right camera's pictures again",
)
CHECKS = (
    UNREADABLE_PICTURE,
    BLANK_PICTURE,
    PAIR_SIZE,
    PICTURE_SIZE,
    SHRUNK,
    SIZE_CHANGES,
    IDENTICAL_VIEWS,
)

# ours: a lens cap gives noise of about one grey level, a picture at night still ten.
_MIN_CONTRAST = 2.0
# ours: mean difference; two encodings of one picture differ by less, two views by several.
_MAX_SAME_DIFFERENCE = 0.5


def blank_findings(image: Image, where: str) -> list[Finding]:
    """Looks at the contrast of `[height, width, 3]`."""
    contrast = float(image.std())
    why = f"standard deviation {contrast:.2f} grey levels"
    return [Finding(BLANK_PICTURE, where, why)] if contrast < _MIN_CONTRAST else []


def pair_findings(left: Image, right: Image, where: str) -> list[Finding]:
    """Looks at the two views of a pair, `[height, width, 3]` each."""
    if left.shape != right.shape:
        why = f"left {_text(left.shape)}, right {_text(right.shape)} (height x width)"
        return [Finding(PAIR_SIZE, where, why)]
    difference = float(np.abs(left.astype(np.int16) - right).mean())
    why = f"mean difference {difference:.2f} grey levels"
    return [Finding(IDENTICAL_VIEWS, where, why)] if difference < _MAX_SAME_DIFFERENCE else []


def size_findings(size: Size, rig: StereoRig, where: str, *, side: Side) -> list[Finding]:
    """Compares a picture's (height, width) with its calibration."""
    try:
        rig.camera(side, size=size)
    except ValueError as error:
        return [Finding(PICTURE_SIZE, where, str(error))]
    return []


def drive_size_findings(drive: str, sizes: Iterable[Size], rig: StereoRig | None) -> list[Finding]:
    """Looks at the (height, width) of all pictures of a drive that fit their calibration."""
    counts = Counter(sizes)
    if len(counts) > 1:
        shown = ", ".join(f"{number} of {_text(size)}" for size, number in counts.most_common())
        return [Finding(SIZE_CHANGES, drive, shown)]
    if rig is None or not counts:
        return []
    size = next(iter(counts))
    camera = rig.intrinsics_left
    native = (camera.height_px, camera.width_px)
    why = f"{_text(size)}, calibrated at {_text(native)} (height x width)"
    return [] if size == native else [Finding(SHRUNK, drive, why)]


def _text(shape: tuple[Any, ...]) -> str:
    return f"{shape[0]}x{shape[1]}"
