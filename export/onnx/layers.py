"""Keras layers in ONNX's operators, NCHW.

The layers of this project's networks are few, so each has its operator here and nothing is found by
patterns.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from export.onnx.calls import Call, Key
from export.onnx.graph import Graph
from export.tflite.convert import ExportError

Array = npt.NDArray[Any]
Padding = tuple[int, int, int, int]  # top, left, bottom, right: ONNX's order

NO_PADDING: Padding = (0, 0, 0, 0)
SAME_FUNCTION = ("Dropout", "SpatialDropout2D")  # what they do in training only


class LayerWriter:
    """Writes layer calls into a graph.

    Args:
      graph: Is added to.
      calls: All that will be written.
      image: The tensor that the network's input stands for.
    """

    def __init__(self, graph: Graph, calls: list[Call], *, image: str) -> None:
        self.graph = graph
        self._image = image
        self._tensors: dict[Key, str] = {}
        # Padding that the next convolution takes over.
        self._pending: dict[Key, Padding] = {}
        self._num_readers: dict[Key, int] = {}
        for call in calls:
            for key in call.inputs:
                self._num_readers[key] = self._num_readers.get(key, 0) + 1

    def tensor(self, key: Key) -> str:
        """The tensor that a call gave."""
        return self._tensors[key]

    def write(self, call: Call) -> None:
        """Writes one call, after those that it depends on.

        Raises:
          ExportError: If the layer has no operator here, or a setting without one.
        """
        if call.kind == "InputLayer":
            self._tensors[call.key] = self._image
            return
        if call.kind in SAME_FUNCTION:
            self._alias(call)
            return
        method = getattr(self, f"_{call.kind}", None)
        if method is None:
            raise ExportError(
                f"layer {call.name!r}: {call.kind} has no ONNX operator here; "
                "export.onnx.layers says which layers have"
            )
        if call.kind not in ("Conv2D", "DepthwiseConv2D"):
            self._check_not_padded(call)
        method(call)

    def _Conv2D(self, call: Call) -> None:  # noqa: N802  (named as the layer)
        layer = call.layer
        _require(call, layer.groups == 1, "one group")
        # [rows, columns, in, out] to [out, in, rows, columns]
        self._conv(call, np.asarray(layer.kernel).transpose(3, 2, 0, 1), groups=1)

    def _DepthwiseConv2D(self, call: Call) -> None:  # noqa: N802
        layer = call.layer
        _require(call, layer.depth_multiplier == 1, "a depth multiplier of 1")
        kernel = np.asarray(layer.kernel).transpose(2, 3, 0, 1)
        self._conv(call, kernel, groups=kernel.shape[0])

    def _conv(self, call: Call, kernel: Array, *, groups: int) -> None:
        layer, (key,) = call.layer, call.inputs
        _require(call, layer.data_format == "channels_last", "channels last")
        source = self._tensors[key]
        _, _, height, width = self.graph.shapes[source]
        pads = self._pending.get(key, NO_PADDING)
        spans = [
            dilation * (side - 1) + 1
            for dilation, side in zip(layer.dilation_rate, kernel.shape[2:], strict=True)
        ]
        if layer.padding == "same":
            _require(call, pads == NO_PADDING, "padding of one kind")
            pads = _same_padding((height, width), spans=spans, strides=layer.strides)
        out_height = (height + pads[0] + pads[2] - spans[0]) // layer.strides[0] + 1
        out_width = (width + pads[1] + pads[3] - spans[1]) // layer.strides[1] + 1
        bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(kernel.shape[0], np.float32)
        weights = self._weights(call.key[0], kernel, bias)
        self._tensors[call.key] = self.graph.add(
            "Conv",
            [source, *weights],
            call.name,
            (1, kernel.shape[0], out_height, out_width),
            kernel_shape=list(kernel.shape[2:]),
            strides=list(layer.strides),
            pads=list(pads),
            dilations=list(layer.dilation_rate),
            group=groups,
        )
        self._activate(call, keras_name(layer.activation))

    def _weights(self, layer_name: str, kernel: Array, bias: Array) -> list[str]:
        return [
            self.graph.constant(f"{layer_name}/kernel", np.ascontiguousarray(kernel, np.float32)),
            self.graph.constant(f"{layer_name}/bias", np.ascontiguousarray(bias, np.float32)),
        ]

    def _BatchNormalization(self, call: Call) -> None:  # noqa: N802
        """Folds it into the convolution before it."""
        (key,) = call.inputs
        node = self.graph.producer(self._tensors[key])
        is_foldable = node is not None and node.operator == "Conv" and self._num_readers[key] == 1
        _require(call, is_foldable, "a convolution before it that nothing else reads")
        assert node is not None  # noqa: S101  (for the type checker)
        layer = call.layer
        spread = np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
        gain = 1 / spread if layer.gamma is None else np.asarray(layer.gamma, np.float64) / spread
        shift = -np.asarray(layer.moving_mean, np.float64) * gain
        if layer.beta is not None:
            shift = shift + np.asarray(layer.beta, np.float64)
        kernel, bias = (self.graph.constants[name] for name in node.inputs[1:])
        folded = self._weights(
            f"{node.output}/folded", kernel * gain[:, None, None, None], bias * gain + shift
        )
        node.inputs[1:] = folded
        self._alias(call)

    def _ZeroPadding2D(self, call: Call) -> None:  # noqa: N802
        (top, bottom), (left, right) = call.layer.padding
        self._alias(call)
        self._pending[call.key] = (top, left, bottom, right)

    def _ReLU(self, call: Call) -> None:  # noqa: N802
        layer = call.layer
        _require(call, not layer.negative_slope and not layer.threshold, "no slope or threshold")
        if layer.max_value is None:
            self._unary(call, "Relu")
        else:
            self._clip(call, float(layer.max_value))

    def _Activation(self, call: Call) -> None:  # noqa: N802
        self._alias(call)
        self._activate(call, keras_name(call.layer.activation))

    def _activate(self, call: Call, name: str) -> None:
        """Applies an activation to what the call has made so far."""
        if name == "linear":
            return
        operators = {"relu": "Relu", "sigmoid": "Sigmoid"}
        _require(call, name in (*operators, "relu6"), f"a known activation, not {name!r},")
        source = self._tensors[call.key]
        shape = self.graph.shapes[source]
        if name == "relu6":
            self._tensors[call.key] = self._clipped(source, 6.0, f"{call.name}/relu6", shape)
        else:
            self._tensors[call.key] = self.graph.add(
                operators[name], [source], f"{call.name}/{name}", shape
            )

    def _unary(self, call: Call, operator: str) -> None:
        source = self._tensors[call.inputs[0]]
        shape = self.graph.shapes[source]
        self._tensors[call.key] = self.graph.add(operator, [source], call.name, shape)

    def _clip(self, call: Call, most: float) -> None:
        source = self._tensors[call.inputs[0]]
        shape = self.graph.shapes[source]
        self._tensors[call.key] = self._clipped(source, most, call.name, shape)

    def _clipped(self, source: str, most: float, name: str, shape: tuple[int, ...]) -> str:
        low = self.graph.constant("zero", np.array(0, np.float32))
        high = self.graph.constant(f"clip_at_{most:g}", np.array(most, np.float32))
        return self.graph.add("Clip", [source, low, high], name, shape)

    def _Rescaling(self, call: Call) -> None:  # noqa: N802
        layer = call.layer
        _require(call, layer.scale == 1, "scale 1")
        source = self._tensors[call.inputs[0]]
        offset = self.graph.constant(
            f"offset_{layer.offset:g}", np.array([layer.offset], np.float32)
        )
        shape = self.graph.shapes[source]
        self._tensors[call.key] = self.graph.add("Add", [source, offset], call.name, shape)

    def _Add(self, call: Call) -> None:  # noqa: N802
        self._binary(call, "Add")

    def _Multiply(self, call: Call) -> None:  # noqa: N802
        self._binary(call, "Mul")

    def _binary(self, call: Call, operator: str) -> None:
        _require(call, len(call.inputs) == 2, "two inputs")
        sources = [self._tensors[key] for key in call.inputs]
        shapes = [self.graph.shapes[source] for source in sources]
        shape = tuple(max(sides) for sides in zip(*shapes, strict=True))
        self._tensors[call.key] = self.graph.add(operator, sources, call.name, shape)

    def _Concatenate(self, call: Call) -> None:  # noqa: N802
        _require(call, call.layer.axis in (-1, 3), "the channels as its axis")
        sources = [self._tensors[key] for key in call.inputs]
        shapes = [self.graph.shapes[source] for source in sources]
        shape = (1, sum(shape[1] for shape in shapes), *shapes[0][2:])
        self._tensors[call.key] = self.graph.add("Concat", sources, call.name, shape, axis=1)

    def _PixelShuffle(self, call: Call) -> None:  # noqa: N802
        source = self._tensors[call.inputs[0]]
        _, channels, height, width = self.graph.shapes[source]
        # Depth, column, row is the order of TensorFlow's operator, whose channels are the blocks.
        self._tensors[call.key] = self.graph.add(
            "DepthToSpace",
            [source],
            call.name,
            (1, channels // 4, 2 * height, 2 * width),
            blocksize=2,
            mode="DCR",
        )

    def _UpSampling2D(self, call: Call) -> None:  # noqa: N802
        layer = call.layer
        _require(call, layer.interpolation == "nearest", "interpolation 'nearest'")
        source = self._tensors[call.inputs[0]]
        _, channels, height, width = self.graph.shapes[source]
        rows, columns = layer.size
        scales = np.array([1, 1, rows, columns], np.float32)
        self._tensors[call.key] = self.graph.add(
            "Resize",
            [source, "", self.graph.constant(f"scales_{rows}_{columns}", scales)],
            call.name,
            (1, channels, rows * height, columns * width),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def _GlobalAveragePooling2D(self, call: Call) -> None:  # noqa: N802
        # Kept at four axes in either case: a dense layer behind it is a convolution here.
        source = self._tensors[call.inputs[0]]
        shape = (1, self.graph.shapes[source][1], 1, 1)
        self._tensors[call.key] = self.graph.add("GlobalAveragePool", [source], call.name, shape)

    def _Dense(self, call: Call) -> None:  # noqa: N802
        source = self._tensors[call.inputs[0]]
        _require(call, self.graph.shapes[source][2:] == (1, 1), "one value for each channel")
        layer = call.layer
        kernel = np.asarray(layer.kernel).T[:, :, None, None]
        bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(kernel.shape[0], np.float32)
        self._tensors[call.key] = self.graph.add(
            "Conv",
            [source, *self._weights(call.key[0], kernel, bias)],
            call.name,
            (1, kernel.shape[0], 1, 1),
            kernel_shape=[1, 1],
            strides=[1, 1],
            pads=[0, 0, 0, 0],
            dilations=[1, 1],
            group=1,
        )
        self._activate(call, keras_name(layer.activation))

    def _Reshape(self, call: Call) -> None:  # noqa: N802
        shape = self.graph.shapes[self._tensors[call.inputs[0]]]
        is_same = tuple(call.layer.target_shape) in ((1, 1, -1), (1, 1, shape[1]))
        _require(call, shape[2:] == (1, 1) and is_same, "one value for each channel")
        self._alias(call)

    def _alias(self, call: Call) -> None:
        self._tensors[call.key] = self._tensors[call.inputs[0]]

    def _check_not_padded(self, call: Call) -> None:
        is_padded = any(key in self._pending for key in call.inputs)
        _require(call, not is_padded, "no padding before it, which only a convolution takes")


def keras_name(activation: Any) -> str:
    """The name of a Keras activation function."""
    return str(getattr(activation, "__name__", activation))


def _same_padding(size: tuple[int, int], *, spans: list[int], strides: Any) -> Padding:
    """TensorFlow's "same": what is odd of it goes below and to the right."""
    before, after = [], []
    for side, span, stride in zip(size, spans, strides, strict=True):
        total = max((math.ceil(side / stride) - 1) * stride + span - side, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before[0], before[1], after[0], after[1]


def _require(call: Call, is_met: bool, rule: str) -> None:
    if not is_met:
        raise ExportError(f"layer {call.name!r} ({call.kind}) needs {rule} for ONNX")
