"""Whether KITTI raw recordings lie in the folders that every reader of them expects."""

import re
from collections.abc import Iterator
from pathlib import Path

from data_prep.doctor.findings import Check, Finding
from mtdepth.datasets.calibration import DOWNLOAD_PAGE
from mtdepth.datasets.frames import CAMERA_OF_SIDE, is_kitti_drive
from mtdepth.pictures import is_picture

WRONG_ROOT = Check(
    name="wrong_root",
    severity="error",
    fault="--kitti_root is not the folder that holds the date folders",
    remedy="give the folder that holds 2011_09_26 and the like, of another rig the one that holds "
    "rig.json and a folder for each drive",
)
MISPLACED = Check(
    name="misplaced_folder",
    severity="error",
    fault="a drive or date lies on the wrong level, so that no reader finds it",
    remedy="move it to <root>/<date>/<drive>; archives of KITTI are unzipped in the root itself",
)
DRIVE_NAME = Check(
    name="drive_name",
    severity="error",
    fault="a folder is named almost like a drive, so that no reader finds it",
    remedy="name KITTI's <date>_drive_<4 digits>_sync (an _extract is neither synchronised nor "
    f"rectified: download the synced+rectified data, {DOWNLOAD_PAGE}), those of another rig by "
    "letters, digits, _, - and .",
)
NO_PICTURES = Check(
    name="no_pictures",
    severity="error",
    fault="a drive has no picture where pictures belong",
    remedy="pictures lie in <drive>/image_02/data and image_03/data, of another rig in "
    "<drive>/left and right; unzip or copy the drive again",
)
CHECKS = (WRONG_ROOT, MISPLACED, DRIVE_NAME, NO_PICTURES)

_DATE = re.compile(r"\d{4}_\d{2}_\d{2}")
_DRIVE_LIKE = re.compile(r"\d{4}_\d{2}_\d{2}_drive.*")


def wrong_root_findings(root: Path) -> list[Finding]:
    """Says where the root is, if this folder is none; nothing if it is one."""
    if any(_DATE.fullmatch(folder.name) for folder in _folders(root)):
        return []
    for level, name in enumerate((root.resolve().name, root.resolve().parent.name)):
        if _DATE.fullmatch(name):
            above = root.resolve().parents[level]
            return [Finding(WRONG_ROOT, str(root), f"lies in date {name}; the root is {above}")]
    below = [
        folder
        for folder in _folders(root)
        if any(_DATE.fullmatch(inner.name) for inner in _folders(folder))
    ]
    why = f"the root is {below[0]}" if below else "holds no date folder, nor does a folder in it"
    if any(is_kitti_drive(folder.name) for folder in _folders(root)):
        why = "holds drives without a date folder around them"
    return [Finding(WRONG_ROOT, str(root), why)]


def folder_findings(root: Path) -> list[Finding]:
    """Looks at the folders of a root, down to those of the cameras."""
    return list(_folder_findings(root))


def _folder_findings(root: Path) -> Iterator[Finding]:
    for folder in _folders(root):
        if _DRIVE_LIKE.fullmatch(folder.name):
            yield Finding(MISPLACED, _shown(folder, root), "a drive outside its date folder")
        if not _DATE.fullmatch(folder.name):
            continue
        for drive in _folders(folder):
            if _DATE.fullmatch(drive.name):
                yield Finding(MISPLACED, _shown(drive, root), "a date inside a date")
            elif is_kitti_drive(drive.name) and drive.name.startswith(folder.name):
                yield from _drive_findings(drive, root)
            elif _DRIVE_LIKE.fullmatch(drive.name):
                why = (
                    "not of this date" if is_kitti_drive(drive.name) else "not <date>_drive_*_sync"
                )
                yield Finding(DRIVE_NAME, _shown(drive, root), why)


def _drive_findings(drive: Path, root: Path) -> Iterator[Finding]:
    for folder in _folders(drive):
        if _DATE.fullmatch(folder.name) or _DRIVE_LIKE.fullmatch(folder.name):
            yield Finding(MISPLACED, _shown(folder, root), "unzipped inside a drive")
    cameras = [drive / name for name in CAMERA_OF_SIDE.values()]
    empty = [camera for camera in cameras if not _has_pictures(camera / "data")]
    for camera in empty:
        if _has_pictures(camera):
            why = f"pictures lie in {camera.name}, not in {camera.name}/data"
            yield Finding(NO_PICTURES, _shown(camera, root), why)
    if not any(_has_pictures(folder) for camera in cameras for folder in (camera, camera / "data")):
        yield Finding(NO_PICTURES, _shown(drive, root), "none at all")


def _has_pictures(folder: Path) -> bool:
    return folder.is_dir() and any(is_picture(path) for path in folder.iterdir())


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root))
