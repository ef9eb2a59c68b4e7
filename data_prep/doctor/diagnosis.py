"""The whole examination of a data set: which checks are asked of what, in which order."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from data_prep.doctor import (
    calibration,
    layout,
    pictures,
    presence,
    stereo_order,
    sweeps,
    times,
)
from data_prep.doctor.findings import Finding, Report
from data_prep.doctor.frame_pass import FrameAnswer, FramePlan, look_at_frames
from mtdepth.datasets.calibration import StereoRig
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import read_times
from mtdepth.datasets.readers import open_recordings, reader_of
from mtdepth.datasets.recordings import Recordings
from mtdepth.datasets.rig_folder import RIG_FILE
from mtdepth.datasets.splits import evenly_spaced, resolve_split
from mtdepth.files import DataError
from mtdepth.pictures import PICTURE_SUFFIXES

ALL_CHECKS = (
    *layout.CHECKS,
    *calibration.CHECKS,
    *presence.CHECKS,
    *pictures.CHECKS,
    *stereo_order.CHECKS,
    *sweeps.CHECKS,
    *times.CHECKS,
    *presence.SPLIT_CHECKS,
)
NUM_MATCHED = 5  # pairs of a drive that are compared by matching
NUM_QUICK = 200


def diagnose(
    root: Path, *, split: str | None = None, quick: bool = False, num_processes: int = 1
) -> Report:
    """Examines recordings.

    Args:
      root: KITTI raw, or another rig's.
      split: Name or list file: only its drives and frames are looked at; None for all.
      quick: Whether only 200 frames, evenly spread, and the pairs that are matched are read; names
        and times of all are.
      num_processes: Workers.

    Raises:
      FileNotFoundError: If there is no such folder, or no such split.
      DataError: If the list of the split cannot be read.
      ValueError: If the split has no frame.
    """
    report = Report(ALL_CHECKS)
    raw = _opened(root, report)
    if raw is not None:
        frames = resolve_split(raw, split) if split is not None else None
        _examine(raw, frames, report, quick=quick, num_processes=num_processes)
    return report


def _opened(root: Path, report: Report) -> Recordings | None:
    """The recordings, None with the reason in the report where nothing can be opened."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; --kitti_root names the recordings")
    report.looked(layout.WRONG_ROOT)
    if reader_of(root).layout.has_dates:
        found = layout.wrong_root_findings(root)
        report.add(found)
        if found:
            return None
        report.looked(layout.MISPLACED, layout.DRIVE_NAME)
        report.add(layout.folder_findings(root))
        raw = open_recordings(root)
        if not raw.drives() and report.is_healthy:
            report.add([Finding(layout.NO_PICTURES, str(root), "no drive in its date folders")])
        return raw
    try:
        return open_recordings(root)
    except FileNotFoundError as error:
        is_there = (root / RIG_FILE).is_file()
        check = layout.NO_PICTURES if is_there else calibration.CALIBRATION_MISSING
        report.add([Finding(check, str(root), str(error))])
    except DataError as error:
        is_rigs = error.path.suffix == ".json"
        check = calibration.CALIBRATION_VALUES if is_rigs else layout.DRIVE_NAME
        report.add([Finding(check, error.path.name, error.why)])
    return None


def _examine(
    raw: Recordings,
    frames: Sequence[FrameId] | None,
    report: Report,
    *,
    quick: bool,
    num_processes: int,
) -> None:
    drives = raw.drives() if frames is None else sorted({frame.drive for frame in frames})
    drives = [drive for drive in drives if raw.drive_dir(drive).is_dir()]
    listings = [listing for drive in drives if (listing := _listed(raw, drive, report))]
    if frames is not None:
        report.looked(*presence.SPLIT_CHECKS, number=len(frames))
        report.add(presence.split_findings(raw, frames))
    rigs = _rigs(raw, listings, report)
    if raw.layout.timed_sensors:
        for listing in listings:
            _look_at_times(raw, listing, report)
    moments = _moments(listings, frames)
    _look_at_files(raw, moments, rigs, report, quick=quick, num_processes=num_processes)


