"""Averaging over views, with networks that are known."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from teachers.deeplab_v3.teacher import averaged_probabilities, decide

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]


class Lopsided:
    """A network that looks at a pixel and its left neighbour: mirroring changes its answer."""

    version = "lopsided"
    has_scores = True

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []
        self._weights = np.random.default_rng(0).normal(size=(6, 19))

    def probabilities(self, image: Image) -> Floats:
        self.seen.append(image.shape[:2])
        both = np.concatenate([image, np.roll(image, 1, axis=1)], axis=-1) / 64.0
        exponents = np.exp((both[..., :, None] * self._weights).sum(-2))
        return (exponents / exponents.sum(-1, keepdims=True)).astype(np.float32)


class Constant:
    """A network with one answer for a picture of one size and another for every other size."""

    version = "constant"
    has_scores = True

    def probabilities(self, image: Image) -> Floats:
        answer = [0.6, 0.4] if image.shape[:2] == (64, 96) else [0.1, 0.9]
        return np.broadcast_to(np.array(answer, np.float32), (*image.shape[:2], 2)).copy()


IMAGES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 48), st.just(3)))


@settings(deadline=None)
@given(image=IMAGES)
def test_one_view_is_the_network_itself(image: Image) -> None:
    network = Lopsided()
    averaged = averaged_probabilities(image, network, flip=False, scales=(1.0,))
    np.testing.assert_array_equal(averaged, network.probabilities(image))


@settings(deadline=None)
@given(image=IMAGES)
def test_with_flip_a_mirrored_picture_has_exactly_the_mirrored_answer(image: Image) -> None:
    network = Lopsided()
    answer = averaged_probabilities(image, network, flip=True, scales=(1.0,))
    mirrored = averaged_probabilities(
        np.ascontiguousarray(image[:, ::-1]), network, flip=True, scales=(1.0,)
    )
    np.testing.assert_array_equal(mirrored[:, ::-1], answer)
    np.testing.assert_allclose(answer.sum(-1), 1, atol=1e-6)


def test_flip_is_the_mean_of_a_picture_and_its_mirror_image() -> None:
    image = np.random.default_rng(1).integers(0, 256, (32, 40, 3)).astype(np.uint8)
    network = Lopsided()
    plain = network.probabilities(image)
    mirrored = network.probabilities(image[:, ::-1])[:, ::-1]
    averaged = averaged_probabilities(image, network, flip=True, scales=(1.0,))
    np.testing.assert_allclose(averaged, (plain + mirrored) / 2, rtol=1e-6)


def test_scales_are_averaged_at_the_pictures_size() -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    averaged = averaged_probabilities(image, Constant(), flip=False, scales=(0.5, 1.0, 1.25))
    assert averaged.shape == (64, 96, 2)
    # Half and 1.25 times the size answer 0.1 and 0.9, the picture itself 0.6 and 0.4.
    np.testing.assert_allclose(averaged[5, 7], [0.8 / 3, 2.2 / 3], rtol=1e-6)


def test_each_view_has_its_scales_size() -> None:
    network = Lopsided()
    averaged_probabilities(
        np.zeros((40, 100, 3), np.uint8), network, flip=True, scales=(0.5, 1.0, 1.5)
    )
    assert network.seen == [(20, 50), (20, 50), (40, 100), (40, 100), (60, 150), (60, 150)]


def test_a_scaled_view_lies_over_the_picture() -> None:
    # A vertical edge: at half and at double size its place in the picture may not move.
    class Bright:
        version = "bright"
        has_scores = True

        def probabilities(self, image: Image) -> Floats:
            bright = (image[..., 0] > 127).astype(np.float32)
            return np.stack([1 - bright, bright], axis=-1)

    image = np.zeros((32, 96, 3), np.uint8)
    image[:, 40:] = 255
    for scale in (0.5, 2.0):
        averaged = averaged_probabilities(image, Bright(), flip=False, scales=(scale,))
        np.testing.assert_array_equal(averaged.argmax(-1)[16], image[16, :, 0] > 127)


@pytest.mark.parametrize(
    ("floor", "expected"), [(0.0, [1, 0, 0]), (0.5, [1, 0, 255]), (0.75, [1, 255, 255])]
)
def test_below_the_floor_there_is_no_class(floor: float, expected: list[int]) -> None:
    # Winners have 0.75, 0.5 and 0.375: exactly the floor is enough.
    probabilities = np.array(
        [[0.25, 0.75, 0.0], [0.5, 0.25, 0.25], [0.375, 0.3125, 0.3125]], np.float32
    )
    assert decide(probabilities, confidence_floor=floor).tolist() == expected


@settings(deadline=None)
@given(floors=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)))
def test_a_higher_floor_only_takes_labels_away(floors: tuple[float, float]) -> None:
    probabilities = np.random.default_rng(5).dirichlet(np.ones(19), 64).astype(np.float32)
    low, high = (decide(probabilities, confidence_floor=floor) for floor in sorted(floors))
    assert ((high == low) | (high == 255)).all()
