"""A world for training only: any rig, exact labels, near things, the same bytes however made."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fakes.programs import run_program

from data_prep.demo_world import traffic as near
from data_prep.demo_world import training_world
from data_prep.demo_world.cameras import KITTI_SHARE, random_mount
from data_prep.demo_world.render import exposed
from data_prep.demo_world.scene import random_street
from data_prep.demo_world.solids import TRAIN_ID, UNSCORED, Pattern
from data_prep.demo_world.training_world import MARKER, TrainingSettings, write_training_world
from data_prep.demo_world.variety import Variety, light_of, random_variety
from data_prep.jobs.pools import LocalPool
from mtdepth.data.supervised import ExampleReader, training_camera
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.datasets.label_store import LabelStore, depth_path
from mtdepth.datasets.rig_folder import RigFolder
from mtdepth.files import DataError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.recipes.registry import find_recipe

SIZE = (32, 104)
SETTINGS = TrainingSettings(num_drives=4, num_frames=3, seed=2, height_px=32, width_px=104)
ROBOT = Intrinsics(fx_px=300.0, fy_px=310.0, cx_px=300.0, cy_px=250.0, width_px=640, height_px=480)
PLAIN = random_variety(np.random.default_rng(0), "demo")


def digests(root: Path) -> dict[str, str]:
    """Of all files but the manifest, which holds the time."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("training") / "world"
    assert write_training_world(root, SETTINGS) == 12
    return root


def test_it_is_a_label_store_and_each_street_has_its_own_camera(world: Path) -> None:
    store = LabelStore.open(world)
    assert len(store.frames) == 12
    assert store.has_train_ids
    reader = ExampleReader(store)
    cameras = {}
    for frame in store.frames:
        example = reader.read(frame)
        assert example.image.shape == (*SIZE, 3)
        described = json.loads((world / frame.drive / "street.json").read_text())["camera"]
        assert example.camera == Intrinsics.from_dict(described["camera"])
        cameras[frame.drive] = example.camera
    assert len(set(cameras.values())) > 1
    recipe = find_recipe("demo")
    assert training_camera(store, recipe).width_px == recipe.input_size_px[1]


def test_the_depth_of_the_ground_lies_on_the_ground(world: Path) -> None:
    """An oracle without ray casting: unprojected by the written camera and pose."""
    store = LabelStore.open(world)
    errors, slopes_m = [], []
    for drive in range(SETTINGS.num_drives):
        road = SETTINGS.street(drive).road
        for frame in [f for f in store.frames if f.drive == SETTINGS.drive_names[drive]]:
            described = json.loads((world / frame.drive / "street.json").read_text())
            pose = np.array(described["T_world_from_camera"][frame.index])
            camera = RigFolder(world).camera(frame, size=SIZE)
            _, depth_m, train_id = store.read_sample(frame)
            assert train_id is not None
            ground = [TRAIN_ID[name] for name in ("road", "sidewalk", "terrain")]
            chosen = np.isin(train_id, ground) & (depth_m > 0) & (depth_m < 30)
            points_m = camera.unproject(depth_m.astype(np.float64))[chosen]
            x_m, y_m, z_m = (points_m @ pose[:3, :3].T + pose[:3, 3]).T
            errors.append(z_m - road.height_m(x_m, y_m))
            slopes_m.append(depth_m[chosen])
    error_m = np.abs(np.concatenate(errors))
    assert len(error_m) > 3000
    # Depth's rounding of 2 mm; where triangles 2 m long bridge a kerb or a swell, more.
    assert np.median(error_m) < 0.005
    assert np.mean(error_m < 0.06) > 0.98


def test_what_stands_before_the_ground_is_nearer_than_it(world: Path) -> None:
    store = LabelStore.open(world)
    for frame in store.frames:
        _, depth_m, train_id = store.read_sample(frame)
        assert train_id is not None
        assert np.all(depth_m[train_id == TRAIN_ID["sky"]] == 0)
        assert depth_m[depth_m > 0].min() > 0.1


