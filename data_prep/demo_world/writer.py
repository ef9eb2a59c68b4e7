"""A demo world on disk: KITTI's raw layout with the exact truth beside it.

<root>/2011_09_26/calib_*.txt
<root>/2011_09_26/<drive>/{image_02,image_03,velodyne_points,oxts}/data/<10 digits>.{png,bin,txt}
<root>/truth/{depth,disparity,train_id}/<drive>/image_02/<10 digits>.png
<root>/truth/poses/<drive>.txt
<root>/splits/{train,val}.txt
<root>/contact_sheet.png
<root>/demo_world.json        written last: all the rest is there
"""

import dataclasses
import functools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from data_prep.demo_world import layout, oxts
from data_prep.demo_world.contact_sheet import contact_sheet
from data_prep.demo_world.render import Frame, render
from data_prep.demo_world.rig import calibration_texts, demo_rig
from data_prep.demo_world.settings import MARKER, WorldSettings, check_root
from data_prep.demo_world.stage import Stage
from data_prep.demo_world.street import Street, random_street
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import (
    DISPARITY_UNITS_PER_PX,
    write_depth_png,
    write_train_id_png,
)
from mtdepth.files import atomic_path, write_json, write_text
from mtdepth.geometry.stereo import depth_to_disparity
from mtdepth.pictures import write_png

# Holds the settings until the world is whole.
_UNFINISHED = "demo_world.unfinished.json"
_MAX_STORED_DISPARITY_PX = 65535 / DISPARITY_UNITS_PER_PX
_STREET_STREAM, _SENSOR_STREAM = 0, 1


def write_world(
    root: Path,
    settings: WorldSettings,
    *,
    num_processes: int = 1,
    progress: Callable[[Iterable[bool], int], Iterable[bool]] = lambda done, _: done,
) -> int:
    """Writes a world, or what an interrupted run left out of it.

    The same settings give the same bytes, whatever the number of processes.

    Args:
      root: New, empty, or begun with the same settings.
      settings: What to write.
      num_processes: Worker processes; 1 works in this one.
      progress: Wraps the iterator of finished frames, given their number (a progress bar).

    Returns:
      How many frames were rendered; the others were there already.

    Raises:
      DataError: If `root` is a file or holds something else.
      BrokenProcessPool: If a worker process was killed; another run goes on where it stopped.
    """
    check_root(root, settings.to_dict(), names=(MARKER, _UNFINISHED))
    if (root / MARKER).is_file():
        (root / _UNFINISHED).unlink(missing_ok=True)
        return 0
    write_json(root / _UNFINISHED, settings.to_dict())
    _write_fixed_files(root, settings)
    jobs = [
        (root, settings, drive, frame)
        for drive in range(settings.num_drives)
        for frame in range(settings.num_frames)
    ]
    num_rendered = sum(progress(_run(jobs, num_processes), len(jobs)))
    write_png(root / "contact_sheet.png", contact_sheet(root, settings))
    write_json(root / MARKER, settings.to_dict())
    (root / _UNFINISHED).unlink()
    return num_rendered


def _run(jobs: list[tuple[Path, WorldSettings, int, int]], num_processes: int) -> Iterator[bool]:
    if num_processes == 1:
        yield from map(_write_frame, jobs)
        return
    context = multiprocessing.get_context("spawn")
    # Not multiprocessing.Pool, which waits for ever for a worker that the system killed.
    with ProcessPoolExecutor(num_processes, context, _start_worker) as pool:
        # Neighbouring frames go to one worker, which then draws their street once.
        yield from pool.map(_write_frame, jobs, chunksize=5)


def _start_worker() -> None:
    cv2.setNumThreads(1)


def street_of(settings: WorldSettings, drive: int) -> Street:
    """The street of a drive: a function of seed, drive number and frame count alone."""
    rng = np.random.default_rng([settings.seed, drive, _STREET_STREAM])
    return random_street(rng, num_frames=settings.num_frames)


@functools.lru_cache(maxsize=2)
def stage_of(settings: WorldSettings, drive: int) -> Stage:
    """The street of a drive with its triangles."""
    camera = demo_rig(height_px=settings.height_px, width_px=settings.width_px).camera
    return Stage(street_of(settings, drive), focal_px=camera.focal_px)


def render_frame(settings: WorldSettings, *, drive: int, frame: int) -> Frame:
    """Renders one frame of a world, without writing it."""
    return render(
        stage_of(settings, drive),
        demo_rig(height_px=settings.height_px, width_px=settings.width_px),
        frame=frame,
        azimuth_step_deg=settings.azimuth_step_deg,
        rng=np.random.default_rng([settings.seed, drive, _SENSOR_STREAM, frame]),
    )


def _write_frame(job: tuple[Path, WorldSettings, int, int]) -> bool:
    """Writes a frame unless all its files are there; says whether it did."""
    root, settings, drive, number = job
    name = settings.drive_names[drive]
    left = FrameId(name, number, "l")
    paths = layout.paths_of(root, left)
    if all(path.is_file() for path in dataclasses.astuple(paths)):
        return False
    rig = demo_rig(height_px=settings.height_px, width_px=settings.width_px)
    frame = render_frame(settings, drive=drive, frame=number)
    write_png(paths.left, frame.left)
    write_png(paths.right, frame.right)
    write_depth_png(paths.depth, frame.depth_m)
    write_train_id_png(paths.train_id, frame.train_id)
    disparity_px = depth_to_disparity(
        frame.depth_m, focal_px=rig.camera.fx_px, baseline_m=rig.baseline_m
    )
    # What is so near that 16 bits cannot hold it is "not measured" rather than something far.
    disparity_px = np.where(disparity_px <= _MAX_STORED_DISPARITY_PX, disparity_px, 0.0)
    write_png(paths.disparity, np.rint(disparity_px * DISPARITY_UNITS_PER_PX).astype(np.uint16))
    with atomic_path(paths.velodyne) as temporary:
        temporary.write_bytes(frame.points.astype("<f4").tobytes())
    packet = oxts.packet(stage_of(settings, drive).street.drive, rig, frame=number)
    write_text(paths.oxts, packet)
    return True


def _write_fixed_files(root: Path, settings: WorldSettings) -> None:
    """Calibration, time stamps, poses and lists."""
    rig = demo_rig(height_px=settings.height_px, width_px=settings.width_px)
    for name, text in calibration_texts(rig).items():
        write_text(root / layout.DATE / name, text)
    for number, drive in enumerate(settings.drive_names):
        stamps = oxts.time_stamps(settings.num_frames)
        for sensor in layout.SENSORS:
            write_text(root / layout.DATE / drive / sensor / "timestamps.txt", stamps)
        poses = layout.poses_path(root, drive)
        write_text(poses, oxts.odometry_lines(street_of(settings, number).drive, rig))
    for path, drives in (
        (layout.split_path(root, "train"), settings.train_drives),
        (layout.split_path(root, "val"), settings.val_drives),
    ):
        frames = [FrameId(drive, i, "l") for drive in drives for i in range(settings.num_frames)]
        write_text(path, "".join(f"{frame}\n" for frame in frames))
