"""A demo world on disk: KITTI's raw layout with the exact truth beside it.

<root>/2011_09_26/calib_*.txt
<root>/2011_09_26/<drive>/{image_02,image_03,velodyne_points,oxts}/data/<10 digits>.{png,bin,txt}
<root>/truth/{depth,disparity,train_id}/<drive>/image_02/<10 digits>.png
<root>/truth/poses/<drive>.txt
<root>/splits/{train,val}.txt
<root>/contact_sheet.png
<root>/demo_world.json        written last: all the rest is there
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from data_prep import contact_sheet
from data_prep.contact_sheet import Row
from data_prep.demo_world import settings as layout
from data_prep.demo_world.cameras import FRAME_S, DemoRig, Drive, calibration_texts, demo_rig
from data_prep.demo_world.render import Frame, render
from data_prep.demo_world.scene import Scene, Street, random_street
from data_prep.demo_world.settings import MARKER, WorldSettings
from data_prep.demo_world.solids import Floats
from data_prep.jobs.pools import LocalPool
from data_prep.jobs.run import EachFrame, Pool, run_frames
from mtdepth.attempts import Failed
from mtdepth.datasets import label_store
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import DISPARITY_UNITS_PER_PX
from mtdepth.datasets.oxts import EARTH_RADIUS_M, FIELD_NAMES
from mtdepth.files import DataError, atomic_path, remove_leftovers, write_json, write_text
from mtdepth.geometry.stereo import depth_to_disparity
from mtdepth.pictures import read_rgb, write_png

Result = TypeVar("Result")

_MAX_ROWS = 12


def shown_frames(drives: Sequence[str], *, num_frames: int) -> list[FrameId]:
    """The frame of each drive that the contact sheet shows, another one for each drive."""
    numbers = [(k * 7 + num_frames // 2) % num_frames for k in range(len(drives))]
    return [FrameId(drive, number, "l") for drive, number in zip(drives, numbers, strict=True)]


def write_contact_sheet(root: Path, frames: Sequence[tuple[Path, Path, Path]]) -> None:
    """Writes the sheet of a world of these frames: files of picture, depth and classes."""
    rows = (
        Row(
            read_rgb(picture),
            label_store.read_depth_png(depth),
            label_store.read_train_id_png(train_id),
        )
        for picture, depth, train_id in frames
    )
    contact_sheet.write_contact_sheet(root / contact_sheet.NAME, rows)


# Where frame 0 stands: Karlsruhe. Its latitude also scales the devkit's Mercator map.
_LATITUDE_DEG, _LONGITUDE_DEG, _ALTITUDE_M = 49.011, 8.4228, 112.0


def oxts_packet(drive: Drive, rig: DemoRig, *, frame: int) -> str:
    """One packet: position and attitude are exact, accelerations and rates are left 0.

    Velocities are the rectified camera's, the mean over the frames before and after.

    Inverts the devkit's convertOxtsToPose.m, so that its poses relative to frame 0 are the true
    ones: x is east, y north.
    """
    pose = drive.T_world_from_imu(rig, frame=frame)
    start = drive.T_world_from_imu(rig, frame=0)
    east_m, north_m, up_m = pose[:3, 3] - start[:3, 3]
    scale_m = EARTH_RADIUS_M * np.cos(np.radians(_LATITUDE_DEG))
    start_north = np.log(np.tan(np.radians(90.0 + _LATITUDE_DEG) / 2.0))
    latitude = np.degrees(2.0 * np.arctan(np.exp(start_north + north_m / scale_m))) - 90.0
    velocity = _velocity_mps(drive, frame)
    rotation = pose[:3, :3]
    values = dict.fromkeys(FIELD_NAMES, 0.0) | {
        "lat_deg": latitude,
        "lon_deg": _LONGITUDE_DEG + np.degrees(east_m / scale_m),
        "alt_m": _ALTITUDE_M + up_m,
        "roll_rad": np.arctan2(rotation[2, 1], rotation[2, 2]),
        "pitch_rad": -np.arcsin(np.clip(rotation[2, 0], -1.0, 1.0)),
        "yaw_rad": np.arctan2(rotation[1, 0], rotation[0, 0]),
        "vn_m_per_s": velocity[1],
        "ve_m_per_s": velocity[0],
        "vf_m_per_s": np.hypot(*velocity[:2]),
        "vu_m_per_s": velocity[2],
        "pos_accuracy_m": 0.05,
        "vel_accuracy_m_per_s": 0.05,
        "navstat": 4,
        "numsats": 11,
        "posmode": 6,
        "velmode": 6,
        "orimode": 6,
    }
    return " ".join(f"{values[name]:.14g}" for name in FIELD_NAMES) + "\n"


def odometry_lines(drive: Drive, rig: DemoRig) -> str:
    """Poses of image_02 as in KITTI's odometry: 3x4 rows, camera to first camera, per frame."""
    start = np.linalg.inv(drive.T_world_from_camera(rig, frame=0, camera=2))
    lines = []
    for frame in range(len(drive.x_m)):
        pose = start @ drive.T_world_from_camera(rig, frame=frame, camera=2)
        lines.append(" ".join(f"{value:.12e}" for value in pose[:3].ravel()))
    return "\n".join(lines) + "\n"


