"""A world for training only: one camera of any rig, exact depth and classes, as a label store.

<root>/manifest.json, frames.jsonl                       as `mtdepth.datasets.label_store` reads
<root>/depth, train_id/<street>/image_02/<10 digits>.png exact labels
<root>/rig.json                                          recordings as `mtdepth.datasets.rig_folder`
<root>/<street>/left/<10 digits>.png                     reads, each street with its own camera
<root>/<street>/rig.json
<root>/<street>/street.json                              what was drawn, and the camera's poses
<root>/contact_sheet.png
<root>/training_world.json                               written last: all the rest is there
"""

import dataclasses
import datetime
import functools
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.demo_world.cameras import KITTI_CAMERA, KITTI_MOUNT, Mount, random_mount
from data_prep.demo_world.kitti_world import (
    MOUNT_STREAM,
    ONE_PROCESS,
    SENSOR_STREAM,
    STREET_STREAM,
    frames_of,
    render_all,
    sheet_row,
)
from data_prep.demo_world.render import render_single
from data_prep.demo_world.scene import Scene, Street, random_street
from data_prep.demo_world.settings import VERSION, check_root, check_size
from data_prep.jobs.run import Pool
from mtdepth.datasets.calibration import MAX_ASPECT_CHANGE
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import (
    FrameRecord,
    Manifest,
    depth_path,
    read_depth_png,
    read_train_id_png,
    records_path,
    train_id_path,
    write_depth_png,
    write_manifest,
    write_records,
    write_train_id_png,
)
from mtdepth.datasets.rig_folder import RIG_FILE
from mtdepth.files import UserError, write_json
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import read_rgb, write_png

