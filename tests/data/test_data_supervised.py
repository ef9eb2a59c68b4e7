"""Batches: what was asked for, the same after a restart, and a fault names its file."""

import dataclasses
import itertools
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.kitti_tree import shrunk_tree
from fakes.label_store import build_label_store

from mtdepth.data.features import DEPTH_M, FRAME, IMAGE, TRAIN_ID
from mtdepth.data.supervised import (
    ExampleReader,
    evaluation_example,
    training_batches,
    training_camera,
    training_example,
)
from mtdepth.datasets.label_store import LabelStore, depth_path
from mtdepth.files import DataError
from mtdepth.recipes.base import Augmentation, overridden
from mtdepth.recipes.registry import find_recipe

RECIPE = overridden(
    find_recipe("demo"), ["input_size_px=[32,96]", "batch_size=3", "augmentation.max_zoom=1.2"]
)


@pytest.fixture
def store(tree: Path, tmp_path: Path) -> LabelStore:
    return build_label_store(tmp_path / "labels", tree)


def batches(store: LabelStore, first_step: int, count: int) -> list[dict]:
    stream = training_batches(store, RECIPE, training_camera(store, RECIPE), cache_bytes=10**8)
    return list(itertools.islice(stream(first_step), count))


def test_a_batch_has_the_declared_shapes_and_types(store: LabelStore) -> None:
    (batch,) = batches(store, 0, 1)
    assert batch[IMAGE].shape == (3, 32, 96, 3)
    assert batch[IMAGE].dtype == np.uint8
    assert batch[DEPTH_M].shape == (3, 32, 96, 1)
    assert batch[DEPTH_M].dtype == np.float32
    assert batch[TRAIN_ID].dtype == np.uint8
    assert batch[FRAME][0].decode() in {str(frame) for frame in store.frames}


def test_a_stream_that_goes_on_at_step_two_shows_what_it_would_have_shown(
    store: LabelStore,
) -> None:
    whole, rest = batches(store, 0, 4), batches(store, 2, 2)
    for expected, found in zip(whole[2:], rest, strict=True):
        for key in expected:
            np.testing.assert_array_equal(found[key], expected[key])


def test_without_variation_an_example_is_the_label(store: LabelStore) -> None:
    frame = store.frames[0]
    size = store.read_depth(frame).shape
    size_32 = (size[0] // 32 * 32, size[1] // 32 * 32)
    if size != size_32:
        pytest.fail("the fake tree must have a legal network size")
    recipe = dataclasses.replace(RECIPE, input_size_px=size, augmentation=Augmentation())
    focal_px = training_camera(store, recipe).focal_px
    example = evaluation_example(ExampleReader(store), frame, recipe, focal_px=focal_px)
    image, depth_m, train_id = store.read_sample(frame)
    np.testing.assert_array_equal(example.image, image)
    # No depth is scored in the sky, class 10.
    np.testing.assert_allclose(example.depth_m, np.where(train_id == 10, 0, depth_m), rtol=1e-6)
    np.testing.assert_array_equal(example.train_id, train_id)


def test_sky_is_trained_as_far(store: LabelStore) -> None:
    (batch,) = batches(store, 0, 1)
    sky = batch[TRAIN_ID] == 10
    assert sky.any()
    assert (batch[DEPTH_M][sky] == RECIPE.far_m).all()


def test_a_damaged_label_stops_the_stream_and_is_named(store: LabelStore) -> None:
    path = depth_path(store.root, store.frames[1])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=path.name):
        batches(store, 0, len(store.frames))


@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_shrunk_pictures_train_the_same_metres(
    store: LabelStore, tree: Path, tmp_path: Path, fit: str
) -> None:
    small_tree = shrunk_tree(tree, tmp_path / "small")
    small = build_label_store(tmp_path / "small_labels", small_tree)
    recipe = overridden(RECIPE, [f"fit={fit}", "input_size_px=[32,64]"])
    camera, small_camera = training_camera(store, recipe), training_camera(small, recipe)
    for name, number in camera.to_dict().items():
        assert small_camera.to_dict()[name] == pytest.approx(number), name
    frame = store.frames[0]
    assert ExampleReader(small).read(frame).camera == ExampleReader(store).read(
        frame
    ).camera.resized(width_px=96, height_px=32)
    for item in range(3):  # each zooms otherwise
        medians_m = [
            np.median(example.depth_m[example.depth_m > 0])
            for example in (
                training_example(
                    ExampleReader(each),
                    frame,
                    recipe,
                    rng=np.random.default_rng(item),
                    focal_px=camera.focal_px,
                )
                for each in (store, small)
            )
        ]
        # The windows agree to some pixels; the camera of the full size would give twice the depth.
        assert medians_m[1] == pytest.approx(medians_m[0], rel=0.25)


def test_a_cropped_picture_is_named_by_reader_and_camera(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "cropped"
    shutil.copytree(tree, copy)
    for path in [*copy.rglob("image_02/data/*.png"), *(copy / "truth").rglob("*.png")]:
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[4:])
    store = build_label_store(tmp_path / "cropped_labels", copy)
    with pytest.raises(DataError, match=r"image_02/data/.*pictures that are cropped"):
        ExampleReader(store).read(store.frames[0])
    with pytest.raises(DataError, match=r"image_02/data/.*pictures that are cropped"):
        training_camera(store, RECIPE)
