"""What rounding the weights shifts is taken out of the biases, as the converter rounds them."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from fakes.artefact import SIZE, random_network, subject
from fakes.conditioned import as_input, pictures

from export.bias_correction import corrected_biases, rounded
from export.convert import convert
from mtdepth.models import mininet
from mtdepth.models.input_law import MININET_INPUT
from mtdepth.models.mininet_spec import MiniNetSpec
from mtdepth.trained import InferenceNetwork

IMAGES = pictures(6, size=SIZE, seed=31)


def folded(layer: keras.layers.Layer, norm: keras.layers.BatchNormalization) -> np.ndarray:
    """`[height, width, in, out]` of a convolution with its batch normalisation."""
    kernel = np.asarray(layer.kernel, np.float64)
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        kernel = kernel.transpose(0, 1, 3, 2)
    return kernel * np.asarray(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + 1e-3)


def test_kernels_are_rounded_as_the_converter_rounds_them() -> None:
    network = random_network("XS")
    content = convert(subject(network), precision="int8", representative=IMAGES)
    file = Interpreter(model_content=content)
    held = [
        (file.get_tensor(detail["index"]), detail["quantization_parameters"]["scales"])
        for detail in file.get_tensor_details()
        if len(detail["shape"]) == 4 and len(detail["quantization_parameters"]["scales"]) > 1
    ]
    for name in ("block_5_expand", "block_5_depthwise", "decoder_1_bottleneck_1_project"):
        kernel = rounded(folded(network.get_layer(name), network.get_layer(f"{name}_BN")))
        limit = np.abs(kernel).max((0, 1, 2))
        # [out, height, width, in] there, and [1, height, width, channels] of a depthwise one.
        is_depthwise = "depthwise" in name
        turned = kernel.transpose(2, 0, 1, 3) if is_depthwise else kernel.transpose(3, 0, 1, 2)
        likeness = [
            np.abs(values * scales.reshape((-1,) if is_depthwise else (-1, 1, 1, 1)) - turned)
            for values, scales in held
            if values.shape == turned.shape and np.allclose(scales, limit / 127, rtol=1e-4)
        ]
        assert len(likeness) == 1
        assert likeness[0].max() < 1e-4 * limit.max()


def with_rounded_kernels(network: keras.Model) -> keras.Model:
    """A copy that computes as the int8 file does but for its activations."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    for layer in copy.layers:
        norm_name = "bn_Conv1" if layer.name == "Conv1" else f"{layer.name}_BN"
        norms = [other for other in copy.layers if other.name == norm_name]
        if not norms:
            continue
        whole = folded(layer, norms[0])
        kernel = np.asarray(layer.kernel)
        ratio = np.where(whole == 0, 1, rounded(whole) / np.where(whole == 0, 1, whole))
        is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        layer.kernel.assign(kernel * (ratio.transpose(0, 1, 3, 2) if is_depthwise else ratio))
    return copy


def mean_shift(network: keras.Model, other: keras.Model) -> float:
    """Of the batch normalisations' outputs, channel by channel, in their own deviations."""
    names = [layer.name for layer in network.layers if layer.name.lower().endswith("_bn")]
    both = [
        keras.Model(net.input, [net.get_layer(name).output for name in names])(as_input(IMAGES))
        for net in (network, other)
    ]
    shifts = [
        np.abs(np.mean(b, (0, 1, 2)) - np.mean(a, (0, 1, 2))) / np.std(a, (0, 1, 2))
        for a, b in zip(*both, strict=True)
    ]
    return float(np.mean(np.concatenate(shifts)))


def test_the_means_of_rounded_layers_come_back() -> None:
    network = random_network("XS")
    plain = mean_shift(network, with_rounded_kernels(network))
    before = network.get_weights()
    with corrected_biases(subject(network), IMAGES):
        corrected = with_rounded_kernels(network)
    assert mean_shift(network, corrected) < 0.4 * plain
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def interrupted(network: keras.Model) -> None:
    before = network.get_weights()
    with corrected_biases(subject(network), IMAGES):
        pairs = zip(before, network.get_weights(), strict=True)
        assert any(not np.array_equal(old, new) for old, new in pairs)
        raise KeyboardInterrupt


def test_the_network_is_itself_again_after_an_error() -> None:
    network = random_network("XS")
    before = network.get_weights()
    with pytest.raises(KeyboardInterrupt):
        interrupted(network)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_shared_module_is_corrected_once() -> None:
    keras.utils.set_random_seed(2)
    training = mininet.build_training_graph(MiniNetSpec(variant="small"), input_size=SIZE)
    network = mininet.detach(training, MiniNetSpec(variant="small"), output="E")
    whole = InferenceNetwork(network=network, codec=subject().codec, input_law=MININET_INPUT)
    names = [variable.path for variable in network.variables]
    before = network.get_weights()
    with corrected_biases(whole, IMAGES):
        moved = {
            name
            for name, old, new in zip(names, before, network.get_weights(), strict=True)
            if not np.array_equal(old, new)
        }
    assert moved
    assert all("bias" in name for name in moved)
