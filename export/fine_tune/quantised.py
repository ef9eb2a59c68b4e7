"""The arithmetic of an eight-bit device while a network is being trained.

tensorflow-model-optimization annotates and applies; quantisers and scheme are ours, since its own
8-bit scheme starts activations at -6..6 and forgets that over thousands of steps, leaves the kernel
of a convolution with a ReLU behind it unquantised, and folds batch normalisations that
`export.graph` has folded.
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.quantization import keras as keras_quantization

from export.fine_tune.tf_keras_copy import build_copy
from export.graph import Entry, NetworkGraph
from mtdepth.models.normalisation import InputNormalisation

# Attributes that hold kernels, by layer class.
_KERNELS = {"Conv2D": "kernel", "DepthwiseConv2D": "depthwise_kernel"}
_SMALLEST_RANGE = 1e-6  # a pruned channel has none
# The converter's own choice for a sigmoid: 256 steps of 1/256 from 0.
_SIGMOID_RANGE = (0.0, 255.0 / 256.0)
_FIRST = "rounded_image"
# Layers whose output has the numbers of their input, so that it needs no range of its own.
_MOVERS = ("PixelShuffle", "ZeroPadding2D", "UpSampling2D")


@dataclasses.dataclass(frozen=True)
class Ranges:
    """(low, high) of the picture behind the normalisation, and of each of `rounded_entries`."""

    image: tuple[float, float]
    entries: dict[str, tuple[float, float]]


def rounded_entries(graph: NetworkGraph) -> tuple[str, ...]:
    """Entries whose output is rounded.

    Not where the only reader is a ReLU, which is fused, nor where numbers are only moved.
    """
    readers = graph.readers()
    outputs = set(graph.outputs.values())
    return tuple(
        entry.name
        for entry in graph.entries
        if entry.kind not in _MOVERS
        and not (
            entry.name not in outputs
            and len(readers[entry.name]) == 1
            and readers[entry.name][0].kind == "ReLU"
        )
    )


def calibrated(graph: NetworkGraph, fed: Any, *, image: tuple[float, float]) -> Ranges:
    """The ranges that activations take on pictures of the training, fed as `[B, height, width, 3]`.

    `image` is the range of such numbers, through the normalisation, whatever the pictures.
    """
    copy = build_copy(graph)
    names = rounded_entries(graph)
    probe = tf_keras.Model(copy.input, [copy.get_layer(name).output for name in names])
    lows, highs = np.zeros(len(names)), np.zeros(len(names))
    for picture in fed:
        values = probe(picture[None], training=False)
        lows = np.minimum(lows, [float(tf.reduce_min(value)) for value in values])
        highs = np.maximum(highs, [float(tf.reduce_max(value)) for value in values])
    return Ranges(
        image=image,
        entries={
            name: (float(low), float(high))
            for name, low, high in zip(names, lows, highs, strict=True)
        },
    )


def build_quantised(graph: NetworkGraph, ranges: Ranges) -> Any:
    """A `tf_keras` copy that rounds as an int8 file does; its weights are float and can be trained.

    The activations' ranges start at `ranges`.
    """
    rounded = set(rounded_entries(graph))

    def annotated(entry: Entry, layer: Any) -> Any:
        output: tuple[float, float, bool] | None = None
        if entry.kind == "Sigmoid":
            output = (*_SIGMOID_RANGE, True)
        elif entry.name in rounded:
            output = (*ranges.entries[entry.name], False)
        config = _DeviceConfig(_KERNELS.get(entry.kind, ""), output)
        return keras_quantization.quantize_annotate_layer(layer, config)

    first = keras_quantization.quantize_annotate_layer(
        tf_keras.layers.Activation("linear", name=_FIRST),
        _DeviceConfig(output=(*ranges.image, True)),
    )
    with keras_quantization.quantize_scope({"_DeviceConfig": _DeviceConfig}):
        model = keras_quantization.quantize_apply(
            build_copy(graph, wrap=annotated, first=first), _DeviceScheme()
        )
    refresh_kernel_ranges(model)
    return model


def refresh_kernel_ranges(model: Any) -> None:
    """Takes the kernels' ranges from their present values, as each training step does before it."""
    model(np.zeros((1, *model.input_shape[1:]), np.float32), training=True)


def ranges_of(model: Any, graph: NetworkGraph) -> Ranges:
    """The ranges that a network of `build_quantised` has learned."""
    found = {}
    for name in rounded_entries(graph):
        wrapper = model.get_layer(f"quant_{name}")
        variables = wrapper._output_quantizer_vars
        found[name] = (float(variables["min"]), float(variables["max"]))
    image = model.get_layer(f"quant_{_FIRST}")._output_quantizer_vars
    return Ranges(image=(float(image["min"]), float(image["max"])), entries=found)


