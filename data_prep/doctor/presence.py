"""Which frames are there: names, partners, gaps and sweeps of a drive, frames of a split."""

import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from data_prep.doctor.findings import Check, Finding
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.recordings import Recordings
from mtdepth.pictures import is_picture

FRAME_NAME = Check(
    name="frame_name",
    severity="error",
    fault="a file has a name that no reader takes for a frame",
    remedy="name pictures and sweeps by their frame number: ten digits in KITTI's layout, any in "
    "another rig's",
)
NO_FILE = Check(
    name="no_file",
    severity="error",
    fault="a folder holds the name of a picture or sweep, but no file",
    remedy="make the link again, with an absolute target, or copy the file",
)
MIXED_SUFFIXES = Check(
    name="mixed_suffixes",
    severity="note",
    fault="a folder holds png and jpg; where a frame has both, png is read",
    remedy="none needed; if a conversion was broken off, finish it",
)
MISSING_PARTNER = Check(
    name="missing_partner",
    severity="error",
    fault="a frame has the picture of one camera only",
    remedy="copy or unzip the drive again: its archive holds both cameras",
)
ONE_CAMERA = Check(
    name="one_camera",
    severity="note",
    fault="a drive has pictures of one camera only, so no stereo teacher can label it",
    remedy="unzip the other camera's pictures, or label it by --depth_teacher precomputed",
)
GAP = Check(
    name="gap",
    severity="note",
    fault="frame numbers are missing, so that the frames beside them lack a neighbour",
    remedy="none for single frames; training on video drops the frames beside a gap",
)
MISSING_SWEEP = Check(
    name="missing_sweep",
    severity="note",
    fault="a drive has sweeps, but not for this frame: no score and no bias from it",
    remedy="KITTI has none for four frames of drive 0009; otherwise copy the drive again",
)
SPLIT_FRAME = Check(
    name="split_frame",
    severity="error",
    fault="the split names a frame that has no picture",
    remedy="download its drive, or take the frame out of the list",
)
SPLIT_NEIGHBOUR = Check(
    name="split_neighbour",
    severity="note",
    fault="the split names a frame without the one before or after it",
    remedy="none for single frames; training on video needs both, so leave the ends of drives out",
)
CHECKS = (FRAME_NAME, NO_FILE, MIXED_SUFFIXES, MISSING_PARTNER, ONE_CAMERA, GAP, MISSING_SWEEP)
SPLIT_CHECKS = (SPLIT_FRAME, SPLIT_NEIGHBOUR)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DriveListing:
    """The frame numbers that a drive has.

    Attributes:
      drive: Its name.
      left: With a left picture, ascending.
      right: With a right picture.
      sweeps: Of these, with a sweep.
      has_lidar: Whether there is any sweep, of whatever number.
    """

    drive: str
    left: Sequence[int]
    right: Sequence[int]
    sweeps: Sequence[int]
    has_lidar: bool

    @property
    def moments(self) -> list[int]:
        """Numbers with a picture of either camera, ascending."""
        return sorted({*self.left, *self.right})


def name_findings(
    folder: Path, *, suffixes: tuple[str, ...], num_digits: int | None, shown: str
) -> list[Finding]:
    """Looks at the names of a folder of pictures or sweeps.

    Args:
      folder: May be absent.
      suffixes: That readers look for.
      num_digits: Of a frame's number; None for any.
      shown: What the report calls the folder.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [path for path in paths if path.suffix.lower() in suffixes]
    files = [path for path in files if not path.name.startswith(".")]
    digits = "+" if num_digits is None else f"{{{num_digits}}}"
    findings = [
        Finding(FRAME_NAME, f"{shown}/{path.name}", "passed over: its name is no frame number")
        for path in files
        if not re.fullmatch(f"[0-9]{digits}", path.stem)
    ]
    findings += [
        Finding(NO_FILE, f"{shown}/{path.name}", "a folder" if path.is_dir() else "a broken link")
        for path in files
        if not path.is_file()
    ]
    read = [path.suffix.lower() for path in files if is_picture(path)]
    kinds = Counter("png" if suffix == ".png" else "jpg" for suffix in read)
    if len(kinds) > 1:
        why = f"{kinds['png']} png and {kinds['jpg']} jpg"
        findings.append(Finding(MIXED_SUFFIXES, shown, why))
    return findings


def partner_findings(listing: DriveListing) -> list[Finding]:
    """Frames that only one of the two cameras has."""
    sides = {"left": set(listing.left), "right": set(listing.right)}
    absent = [name for name, numbers in sides.items() if not numbers]
    if absent:
        why = f"no {absent[0]} picture, {len(listing.moments)} of the other camera"
        return [Finding(ONE_CAMERA, listing.drive, why)]
    return [
        Finding(MISSING_PARTNER, _frame(listing.drive, number), f"no {name} picture")
        for name, numbers in sides.items()
        for number in listing.moments
        if number not in numbers
    ]


def gap_findings(listing: DriveListing) -> list[Finding]:
    """Stretches of missing numbers between the first and the last frame."""
    numbers = listing.moments
    return [
        Finding(GAP, listing.drive, f"no frame from {before + 1} to {after - 1}")
        for before, after in itertools.pairwise(numbers)
        if after > before + 1
    ]


def sweep_findings(listing: DriveListing) -> list[Finding]:
    """Frames without a sweep, in a drive that has some."""
    if not listing.has_lidar:
        return []
    missing: Iterable[int] = set(listing.moments) - set(listing.sweeps)
    return [
        Finding(MISSING_SWEEP, _frame(listing.drive, number), "no sweep")
        for number in sorted(missing)
    ]


def split_findings(raw: Recordings, frames: Sequence[FrameId]) -> list[Finding]:
    """Looks for the pictures of a split and of the frames beside them."""
    on_disk = {
        (drive, side): {frame.index for frame in raw.frames_of(drive, side)}
        for drive in raw.drives()
        for side in ("l", "r")
    }
    findings = []
    for frame in frames:
        numbers = on_disk.get((frame.drive, frame.side), set())
        if frame.index not in numbers:
            why = "no picture" if numbers else "no such drive or camera"
            findings.append(Finding(SPLIT_FRAME, str(frame), why))
            continue
        missing = {"before": frame.index - 1, "after": frame.index + 1}
        names = [name for name, index in missing.items() if index not in numbers]
        if names:
            why = f"no frame {' and none '.join(names)} it"
            findings.append(Finding(SPLIT_NEIGHBOUR, str(frame), why))
    return findings


def _frame(drive: str, number: int) -> str:
    return f"{drive} {number:010d}"
