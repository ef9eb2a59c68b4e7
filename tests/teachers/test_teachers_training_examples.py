"""Crops, mirrors and colours keep picture and label together."""

import numpy as np
import pytest
from fakes.labelled_sets import DISPARITY_PX, SIZE, pair_and_truth
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.recipes.base import Augmentation
from teachers.training.examples import (
    ClassExample,
    PairExample,
    random_window,
    vary_classes,
    vary_pair,
)

COLORS = Augmentation(flip_probability=0.0, brightness=0.3, contrast=0.3, saturation=0.3)
PLAIN = Augmentation(flip_probability=0.0)


def pair(seed: int = 0) -> PairExample:
    left, right, disparity_px, _ = pair_and_truth(seed)
    return PairExample(left, right, disparity_px)


@given(seed=st.integers(0, 10_000))
def test_a_window_lies_inside(seed: int) -> None:
    rows, columns = random_window((10, 20), (7, 20), np.random.default_rng(seed))
    assert rows.stop - rows.start == 7
    assert columns.stop - columns.start == 20
    assert rows.start >= 0
    assert rows.stop <= 10
    assert columns.start == 0


@given(seed=st.integers(0, 10_000))
def test_a_cut_pair_still_matches_by_its_disparity(seed: int) -> None:
    cut = vary_pair(pair(), np.random.default_rng(seed), size_px=(16, 32), augmentation=PLAIN)
    for row in range(16):
        shift = int(cut.disparity_px[row, 0])
        assert shift in DISPARITY_PX
        np.testing.assert_array_equal(cut.left[row, shift:], cut.right[row, : 32 - shift])


def test_both_views_get_the_same_colours() -> None:
    varied = vary_pair(pair(), np.random.default_rng(3), size_px=SIZE, augmentation=COLORS)
    shift = DISPARITY_PX[0]
    assert not np.array_equal(varied.left, pair().left)
    np.testing.assert_array_equal(varied.left[:24, shift:], varied.right[:24, :-shift])


@given(seed=st.integers(0, 10_000), smallest=st.sampled_from([0.3, 1.0]))
def test_classes_stay_on_their_pixels(seed: int, smallest: float) -> None:
    height, width = 60, 90
    train_id = np.random.default_rng(seed).integers(0, 5, (6, 9)).repeat(10, 0).repeat(10, 1)
    image = np.stack([train_id * 50] * 3, axis=-1).astype(np.uint8)
    varied = vary_classes(
        ClassExample(image, train_id.astype(np.uint8)),
        np.random.default_rng(seed),
        size_px=(32, 64),
        zooms=(smallest, 2.0),
        augmentation=Augmentation(flip_probability=0.5, max_zoom=2.0),
    )
    assert varied.image.shape == (32, 64, 3)
    assert varied.train_id.shape == (32, 64)
    # Blended colours stand only at the blocks' borders, at most two pixels wide on each side.
    agrees = np.abs(varied.image[..., 0].astype(int) - varied.train_id * 50) < 25
    assert agrees.mean() > 0.8
    assert height > 32
    assert width > 64


def test_a_mirrored_picture_takes_its_classes_along() -> None:
    left, _, _, _ = pair_and_truth(0)
    train_id = np.zeros(SIZE, np.uint8)
    train_id[:, :10] = 7
    always = Augmentation(flip_probability=1.0)
    varied = vary_classes(
        ClassExample(left, train_id),
        np.random.default_rng(0),
        size_px=SIZE,
        zooms=(1.0, 1.0),
        augmentation=always,
    )
    np.testing.assert_array_equal(varied.image, left[:, ::-1])
    np.testing.assert_array_equal(varied.train_id, train_id[:, ::-1])


def test_a_picture_smaller_than_the_crop_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"48x80 .*smaller than the crop 64x64; .*crop_px"):
        vary_pair(pair(), rng, size_px=(64, 64), augmentation=PLAIN)
    left, _, _, train_id = pair_and_truth(0)
    with pytest.raises(ValueError, match="smaller than the crop 32x96"):
        vary_classes(
            ClassExample(left, train_id),
            rng,
            size_px=(32, 96),
            zooms=(2.0, 2.0),
            augmentation=PLAIN,
        )
