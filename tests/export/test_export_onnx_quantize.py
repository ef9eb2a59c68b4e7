"""Pairs stand where TensorRT makes integer layers of them, with ranges from pictures."""

from functools import cache

import keras
import numpy as np
from fakes.artefact import SIZE, random_network
from fakes.conditioned import pictures

from export.onnx.emit import emit
from export.onnx.graph import OnnxGraph, to_model
from export.onnx.quantize import NUM_BINS, best_end, find_ranges, quantize, quantized_tensors
from export.onnx.rules import violations
from mtdepth.models.normalisation import STUDENT_INPUT, InputNormalisation


@cache
def float_graph() -> OnnxGraph:
    return emit(random_network("XS", is_real=True), normalisation=STUDENT_INPUT)


@cache
def integer_graph() -> OnnxGraph:
    graph = float_graph()
    tensors = list(quantized_tensors(graph))
    return quantize(graph, find_ranges(graph, tensors, pictures(4, size=SIZE, seed=10)))


def test_every_convolution_reads_pairs_and_a_float_bias() -> None:
    graph = integer_graph()
    convolutions = [node for node in graph.nodes if node.operator == "Conv"]
    assert len(convolutions) == 59
    for node in convolutions:
        data, weights, bias = node.inputs
        for tensor in (data, weights):
            producer = graph.producer(tensor)
            assert producer is not None
            assert producer.operator == "DequantizeLinear"
        assert graph.constants[bias].dtype == np.float32
    assert violations(to_model(graph, opset=13)) == []


def test_an_addition_reads_its_skip_through_a_pair_and_its_convolution_without() -> None:
    graph = integer_graph()
    additions = [node for node in graph.nodes if node.operator == "Add"][
        1:
    ]  # after the normalisation
    assert len(additions) == 11
    for node in additions:
        producers = [graph.producer(tensor) for tensor in node.inputs]
        kinds = sorted(producer.operator for producer in producers if producer)
        assert kinds == ["Conv", "DequantizeLinear"]


def test_a_tensor_has_one_pair_for_all_that_read_it() -> None:
    graph = integer_graph()
    sources = [node.inputs[0] for node in graph.nodes if node.operator == "QuantizeLinear"]
    assert len(sources) == len(set(sources))
    # Shuffles and concatenations get none: TensorRT moves those behind them to before them.
    for node in graph.nodes:
        if node.operator in ("Concat", "DepthToSpace"):
            for tensor in node.inputs:
                producer = graph.producer(tensor)
                assert producer is not None
                assert producer.operator != "DequantizeLinear"


def test_weights_have_a_scale_for_each_output_channel() -> None:
    graph, name = integer_graph(), "block_1_expand/kernel"
    kernel, scale = graph.constants[name], graph.constants[f"{name}/scale"]
    np.testing.assert_allclose(scale, np.abs(kernel).max(axis=(1, 2, 3)) / 127, rtol=1e-6)
    assert not graph.constants[f"{name}/zero_point"].any()


def test_a_clip_that_the_integers_do_becomes_a_rectifier() -> None:
    assert float_graph().operators()["Clip"] == 38
    assert "Clip" not in integer_graph().operators()
    ranges = dict.fromkeys(quantized_tensors(float_graph()), 7.0)  # beyond the clip at 6
    assert quantize(float_graph(), ranges).operators()["Clip"] == 38


def test_squeeze_and_excite_stays_float() -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 1)(image)
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = keras.layers.Activation("sigmoid")(keras.layers.Conv2D(4, 1)(mean))
    x = keras.layers.Multiply()([x, gate])
    network = keras.Model(image, {"depth_code": keras.layers.Conv2D(1, 1)(x)})
    graph = emit(network, normalisation=InputNormalisation(scale=1.0, offset=0.0))
    made = quantize(graph, dict.fromkeys(quantized_tensors(graph), 1.0))
    assert made.operators()["Conv"] == 3
    assert made.operators()["QuantizeLinear"] == 4  # two maps and their weights


def test_a_tensor_of_zeros_has_a_legal_scale() -> None:
    image = keras.Input((8, 8, 3))
    conv = keras.layers.Conv2D(2, 1, kernel_initializer="zeros")
    network = keras.Model(image, {"depth_code": keras.layers.Conv2D(1, 1)(conv(image))})
    graph = emit(network, normalisation=InputNormalisation(scale=1.0, offset=0.0))
    ranges = find_ranges(graph, list(quantized_tensors(graph)), pictures(2, size=(8, 8)))
    assert sorted(ranges.values())[0] == 0.0
    assert violations(to_model(quantize(graph, ranges), opset=13)) == []


def test_the_end_of_a_range_cuts_off_outliers_only() -> None:
    even = np.full(NUM_BINS, 100)
    assert best_end(even, 6.0) > 0.97 * 6.0
    lonely = np.where(np.arange(NUM_BINS) < NUM_BINS // 2, 10_000, 0)
    lonely[-1] = 1  # one value at twice the largest of the others
    assert 2.9 < best_end(lonely, 6.0) < 3.3
    # Signs do not matter, and nothing that was seen is all zero.
    graph = float_graph()
    ranges = find_ranges(graph, ["network_input"], pictures(2, size=SIZE))
    assert 0.9 < ranges["network_input"] <= 1.0
