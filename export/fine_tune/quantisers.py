"""What is rounded of a layer, and how: a scheme for tensorflow-model-optimization.

The library annotates and applies; quantisers and scheme are ours, since its own 8-bit scheme starts
activations at -6..6 and forgets that over thousands of steps, leaves the kernel of a convolution
with a ReLU behind it unquantised, and folds batch normalisations that `export.graph` has folded.
"""

from typing import Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot

# Attributes that hold kernels, by layer class.
KERNELS = {"Conv2D": "kernel", "DepthwiseConv2D": "depthwise_kernel"}
_SMALLEST_RANGE = 1e-6  # a pruned channel has none


class KernelQuantizer(tfmot.quantization.keras.quantizers.Quantizer):
    """Symmetric, one scale per output channel, from the channel's own largest value.

    A depthwise kernel `[kh, kw, channels, 1]` is turned to `[kh, kw, 1, channels]` for it, the one
    detour that the converter takes back; it refuses others, such as `[kh * kw, channels]`.
    """

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Makes the variables for the range."""
        shape = (tensor_shape[2] * tensor_shape[3] if _is_depthwise(name) else tensor_shape[3],)
        return {
            part: layer.add_weight(f"{name}_{part}", shape=shape, trainable=False)
            for part in ("min", "max")
        } | {"is_depthwise": _is_depthwise(name)}

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **_: Any) -> Any:
        """Rounds the kernel; in training its range is taken anew."""
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
        """For the library, which serialises it."""
        return {}


class RangeQuantizer(tfmot.quantization.keras.quantizers.Quantizer):
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
        """Makes the variables for the range."""
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
        """Clips and rounds."""
        del training
        return tf.quantization.fake_quant_with_min_max_vars(inputs, weights["min"], weights["max"])

    def get_config(self) -> dict[str, Any]:
        """For the library, which serialises it."""
        return {"low": self.low, "high": self.high, "is_fixed": self.is_fixed}


class DeviceConfig(tfmot.quantization.keras.QuantizeConfig):
    """What is rounded of one layer.

    Args:
      kernel: Name of the attribute that is rounded; empty for none.
      output: Of the layer's result, what `RangeQuantizer` takes: low, high, is_fixed; None where
        the next layer rounds it.
    """

    def __init__(self, kernel: str = "", output: tuple[float, float, bool] | None = None) -> None:
        self.kernel, self.output = kernel, output

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """The kernel, where there is one."""
        if not self.kernel:
            return []
        return [(getattr(layer, self.kernel), KernelQuantizer())]

    def get_activations_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """None: our layers have no activation inside."""
        del layer
        return []

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        """Puts the rounded kernel in its place."""
        if self.kernel:
            setattr(layer, self.kernel, quantize_weights[0])

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        """Nothing to put."""
        del layer, quantize_activations

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        """The result's, where it is rounded here."""
        del layer
        return [RangeQuantizer(*self.output)] if self.output else []

    def get_config(self) -> dict[str, Any]:
        """For the library, which serialises it."""
        return {"kernel": self.kernel, "output": self.output}


class DeviceScheme(tfmot.quantization.keras.QuantizeScheme):
    """What is annotated is rounded as its `DeviceConfig` says; no layer is added or replaced."""

    def get_layout_transformer(self) -> Any:
        """Changes nothing: `export.graph` has folded what can be."""
        return _AsItIs()

    def get_quantize_registry(self) -> Any:
        """Knows no layer, so that only what is annotated is rounded."""
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
    return name == KERNELS["DepthwiseConv2D"]
