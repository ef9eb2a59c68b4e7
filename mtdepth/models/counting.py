"""Parameters and multiply-accumulates of a network."""

import dataclasses
import math
from typing import Any

# Each multiplies every weight of its kernel once per output position.
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerCount:
    """What one layer with weights, or without, costs.

    Args:
      name: The layer's.
      kind: Its class.
      output_shape: Of its first call, without the batch.
      params: All numbers, trainable or not.
      macs: Multiply-accumulates of all its calls in the network, for one image.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    params: int
    macs: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkCount:
    """What a network costs.

    Args:
      params: All numbers stored, batch-norm statistics included, as Keras counts them.
      trainable_params: Those that training moves.
      macs: Multiply-accumulates of convolutions and dense layers for one image, at the model's
        input size; batch normalisation and activations, which are fused away, cost nothing. Papers'
        "FLOPs" are mostly twice this.
      outputs: Shape of every output by name, without the batch.
    """

    params: int
    trainable_params: int
    macs: int
    outputs: dict[str, tuple[int | None, ...]]


def count(model: Any) -> NetworkCount:
    """Counts a functional model of `keras` or `tf_keras` with a dict of outputs.

    A layer that is called several times has its parameters counted once and its operations per
    call.

    Raises:
      ValueError: As `count_layers`.
    """
    return NetworkCount(
        params=model.count_params(),
        trainable_params=_num_values(model.trainable_weights),
        macs=sum(layer.macs for layer in count_layers(model)),
        outputs={name: tuple(tensor.shape[1:]) for name, tensor in model.output.items()},
    )


def count_layers(model: Any) -> list[LayerCount]:
    """Counts every layer of a functional model, in the order of its computation.

    Raises:
      ValueError: If a layer has a kernel and no known law (it names it), is a model itself, or the
        input size is not fixed.
    """
    calls: dict[str, list[tuple[int | None, ...]]] = {}
    layers: dict[str, Any] = {layer.name: layer for layer in model.layers}
    # The layers' own call records also hold calls that belong to other models.
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            layer = node.operation if hasattr(node, "operation") else node.layer
            calls.setdefault(layer.name, []).append(_output_shape(node))
    return [
        LayerCount(
            name=name,
            kind=type(layers[name]).__name__,
            output_shape=shapes[0],
            params=_num_values(layers[name].weights),
            macs=sum(_macs(layers[name], shape) for shape in shapes),
        )
        for name, shapes in calls.items()
    ]


def _output_shape(node: Any) -> tuple[int | None, ...]:
    tensors = node.output_tensors if hasattr(node, "output_tensors") else node.outputs
    tensor = tensors[0] if isinstance(tensors, list | tuple) else tensors
    return tuple(tensor.shape[1:])


def _macs(layer: Any, output_shape: tuple[int | None, ...]) -> int:
    if hasattr(layer, "layers"):
        raise ValueError(f"layer {layer.name!r} is a model itself; count it on its own")
    kernels = [weight for weight in layer.weights if len(weight.shape) > 1]
    if not kernels:
        return 0
    kind = type(layer).__name__
    if kind not in (*_CONVOLUTIONS, "Dense") or len(kernels) != 1:
        raise ValueError(f"no law for the operations of layer {layer.name!r}, a {kind}")
    positions = output_shape[:-1]
    if None in positions:
        raise ValueError(f"layer {layer.name!r} has no fixed size {output_shape}; fix the input's")
    return math.prod(side for side in positions if side is not None) * math.prod(kernels[0].shape)


def _num_values(weights: Any) -> int:
    return sum(math.prod(weight.shape) for weight in weights)