def test_processes_and_interruptions_change_no_byte(world: Path, tmp_path: Path) -> None:
    root = tmp_path / "cut"
    shutil.copytree(world, root)
    (root / MARKER).rename(root / "training_world.unfinished.json")
    for name in ("frames.jsonl", "contact_sheet.png"):
        (root / name).unlink()
    lost = sorted(root.glob("*/left/0000000001.png"))[:2]
    shutil.rmtree(root / "street_2_00003")
    for path in lost:
        path.unlink()
    kept = depth_path(root, LabelStore.open(world).frames[0])
    before = kept.stat().st_mtime_ns
    with pytest.raises(DataError, match="has not finished"):
        LabelStore.open(root)
    assert write_training_world(root, SETTINGS, pool=LocalPool(2)) == 5
    assert digests(root) == digests(world)
    assert kept.stat().st_mtime_ns == before
    assert write_training_world(root, SETTINGS) == 0  # finished: nothing to do


def test_other_settings_in_the_same_folder_are_refused(world: Path) -> None:
    with pytest.raises(DataError, match=r"training_world.json.*seed 2 \(wanted 3\)"):
        write_training_world(world, dataclasses.replace(SETTINGS, seed=3))


def test_the_manifest_comes_after_the_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_world, "render_single", stop)
    with pytest.raises(KeyboardInterrupt):
        write_training_world(tmp_path / "cut", SETTINGS)
    assert not (tmp_path / "cut" / "manifest.json").exists()


@pytest.mark.slow
def test_in_a_third_of_the_frames_something_stands_near() -> None:
    settings = dataclasses.replace(SETTINGS, num_drives=30, num_frames=10, seed=9)
    num_near = 0
    for drive in range(settings.num_drives):
        street = settings.street(drive)
        for frame in range(10):
            T_camera_from_world = np.linalg.inv(street.drive.T_world_from_rectified[frame])
            for solids in street.moving(frame):
                middle = solids.centre_m.mean(axis=0)
                x, _, z = T_camera_from_world[:3, :3] @ middle + T_camera_from_world[:3, 3]
                if 1.0 < z < 13.0 and abs(x) < 0.5 * z:
                    num_near += 1
                    break
    assert num_near / 300 > 1 / 3


def test_nothing_comes_closer_to_the_camera_than_a_hand() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        mount = random_mount(rng, size=SIZE, heights_m=(0.4, 0.4) if seed % 2 else (1.65, 1.65))
        street = random_street(rng, num_frames=5, mount=mount, kind="training", is_snapshots=True)
        for frame in range(5):
            eye_m = street.drive.T_world_from_rectified[frame, :3, 3]
            for solids in [street.standing, *street.moving(frame)]:
                inside = np.abs(eye_m - solids.centre_m) < solids.half_m.min(axis=1, keepdims=True)
                assert not inside.all(axis=1).any()


@pytest.mark.parametrize("thing", near.THINGS, ids=lambda thing: thing.name)
def test_near_things_stand_on_the_ground_and_are_of_known_classes(thing: near.Thing) -> None:
    for seed in range(5):
        solids = thing.make(np.random.default_rng(seed))
        lowest_m = min(solid.centre_m[2] - solid.half_m[2] for solid in solids)
        assert -1.5 < lowest_m < 0.08
        half_x, half_y = near.half_extents_m(solids)
        assert 0.03 < max(half_x, half_y) < 6.5
        assert {solid.train_id for solid in solids} <= {*TRAIN_ID.values(), UNSCORED}


def test_a_thing_is_as_near_as_it_was_drawn() -> None:
    placed = [near.random_near(np.random.default_rng(seed)) for seed in range(300)]
    assert len({each.name for each in placed}) == len(near.THINGS)
    nearest_m = []
    for each in placed:
        half_x, half_y = near.half_extents_m(each.solids)
        reach_m = half_x * abs(np.cos(each.turn_rad)) + half_y * abs(np.sin(each.turn_rad))
        nearest_m.append(each.ahead_m - reach_m)
    assert min(nearest_m) >= 1.5 - 1e-9
    assert max(nearest_m) <= 12.0 + 1e-9
    assert np.mean(np.array(nearest_m) < 5.0) > 0.4


@pytest.mark.parametrize("kind", ["training", "demo"])
def test_every_field_varies_within_its_range_and_has_a_reason(kind: str) -> None:
    drawn = [random_variety(np.random.default_rng(seed), kind) for seed in range(200)]  # type: ignore[arg-type]
    for field in dataclasses.fields(Variety):
        given = field.metadata
        low, high = (kind == "demo" and given["demo"]) or (given["low"], given["high"])
        values = np.array([getattr(each, field.name) for each in drawn])
        is_drawn = values != given["otherwise"]
        assert np.all(values[is_drawn] >= low - 1e-9), field.name
        assert np.all(values[is_drawn] <= high + 1e-9), field.name
        assert np.ptp(values) > 0 or low == high, field.name
        assert len(given["why"]) > 10, field.name