def in_grey_levels(
    graph: NetworkGraph, ranges: Ranges, normalisation: InputNormalisation
) -> tuple[NetworkGraph, Ranges]:
    """The same network for pictures of which only a whole grey level was subtracted.

    The factor of the normalisation, a `centred` one, goes into the first convolutions, so that the
    device spends no operator on it.
    """
    weights = {
        entry.name: (np.asarray(entry.kernel * np.float32(normalisation.scale)), entry.bias)
        for entry in graph.first_convolutions()
        if entry.kernel is not None
    }
    low, high = (round(value / normalisation.scale) for value in ranges.image)
    return graph.with_weights(weights), dataclasses.replace(ranges, image=(low, high))


def centred(normalisation: InputNormalisation) -> InputNormalisation:
    """The normalisation with its zero at a whole grey level; see `InputNormalisation.centre`."""
    return InputNormalisation(normalisation.scale, -normalisation.scale * normalisation.centre)


class _KernelQuantizer(tfmot.quantization.keras.quantizers.Quantizer):
    """Symmetric, one scale per output channel, from the channel's own largest value.

    A depthwise kernel `[kh, kw, channels, 1]` is turned to `[kh, kw, 1, channels]` for it, the one
    detour that the converter takes back; it refuses others, such as `[kh * kw, channels]`.
    """

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        shape = (tensor_shape[2] * tensor_shape[3] if _is_depthwise(name) else tensor_shape[3],)
        return {
            part: layer.add_weight(f"{name}_{part}", shape=shape, trainable=False)
            for part in ("min", "max")
        } | {"is_depthwise": _is_depthwise(name)}

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **_: Any) -> Any:
        height, width, num_in, num_out = inputs.shape
        if weights["is_depthwise"]:
            inputs = tf.reshape(inputs, (height, width, 1, num_in * num_out))
        if training:
            limit = tf.reduce_max(tf.abs(tf.stop_gradient(inputs)), axis=(0, 1, 2))
            limit = tf.maximum(limit, _SMALLEST_RANGE)
            weights["min"].assign(-limit)
            weights["max"].assign(limit)
        rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            inputs, weights["min"], weights["max"], narrow_range=True
        )
        return tf.reshape(rounded, (height, width, num_in, num_out))

    def get_config(self) -> dict[str, Any]:
        return {}


class _RangeQuantizer(tfmot.quantization.keras.quantizers.Quantizer):
    """256 steps over a range that calibration sets and training widens or narrows.

    Only numbers that are clipped have a gradient for an end (TensorFlow's fake quantisation), so
    that at small learning rates the range stays nearly what calibration found.

    Args:
      low: Start of the range, at most 0.
      high: End of the range.
      is_fixed: Whether training leaves it.
    """

    def __init__(self, low: float, high: float, is_fixed: bool) -> None:
        self.low, self.high, self.is_fixed = low, high, is_fixed

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        del tensor_shape
        return {
            part: layer.add_weight(
                f"{name}_range_{part}",
                shape=(),
                initializer=tf.constant_initializer(value),
                trainable=not self.is_fixed,
                constraint=constraint,
            )
            for part, value, constraint in (
                ("min", self.low, lambda value: tf.minimum(value, 0.0)),
                ("max", self.high, lambda value: tf.maximum(value, _SMALLEST_RANGE)),
            )
        }

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **_: Any) -> Any:
        del training
        return tf.quantization.fake_quant_with_min_max_vars(inputs, weights["min"], weights["max"])

    def get_config(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "is_fixed": self.is_fixed}


class _DeviceConfig(tfmot.quantization.keras.QuantizeConfig):
    """What is rounded of one layer.

    Args:
      kernel: Name of the attribute that is rounded; empty for none.
      output: Of the layer's result, what `_RangeQuantizer` takes: low, high, is_fixed; None where
        the next layer rounds it.
    """

    def __init__(self, kernel: str = "", output: tuple[float, float, bool] | None = None) -> None:
        self.kernel, self.output = kernel, output

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        if not self.kernel:
            return []
        return [(getattr(layer, self.kernel), _KernelQuantizer())]

    def get_activations_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        del layer
        return []

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        if self.kernel:
            setattr(layer, self.kernel, quantize_weights[0])

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        del layer, quantize_activations

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        del layer
        return [_RangeQuantizer(*self.output)] if self.output else []

    def get_config(self) -> dict[str, Any]:
        return {"kernel": self.kernel, "output": self.output}


class _DeviceScheme(tfmot.quantization.keras.QuantizeScheme):
    """What is annotated is rounded as its `_DeviceConfig` says; no layer is added or replaced."""

    def get_layout_transformer(self) -> Any:
        return _AsItIs()

    def get_quantize_registry(self) -> Any:
        return _NoDefaults()


class _AsItIs(tfmot.quantization.keras.QuantizeLayoutTransform):
    def apply(self, model: Any, layer_quantize_map: Any) -> tuple[Any, Any]:
        return model, layer_quantize_map


class _NoDefaults(tfmot.quantization.keras.QuantizeRegistry):
    def supports(self, layer: Any) -> bool:
        del layer
        return False

    def get_quantize_config(self, layer: Any) -> Any:
        raise ValueError(f"layer {layer.name!r} is not annotated")


def _is_depthwise(name: str) -> bool:
    return name == _KERNELS["DepthwiseConv2D"]
