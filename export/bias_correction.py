"""Takes out of a network's biases what rounding its weights to int8 would add to them on average.

A channel's rounding errors do not cancel where its inputs, behind a rectifier, are all positive:
its mean moves, and with it whole regions of depth. Source: Nagel et al. 2019, "Data-free
quantization through weight equalization and bias correction", section 4.2; the means are measured
on pictures here.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from mtdepth.trained import InferenceNetwork

Array = npt.NDArray[Any]
_MAX_INTEGER = 127  # of the symmetric scale that every exporter here gives a channel's weights


@dataclasses.dataclass(frozen=True)
class _Convolution:
    """A convolution with a bias that can be moved.

    Attributes:
      layer: The convolution.
      norm: The batch normalisation that is folded into it; None without.
      inputs: What it is called with, once or, in a shared module, several times.
    """

    layer: Any
    norm: Any
    inputs: list[Any]

    @property
    def bias(self) -> Any:
        """The variable that moves its mean."""
        return self.layer.bias if self.norm is None else self.norm.beta

    def shift(self, means: Array) -> Array:
        """What rounding adds to each output channel's mean, given each input channel's mean."""
        # Depthwise kernels have one filter for each channel in, and no sum over channels.
        is_depthwise = isinstance(self.layer, keras.layers.DepthwiseConv2D)
        kernel = np.asarray(self.layer.kernel, np.float64)
        if is_depthwise:
            kernel = np.moveaxis(kernel, 2, 3)
        error = rounded(kernel * self._gain()) - kernel * self._gain()
        summed = error.sum((0, 1))
        return summed[0] * means if is_depthwise else means @ summed

    def _gain(self) -> Array:
        if self.norm is None:
            return np.ones(1)
        gamma = 1.0 if self.norm.gamma is None else np.asarray(self.norm.gamma, np.float64)
        variance = np.asarray(self.norm.moving_variance, np.float64)
        return np.asarray(gamma / np.sqrt(variance + self.norm.epsilon))


def rounded(kernel: Array) -> Array:
    """A kernel `[height, width, in, out]` as int8 holds it, one symmetric scale a channel out."""
    limit = np.abs(kernel).max((0, 1, 2))
    scale = np.where(limit > 0, limit, 1.0) / _MAX_INTEGER
    return np.asarray(np.round(kernel / scale) * scale)


@contextlib.contextmanager
def corrected_biases(
    subject: InferenceNetwork, images: Sequence[npt.NDArray[np.uint8]]
) -> Iterator[None]:
    """The network's biases are corrected while the context lasts; its kernels stay as they are.

    Args:
      subject: The network.
      images: Fitted pictures, `[height, width, 3]` RGB, that the means are taken from; where there
        are none, nothing is corrected.
    """
    if not images:
        yield
        return
    found = _convolutions(subject.network)
    means = _input_means(subject, found, images)
    before = [np.asarray(entry.bias).copy() for entry in found]
    try:
        for entry, mean, bias in zip(found, means, before, strict=True):
            entry.bias.assign(bias - entry.shift(mean).astype(np.float32))
        yield
    finally:
        for entry, bias in zip(found, before, strict=True):
            entry.bias.assign(bias)


def _convolutions(network: keras.Model) -> list[_Convolution]:
    """Those with a bias, their own or that of a batch normalisation that alone reads them."""
    nodes = [node for depth in network._nodes_by_depth.values() for node in depth]
    readers: dict[int, list[Any]] = {}
    calls: dict[str, list[Any]] = {}
    for node in nodes:
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor), []).append(node.operation)
        if isinstance(node.operation, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            calls.setdefault(node.operation.name, []).append(node)
    found = []
    for same in calls.values():
        layer = same[0].operation
        behind = readers.get(id(same[0].outputs[0]), [])
        norm = behind[0] if len(behind) == 1 else None
        if not isinstance(norm, keras.layers.BatchNormalization):
            norm = None
        if layer.use_bias if norm is None else norm.beta is not None:
            found.append(_Convolution(layer, norm, [node.input_tensors[0] for node in same]))
    return found


def _input_means(
    subject: InferenceNetwork,
    convolutions: Sequence[_Convolution],
    images: Sequence[npt.NDArray[np.uint8]],
) -> list[Array]:
    """Of each convolution's input channels, over all pixels of all pictures and calls."""
    probe = keras.Model(subject.network.input, [entry.inputs for entry in convolutions])

    @tf.function(autograph=False)
    def channel_means(fed: Any) -> Any:
        found = probe(fed, training=False)
        return [
            tf.reduce_mean([tf.reduce_mean(x, (0, 1, 2)) for x in inputs], 0) for inputs in found
        ]

    sums: list[Array] = [np.zeros(1)] * len(convolutions)
    for image in images:
        means = channel_means(subject.input_law(tf.cast(image[None], tf.float32)))
        sums = [a + np.asarray(b, np.float64) for a, b in zip(sums, means, strict=True)]
    return [total / len(images) for total in sums]