def test_rigs_are_kittis_nearly_half_of_the_time_and_anything_else_within_the_ranges() -> None:
    mounts = [random_mount(np.random.default_rng(seed), size=(128, 416)) for seed in range(400)]
    is_kitti = np.array([mount.camera.fy_px != mount.camera.fx_px for mount in mounts])
    # Four standard deviations of a share of 400.
    assert abs(is_kitti.mean() - KITTI_SHARE) < 4 * np.sqrt(0.25 / 400)
    others = [mount for mount, kitti in zip(mounts, is_kitti, strict=True) if not kitti]
    heights_m = np.array([mount.height_m for mount in others])
    fields_deg = np.array(
        [np.degrees(2 * np.arctan(416 / 2 / mount.camera.fx_px)) for mount in others]
    )
    assert 0.2 <= heights_m.min() < 0.3
    assert 1.8 < heights_m.max() <= 2.0
    assert 40.0 <= fields_deg.min() < 50.0
    assert 100.0 < fields_deg.max() <= 110.0
    assert {mount.place for mount in others if mount.is_low} == {"lane", "pavement"}
    level = np.degrees([mount.pitch_rad for mount in mounts if not mount.is_low])
    assert np.abs(level).max() <= 3.0
    assert abs(level.mean()) < 0.3  # a horizon in doubt is taken to be the mean
    assert np.degrees([mount.pitch_rad for mount in others if mount.is_low]).min() < -10.0


def test_a_given_rig_is_every_drives() -> None:
    settings = TrainingSettings(
        num_drives=3, num_frames=1, seed=0, height_px=96, width_px=128, camera=ROBOT,
        camera_heights_m=(0.45, 0.45), camera_pitch_deg=-5.0,
    )  # fmt: skip
    for drive in range(3):
        mount = settings.mount(drive)
        assert mount.camera == ROBOT.resized(width_px=128, height_px=96)
        assert (mount.height_m, mount.roll_rad) == (0.45, 0.0)
        assert mount.pitch_rad == pytest.approx(np.radians(-5.0))
    between = dataclasses.replace(settings, camera_heights_m=(1.2, 2.0))
    heights_m = [between.mount(drive).height_m for drive in range(20)]
    assert 1.2 <= min(heights_m) < 1.4 < 1.8 < max(heights_m) <= 2.0

    street = settings.street(0)
    forward = street.drive.T_world_from_rectified[0, :3, 2]
    grade = np.degrees(np.arctan(street.road.terrain.grade(street.drive.x_m[0])))
    assert np.degrees(np.arcsin(forward[2])) == pytest.approx(grade - 5.0, abs=1.0)


def test_lenses_at_given_heights_are_as_often_longer_as_shorter_than_the_canonical_one() -> None:
    # Depth is learned at one focal length: there a camera stands at its height over its lens's.
    seen_m = [
        mount.height_m * 241.674 / mount.camera.fx_px
        for mount in (
            random_mount(np.random.default_rng(seed), size=(128, 416), heights_m=(1.4, 1.8))
            for seed in range(400)
        )
    ]
    assert np.exp(np.log(seen_m).mean()) == pytest.approx(1.61, abs=0.03)
    assert 1.4 / 1.25 < min(seen_m) < 1.25
    assert 1.85 < max(seen_m) < 1.8 * 1.25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_drives": 0}, "at least 1 drive"),
        ({"num_frames": 0}, "at least 1 drive"),
        ({"seed": -1}, "seed of 0 or more"),
        ({"width_px": 8}, "from 16 to 4096"),
        ({"camera": ROBOT}, "640x480.*same shape"),
        ({"camera_heights_m": (0.01, 0.01)}, "camera_height_m"),
        ({"camera_heights_m": (2.0, 1.2)}, "low before high"),
        ({"camera_pitch_deg": 50.0}, "camera_pitch_deg"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SETTINGS, **change)  # type: ignore[arg-type]


GREY = np.full((40, 60, 3), 0.2, np.float32)


def shot(light: np.ndarray, **changes: float) -> np.ndarray:
    variety = dataclasses.replace(PLAIN, noise=0.0, **changes)
    return exposed(light, variety, np.random.default_rng(0)).astype(np.float64)


