"""Every damage is found by its check, and nothing else is reported."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes.kitti_tree import build_kitti_tree
from fakes.label_workers import DeadlyReader
from fakes.programs import run_process, run_program
from fakes.rig_tree import build_rig_tree

from data_prep.doctor import diagnosis, frame_pass
from data_prep.doctor.diagnosis import ALL_CHECKS, diagnose
from data_prep.doctor.findings import Report
from mtdepth.pictures import read_rgb, write_png

DATE = "2011_09_26"
DRIVE, OTHER = f"{DATE}_drive_9101_sync", f"{DATE}_drive_9102_sync"


def found_by(report: Report) -> set[str]:
    return {check.name for check in ALL_CHECKS if report.findings(check)}


def drive_of(root: Path) -> Path:
    return root / DATE / DRIVE


def picture(root: Path, number: int = 1, camera: str = "image_02") -> Path:
    return drive_of(root) / camera / "data" / f"{number:010d}.png"


def sweep(root: Path, number: int = 1) -> Path:
    return drive_of(root) / "velodyne_points" / "data" / f"{number:010d}.bin"


def packet(root: Path, number: int = 1) -> Path:
    return drive_of(root) / "oxts" / "data" / f"{number:010d}.txt"


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree whose disparities are large enough to be compared with LiDAR; read-only."""
    return build_kitti_tree(tmp_path_factory.mktemp("larger") / "raw", size=(128, 416))


@pytest.fixture
def healthy(tree: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(tree / DATE, tmp_path / "raw" / DATE)
    return tmp_path / "raw"


def test_a_healthy_tree_is_clean(larger: Path) -> None:
    report = diagnose(larger)
    assert found_by(report) == set()
    assert report.is_healthy
    looked = {each["name"]: each["looked_at"] for each in report.to_dict()["checks"]}
    # Two drives of four frames; every check but those of a split had something to look at.
    assert looked["unreadable_picture"] == 16
    assert looked["unreadable_sweep"] == looked["unreadable_oxts"] == 8
    assert looked["stereo_order"] == looked["lidar_agreement"] == 2
    assert [name for name, number in looked.items() if not number] == [
        "split_frame",
        "split_neighbour",
    ]


# --- damages of KITTI raw ----------------------------------------------------------------------


def change_picture(change: Callable[[Any], Any], *, both: bool = True, every: bool = False) -> Any:
    def damage(root: Path) -> None:
        for number in range(4) if every else (1,):
            for camera in ("image_02", "image_03") if both else ("image_03",):
                path = picture(root, number, camera)
                write_png(path, np.ascontiguousarray(change(read_rgb(path))))

    return damage


def broken_link(path_in: Callable[[Path], Path]) -> Any:
    def damage(root: Path) -> None:
        path_in(root).unlink()
        path_in(root).symlink_to(root / "nowhere")

    return damage


def shrunk(image: Any) -> Any:
    return cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2))


def change_sweep(change: Callable[[Any], Any]) -> Any:
    def damage(root: Path) -> None:
        points = np.fromfile(sweep(root), np.float32).reshape(-1, 4)
        np.ascontiguousarray(change(points)).astype(np.float32).tofile(sweep(root))

    return damage


def with_nan(points: Any) -> Any:
    points[::3, :3] = np.nan
    return points


def replace_file(path: Callable[[Path], Path], change: Callable[[bytes], bytes]) -> Any:
    def damage(root: Path) -> None:
        path(root).write_bytes(change(path(root).read_bytes()))

    return damage


def remove(*paths: Callable[[Path], Path]) -> Any:
    def damage(root: Path) -> None:
        for path in paths:
            path(root).unlink()

    return damage


def move(source: str, target: str) -> Any:
    def damage(root: Path) -> None:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root / source, root / target)

    return damage


def copy(source: str, target: str) -> Any:
    def damage(root: Path) -> None:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        copier = shutil.copytree if (root / source).is_dir() else shutil.copyfile
        copier(root / source, root / target)

    return damage