def _listed(raw: Recordings, drive: str, report: Report) -> presence.DriveListing | None:
    """The frames of a drive, with what their names show; None where nothing can be read."""
    misnamed = _look_at_names(raw, drive, report)
    report.looked(layout.NO_PICTURES)
    try:
        left, right = (raw.frames_of(drive, side) for side in ("l", "r"))
        frames = {frame.index: frame for frame in (*right, *left)}
        with_sweep = [i for i, frame in frames.items() if raw.velodyne_path(frame).is_file()]
    except DataError as error:
        where = str(error.path.relative_to(raw.root))
        if where not in misnamed:
            report.add([Finding(presence.FRAME_NAME, where, error.why)])
        return None
    if not frames:
        # Of KITTI's layout the folders have said so already.
        if not raw.layout.has_dates:
            folders = " or ".join(raw.layout.camera_folders.values())
            report.add([Finding(layout.NO_PICTURES, drive, f"no picture in {folders}")])
        return None
    listing = presence.DriveListing(
        drive=drive,
        left=[frame.index for frame in left],
        right=[frame.index for frame in right],
        sweeps=with_sweep,
        has_lidar=any(_folders(raw, drive)["sweeps"].glob("*.bin")),
    )
    number = len(listing.moments)
    report.looked(presence.MISSING_PARTNER, presence.GAP, number=number)
    report.looked(presence.ONE_CAMERA)
    report.looked(presence.MISSING_SWEEP, number=number if listing.has_lidar else 0)
    report.add(presence.partner_findings(listing))
    report.add(presence.gap_findings(listing))
    report.add(presence.sweep_findings(listing))
    return listing


def _look_at_names(raw: Recordings, drive: str, report: Report) -> set[str]:
    """Reports the files of a drive whose names no reader takes, and returns them."""
    misnamed = set()
    for kind, folder in _folders(raw, drive).items():
        found = presence.name_findings(
            folder,
            suffixes=(".bin",) if kind == "sweeps" else PICTURE_SUFFIXES,
            num_digits=raw.layout.num_digits,
            shown=str(folder.relative_to(raw.root)),
        )
        report.looked(presence.FRAME_NAME, presence.NO_FILE)
        report.looked(presence.MIXED_SUFFIXES, number=int(kind != "sweeps"))
        report.add(found)
        misnamed |= {finding.where for finding in found}
    return misnamed


def _folders(raw: Recordings, drive: str) -> dict[str, Path]:
    """Where a drive keeps its pictures and sweeps."""
    cameras = raw.layout.camera_folders
    inside = {"left": cameras["l"], "right": cameras["r"], "sweeps": raw.layout.lidar_folder}
    return {kind: raw.drive_dir(drive) / folder for kind, folder in inside.items()}


def _rigs(
    raw: Recordings, listings: Sequence[presence.DriveListing], report: Report
) -> dict[str, StereoRig]:
    """The usable rig of each drive; a drive whose calibration is wrong is left out."""
    rigs: dict[str, StereoRig | None] = {}
    if not raw.layout.has_dates:
        for listing in listings:
            rigs[listing.drive], found = calibration.drive_findings(raw, listing.drive)
            report.looked(calibration.CALIBRATION_VALUES)
            report.add(found)
        return {drive: rig for drive, rig in rigs.items() if rig is not None}
    drives_of: dict[Path, list[str]] = defaultdict(list)
    for listing in listings:
        drives_of[raw.calibration_files(listing.drive)[0]].append(listing.drive)
    for path, drives in drives_of.items():
        has_oxts = any((path.parent / drive / "oxts" / "data").is_dir() for drive in drives)
        rig, found = calibration.date_findings(path.parent, needs_imu=has_oxts)
        report.looked(*calibration.CHECKS)
        report.add(found)
        rigs |= dict.fromkeys(drives, rig)
    return {drive: rig for drive, rig in rigs.items() if rig is not None}


