"""Pixel shuffle: channel order and both formulas; hard swish."""

import keras
import numpy as np

from mtdepth.models import layers
from mtdepth.models.layers import PixelShuffle, depth_to_space


def _shuffled_by_loops(features: np.ndarray) -> np.ndarray:
    batch, height, width, num_channels = features.shape
    depth = num_channels // 4
    out = np.zeros((batch, 2 * height, 2 * width, depth), features.dtype)
    for row in range(2 * height):
        for column in range(2 * width):
            first = (2 * (row % 2) + column % 2) * depth
            out[:, row, column] = features[:, row // 2, column // 2, first : first + depth]
    return out


def _features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 5, 12)).astype(np.float32)


def test_channels_move_as_stated() -> None:
    features = _features()
    np.testing.assert_array_equal(PixelShuffle()(features), _shuffled_by_loops(features))


def test_formula_for_other_back_ends_is_the_same() -> None:
    features = _features()
    np.testing.assert_array_equal(depth_to_space(features), _shuffled_by_loops(features))


def test_stated_output_shape_is_the_real_one() -> None:
    layer = PixelShuffle()
    assert layer.compute_output_shape((2, 3, 5, 12)) == layer(_features()).shape
    assert layer.compute_output_shape((None, None, 5, 12)) == (None, None, 10, 3)


def test_layer_survives_its_configuration() -> None:
    layer = PixelShuffle(name="shuffle")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is type(layer)
    assert again.name == "shuffle"


def test_hard_swish_is_six_times_mobilenet_v3s() -> None:
    x = np.linspace(-5, 5, 101, dtype=np.float32)[:, None]
    image = keras.Input((1,))
    network = keras.Model(image, layers.hard_swish(image, name="swish"))
    np.testing.assert_allclose(network(x), x * np.clip(x + 3, 0, 6), rtol=1e-6)
