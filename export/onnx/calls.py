"""A Keras functional network as a flat list of layer calls, through its public configuration."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras

# A layer and the how-manieth of its calls: a layer that is used again gives another tensor.
Key = tuple[str, int]


@dataclass(frozen=True)
class Call:
    """One use of a layer.

    Attributes:
      key: The tensor that it makes.
      layer: The layer.
      inputs: The tensors that it takes.
    """

    key: Key
    layer: keras.layers.Layer
    inputs: tuple[Key, ...]

    @property
    def kind(self) -> str:
        """The layer's class name."""
        return type(self.layer).__name__

    @property
    def name(self) -> str:
        """The layer's name, with the number of the call where it is not the first."""
        name, index = self.key
        return f"{name}_{index + 1}" if index else name


def read_calls(network: keras.Model) -> tuple[list[Call], dict[str, Key]]:
    """Takes a network apart.

    Args:
      network: Functional, with a dictionary of outputs.

    Returns:
      Its calls, every one after those that it depends on, the picture's first; and the tensor of
      every output by name.
    """
    config = network.get_config()
    layers = {layer["config"]["name"]: layer for layer in config["layers"]}
    outputs = {name: (key[0], key[1]) for name, key in config["output_layers"].items()}
    calls: dict[Key, Call] = {}
    waiting = list(outputs.values())
    while waiting:
        key = waiting[-1]
        name, index = key
        nodes = layers[name]["inbound_nodes"]
        inputs = tuple(_tensors(nodes[index])) if nodes else ()
        missing = [tensor for tensor in inputs if tensor not in calls]
        if key in calls or not missing:
            calls.setdefault(key, Call(key, network.get_layer(name), inputs))
            waiting.pop()
        # A deep network would exhaust the stack of a recursion.
        waiting += missing
    return list(calls.values()), outputs


def _tensors(node: Any) -> Iterator[Key]:
    """The tensors among a call's arguments, in their order."""
    if isinstance(node, Mapping):
        if node.get("class_name") == "__keras_tensor__":
            name, index, _ = node["config"]["keras_history"]
            yield name, index
            return
        node = node.values()
    elif not isinstance(node, list | tuple):
        return
    for part in node:
        yield from _tensors(part)