def test_automatic_exposure_reaches_its_level_within_its_limits() -> None:
    ramp = GREY * np.linspace(0.2, 1.8, 60, dtype=np.float32)[None, :, None]
    assert shot(ramp, level=0.4).mean() / 255 == pytest.approx(0.4, abs=0.03)
    assert shot(0.02 * ramp, level=0.4).mean() / 255 < 0.2


def test_white_balance_vignette_motion_and_compression_do_what_they_are_called() -> None:
    plain = shot(GREY)
    warm = shot(GREY, warmth=0.14)
    assert warm[..., 0].mean() > plain[..., 0].mean() > warm[..., 2].mean()
    dark = shot(GREY, vignette=0.4)
    assert dark[20, 30].mean() == pytest.approx(plain[20, 30].mean(), abs=2)
    assert dark[0, 0].mean() < 0.8 * plain[0, 0].mean()
    line = GREY.copy()
    line[:, 30] = 0.6
    moved, still = shot(line, motion_px=5.0, motion_deg=0.0), shot(line)
    assert moved[20, 28].mean() > still[20, 28].mean() + 5
    rows = GREY.copy()
    rows[20] = 0.6
    np.testing.assert_allclose(
        shot(rows, motion_px=5.0, motion_deg=0.0)[:, 30], shot(rows)[:, 30], atol=2
    )
    noisy = np.random.default_rng(0).uniform(0.1, 0.6, GREY.shape).astype(np.float32)
    assert np.abs(shot(noisy, jpeg_quality=40.0) - shot(noisy)).mean() > 2


def test_light_follows_the_weather() -> None:
    clear = dataclasses.replace(PLAIN, overcast=0.0, sun_elevation_deg=50.0, dusk=0.0)
    cloudy = light_of(dataclasses.replace(clear, overcast=1.0))
    low = light_of(dataclasses.replace(clear, sun_elevation_deg=6.0))
    dusk = light_of(dataclasses.replace(clear, dusk=1.0))
    noon = light_of(clear)
    assert sum(cloudy.sun) < 0.2 * sum(noon.sun)
    assert low.sun[0] / low.sun[2] > 1.5 * noon.sun[0] / noon.sun[2]
    assert sum(dusk.sun) == 0
    assert sum(dusk.ambient) < 0.5 * sum(noon.ambient)
    assert np.linalg.norm(low.to_sun) == pytest.approx(1.0)


def test_the_classes_of_an_obstacle_are_those_of_cityscapes() -> None:
    rng = np.random.default_rng(0)
    by_name = {thing.name: {s.train_id for s in thing.make(rng)} for thing in near.THINGS}
    assert by_name["concrete barriers"] == {TRAIN_ID["wall"]}
    assert by_name["barrier"] == {TRAIN_ID["fence"]}
    assert by_name["dog"] == by_name["boxes"] == by_name["cones"] == {UNSCORED}
    assert TRAIN_ID["person"] in by_name["pram"]
    assert len(CLASS_NAMES) == 19
    assert Pattern.GROUND not in {s.pattern for thing in near.THINGS for s in thing.make(rng)}


def test_the_program_makes_a_world_as_a_robot_sees_it(tmp_path: Path) -> None:
    rig, root = tmp_path / "my_rig.json", tmp_path / "world"
    rig.write_text(json.dumps(ROBOT.to_dict()))
    command = ["data_prep.make_demo_world", "--training", "--output", root, "--drives", 1,
               "--frames", 1, "--width", 64, "--height", 48, "--num_processes", 1, "--rig", rig,
               "--camera_height_m", 0.45, "--camera_pitch_deg", -5]  # fmt: skip
    done = run_program(*command)
    assert done.returncode == 0, done.stderr
    store = LabelStore.open(root)
    assert store.read_sample(store.frames[0])[0].shape == (48, 64, 3)
    described = json.loads((root / "street_0_00000" / "street.json").read_text())
    assert described["camera"]["height_m"] == 0.45
    # The same again finds nothing to do; other heights are another world.
    again = run_program(*command)
    assert again.returncode == 0
    assert "were there already" in again.stderr
    command[command.index(0.45)] = "0.4,0.5"
    other = run_program(*command)
    assert other.returncode == 1
    assert "camera_heights_m" in other.stderr
    command[command.index("0.4,0.5")] = "low"
    assert "give metres" in run_program(*command).stderr
    refused = run_program("data_prep.make_demo_world", "--output", tmp_path / "w", "--rig", rig)
    assert refused.returncode == 1
    assert "only a --training world has another camera" in refused.stderr
