"""KITTI's recordings and odometry, and other rigs' recordings, as shots of either camera."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from mtdepth.data.video import Shot, VideoSource, source_of
from mtdepth.datasets.calibration import Side
from mtdepth.datasets.frame_order import frame_numbers
from mtdepth.datasets.frames import CAMERA_OF_SIDE, FrameId, is_kitti_drive
from mtdepth.datasets.odometry import (
    OdometryFrame,
    OdometrySequence,
    read_odometry_list,
    sequences_of_split,
    sequences_on_disk,
)
from mtdepth.datasets.readers import open_recordings
from mtdepth.datasets.recordings import Recordings
from mtdepth.datasets.rig_folder import RIG_FILE, RigFolder
from mtdepth.datasets.splits import resolve_split
from mtdepth.defaults import default_split
from mtdepth.files import UserError

SIDES: tuple[Side, ...] = ("l", "r")


@dataclasses.dataclass(frozen=True)
class Place:
    """Recordings that a folder is (`drive` None), or a drive of them, or a camera of that drive."""

    root: Path
    drive: str | None = None
    sides: tuple[Side, ...] = SIDES


def recordings_at(path: Path) -> Place | None:
    """Tells recordings, one of their drives or a camera of it from any other folder.

    Raises:
      UserError: If the folder is one of KITTI's dates.
    """
    if _is_date(path):
        raise UserError(
            f"{path} is one date of KITTI's recordings: give their root, {path.parent}, or a drive"
        )
    if (path / RIG_FILE).is_file() or any(_is_date(folder) for folder in path.iterdir()):
        return Place(path)
    path = path.resolve()
    for drive in (path, *path.parents[:2]):
        is_kittis = is_kitti_drive(drive.name) and drive.parent.name == drive.name[:10]
        folder_of_side = RigFolder.layout.camera_folders
        is_rigs = (drive.parent / RIG_FILE).is_file() and (drive / folder_of_side["l"]).is_dir()
        inner = path.relative_to(drive).parts
        cameras = CAMERA_OF_SIDE if is_kittis else folder_of_side
        sides = tuple(side for side in SIDES if inner[:1] in ((), (cameras[side],)))
        if (is_kittis or is_rigs) and sides:
            return Place(drive.parents[1] if is_kittis else drive.parent, drive.name, sides)
    return None


def _is_date(folder: Path) -> bool:
    """Whether a folder is one of KITTI's dates: it holds a drive of that date."""
    return folder.is_dir() and any(
        is_kitti_drive(drive.name) and drive.name.startswith(folder.name)
        for drive in folder.iterdir()
    )


def read_recordings(path: Path, place: Place, split: str | None) -> VideoSource:
    """Opens recordings of KITTI or of another rig.

    Args:
      path: As the user wrote it.
      place: Of `recordings_at`.
      split: For whole recordings; None takes what the other programs take.

    Raises:
      FileNotFoundError: If the split or a calibration file is missing.
      DataError: If a file is damaged.
      UserError: If the split is unknown, or none of its frames has a picture.
    """
    raw = open_recordings(place.root)
    if place.drive is None:
        split = split or default_split(place.root)
        frames = resolve_split(raw, split)
        label = f"{path} ({split})"
    else:
        frames = [frame for side in place.sides for frame in raw.frames_of(place.drive, side)]
        label = str(path)
    wanted: dict[tuple[str, Side], list[FrameId]] = collections.defaultdict(list)
    for frame in frames:
        wanted[frame.drive, frame.side].append(frame)
    shots, missing = [], []
    for (drive, side), targets in wanted.items():
        on_disk = _frames_on_disk(raw, drive, side)
        missing += [str(frame) for frame in targets if frame.index not in on_disk]
        if on_disk:
            shots.append(_drive_shot(raw, on_disk, targets))
    return source_of(label, shots, missing, kitti_root=place.root)


def _frames_on_disk(raw: Recordings, drive: str, side: Side) -> dict[int, FrameId]:
    try:
        return {frame.index: frame for frame in raw.frames_of(drive, side)}
    except FileNotFoundError:
        return {}  # its frames are counted as missing


def _drive_shot(raw: Recordings, on_disk: dict[int, FrameId], targets: Sequence[FrameId]) -> Shot:
    first = next(iter(on_disk.values()))
    numbers = dict(zip(on_disk, on_disk, strict=True))
    if raw.layout.num_digits is None:  # as other rigs number their frames: by fives, by nanoseconds
        numbers = dict(zip(on_disk, frame_numbers(list(on_disk))[0], strict=True))
    return Shot(
        name=f"{first.drive} {first.side}",
        files={numbers[index]: raw.image_path(frame) for index, frame in on_disk.items()},
        titles={numbers[index]: str(frame) for index, frame in on_disk.items()},
        camera=raw.rig(first).intrinsics(first.side),
        calibration=raw.calibration_files(first.drive)[0],
        targets=tuple(numbers[index] for index in _present(on_disk, (f.index for f in targets))),
    )


def read_odometry(root: Path, split: str | None, *, label: str | None = None) -> VideoSource:
    """Opens sequences of KITTI's odometry.

    Args:
      root: KITTI's `dataset` folder.
      split: As `sequences_of_split` takes it, or a list file; None for `train`.
      label: As the user wrote it; None for the root and the split.

    Raises:
      FileNotFoundError: If a sequence or a calibration file is missing.
      DataError: If a file is damaged.
      UserError: If the split is unknown, or none of its frames has a picture.
    """
    split = split or "train"
    frames = _odometry_frames(root, split)
    wanted: dict[tuple[int, Side], list[OdometryFrame]] = collections.defaultdict(list)
    for frame in frames:
        wanted[frame.sequence, frame.side].append(frame)
    on_disk = set(sequences_on_disk(root))
    shots, missing = [], []
    for (number, side), targets in wanted.items():
        sequence = OdometrySequence(root, number) if number in on_disk else None
        found = sequence.pictures(side) if sequence else {}
        missing += [str(frame) for frame in targets if frame.index not in found]
        if sequence is None or not found:
            continue
        shots.append(
            Shot(
                name=f"odometry {number:02d} {side}",
                files=found,
                titles={index: str(OdometryFrame(number, index, side)) for index in found},
                camera=sequence.rig.intrinsics(side),
                calibration=sequence.folder / "calib.txt",
                targets=_present(found, (frame.index for frame in targets)),
            )
        )
    return source_of(label or f"{root} ({split})", shots, missing, kitti_root=root)


def _odometry_frames(root: Path, split: str) -> list[OdometryFrame]:
    path = next((path for path in (Path(split), root / split) if path.is_file()), None)
    if path is not None:
        return list(dict.fromkeys(read_odometry_list(path)))
    return [
        OdometryFrame(number, index, side)
        for number in sequences_of_split(root, split)
        for side in SIDES
        for index in OdometrySequence(root, number).pictures(side)
    ]


def _present(on_disk: Iterable[int], wanted: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(on_disk) & set(wanted)))
