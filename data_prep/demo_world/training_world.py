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

from data_prep.demo_world import kitti_world
from data_prep.demo_world.cameras import KITTI_CAMERA, KITTI_MOUNT, Mount, random_mount
from data_prep.demo_world.kitti_world import ONE_PROCESS, frames_of
from data_prep.demo_world.render import render_single
from data_prep.demo_world.scene import Scene, Street, random_street
from data_prep.demo_world.settings import VERSION, Settings
from data_prep.jobs.run import Pool
from mtdepth.datasets import label_store
from mtdepth.datasets.calibration import MAX_ASPECT_CHANGE
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import depth_path, read_depth_png, train_id_path
from mtdepth.datasets.rig_folder import RIG_FILE
from mtdepth.files import UserError, write_json
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import write_png

MARKER = "training_world.json"
_SHEET_ROWS = 24


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSettings(Settings):
    """Everything that changes a byte of a training world, whose frames are some metres apart.

    Attributes:
      camera: The camera of all drives, of the pictures' shape; None draws one for each.
      is_kitti: Whether all drives have KITTI's camera, 1.65 m above the road.
      camera_heights_m: Lowest and highest, 0.1 to 4; None: KITTI's 1.65, or 0.2 to 2.
      camera_pitch_deg: Of all drives, positive looks up; None draws it.
      is_video: Whether frames are 0.1 s apart.
    """

    camera: Intrinsics | None = None
    is_kitti: bool = False
    camera_heights_m: tuple[float, float] | None = None
    camera_pitch_deg: float | None = None
    is_video: bool = False

    def __post_init__(self) -> None:
        """Rejects a world that cannot be made."""
        super().__post_init__()
        if self.camera is not None:
            given = self.camera.width_px * self.height_px, self.camera.height_px * self.width_px
            if abs(given[0] / given[1] - 1) > MAX_ASPECT_CHANGE:
                raise UserError(
                    f"the rig's pictures are {self.camera.width_px}x{self.camera.height_px} "
                    f"(width x height) and the world's {self.width_px}x{self.height_px}: give a "
                    "--width and --height of the same shape"
                )
        low_m, high_m = self.camera_heights_m or (1.0, 1.0)
        if not 0.1 <= low_m <= high_m <= 4.0:
            raise UserError(f"camera_height_m is from 0.1 to 4, low before high: {low_m}, {high_m}")
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
        heights_m = list(self.camera_heights_m) if self.camera_heights_m else None
        return {
            "version": VERSION, **dataclasses.asdict(self), "camera_heights_m": heights_m
        }  # fmt: skip

    def mount(self, drive: int) -> Mount:
        """The camera of a drive."""
        return random_mount(
            np.random.default_rng([self.seed, drive, kitti_world.MOUNT_STREAM]),
            size=(self.height_px, self.width_px),
            camera=KITTI_MOUNT.camera if self.is_kitti else self.camera,
            heights_m=self.camera_heights_m,
            pitch_deg=self.camera_pitch_deg,
        )

    def street(self, drive: int) -> Street:
        """The street of a drive."""
        return random_street(
            np.random.default_rng([self.seed, drive, kitti_world.STREET_STREAM]),
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
      How many frames were rendered; the others were there already.

    Raises:
      DataError: If `root` is a file or holds something else, or frames failed.
    """
    frames = frames_of(settings.drive_names, num_frames=settings.num_frames)

    def finish(done: dict[FrameId, tuple[bool, float]]) -> None:
        size_px = (settings.height_px, settings.width_px)
        records = [
            label_store.FrameRecord(
                frame=frame, status="finished", size_px=size_px, labelled_fraction=done[frame][1]
            )
            for frame in frames
        ]
        drives = settings.drive_names[:_SHEET_ROWS]
        shown = kitti_world.shown_frames(drives, num_frames=settings.num_frames)
        kitti_world.write_contact_sheet(root, [_paths(root, frame) for frame in shown])
        label_store.write_manifest(root, _manifest(settings))
        path = label_store.records_path(root, shard_index=0, num_shards=1)
        label_store.write_records(path, records)

    done = kitti_world.write_tree(
        root,
        settings.to_dict(),
        frames,
        marker=MARKER,
        begin=lambda: _write_rig(root, settings.usual_camera),
        write_frame=functools.partial(_write_frame, root, settings),
        finish=finish,
        pool=pool,
    )
    return sum(was_rendered for was_rendered, _ in done.values())


@functools.lru_cache(maxsize=1)
def _scene_of(settings: TrainingSettings, drive: int) -> Scene:
    street = settings.street(drive)
    return Scene(street, focal_px=street.mount.camera.focal_px)


def _write_frame(root: Path, settings: TrainingSettings, frame: FrameId) -> tuple[bool, float]:
    """Writes a frame unless its files are there; whether it did, and the share that has depth."""
    paths = _paths(root, frame)
    if all(path.is_file() for path in paths):
        return False, float((read_depth_png(paths[1]) > 0).mean())
    drive = int(frame.drive.rpartition("_")[2])
    scene = _scene_of(settings, drive)
    description = root / frame.drive / "street.json"
    if not description.is_file():
        _write_rig(root / frame.drive, scene.street.mount.camera)
        write_json(description, _description(scene.street))
    rng = np.random.default_rng([settings.seed, drive, kitti_world.SENSOR_STREAM, frame.index])
    picture, depth_m, train_id = render_single(scene, frame=frame.index, rng=rng)
    write_png(paths[0], picture)
    label_store.write_depth_png(paths[1], depth_m)
    label_store.write_train_id_png(paths[2], train_id)
    return True, float((depth_m > 0).mean())


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


def _manifest(settings: TrainingSettings) -> label_store.Manifest:
    return label_store.Manifest(
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