MARKER, _UNFINISHED = "training_world.json", "training_world.unfinished.json"
_SHEET_ROWS = 24


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Everything that changes a byte of a training world.

    Attributes:
      num_drives: Streets, at least 1.
      num_frames: Frames per street, some metres apart.
      seed: Draws everything.
      height_px: Of the pictures, 16 to 4096.
      width_px: Of the pictures, 16 to 4096.
      camera: The camera of all drives, of the pictures' shape; None draws one for each.
      is_kitti: Whether all drives have KITTI's camera, 1.65 m above the road.
      camera_height_m: Of all drives, 0.1 to 4; None draws it.
      camera_pitch_deg: Of all drives, positive looks up; None draws it.
      is_video: Whether frames are 0.1 s apart.
    """

    num_drives: int
    num_frames: int
    seed: int
    height_px: int
    width_px: int
    camera: Intrinsics | None = None
    is_kitti: bool = False
    camera_height_m: float | None = None
    camera_pitch_deg: float | None = None
    is_video: bool = False

    def __post_init__(self) -> None:
        """Rejects a world that cannot be made."""
        if min(self.num_drives, self.num_frames) < 1 or self.seed < 0:
            raise UserError(
                "a training world has at least 1 drive of 1 frame and a seed of 0 or more, got "
                f"{self.num_drives} drives of {self.num_frames} frames, seed {self.seed}"
            )
        check_size(height_px=self.height_px, width_px=self.width_px)
        if self.camera is not None:
            given = self.camera.width_px * self.height_px, self.camera.height_px * self.width_px
            if abs(given[0] / given[1] - 1) > MAX_ASPECT_CHANGE:
                raise UserError(
                    f"the rig's pictures are {self.camera.width_px}x{self.camera.height_px} "
                    f"(width x height) and the world's {self.width_px}x{self.height_px}: give a "
                    "--width and --height of the same shape"
                )
        if self.camera_height_m is not None and not 0.1 <= self.camera_height_m <= 4.0:
            raise UserError(f"camera_height_m is from 0.1 to 4, got {self.camera_height_m}")
        if self.camera_pitch_deg is not None and not -60.0 <= self.camera_pitch_deg <= 30.0:
            raise UserError(f"camera_pitch_deg is from -60 to 30, got {self.camera_pitch_deg}")

    @property
    def drive_names(self) -> tuple[str, ...]:
        """`street_<seed>_00000` and on."""
        return tuple(f"street_{self.seed}_{number:05d}" for number in range(self.num_drives))

    @property
    def usual_camera(self) -> Intrinsics:
        """What most drives have."""
        camera = self.camera or KITTI_CAMERA
        return camera.resized(height_px=self.height_px, width_px=self.width_px)

    def to_dict(self) -> dict[str, Any]:
        """As the marker file holds it."""
        return {"version": VERSION, **dataclasses.asdict(self)}

    def mount(self, drive: int) -> Mount:
        """The camera of a drive."""
        return random_mount(
            np.random.default_rng([self.seed, drive, MOUNT_STREAM]),
            size=(self.height_px, self.width_px),
            camera=KITTI_MOUNT.camera if self.is_kitti else self.camera,
            height_m=self.camera_height_m,
            pitch_deg=self.camera_pitch_deg,
        )

    def street(self, drive: int) -> Street:
        """The street of a drive."""
        return random_street(
            np.random.default_rng([self.seed, drive, STREET_STREAM]),
            num_frames=self.num_frames,
            mount=self.mount(drive),
            kind="training",
            is_snapshots=not self.is_video,
        )


def write_training_world(
    root: Path, settings: TrainingSettings, *, pool: Pool = ONE_PROCESS
) -> int:
    """Writes a training world, or what an interrupted run left out of it.

    The same settings give the same bytes, whatever the number of processes or machines.

    Args:
      root: New, empty, or begun with the same settings.
      settings: What to write.
      pool: Where frames are rendered.

    Returns:
      The number of frames.

    Raises:
      DataError: If `root` is a file or holds something else, or frames failed.
    """
    total = settings.num_drives * settings.num_frames
    check_root(root, settings.to_dict(), names=(MARKER, _UNFINISHED))
    if (root / MARKER).is_file():
        return total
    write_json(root / _UNFINISHED, settings.to_dict())
    _write_rig(root, settings.usual_camera)
    frames = frames_of(settings.drive_names, num_frames=settings.num_frames)
    done = render_all(
        functools.partial(_write_frame, root, settings),
        frames,
        pool=pool,
        root=root,
        num_frames=settings.num_frames,
    )
    size = (settings.height_px, settings.width_px)
    records = [
        FrameRecord(frame=frame, status="finished", size_px=size, labelled_fraction=done[frame])
        for frame in frames
    ]
    write_png(root / "contact_sheet.png", _contact_sheet(root, settings))
    write_manifest(root, _manifest(settings))
    write_records(records_path(root, shard_index=0, num_shards=1), records)
    write_json(root / MARKER, settings.to_dict())
    (root / _UNFINISHED).unlink()
    return total


@functools.lru_cache(maxsize=1)
def _scene_of(settings: TrainingSettings, drive: int) -> Scene:
    street = settings.street(drive)
    return Scene(street, focal_px=street.mount.camera.focal_px)


def _write_frame(root: Path, settings: TrainingSettings, frame: FrameId) -> float:
    """Writes a frame unless all its files are there; the share of its pixels that have depth."""
    paths = _paths(root, frame)
    if not all(path.is_file() for path in paths):
        drive = int(frame.drive.rpartition("_")[2])
        scene = _scene_of(settings, drive)
        description = root / frame.drive / "street.json"
        if not description.is_file():
            _write_rig(root / frame.drive, scene.street.mount.camera)
            write_json(description, _description(scene.street))
        rng = np.random.default_rng([settings.seed, drive, SENSOR_STREAM, frame.index])
        picture, depth_m, train_id = render_single(scene, frame=frame.index, rng=rng)
        write_png(paths[0], picture)
        write_depth_png(paths[1], depth_m)
        write_train_id_png(paths[2], train_id)
    return float((read_depth_png(paths[1]) > 0).mean())


def _paths(root: Path, frame: FrameId) -> tuple[Path, Path, Path]:
    """Picture, depth and classes."""
    picture = root / frame.drive / "left" / f"{frame.name}.png"
    return picture, depth_path(root, frame), train_id_path(root, frame)


def _write_rig(folder: Path, camera: Intrinsics) -> None:
    write_json(folder / RIG_FILE, camera.to_dict())


def _description(street: Street) -> dict[str, Any]:
    return {
        "district": street.district.name,
        "camera": street.mount.to_dict(),
        "variety": street.variety.to_dict(),
        "seconds": np.round(street.drive.seconds, 4).tolist(),
        "T_world_from_camera": np.round(street.drive.T_world_from_rectified, 9).tolist(),
    }


def _manifest(settings: TrainingSettings) -> Manifest:
    return Manifest(
        kitti_root=".",
        split="all",
        depth_teacher="demo world",
        depth_teacher_version=f"{VERSION}, seed {settings.seed}",
        seg_teacher="demo world",
        seg_teacher_version=f"{VERSION}, seed {settings.seed}",
        bias="none",
        depth_source="exact depth of rendered streets",
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _contact_sheet(root: Path, settings: TrainingSettings) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Picture, depth and classes of a frame of each of the first 24 drives."""
    rows = []
    for number, name in enumerate(settings.drive_names[:_SHEET_ROWS]):
        frame = FrameId(name, (number * 7 + settings.num_frames // 2) % settings.num_frames)
        picture, depth, train_id = _paths(root, frame)
        rows.append(
            sheet_row(read_rgb(picture), read_depth_png(depth), read_train_id_png(train_id))
        )
    return np.vstack(rows)