def _look_at_times(raw: Recordings, listing: presence.DriveListing, report: Report) -> None:
    """Time stamps and the presence of GPS/IMU packets."""
    folder = raw.drive_dir(listing.drive)
    sensors = [name for name in raw.layout.timed_sensors if (folder / name).is_dir()]
    paths = {i: raw.oxts_path(FrameId(listing.drive, i)) for i in listing.moments}
    packets = [i for i, path in paths.items() if path is not None and path.is_file()]
    present = dict(
        zip(
            raw.layout.timed_sensors,
            (listing.left, listing.right, listing.sweeps, packets),
            strict=True,
        )
    )
    read: dict[str, times.Times] = {}
    for name in sensors:
        path = folder / name / "timestamps.txt"
        where = str(path.relative_to(raw.root))
        report.looked(times.TIMES_MISSING)
        if not path.is_file():
            report.add([Finding(times.TIMES_MISSING, where, "no such file")])
            continue
        report.looked(times.TIMES_UNREADABLE)
        try:
            read[name] = read_times(path)
        except DataError as error:
            report.add([Finding(times.TIMES_UNREADABLE, where, error.why)])
            continue
        report.looked(times.TIMES_COUNT, times.TIMES_ORDER, times.TIME_JUMP)
        found = times.sensor_findings(
            read[name], where, num_frames=listing.moments[-1] + 1, present=present[name]
        )
        report.add(found)
    report.looked(times.SENSOR_DRIFT, number=int(len(read) > 1))
    report.add(times.drift_findings(read, listing.drive))
    report.looked(times.MISSING_OXTS, number=len(listing.moments) if packets else 0)
    report.add(times.missing_findings(listing.drive, listing.moments, packets))


def _moments(
    listings: Sequence[presence.DriveListing], frames: Sequence[FrameId] | None
) -> list[FrameId]:
    """What is read: moments, as their left frames, sorted."""
    on_disk = [FrameId(listing.drive, index) for listing in listings for index in listing.moments]
    if frames is None:
        return on_disk
    wanted = {FrameId(frame.drive, frame.index) for frame in frames}
    return [frame for frame in on_disk if frame in wanted]


def _look_at_files(
    raw: Recordings,
    moments: Sequence[FrameId],
    rigs: dict[str, StereoRig],
    report: Report,
    *,
    quick: bool,
    num_processes: int,
) -> None:
    of_drive = _by_drive(moments)
    matched = {
        frame for each in of_drive.values() for frame in evenly_spaced(each, number=NUM_MATCHED)
    }
    if quick:
        moments = sorted(matched.union(evenly_spaced(moments, number=NUM_QUICK)))
    plan = FramePlan(
        root=raw.root,
        matched=frozenset(matched),
        unusable=frozenset(set(of_drive) - set(rigs)),
    )
    answers: dict[str, list[FrameAnswer]] = defaultdict(list)
    for answer in look_at_frames(moments, plan, num_processes=num_processes):
        report.looked(*answer.looked)
        report.add(answer.findings)
        # Only what a drive is judged by is kept: a data set may have 50,000 frames.
        answers[answer.frame.drive].append(dataclasses.replace(answer, findings=[], looked=[]))
    for drive, each in answers.items():
        _judge_drive(drive, each, rigs.get(drive), report)


def _judge_drive(
    drive: str, answers: Sequence[FrameAnswer], rig: StereoRig | None, report: Report
) -> None:
    report.looked(pictures.SIZE_CHANGES, pictures.SHRUNK)
    sizes = [size for answer in answers for size in answer.sizes]
    report.add(pictures.drive_size_findings(drive, sizes, rig))
    matches = [answer.matches for answer in answers if answer.matches is not None]
    if stereo_order.is_enough(sum(each.u.size for each in matches)):
        report.looked(stereo_order.STEREO_ORDER, stereo_order.ROWS)
    wrong = stereo_order.order_findings(drive, matches)
    report.add(wrong)
    ratios = [answer.ratios for answer in answers if answer.ratios is not None]
    # Views in the wrong order measure nothing.
    if not wrong and stereo_order.is_enough(sum(each.size for each in ratios)):
        report.looked(stereo_order.LIDAR_AGREEMENT)
        report.add(stereo_order.agreement_findings(drive, ratios))


def _by_drive(frames: Iterable[FrameId]) -> dict[str, list[FrameId]]:
    of_drive: dict[str, list[FrameId]] = defaultdict(list)
    for frame in frames:
        of_drive[frame.drive].append(frame)
    return of_drive
