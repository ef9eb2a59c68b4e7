"""Pixel shuffle: channel order, both formulas, both namespaces."""

import math

import keras
import numpy as np
import pytest
import tf_keras

from mtdepth.models import layers
from mtdepth.models.pixel_shuffle_keras import PixelShuffle, depth_to_space


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


def test_layers_of_both_namespaces_move_channels_as_stated() -> None:
    features = _features()
    expected = _shuffled_by_loops(features)
    for nn in (keras, tf_keras):
        layer = layers.pixel_shuffle_class(nn)(name="shuffle")
        np.testing.assert_array_equal(layer(features), expected)


def test_formula_for_other_back_ends_is_the_same() -> None:
    features = _features()
    np.testing.assert_array_equal(depth_to_space(features), _shuffled_by_loops(features))


def test_stated_output_shape_is_the_real_one() -> None:
    layer = PixelShuffle()
    assert layer.compute_output_shape((2, 3, 5, 12)) == layer(_features()).shape
    assert layer.compute_output_shape((None, None, 5, 12)) == (None, None, 10, 3)


@pytest.mark.parametrize("nn", [keras, tf_keras])
def test_layer_survives_its_configuration(nn) -> None:
    layer = layers.pixel_shuffle_class(nn)(name="shuffle")
    again = nn.saving.deserialize_keras_object(nn.saving.serialize_keras_object(layer))
    assert type(again) is type(layer)
    assert again.name == "shuffle"


@pytest.mark.parametrize("nn", [keras, tf_keras])
def test_hard_swish_is_six_times_mobilenet_v3s(nn) -> None:
    x = np.linspace(-5, 5, 101, dtype=np.float32)[:, None]
    expected = x * np.clip(x + 3, 0, 6)
    image = nn.Input((1,))
    network = nn.Model(image, layers.hard_swish(nn, image, name="swish"))
    np.testing.assert_allclose(network(x), expected, rtol=1e-6)


def test_another_namespace_is_refused() -> None:
    with pytest.raises(ValueError, match="keras or tf_keras, got math"):
        layers.pixel_shuffle_class(math)