def time_stamps(num_frames: int) -> str:
    """One line per frame, as KITTI writes them."""
    lines = []
    for frame in range(num_frames):
        tenths = round(frame * FRAME_S * 10)
        minutes, seconds = divmod(tenths / 10, 60)
        hours, minutes = divmod(int(minutes), 60)
        lines.append(f"2011-09-26 {12 + hours:02d}:{minutes:02d}:{seconds:012.9f}")
    return "\n".join(lines) + "\n"


def _velocity_mps(drive: Drive, frame: int) -> Floats:
    """Mean velocity around a frame, in world axes."""
    last = len(drive.x_m) - 1
    before, after = max(frame - 1, 0), min(frame + 1, last)
    if before == after:
        return np.zeros(3)
    moved = drive.T_world_from_rectified[after] - drive.T_world_from_rectified[before]
    return moved[:3, 3] / ((after - before) * FRAME_S)


ONE_PROCESS = LocalPool()
STREET_STREAM, SENSOR_STREAM, MOUNT_STREAM = 0, 1, 2  # of random numbers


def write_world(root: Path, settings: WorldSettings, *, pool: Pool = ONE_PROCESS) -> int:
    """Writes a world, or what an interrupted run left out of it; see `write_tree`."""
    shown = shown_frames(settings.drive_names[:_MAX_ROWS], num_frames=settings.num_frames)
    done = write_tree(
        root,
        settings.to_dict(),
        frames_of(settings.drive_names, num_frames=settings.num_frames),
        marker=MARKER,
        begin=lambda: _write_fixed_files(root, settings),
        write_frame=functools.partial(_write_frame, root, settings),
        finish=lambda _: write_contact_sheet(root, [_shown_files(root, f) for f in shown]),
        pool=pool,
    )
    return sum(done.values())


def write_tree(
    root: Path,
    settings: dict[str, Any],
    frames: Sequence[FrameId],
    *,
    marker: str,
    begin: Callable[[], None],
    write_frame: Callable[[FrameId], Result],
    finish: Callable[[dict[FrameId, Result]], None],
    pool: Pool,
) -> dict[FrameId, Result]:
    """Writes a world, or what an interrupted run left out of it.

    The same settings give the same bytes, whatever the number of processes or machines.

    Args:
      root: New, empty, or begun with the same settings.
      settings: What to write, as JSON holds it.
      frames: All of them, as many of each drive.
      marker: File that says that the world is whole; until then another one holds the settings.
      begin: Writes what comes before the frames.
      write_frame: Writes a frame unless it is there.
      finish: Writes what comes after them, given what `write_frame` returned for each.
      pool: Where frames are rendered.

    Returns:
      What `write_frame` returned for each frame; nothing of a world that was whole.

    Raises:
      DataError: If `root` is a file or holds something else, or frames failed.
    """
    unfinished = root / marker.replace(".json", ".unfinished.json")
    layout.check_root(root, settings, names=(marker, unfinished.name))
    if (root / marker).is_file():
        unfinished.unlink(missing_ok=True)
        return {}
    for folder in {root, *(path.parent for path in root.rglob(".*"))}:
        remove_leftovers(folder)
    write_json(unfinished, settings)
    begin()
    done: dict[FrameId, Result] = {}
    failed = []
    # Neighbours go to one process: one street each.
    per_drive = len(frames) // len({frame.drive for frame in frames})
    worker = EachFrame(write_frame)
    results = run_frames(worker, frames, pool=pool, title="rendering", batch_size=per_drive)
    for frame, result in results:
        if isinstance(result, Failed):
            failed.append(f"{frame}: {result.why}")
        else:
            done[frame] = result
    if failed:
        raise DataError(
            root,
            f"{len(failed)} of {len(frames)} frames failed, first {failed[0]}; the same command "
            "again goes on where this one stopped",
        )
    finish(done)
    write_json(root / marker, settings)
    unfinished.unlink()
    return done