def exchange(first: str, second: str) -> Any:
    def damage(root: Path) -> None:
        shutil.move(root / first, root / "aside")
        shutil.move(root / second, root / first)
        shutil.move(root / "aside", root / second)

    return damage


def change_line(name: str, key: str, change: Callable[[list[float]], list[float]]) -> Any:
    """Changes the numbers behind a key of a calibration file."""

    def damage(root: Path) -> None:
        path = root / DATE / name
        lines = path.read_text().splitlines()
        for position, line in enumerate(lines):
            if line.startswith(f"{key}:"):
                numbers = change([float(word) for word in line.split()[1:]])
                lines[position] = f"{key}: " + " ".join(repr(number) for number in numbers)
        path.write_text("\n".join(lines) + "\n")

    return damage


def moved_camera(factor: float) -> Callable[[list[float]], list[float]]:
    """P_rect_03 of a baseline that is so many times as long (camera 2 stays at +0.0622 m)."""

    def change(row: list[float]) -> list[float]:
        shift_m = 44.85728 / 721.5377
        baseline_m = shift_m - row[3] / row[0]
        return [*row[:3], row[0] * (shift_m - factor * baseline_m), *row[4:]]

    return change


def change_times(sensor: str, change: Callable[[list[str]], list[str]]) -> Any:
    def damage(root: Path) -> None:
        sensors = ("image_02", "image_03", "velodyne_points", "oxts") if not sensor else (sensor,)
        for name in sensors:
            path = drive_of(root) / name / "timestamps.txt"
            path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")

    return damage


def later(line: str) -> str:
    """A time stamp 80 ms later: nearer to the next frame, 100 ms away."""
    return line[:-9] + f"{int(line[-9:]) + 80_000_000:09d}"


def flatten(*cameras: str) -> Any:
    def damage(root: Path) -> None:
        for camera in cameras:
            folder = drive_of(root) / camera
            for path in (folder / "data").iterdir():
                shutil.move(path, folder / path.name)

    return damage


def as_jpg(root: Path) -> None:
    path = picture(root)
    cv2.imwrite(str(path.with_suffix(".jpg")), cv2.imread(str(path)))
    path.unlink()


