"""Re-estimated batch-norm statistics are those of the data, whatever the moving ones held."""

import keras
import numpy as np
import pytest

from mtdepth.data.features import IMAGE
from mtdepth.training.batch_statistics import BatchStatistics, norm_layers
from mtdepth.training.student_objective import network_input


def small_graph() -> keras.Model:
    image = keras.Input((16, 24, 3))
    x = keras.layers.Conv2D(4, 3, use_bias=False)(image)
    x = keras.layers.BatchNormalization(name="first")(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Conv2D(5, 1)(x)
    x = keras.layers.BatchNormalization(name="second")(x)
    return keras.Model(image, {"y": x})


def statistics_of(graph: keras.Model) -> BatchStatistics:
    return BatchStatistics(graph, lambda batch: graph(network_input(batch[IMAGE]), training=True))


def test_statistics_are_those_of_all_pixels_of_all_batches() -> None:
    graph = small_graph()
    rng = np.random.default_rng(0)
    batches = [{IMAGE: rng.integers(0, 256, (3, 16, 24, 3)).astype(np.uint8)} for _ in range(4)]
    graph.get_layer("first").moving_mean.assign(np.full(4, 7.0))
    statistics_of(graph).estimate(batches)
    # Independent: the first convolution by itself, over everything at once in float64.
    pixels = np.concatenate([batch[IMAGE] for batch in batches]) / 127.5 - 1.0
    first = graph.layers[1]
    outputs = np.asarray(first(pixels.astype(np.float32)), np.float64)
    norm = graph.get_layer("first")
    np.testing.assert_allclose(norm.moving_mean, outputs.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, outputs.var((0, 1, 2)), rtol=1e-4)


def test_a_batch_evaluated_with_its_own_statistics_equals_training_mode() -> None:
    graph = small_graph()
    image = np.random.default_rng(1).integers(0, 256, (4, 16, 24, 3)).astype(np.uint8)
    x = image.astype(np.float32) / 127.5 - 1
    trained = np.asarray(graph(x, training=True)["y"])
    statistics_of(graph).estimate([{IMAGE: image}])
    np.testing.assert_allclose(np.asarray(graph(x, training=False)["y"]), trained, atol=1e-4)


def test_no_batch_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        statistics_of(small_graph()).estimate([])


def test_a_mean_far_from_zero_costs_no_digits_and_inner_models_count() -> None:
    # The batches' own means are float32: 1e4 * 2^-24 apart. A difference of their squares would
    # lose a variance of 1 altogether.
    inner_input = keras.Input((8, 8, 3))
    norm = keras.layers.BatchNormalization(momentum=0.999)
    inner = keras.Model(inner_input, norm(inner_input), name="inner")
    image = keras.Input((8, 8, 3))
    graph = keras.Model(image, inner(image))
    rng = np.random.default_rng(0)
    batches = [rng.normal(1e4 + i, 1, (2, 8, 8, 3)).astype(np.float32) for i in range(3)]
    statistics = BatchStatistics(graph, lambda batch: graph(batch, training=True))
    assert norm_layers(graph) == [norm]
    statistics.estimate(batches)
    pixels = np.concatenate(batches).astype(np.float64)
    np.testing.assert_allclose(norm.moving_mean, pixels.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, pixels.var((0, 1, 2)), rtol=1e-2)
    assert norm.momentum == 0.999
