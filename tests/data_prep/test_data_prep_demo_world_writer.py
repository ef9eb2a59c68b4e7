import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from fakes.kitti_tree import build_kitti_tree

from data_prep.demo_world import writer
from data_prep.demo_world.settings import MARKER, WorldSettings
from mtdepth.defaults import is_demo
from mtdepth.files import DataError, read_json, read_rgb
from mtdepth.kitti.frames import FrameId, KittiRaw

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
    assert writer.write_world(root, SETTINGS) == 4
    return root


def test_the_fake_tree_is_a_finished_demo_world(tmp_path: Path) -> None:
    root = build_kitti_tree(tmp_path / "tree", num_frames=1, size=SIZE)
    assert is_demo(root)
    assert len(KittiRaw(root).drives()) == 2


def test_the_number_of_processes_changes_no_byte(world: Path, tmp_path: Path) -> None:
    writer.write_world(tmp_path / "again", SETTINGS, num_processes=2)
    assert digests(tmp_path / "again") == digests(world)


def test_the_same_settings_give_the_same_bytes(world: Path, tmp_path: Path) -> None:
    writer.street_of.cache_clear()
    writer.write_world(tmp_path / "again", SETTINGS)
    assert digests(tmp_path / "again") == digests(world)


def test_other_seeds_and_other_drives_give_other_streets(world: Path, tmp_path: Path) -> None:
    root = build_kitti_tree(tmp_path / "other", num_frames=1, size=SIZE, seed=6)
    first, second = (FrameId(f"2011_09_26_drive_910{i}_sync", 0) for i in (1, 2))
    pictures = [
        KittiRaw(world).read_image(first),
        KittiRaw(world).read_image(second),
        KittiRaw(root).read_image(first),
        KittiRaw(root).read_image(second),
    ]
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert np.abs(one.astype(float) - other).mean() > 10


def test_a_finished_world_is_left_as_it_is(world: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in world.rglob("*")}
    assert writer.write_world(world, SETTINGS) == 0
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
    kept_at = kept.stat().st_mtime_ns
    assert writer.write_world(root, SETTINGS) == 1
    assert digests(root) == digests(world)
    assert kept.stat().st_mtime_ns == kept_at


def test_the_marker_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "contact_sheet", stop)
    with pytest.raises(KeyboardInterrupt):
        writer.write_world(tmp_path / "cut", SETTINGS)
    assert not is_demo(tmp_path / "cut")


def test_other_settings_in_the_same_folder_are_refused_by_name(world: Path) -> None:
    other = WorldSettings(num_drives=2, num_frames=2, seed=7, height_px=32, width_px=96)
    with pytest.raises(DataError, match=r"demo_world.json.*seed 5 \(wanted 7\).*another folder"):
        writer.write_world(world, other)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="holds no demo world"):
        writer.write_world(tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


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
        ({"num_frames": 0}, "at least 1 frame"),
        ({"seed": -1}, "seed"),
        ({"width_px": 8}, "at least 16x16"),
        ({"lidar_azimuth_step_deg": 0.0}, "lidar_azimuth_step_deg"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, float], message: str) -> None:
    values = {"num_drives": 2, "num_frames": 1, "seed": 0, "height_px": 32, "width_px": 96}
    with pytest.raises(ValueError, match=message):
        WorldSettings(**(values | change))  # type: ignore[arg-type]