def frames_of(drives: Sequence[str], *, num_frames: int) -> list[FrameId]:
    """The left frames of a world's drives, each numbered from 0."""
    return [FrameId(drive, number, "l") for drive in drives for number in range(num_frames)]


def street_of(settings: WorldSettings, drive: int) -> Street:
    """The street of a drive: a function of seed, drive number and frame count alone."""
    rng = np.random.default_rng([settings.seed, drive, STREET_STREAM])
    return random_street(rng, num_frames=settings.num_frames)


@functools.lru_cache(maxsize=2)
def scene_of(settings: WorldSettings, drive: int) -> Scene:
    """The street of a drive with its triangles."""
    camera = demo_rig(height_px=settings.height_px, width_px=settings.width_px).camera
    return Scene(street_of(settings, drive), focal_px=camera.focal_px)


def render_frame(settings: WorldSettings, *, drive: int, frame: int) -> Frame:
    """Renders one frame of a world, without writing it."""
    return render(
        scene_of(settings, drive),
        demo_rig(height_px=settings.height_px, width_px=settings.width_px),
        frame=frame,
        azimuth_step_deg=settings.azimuth_step_deg,
        rng=np.random.default_rng([settings.seed, drive, SENSOR_STREAM, frame]),
    )


def _shown_files(root: Path, frame: FrameId) -> tuple[Path, Path, Path]:
    """Picture, depth and classes."""
    return (
        layout.sensor_path(root, "image_02", frame),
        layout.truth_path(root, "depth", frame),
        layout.truth_path(root, "train_id", frame),
    )


def _write_frame(root: Path, settings: WorldSettings, left: FrameId) -> bool:
    """Writes a frame, the first its drive's poses too, unless all is there; whether it did."""
    drive, number = settings.drive_names.index(left.drive), left.index
    sensor = {name: layout.sensor_path(root, name, left) for name in layout.SENSORS}
    truth = {
        name: layout.truth_path(root, name, left) for name in ("depth", "disparity", "train_id")
    }
    poses = [layout.poses_path(root, left.drive)] if number == 0 else []
    if all(path.is_file() for path in (*sensor.values(), *truth.values(), *poses)):
        return False
    rig = demo_rig(height_px=settings.height_px, width_px=settings.width_px)
    frame = render_frame(settings, drive=drive, frame=number)
    write_png(sensor["image_02"], frame.left)
    write_png(sensor["image_03"], frame.right)
    label_store.write_depth_png(truth["depth"], frame.depth_m)
    label_store.write_train_id_png(truth["train_id"], frame.train_id)
    disparity_px = depth_to_disparity(
        frame.depth_m, focal_px=rig.camera.fx_px, baseline_m=rig.baseline_m
    )
    # What is so near that 16 bits cannot hold it is "not measured" rather than something far.
    units = np.rint(label_store.below_ceiling(disparity_px) * DISPARITY_UNITS_PER_PX)
    write_png(truth["disparity"], units.astype(np.uint16))
    with atomic_path(sensor["velodyne_points"]) as temporary:
        temporary.write_bytes(frame.points.astype("<f4").tobytes())
    driven = scene_of(settings, drive).street.drive
    write_text(sensor["oxts"], oxts_packet(driven, rig, frame=number))
    for path in poses:
        write_text(path, odometry_lines(driven, rig))
    return True


def _write_fixed_files(root: Path, settings: WorldSettings) -> None:
    """Calibration, time stamps and lists."""
    rig = demo_rig(height_px=settings.height_px, width_px=settings.width_px)
    for name, text in calibration_texts(rig).items():
        write_text(root / layout.DATE / name, text)
    for drive in settings.drive_names:
        stamps = time_stamps(settings.num_frames)
        for sensor in layout.SENSORS:
            write_text(root / layout.DATE / drive / sensor / "timestamps.txt", stamps)
    for name, drives in (("train", settings.train_drives), ("val", settings.val_drives)):
        frames = frames_of(drives, num_frames=settings.num_frames)
        write_text(layout.split_path(root, name), "".join(f"{frame}\n" for frame in frames))
