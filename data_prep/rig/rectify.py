"""Unrectified recordings become rectified ones with their `rig.json`."""

import concurrent.futures
import dataclasses
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from absl import logging
from tqdm import tqdm

from data_prep.doctor.stereo_order import match_corners
from data_prep.rig.calibration import Calibration
from data_prep.rig.drawing import draw_rows, draw_straightened
from data_prep.rig.rectifier import Image, Rectifier
from data_prep.rig.writing import write_rig
from mtdepth.attempts import Failed, attempt
from mtdepth.datasets.frames import numbered_files
from mtdepth.datasets.recordings import LIDAR_SUFFIX
from mtdepth.datasets.rig_folder import RIG_FILE, RigFolder, drives_in
from mtdepth.files import (
    UserError,
    atomic_path,
    read_record,
    remove_leftovers,
    write_json,
)
from mtdepth.pictures import PICTURE_SUFFIXES, read_rgb, write_png

RECORD_FILE = "made_of.json"
BEFORE_AFTER = "before_after.png"
_SIDES = (RigFolder.layout.camera_folders["l"], RigFolder.layout.camera_folders["r"])
_LIDAR = RigFolder.layout.lidar_folder
_TIMES = "timestamps.txt"
_JPEG_QUALITY = 95  # ours: of pictures that were JPEG; what matching finds stays the same
_NUM_LOOKED_AT = 5  # pairs of which the rows are compared
# ours: the doctor's bound for whole recordings.
_MAX_ROWS_PX = 1.0


@dataclasses.dataclass(frozen=True)
class Job:
    """One picture: the file, where it goes, and whose it is (0 left, 1 right)."""

    source: Path
    target: Path
    side: int


def rectify_recordings(root: Path, output: Path, calibration: Calibration) -> list[str]:
    """Rectifies every drive; begun and stopped, it goes on where it stopped.

    `rig.json` is written last, so that a folder that is not finished is taken for none.

    Args:
      root: `<root>/<drive>/left`, `right` (absent of one camera), and `lidar` and `timestamps.txt`
        where there are some, which are copied.
      output: Another folder.
      calibration: Of the pictures as they are.

    Returns:
      What failed, by picture, in words.

    Raises:
      UserError: If there is no drive, or the output was made by another calibration.
      DataError: If the calibration cannot rectify, or a picture has a name that is no number.
    """
    if output.resolve() == root.resolve():
        raise UserError(f"--output={output}: another folder than the recordings'")
    rectifier = Rectifier(calibration)
    sides = _SIDES[: len(calibration.lenses)]
    drives = drives_in(root)
    if not drives:
        raise UserError(
            f"{root}: no folder in it holds pictures in `left`; recordings are laid out as "
            "<root>/<drive>/left/000000.png, right/000000.png"
        )
    for drive in drives:
        if (root / drive / _LIDAR).is_dir() and calibration.T_lidar_to_camera is None:
            raise UserError(
                f"{root / drive / _LIDAR}: where does the scanner sit? Give --lidar_to_camera, or "
                "rename the folder to go on without it"
            )
    claim(output, {"calibration": identity(calibration)})
    jobs = list(_jobs(root, output, drives, sides))
    todo = [job for job in jobs if not job.target.is_file()]
    if len(todo) < len(jobs):
        logging.info("%d of %d pictures are there already", len(jobs) - len(todo), len(jobs))
    failures = _run(todo, rectifier)
    for drive in drives:
        _copy_others(root / drive, output / drive)
    _draw(jobs, rectifier, output / BEFORE_AFTER)
    write_rig(output / RIG_FILE, calibration)
    return failures


def claim(output: Path, record: dict[str, Any]) -> None:
    """Says of what a folder is made, or refuses one that was begun with something else.

    Raises:
      UserError: If it was, or holds files of others.
    """
    path = output / RECORD_FILE
    if path.is_file():
        begun = read_record(path)
        if other := [name for name in record if begun.get(name) != record[name]]:
            raise UserError(
                f"{output} was begun with another {', '.join(other)} ({path.name}); give another "
                "--output, or remove it"
            )
        return
    if output.is_dir() and any(output.iterdir()):
        raise UserError(f"--output={output}: holds something else; give a new folder")
    write_json(path, record)


def identity(calibration: Calibration) -> dict[str, Any]:
    """The numbers of a calibration that change pictures, as JSON holds them."""
    return {
        "camera": calibration.camera.to_dict(),
        "baseline_m": calibration.baseline_m,
        "lenses": [
            {
                "lens": dataclasses.asdict(lens) | {"distortion": list(lens.distortion)},
                "rotation": rotation.tolist(),
            }
            for lens, rotation in calibration.lenses
        ],
    }