DAMAGES: dict[str, tuple[Any, set[str]]] = {
    # Folders.
    "a date inside a date": (
        move(f"{DATE}/{DRIVE}", f"{DATE}/{DATE}/{DRIVE}"),
        {"misplaced_folder"},
    ),
    "a drive inside a drive": (
        copy(f"{DATE}/{OTHER}", f"{DATE}/{DRIVE}/{DATE}/{OTHER}"),
        {"misplaced_folder"},
    ),
    "a drive beside the dates": (move(f"{DATE}/{DRIVE}", DRIVE), {"misplaced_folder"}),
    "no _sync": (move(f"{DATE}/{DRIVE}", f"{DATE}/{DRIVE[:-5]}"), {"drive_name"}),
    "an _extract": (
        copy(f"{DATE}/{DRIVE}", f"{DATE}/{DRIVE.replace('sync', 'extract')}"),
        {"drive_name"},
    ),
    "another date's drive": (move(f"{DATE}/{DRIVE}", f"2011_09_28/{DRIVE}"), {"drive_name"}),
    "no data folders": (flatten("image_02", "image_03"), {"no_pictures"}),
    "no data folder of one camera": (flatten("image_03"), {"no_pictures", "one_camera"}),
    "an empty drive": (
        lambda root: (root / DATE / f"{DATE}_drive_9103_sync").mkdir(),
        {"no_pictures"},
    ),
    # Which frames are there.
    "a jpg among png": (as_jpg, {"mixed_suffixes"}),
    "a name of another form": (
        lambda root: shutil.copyfile(picture(root), picture(root).with_name("1.png")),
        {"frame_name"},
    ),
    "a suffix in capitals": (
        lambda root: picture(root).rename(picture(root).with_suffix(".PNG")),
        set(),
    ),
    "a sweep's name of another form": (
        move(
            f"{DATE}/{DRIVE}/velodyne_points/data/0000000001.bin",
            f"{DATE}/{DRIVE}/velodyne_points/data/000001.bin",
        ),
        {"frame_name", "missing_sweep"},
    ),
    "a broken link": (broken_link(lambda root: picture(root, 1, "image_03")), {"no_file"}),
    "a broken link to a sweep": (broken_link(sweep), {"no_file", "missing_sweep"}),
    "no right picture": (remove(lambda root: picture(root, 1, "image_03")), {"missing_partner"}),
    "no right pictures": (
        lambda root: shutil.rmtree(drive_of(root) / "image_03"),
        {"one_camera"},
    ),
    "a missing frame": (
        remove(picture, lambda root: picture(root, 1, "image_03"), sweep, packet),
        {"gap"},
    ),
    "a missing last frame": (
        remove(lambda root: picture(root, 3), lambda root: picture(root, 3, "image_03")),
        {"times_count"},
    ),
    "a missing sweep": (remove(sweep), {"missing_sweep"}),
    "a missing packet": (remove(packet), {"missing_oxts"}),
    # Pictures.
    "a cut picture": (
        replace_file(picture, lambda content: content[: len(content) // 2]),
        {"unreadable_picture"},
    ),
    "an empty picture": (replace_file(picture, lambda _: b""), {"unreadable_picture"}),
    "a page of text": (
        replace_file(picture, lambda _: b"404 not found"),
        {"unreadable_picture"},
    ),
    "a lens cap": (change_picture(lambda image: image // 128, both=False), {"blank_picture"}),
    "a right view of half the size": (change_picture(shrunk, both=False), {"pair_size"}),
    "one frame of half the size": (change_picture(shrunk), {"size_changes"}),
    "a drive of half the size": (change_picture(shrunk, every=True), {"resized_pictures"}),
    "cropped pictures": (
        change_picture(lambda image: image[:, 20:], every=True),
        {"picture_size"},
    ),
    "left copied to right": (
        copy(
            f"{DATE}/{DRIVE}/image_02/data/0000000001.png",
            f"{DATE}/{DRIVE}/image_03/data/0000000001.png",
        ),
        {"identical_views"},
    ),
    # Stereo.
    "left and right exchanged": (
        exchange(f"{DATE}/{DRIVE}/image_02", f"{DATE}/{DRIVE}/image_03"),
        {"stereo_order"},
    ),
    "views that are not rectified": (
        change_picture(lambda image: np.roll(image, 4, axis=0), both=False, every=True),
        {"stereo_rows"},
    ),
    # Sweeps.
    "a cut sweep": (replace_file(sweep, lambda content: content[:-3]), {"unreadable_sweep"}),
    "an empty sweep": (replace_file(sweep, lambda _: b""), {"unreadable_sweep"}),
    "points without an echo": (change_sweep(with_nan), set()),
    "a sweep in millimetres": (change_sweep(lambda points: 1000 * points), {"unreadable_sweep"}),
    "a sweep of float64": (
        replace_file(
            sweep, lambda content: np.frombuffer(content, np.float32).astype(float).tobytes()
        ),
        {"unreadable_sweep"},
    ),
    "a sweep with y up": (
        change_sweep(lambda points: points[:, [1, 2, 0, 3]]),
        {"unreadable_sweep"},
    ),
    "a sector of a sweep": (
        change_sweep(lambda points: points[points[:, 1] > 0]),
        {"sweep_coverage"},
    ),
    # Calibrations.
    "no camera calibration": (
        remove(lambda root: root / DATE / "calib_cam_to_cam.txt"),
        {"calibration_missing"},
    ),
    "no scanner calibration": (
        remove(lambda root: root / DATE / "calib_velo_to_cam.txt"),
        {"calibration_missing"},
    ),
    "no IMU calibration": (
        remove(lambda root: root / DATE / "calib_imu_to_velo.txt"),
        {"calibration_missing"},
    ),
    "projections exchanged": (
        change_line("calib_cam_to_cam.txt", "P_rect_03", moved_camera(-1)),
        {"calibration_values"},
    ),
    "a baseline in millimetres": (
        change_line("calib_cam_to_cam.txt", "P_rect_03", moved_camera(1000)),
        {"calibration_values"},
    ),
    "a line cut short": (
        change_line("calib_cam_to_cam.txt", "P_rect_02", lambda row: row[:7]),
        {"calibration_values"},
    ),
    "a rotation that scales": (
        change_line("calib_cam_to_cam.txt", "R_rect_00", lambda row: [1.1 * each for each in row]),
        {"calibration_values"},
    ),
    "a rotation that mirrors": (
        change_line(
            "calib_velo_to_cam.txt", "R", lambda row: [*row[:6], *(-each for each in row[6:])]
        ),
        {"calibration_values"},
    ),
    "a scanner a kilometre away": (
        change_line("calib_velo_to_cam.txt", "T", lambda row: [1000.0, *row[1:]]),
        {"calibration_values"},
    ),
    "a principal point outside": (
        lambda root: [
            change_line(
                "calib_cam_to_cam.txt", f"P_rect_0{i}", lambda row: [*row[:2], 300.0, *row[3:]]
            )(root)
            for i in (2, 3)
        ],
        {"calibration_values"},
    ),
    # Times and motion.
    "no time stamps": (
        remove(lambda root: drive_of(root) / "image_03" / "timestamps.txt"),
        {"times_missing"},
    ),
    "a lost time stamp": (change_times("image_03", lambda lines: lines[:-1]), {"times_count"}),
    "a line that is no time": (
        change_times("oxts", lambda lines: [*lines[:2], "nan", lines[3]]),
        {"times_unreadable"},
    ),
    "a blank time of a frame that is there": (
        change_times("velodyne_points", lambda lines: [*lines[:2], "", lines[3]]),
        {"times_unreadable"},
    ),
    "a blank time of a sweep that was lost": (
        lambda root: [
            change_times("velodyne_points", lambda lines: [*lines[:2], "", lines[3]])(root),
            sweep(root, 2).unlink(),
        ],
        {"missing_sweep"},
    ),
    "time that goes back": (
        change_times("", lambda lines: [lines[0], lines[2], lines[1], lines[3]]),
        {"times_order"},
    ),
    "a jump in time": (
        change_times("", lambda lines: [*lines[:3], lines[3].replace(":00.3", ":04.3")]),
        {"time_jump"},
    ),
    "a camera that lags": (
        change_times("image_03", lambda lines: [later(line) for line in lines]),
        {"sensor_drift"},
    ),
    "a cut packet": (replace_file(packet, lambda content: content[:40]), {"unreadable_oxts"}),
    "an exchanged field": (
        replace_file(packet, lambda content: b"5e2 " + content.split(b" ", 1)[1]),
        {"oxts_values"},
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_found_by_its_check_alone(healthy: Path, name: str) -> None:
    damage, expected = DAMAGES[name]
    damage(healthy)
    report = diagnose(healthy)
    assert found_by(report) == expected, report.offenders()
    is_error = any(check.severity == "error" for check in ALL_CHECKS if check.name in expected)
    assert report.is_healthy != is_error


def test_a_baseline_a_fifth_too_long_is_found_by_lidar(larger: Path, tmp_path: Path) -> None:
    shutil.copytree(larger / DATE, tmp_path / DATE)
    change_line("calib_cam_to_cam.txt", "P_rect_03", moved_camera(1.2))(tmp_path)
    report = diagnose(tmp_path)
    assert found_by(report) == {"lidar_agreement"}
    # Too long a baseline makes stereo see everything too far away.
    assert re.search(r"_9101_sync: stereo sees 1\.[12]", report.offenders())


def test_every_check_has_found_a_damage_here() -> None:
    tried = set().union(*(expected for _, expected in DAMAGES.values()))
    elsewhere = {"wrong_root", "lidar_agreement", "split_frame", "split_neighbour"}
    assert tried | elsewhere == {check.name for check in ALL_CHECKS}


@pytest.mark.parametrize("level", [f"raw/{DATE}", f"raw/{DATE}/{DRIVE}", "."])
def test_a_root_on_another_level_is_told(healthy: Path, level: str) -> None:
    report = diagnose(healthy.parent / level)
    assert found_by(report) == {"wrong_root"}
    # Whatever was given, the message names the right folder.
    assert str(healthy) in report.offenders()


def test_a_tree_without_drives_is_not_healthy(tmp_path: Path) -> None:
    (tmp_path / DATE).mkdir()
    report = diagnose(tmp_path)
    assert found_by(report) == {"no_pictures"}
    assert "no drive in its date folders" in report.offenders()


def test_a_split_is_looked_for_frame_by_frame(healthy: Path) -> None:
    lines = [f"{DATE}/{DRIVE} {i} l" for i in (1, 2, 4)] + [f"{DATE}/{DATE}_drive_0001_sync 5 l"]
    (healthy / "list.txt").write_text("\n".join(lines))
    report = diagnose(healthy, split="list.txt")
    assert found_by(report) == {"split_frame"}
    assert "9101_sync 0000000004 l: no picture" in report.offenders()
    assert "0001_sync 0000000005 l: no such drive or camera" in report.offenders()
    (healthy / "list.txt").write_text("\n".join([lines[0], f"{DATE}/{DRIVE} 0 l"]))
    report = diagnose(healthy, split="list.txt")
    assert found_by(report) == {"split_neighbour"}
    assert "0000000000 l: no frame before it" in report.offenders()


def test_ten_offenders_are_shown_and_all_are_counted(healthy: Path) -> None:
    for drive in (DRIVE, OTHER):
        for camera in ("image_02", "image_03"):
            for path in (healthy / DATE / drive / camera / "data").iterdir():
                path.write_bytes(b"")
    report = diagnose(healthy)
    assert "unreadable_picture: a picture cannot be read, or is damaged (16)" in report.offenders()
    assert "and 6 more; --json lists all" in report.offenders()
    content = {each["name"]: each for each in report.to_dict()["checks"]}
    assert len(content["unreadable_picture"]["found"]) == 16


def test_a_quick_look_reads_a_sample(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "NUM_QUICK", 3)
    monkeypatch.setattr(diagnosis, "NUM_MATCHED", 1)
    report = diagnose(tree, quick=True)
    looked = {each["name"]: each["looked_at"] for each in report.to_dict()["checks"]}
    assert looked["missing_partner"] == 8  # names: all
    # Three frames of eight and one of each drive, some of them the same.
    assert 3 <= looked["unreadable_sweep"] <= 5
    assert looked["stereo_order"] == 2


# --- other rigs --------------------------------------------------------------------------------


@pytest.fixture
def rig(tree: Path, tmp_path: Path) -> Path:
    return build_rig_tree(tmp_path / "rig", tree)


def change_rig(**changes: Any) -> Any:
    def damage(root: Path) -> None:
        content = json.loads((root / "rig.json").read_text()) | changes
        kept = {name: value for name, value in content.items() if value is not None}
        (root / "rig.json").write_text(json.dumps(kept))

    return damage


RIG_DAMAGES: dict[str, tuple[Any, set[str]]] = {
    "nothing": (lambda _: None, set()),
    "no baseline": (change_rig(baseline_m=None), {"calibration_values"}),
    "a baseline in centimetres": (change_rig(baseline_m=53.27), {"calibration_values"}),
    "a focal length of another size": (change_rig(fx_px=721.5), {"calibration_values"}),
    "a scanner of unknown place": (change_rig(T_lidar_to_camera=None), {"calibration_values"}),
    "no rig file": (lambda root: (root / "rig.json").unlink(), {"calibration_missing"}),
    "a drive that no list could name": (move("street_9101", "my street"), {"drive_name"}),
    "no pictures": (
        lambda root: [shutil.rmtree(root / f"street_910{i}" / "left") for i in (1, 2)],
        {"no_pictures"},
    ),
    "an empty drive": (
        lambda root: (root / "street_9103" / "left").mkdir(parents=True),
        {"no_pictures"},
    ),
    "a picture without a number": (
        copy("street_9101/left/000001.png", "street_9101/left/frame1.png"),
        {"frame_name"},
    ),
    "one number twice": (
        copy("street_9101/left/000001.png", "street_9101/left/01.png"),
        {"frame_name"},
    ),
    "a sweep without a number": (
        copy("street_9101/lidar/000001.bin", "street_9101/lidar/sweep1.bin"),
        {"frame_name"},
    ),
    "sweeps of other numbers": (
        lambda root: [
            path.rename(path.with_name(f"9{path.name}"))
            for path in sorted((root / "street_9101/lidar").iterdir())
        ],
        {"missing_sweep"},
    ),
    "left and right exchanged": (
        exchange("street_9101/left", "street_9101/right"),
        {"stereo_order"},
    ),
    "a missing right picture": (
        lambda root: (root / "street_9101/right/000001.png").unlink(),
        {"missing_partner"},
    ),
}


@pytest.mark.parametrize("name", RIG_DAMAGES)
def test_another_rigs_damage_is_found_by_its_check_alone(rig: Path, name: str) -> None:
    damage, expected = RIG_DAMAGES[name]
    damage(rig)
    report = diagnose(rig)
    assert found_by(report) == expected, report.offenders()


def test_a_rigs_baseline_a_fifth_too_short_is_found_by_lidar(larger: Path, tmp_path: Path) -> None:
    root = build_rig_tree(tmp_path / "rig", larger)
    assert found_by(diagnose(root)) == set()
    change_rig(baseline_m=0.8 * 0.53272)(root)
    assert found_by(diagnose(root)) == {"lidar_agreement"}


def test_a_rig_of_one_camera_is_healthy_and_a_drives_own_calibration_is_looked_at(
    tree: Path, tmp_path: Path
) -> None:
    root = build_rig_tree(tmp_path / "rig", tree)
    content = json.loads((root / "rig.json").read_text())
    del content["baseline_m"]
    (root / "rig.json").write_text(json.dumps(content))
    drives = sorted(path.parent for path in root.glob("*/right"))
    for drive in drives:
        shutil.rmtree(drive / "right")
    report = diagnose(root)
    assert report.is_healthy
    assert found_by(report) == {"one_camera"}
    (drives[-1] / "rig.json").write_text(json.dumps(content | {"fx_px": 3.0, "fy_px": 3.0}))
    assert found_by(diagnose(root)) == {"calibration_values", "one_camera"}


def test_a_rig_without_lidar_is_healthy(tree: Path, tmp_path: Path) -> None:
    report = diagnose(build_rig_tree(tmp_path / "rig", tree, with_lidar=False))
    assert found_by(report) == set()


# --- real frames -------------------------------------------------------------------------------

REAL = f"{DATE}_drive_0011_sync"


@pytest.fixture
def real(kitti_mini: Path, tmp_path: Path) -> Path:
    """Five real frames with sweeps and their calibration, to damage."""
    source = kitti_mini / "raw" / DATE
    shutil.copytree(source / REAL, tmp_path / DATE / REAL)
    for path in source.glob("calib_*.txt"):
        shutil.copyfile(path, tmp_path / DATE / path.name)
    return tmp_path


def rows_apart(root: Path) -> None:
    for path in (root / DATE / REAL / "image_03" / "data").iterdir():
        image = cv2.imread(str(path))
        cv2.imwrite(str(path), np.roll(image, 3, axis=0))


def real_file(sensor: str, name: str) -> Callable[[Path], Path]:
    return lambda root: root / DATE / REAL / sensor / "data" / name


def other_frames_sweeps(root: Path) -> None:
    """Gives every frame the sweep of the next one, seconds away."""
    folder = root / DATE / REAL / "velodyne_points" / "data"
    paths = sorted(folder.iterdir())
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)


# These frames are scattered, two of them png, and without time stamps: so many notes are right.
REAL_NOTES = {"mixed_suffixes", "gap", "times_missing"}
REAL_DAMAGES: dict[str, tuple[Any, set[str]]] = {
    "nothing": (lambda _: None, set()),
    "left and right exchanged": (
        exchange(f"{DATE}/{REAL}/image_02", f"{DATE}/{REAL}/image_03"),
        {"stereo_order"},
    ),
    "views that are not rectified": (rows_apart, {"stereo_rows"}),
    "a cut jpg": (
        replace_file(real_file("image_02", "0000000111.jpg"), lambda content: content[:-9000]),
        {"unreadable_picture"},
    ),
    "a cut png": (
        replace_file(real_file("image_03", "0000000147.png"), lambda content: content[:-9000]),
        {"unreadable_picture"},
    ),
    "a lost partner": (remove(real_file("image_03", "0000000127.jpg")), {"missing_partner"}),
    "a cut sweep": (
        replace_file(real_file("velodyne_points", "0000000111.bin"), lambda content: content[:-5]),
        {"unreadable_sweep"},
    ),
    "a sweep without reflectance": (
        replace_file(
            real_file("velodyne_points", "0000000147.bin"),
            # A multiple of four points, so that the length gives nothing away.
            lambda content: np.frombuffer(content, "<f4").reshape(-1, 4)[:100_000, :3].tobytes(),
        ),
        {"unreadable_sweep"},
    ),
    "sweeps of other frames": (other_frames_sweeps, {"lidar_agreement"}),
    "a baseline of another rig": (
        change_line("calib_cam_to_cam.txt", "P_rect_03", moved_camera(0.8)),
        {"lidar_agreement"},
    ),
}


@pytest.mark.dataset
@pytest.mark.parametrize("name", REAL_DAMAGES)
def test_a_damage_of_real_frames_is_found_by_its_check_alone(real: Path, name: str) -> None:
    damage, expected = REAL_DAMAGES[name]
    damage(real)
    report = diagnose(real)
    assert found_by(report) - REAL_NOTES == expected, report.offenders()


@pytest.mark.dataset
@pytest.mark.slow
def test_the_real_frames_have_no_error(kitti_mini: Path) -> None:
    report = diagnose(kitti_mini / "raw", num_processes=2)
    assert report.is_healthy, report.offenders()
    # One drive is monocular, sweeps and packets are kept for some frames only.
    assert found_by(report) == REAL_NOTES | {"one_camera", "missing_sweep", "missing_oxts"}


def test_frames_that_kill_their_process_are_named_and_the_others_read(
    healthy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_pass, "FrameReader", DeadlyReader)
    report = diagnose(healthy, num_processes=2)
    (check,) = (check for check in ALL_CHECKS if check.name == "unreadable_picture")
    found = report.findings(check)
    places = {f"{DATE}/{DRIVE} 0000000001 l", f"{DATE}/{OTHER} 0000000001 l"}
    assert {finding.where for finding in found} == places
    assert all("2 workers died over it" in finding.why for finding in found)
    assert not report.is_healthy


# --- the program -------------------------------------------------------------------------------


def test_the_program_ends_with_a_table_json_and_a_status(healthy: Path, tmp_path: Path) -> None:
    done = run_process(
        "data_prep.doctor", "--kitti_root", healthy, "--json", "-", "--num_processes", 1
    )
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["is_healthy"]
    assert [each["name"] for each in content["checks"]] == [check.name for check in ALL_CHECKS]
    sweep(healthy).write_bytes(b"")
    output = tmp_path / "found.json"
    done = run_program("data_prep.doctor", "--kitti_root", healthy, "--json", output, "--quick")
    assert done.returncode == 1
    assert f"{DATE}/{DRIVE}/velodyne_points/data/0000000001.bin: a sweep is a whole" in done.stderr
    assert "remedy: copy or unzip it again" in done.stderr
    assert not json.loads(output.read_text())["is_healthy"]


def test_the_program_names_a_wrong_argument(tmp_path: Path) -> None:
    done = run_program("data_prep.doctor", "--kitti_root", tmp_path / "absent")
    assert done.returncode == 1
    assert "no such folder; --kitti_root names the recordings" in done.stderr
    assert "Traceback" not in done.stderr
