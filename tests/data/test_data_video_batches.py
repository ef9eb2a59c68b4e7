"""Batches of video: what was asked for, the same after a restart, picture and camera together."""

import dataclasses
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes.panned_video import CAMERA, SIZE, pan, shot_of, source_of, write_frames

from mtdepth.data.features import FRAME
from mtdepth.data.triplet_selection import select_triplets
from mtdepth.data.triplets import TripletSet
from mtdepth.data.video_batches import (
    FRAMES,
    INTRINSICS,
    JITTERED,
    Batch,
    FrameReader,
    VideoBatches,
    VideoExample,
    varied,
)
from mtdepth.data.video_preview import preview, write_preview
from mtdepth.files import DataError
from mtdepth.pictures import read_rgb, write_png
from mtdepth.recipes.base import overridden
from mtdepth.recipes.registry import find_video_recipe

RECIPE = overridden(
    find_video_recipe("mininet_small_data"), ["input_size_px=[32,96]", "batch_size=3", "seed=7"]
)
PLAIN = overridden(RECIPE, ["augmentation.flip_probability=0.0", "jitter_probability=0.0"])


def choose(folder: Path, flow_px: float = 0.5) -> TripletSet:
    return select_triplets(
        [source_of(shot_of(folder))],
        size_px=RECIPE.input_size_px,
        fit=RECIPE.fit,
        min_flow_px=flow_px,
        cache_dir=folder.parent,
    )


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine frames that move and two that stand: seven triplets, two static ones."""
    folder = tmp_path_factory.mktemp("video") / "walk"
    return write_frames(folder, pan([0, 4, 8, 12, 16, 20, 24, 28, 32, 32, 32]))


def take(batches: VideoBatches, first: int, count: int) -> list[Batch]:
    return list(itertools.islice(batches.from_step(first), count))


def test_a_batch_has_the_declared_keys_shapes_and_types(walk: Path) -> None:
    (batch,) = take(VideoBatches(choose(walk), RECIPE), 0, 1)
    assert set(batch) == {FRAMES, JITTERED, INTRINSICS, FRAME}
    for key in (FRAMES, JITTERED):
        assert (batch[key].shape, batch[key].dtype) == ((3, 3, 32, 96, 3), np.uint8)
    assert (batch[INTRINSICS].shape, batch[INTRINSICS].dtype) == ((3, 3, 3), np.float32)
    assert all(name.decode().startswith("walk ") for name in batch[FRAME])


def test_a_stream_that_goes_on_shows_what_it_would_have_shown_with_any_threads(walk: Path) -> None:
    triplets = choose(walk)
    whole = take(VideoBatches(triplets, RECIPE, threads=3), 0, 5)
    later = take(VideoBatches(triplets, RECIPE, threads=1, cache_bytes=10**7), 3, 2)
    for one, other in zip(whole[3:], later, strict=True):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])
    other_seed = take(VideoBatches(triplets, overridden(RECIPE, ["seed=8"])), 0, 5)
    assert any(np.any(a[FRAMES] != b[FRAMES]) for a, b in zip(whole, other_seed, strict=True))


def test_every_pass_shows_every_triplet_once_in_an_order_of_its_own(walk: Path) -> None:
    batches = VideoBatches(choose(walk), overridden(RECIPE, ["batch_size=1"]))
    assert (batches.num_triplets, batches.steps_per_pass) == (7, 7)
    shown = [batch[FRAME][0] for batch in take(batches, 0, 14)]
    assert len(set(shown[:7])) == len(set(shown[7:])) == 7
    assert shown[:7] != shown[7:]
    assert VideoBatches(choose(walk), overridden(RECIPE, ["batch_size=8"])).steps_per_pass == 1


def test_frames_are_in_the_order_of_time(walk: Path) -> None:
    for batch in take(VideoBatches(choose(walk), PLAIN), 0, 3):
        for frames, name in zip(batch[FRAMES], batch[FRAME], strict=True):
            target = int(name.decode().split()[1])
            shot = shot_of(walk)
            reader = FrameReader(size_px=(32, 96), fit="stretch", cache_bytes=0)
            for frame, number in zip(frames, (target - 1, target, target + 1), strict=True):
                np.testing.assert_array_equal(frame, reader.read(shot, number))


@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_the_camera_sees_a_point_where_the_frames_show_it(
    tmp_path: Path, fit: str, flip: float
) -> None:
    # A bright square around column 120, row 20: the direction (120 - cx) / fx, (20 - cy) / fy.
    # Another focal length and principal point for each axis, so that no swap goes unseen.
    picture = np.zeros((*SIZE, 3), np.uint8)
    picture[12:29, 112:129] = 250
    for number in range(3):
        write_png(tmp_path / "dot" / f"{number:06d}.png", picture)
    overrides = [f"augmentation.flip_probability={flip}", f"fit={fit}", "input_size_px=[32,64]"]
    recipe = overridden(PLAIN, overrides)
    (batch,) = take(VideoBatches(choose(tmp_path / "dot", 0.0), recipe), 0, 1)
    bright = batch[FRAMES][0, 1, :, :, 0].astype(np.float64)
    rows, columns = np.mgrid[0:32, 0:64]
    seen = [(bright * columns).sum() / bright.sum(), (bright * rows).sum() / bright.sum()]
    ray = np.array([(120 - CAMERA.cx_px) / CAMERA.fx_px, (20 - CAMERA.cy_px) / CAMERA.fy_px, 1.0])
    ray[0] *= -1 if flip else 1  # a mirror shows the world at -x
    np.testing.assert_allclose(batch[INTRINSICS][0] @ ray, [*seen, 1.0], atol=0.02)


def test_half_of_the_triplets_are_mirrored_with_their_camera(walk: Path) -> None:
    batches = take(VideoBatches(choose(walk), RECIPE), 0, 30)
    cx_px = np.concatenate([batch[INTRINSICS][:, 0, 2] for batch in batches])
    straight = CAMERA.resized(width_px=96, height_px=32).cx_px
    is_flipped = np.isclose(cx_px, 95 - straight, atol=1e-4)
    assert (is_flipped | np.isclose(cx_px, straight, atol=1e-4)).all()
    assert 0.3 < is_flipped.mean() < 0.7  # 90 draws: 3.8 standard deviations


def example() -> VideoExample:
    frames = np.stack([*pan([0]) * 2, pan([4])[0]])
    return VideoExample(frames, frames, CAMERA, "walk 1")


def test_colours_vary_for_the_networks_alone_and_alike_in_all_three_frames() -> None:
    recipe = overridden(PLAIN, ["jitter_probability=1.0"])
    before = example()
    after = varied(before, np.random.default_rng(0), recipe)
    np.testing.assert_array_equal(after.frames, before.frames)
    assert np.abs(after.jittered.astype(int) - before.frames).mean() > 3
    # Frames 0 and 1 are one picture; frame 2 shows its columns 4 columns to the left.
    np.testing.assert_array_equal(after.jittered[0], after.jittered[1])
    np.testing.assert_array_equal(after.jittered[2][:, :-4], after.jittered[0][:, 4:])


def test_half_of_the_triplets_keep_their_colours(walk: Path) -> None:
    batches = take(VideoBatches(choose(walk), RECIPE), 0, 30)
    changed = [
        np.any(frames != jittered)
        for batch in batches
        for frames, jittered in zip(batch[FRAMES], batch[JITTERED], strict=True)
    ]
    assert 0.3 < np.mean(changed) < 0.7


def test_validation_shows_each_triplet_once_as_it_is(walk: Path) -> None:
    batches = VideoBatches(choose(walk), RECIPE)
    shown = list(batches.in_order())
    assert [len(batch[FRAME]) for batch in shown] == [3, 3]  # the seventh makes no whole batch
    assert [name.decode() for name in shown[0][FRAME]] == ["walk 1", "walk 2", "walk 3"]
    camera = CAMERA.resized(width_px=96, height_px=32)
    for batch in shown:
        np.testing.assert_array_equal(batch[FRAMES], batch[JITTERED])
        np.testing.assert_allclose(batch[INTRINSICS], np.tile(camera.K, (3, 1, 1)), rtol=1e-6)
    (few,) = batches.in_order(limit=2)
    assert [name.decode() for name in few[FRAME]] == ["walk 2", "walk 6"]


def test_a_picture_that_was_damaged_since_is_named(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "walk", pan([0, 4, 8]))
    batches = VideoBatches(choose(folder), RECIPE)
    (folder / "000002.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"000002\.png: not a readable picture"):
        take(batches, 0, 1)


def test_no_framework_is_loaded_for_data(walk: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\n"
        "from data.test_data_video_batches import choose, take, RECIPE, VideoBatches\n"
        "take(VideoBatches(choose(Path(sys.argv[1])), RECIPE), 0, 1)\n"
        "names = ('tensorflow', 'keras', 'tf_keras', 'jax', 'torch', 'matplotlib')\n"
        "sys.exit(str([name for name in names if name in sys.modules] or 0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(walk)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip().endswith("0"), done.stderr


def test_the_preview_shows_what_is_learned_and_what_stands(walk: Path, tmp_path: Path) -> None:
    triplets = choose(walk)
    picture = preview(triplets, fit="stretch")
    # Two lines of counts; five rows learned and two left out, each a picture and three lines.
    assert picture.shape[0] == 2 * 19 + 7 * (160 + 3 * 19)
    assert picture.shape[1] >= 3 * 480
    green, red = (np.array(color) * 0.7 for color in ((60, 220, 60), (240, 70, 60)))

    def has(color: np.ndarray, rows: slice) -> bool:
        return bool((np.abs(picture[rows] - color).max(axis=-1) < 3).any())

    row_px = 160 + 3 * 19
    learned, left_out = slice(38, 38 + 5 * row_px), slice(38 + 5 * row_px, None)
    assert has(green, learned)
    assert has(red, left_out)
    assert not has(red, slice(0, 38))
    write_preview(tmp_path / "preview.png", triplets, fit="stretch")
    np.testing.assert_array_equal(read_rgb(tmp_path / "preview.png"), picture)


def test_a_preview_of_a_wide_network_has_the_cross_at_the_principal_point(tmp_path: Path) -> None:
    dark = [np.zeros((*SIZE, 3), np.uint8)] * 3
    folder = write_frames(tmp_path / "dark", dark)
    triplets = dataclasses.replace(choose(folder, 0.0), size_px=(32, 80))
    picture = preview(triplets, fit="stretch")
    # cx 83, cy 30 of 160x64: (83.5 / 160 * 480, 30.5 / 64 * 192) - 0.5 = (250, 91).
    np.testing.assert_allclose(picture[2 * 19 + 91, 250], [255, 220, 0], atol=5)