def _jobs(root: Path, output: Path, drives: Iterable[str], sides: Iterable[str]) -> Iterator[Job]:
    for drive in drives:
        for number, side in enumerate(sides):
            folder = root / drive / side
            found = numbered_files(folder, PICTURE_SUFFIXES)
            if not found:
                raise UserError(f"{folder}: no pictures; the calibration has this camera")
            for path in found.values():
                suffix = ".png" if path.suffix.lower() in (".png", ".bmp") else ".jpg"
                yield Job(path, output / drive / side / f"{path.stem}{suffix}", number)


def _run(jobs: list[Job], rectifier: Rectifier) -> list[str]:
    """Decoding, drawing and encoding leave Python free: a thread for each processor."""
    for folder in {job.target.parent for job in jobs}:
        remove_leftovers(folder)
    failures = []
    with (
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(total=len(jobs), desc="rectifying", unit="picture") as bar,
    ):
        done = pool.map(lambda job: attempt(_rectify, job, rectifier), jobs)
        for job, result in zip(jobs, done, strict=True):
            bar.update()
            if isinstance(result, Failed):
                failures.append(f"{job.source}: {result.why.removeprefix(f'{job.source}: ')}")
    return failures


def _rectify(job: Job, rectifier: Rectifier) -> None:
    write_picture(job.target, rectifier.picture(read_rgb(job.source), job.side))


def write_picture(path: Path, image_rgb: Image) -> None:
    """Writes PNG or, by its name, JPEG of good quality, atomically."""
    if path.suffix == ".png":
        write_png(path, image_rgb)
        return
    stored = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)
    content = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.tobytes())


def _copy_others(drive: Path, output: Path) -> None:
    """Sweeps, and when everything was taken: nothing changes in them."""
    sweeps = numbered_files(drive / _LIDAR, (LIDAR_SUFFIX,)).values()
    times = [drive / folder / _TIMES for folder in (*_SIDES, _LIDAR)]
    for source in (*sweeps, *(path for path in times if path.is_file())):
        target = output / source.relative_to(drive)
        if not target.is_file():
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)


def _draw(jobs: list[Job], rectifier: Rectifier, path: Path) -> None:
    """Shows what rectification did, and says where rows still differ."""
    lefts = [job for job in jobs if job.side == 0 and job.target.is_file()]
    rights = {job.target: job for job in jobs if job.side == 1 and job.target.is_file()}
    pairs = []
    for left in lefts:
        folder = left.target.parents[1] / _SIDES[1]
        right = next(
            (
                rights[place]
                for suffix in (left.target.suffix, ".png", ".jpg")
                if (place := folder / f"{left.target.stem}{suffix}") in rights
            ),
            None,
        )
        if right is not None:
            pairs.append((left, right))
    if not rights and lefts:
        job = lefts[len(lefts) // 2]
        write_png(path, draw_straightened(read_rgb(job.source), read_rgb(job.target)))
        logging.info("look at %s", path)
    if not pairs:
        return
    chosen = [pairs[i] for i in np.linspace(0, len(pairs) - 1, _NUM_LOOKED_AT).astype(int)]
    looked_at = {left.target: (left, right) for left, right in chosen}.values()
    misses = []
    for number, (left, right) in enumerate(looked_at):
        before = (read_rgb(left.source), read_rgb(right.source))
        after = (read_rgb(left.target), read_rgb(right.target))
        points = _same_points(*after)
        misses.append(np.abs(points[0][:, 1] - points[1][:, 1]))
        if number == len(looked_at) // 2:
            taken = [
                rectifier.before(each, side, before[side].shape[:2])
                for side, each in enumerate(points)
            ]
            write_png(
                path,
                draw_rows(before, after, points_before=(taken[0], taken[1]), points_after=points),
            )
    rows_px = np.concatenate(misses)
    if not rows_px.size:
        logging.warning("%s: no corner of the left view was found in the right one", path)
        return
    median_px = float(np.median(rows_px))
    logging.info(
        "rows of %d corners differ by %.2f px after rectification (median); look at %s",
        *(rows_px.size, median_px, path),
    )
    if median_px > _MAX_ROWS_PX:
        logging.warning(
            "rows still differ by %.1f px: is the calibration of these cameras, at this zoom and "
            "focus, and were the pictures of a pair taken at one moment?",
            median_px,
        )


def _same_points(left: Image, right: Image) -> tuple[Any, Any]:
    """`[n, 2]` pixels of the same points in two rectified views."""
    matches = match_corners(left, right)
    there = np.column_stack([matches.u - matches.shift_px, matches.v - matches.row_shift_px])
    return np.column_stack([matches.u, matches.v]).astype(float), there.astype(float)
