import dataclasses
import hashlib
import multiprocessing
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from data_prep.demo_world import kitti_world
from data_prep.demo_world import settings as layout
from data_prep.demo_world.cameras import demo_rig
from data_prep.demo_world.district import DISTRICTS
from data_prep.demo_world.render import BEAMS_DEG, Frame, lidar_directions, lidar_rays, render
from data_prep.demo_world.scene import Scene, random_street
from data_prep.demo_world.settings import MARKER, VERSION, WorldSettings
from data_prep.demo_world.shading import glass
from data_prep.demo_world.solids import Pattern
from data_prep.demo_world.view import view_of
from data_prep.jobs.pools import LocalPool
from mtdepth.datasets.camera_poses import true_poses
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.defaults import is_demo
from mtdepth.files import DataError, read_json, write_json
from mtdepth.pictures import read_gray_png, read_rgb

SIZE = (32, 96)
SETTINGS = WorldSettings(
    num_drives=2, num_frames=2, seed=5, height_px=32, width_px=96, lidar_azimuth_step_deg=2.0
)


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world") / "kitti"
    assert kitti_world.write_world(root, SETTINGS) == 4
    return root


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of another seed; hidden leftovers in its folder do not matter."""
    root = tmp_path_factory.mktemp("other")
    for leftover in (".ipynb_checkpoints", ".DS_Store"):
        (root / leftover).write_text("")
    kitti_world.write_world(root, dataclasses.replace(SETTINGS, num_frames=1, seed=6))
    return root


def test_a_finished_world_is_a_demo_world(other: Path) -> None:
    assert is_demo(other)
    assert len(KittiRaw(other).drives()) == 2


def test_neither_processes_nor_a_killed_one_change_a_byte(world: Path, tmp_path: Path) -> None:
    root = tmp_path / "again"
    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    kitti_world.write_world(root, SETTINGS, pool=LocalPool(2))
    killer.join()
    assert digests(root) == digests(world)


def kill_a_worker() -> None:
    """Waits for a worker process and kills it, as the system does for want of memory."""
    while not (workers := multiprocessing.active_children()):
        time.sleep(0.01)
    workers[0].kill()


def test_a_frame_that_fails_leaves_the_world_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no such device")

    monkeypatch.setattr(kitti_world, "render_frame", fail)
    with pytest.raises(DataError, match=r"4 of 4 frames failed, first .*no such device"):
        kitti_world.write_world(tmp_path / "w", SETTINGS)
    assert not is_demo(tmp_path / "w")


def test_other_seeds_and_other_drives_give_other_streets(world: Path, other: Path) -> None:
    first, second = (FrameId(f"2011_09_26_drive_910{i}_sync", 0) for i in (1, 2))
    pictures = [
        KittiRaw(root).read_image(frame) for root in (world, other) for frame in (first, second)
    ]
    for i, one in enumerate(pictures):
        for another in pictures[:i]:
            assert np.abs(one.astype(float) - another).mean() > 10


def test_panes_lose_the_shots_that_the_walls_around_them_return() -> None:
    (city,) = (district for district in DISTRICTS if district.name == "city")
    rig = demo_rig(height_px=16, width_px=16)
    directions = lidar_directions(azimuth_step_deg=0.25)
    of_panes, of_walls = [], []
    for seed in range(5):
        street = random_street(np.random.default_rng(seed), num_frames=1, district=city)
        scene = Scene(street, focal_px=241.0)
        T_world_from_velodyne = scene.street.drive.T_world_from_velodyne(rig, frame=0)
        rays = lidar_rays(directions, T_world_from_velodyne)
        view = view_of(scene.at(0), rays, pixel_rad=np.radians(0.25))
        frame = render(scene, rig, frame=0, azimuth_step_deg=0.25, rng=np.random.default_rng(0))
        # Noise lies along the ray, so a point's direction tells which shot it was.
        x, y, z = frame.points[:, :3].T
        column = np.rint((60.0 - np.degrees(np.arctan2(y, x))) / 0.25).astype(int)
        elevation = np.degrees(np.arctan2(z, np.hypot(x, y)))
        is_back = np.zeros(directions.shape[:2], np.bool_)
        is_back[np.abs(elevation[:, None] - BEAMS_DEG).argmin(axis=1), column] = True
        share, is_near = glass(view), view.hits.t < 25.0
        has_panes = np.isin(
            view.instant.solids.pattern[view.hits.owner], [Pattern.FACADE, Pattern.CAR_CABIN]
        )
        of_panes.append(is_back[is_near & (share > 0.99)])
        of_walls.append(is_back[is_near & has_panes & (share == 0)])
    panes, walls = np.concatenate(of_panes), np.concatenate(of_walls)
    assert min(len(panes), len(walls)) > 200
    assert 0.05 < panes.mean() < 0.25  # 15 %, four standard deviations of 0.36 / sqrt(200)
    assert walls.mean() > 0.85


def test_a_finished_world_is_left_as_it_is(world: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in world.rglob("*")}
    assert kitti_world.write_world(world, SETTINGS) == 0
    assert {path: path.stat().st_mtime_ns for path in world.rglob("*")} == before


def test_an_interrupted_world_is_completed_without_touching_whole_frames(
    world: Path, tmp_path: Path
) -> None:
    root = tmp_path / "cut"
    shutil.copytree(world, root)
    (root / MARKER).rename(root / "demo_world.unfinished.json")
    (root / "contact_sheet.png").unlink()
    drive = root / "2011_09_26" / "2011_09_26_drive_9102_sync"
    (drive / "image_03" / "data" / "0000000001.png").unlink()
    kept = drive / "image_02" / "data" / "0000000000.png"
    kept.with_name(".0000000001-0123abcd.png").write_bytes(b"of a killed run")
    kept_at = kept.stat().st_mtime_ns
    assert kitti_world.write_world(root, SETTINGS) == 1
    assert digests(root) == digests(world)
    assert kept.stat().st_mtime_ns == kept_at


def test_the_marker_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kitti_world, "write_contact_sheet", stop)
    with pytest.raises(KeyboardInterrupt):
        kitti_world.write_world(tmp_path / "cut", SETTINGS)
    assert not is_demo(tmp_path / "cut")


def test_other_settings_in_the_same_folder_are_refused_by_name(world: Path) -> None:
    other = WorldSettings(num_drives=2, num_frames=2, seed=7, height_px=32, width_px=96)
    with pytest.raises(DataError, match=r"demo_world.json.*seed 5 \(wanted 7\).*another folder"):
        kitti_world.write_world(world, other)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="holds no demo world"):
        kitti_world.write_world(tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "world").write_text("")
    with pytest.raises(DataError, match="is a file"):
        kitti_world.write_world(tmp_path / "world", SETTINGS)


def test_a_world_of_an_older_version_is_not_continued(world: Path, tmp_path: Path) -> None:
    root = tmp_path / "old"
    root.mkdir()
    write_json(root / MARKER, read_json(world / MARKER) | {"version": VERSION - 1})
    with pytest.raises(DataError, match=rf"version {VERSION - 1} \(wanted {VERSION}\)"):
        kitti_world.write_world(root, SETTINGS)


def test_a_marker_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text("[1, 2]")
    with pytest.raises(DataError, match="no settings of a demo world; name a new"):
        kitti_world.write_world(tmp_path, SETTINGS)


def test_what_is_too_near_for_16_bits_of_disparity_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At full width 721.54 * 0.5327 = 384.4: from 384.4 / 255.996 = 1.5015 m on it fits."""
    settings = WorldSettings(num_drives=2, num_frames=1, seed=5, height_px=16, width_px=1242)
    depth_m = np.zeros((16, 1242), np.float32)
    depth_m[0, :3] = (1.4, 1.51, 30.0)
    empty = np.zeros((16, 1242, 3), np.uint8)
    frame = Frame(left=empty, right=empty, points=np.zeros((1, 4), np.float32),
                  depth_m=depth_m, train_id=empty[..., 0])  # fmt: skip
    monkeypatch.setattr(kitti_world, "render_frame", lambda *_, **__: frame)
    kitti_world.write_world(tmp_path, settings)
    first = FrameId("2011_09_26_drive_9101_sync", 0)
    units = read_gray_png(layout.truth_path(tmp_path, "disparity", first), np.uint16)
    np.testing.assert_allclose(units[0, :4] / 256, [0.0, 254.56, 12.81, 0.0], atol=0.02)


def test_sweeps_are_as_dense_as_kittis_per_column_of_the_picture() -> None:
    full = WorldSettings(num_drives=2, num_frames=1, seed=0, height_px=375, width_px=1242)
    half = WorldSettings(num_drives=2, num_frames=1, seed=0, height_px=188, width_px=621)
    assert full.azimuth_step_deg == pytest.approx(0.09)
    assert half.azimuth_step_deg == pytest.approx(0.18)


def test_the_marker_names_what_was_made(world: Path) -> None:
    marker = read_json(world / MARKER)
    assert marker["seed"] == 5
    assert marker["frames"] == 2
    assert marker["train"] == ["2011_09_26_drive_9101_sync"]
    assert marker["val"] == ["2011_09_26_drive_9102_sync"]


def test_eight_drives_hold_out_two() -> None:
    settings = WorldSettings(num_drives=8, num_frames=1, seed=0, height_px=32, width_px=96)
    assert len(settings.val_drives) == 2
    assert len(settings.train_drives) == 6


def test_the_contact_sheet_shows_every_drive(world: Path) -> None:
    # Two rows of 416 * 32 / 96 = 139 pixels, three columns.
    assert read_rgb(world / "contact_sheet.png").shape == (278, 1248, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_drives": 1}, "at least 2 drives"),
        ({"num_drives": 900}, "at most 899 drives"),
        ({"num_frames": 0}, "at least 1 frame"),
        ({"seed": -1}, "seed"),
        ({"width_px": 8}, "from 16 to 4096"),
        ({"height_px": 20000}, "from 16 to 4096"),
        ({"lidar_azimuth_step_deg": 0.0}, "lidar_azimuth_step_deg"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, float], message: str) -> None:
    values = {"num_drives": 2, "num_frames": 1, "seed": 0, "height_px": 32, "width_px": 96}
    with pytest.raises(ValueError, match=message):
        WorldSettings(**(values | change))  # type: ignore[arg-type]


def test_the_camera_poses_found_from_gps_are_the_true_ones(world: Path) -> None:
    pictures = sorted(world.glob("*/*/image_02/data/*.png"))
    for drive in {path.parents[2] for path in pictures}:
        files = {int(path.stem): path for path in pictures if path.parents[2] == drive}
        found = true_poses(files)
        assert list(found) == list(files)
        stored = np.loadtxt(layout.poses_path(world, drive.name)).reshape(-1, 3, 4)
        relative = np.linalg.inv(found[0]) @ np.stack(list(found.values()))
        np.testing.assert_allclose(relative[:, :3], stored, atol=1e-5)
