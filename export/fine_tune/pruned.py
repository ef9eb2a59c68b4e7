"""Magnitude pruning of the 1x1 convolutions, which hold most weights of a mobile network.

tensorflow-model-optimization prunes, counts the steps and takes its wrappers off. Ours are the
choice of layers (its `PruneForLatencyOnXNNPack` demands a network that ends in a pooling) and the
masks, which its wrapper does not hand to a quantisation that follows.
"""

from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot

from export.fine_tune.tf_keras_copy import build_copy
from export.graph import Entry, NetworkGraph

PRUNE_EVERY_STEPS = 10
# Share of the fine-tuning in which the zeros are made; the rest heals.
PRUNING_SHARE = 0.6


def pruned_names(graph: NetworkGraph) -> list[str]:
    """The entries that are pruned: 1x1 convolutions, not the heads."""
    heads = frozenset(graph.outputs.values())
    return [entry.name for entry in graph.entries if entry.is_pointwise and entry.name not in heads]


def build_prunable(graph: NetworkGraph, *, sparsity: float, num_steps: int) -> tuple[Any, Any]:
    """A `tf_keras` copy whose smallest weights become zero while it is being trained.

    The share of zeros rises fast at first and slowly at the end (cubic; Zhu and Gupta 2017).

    `sparsity` is the share of zeros at the end, of each layer. Returns the model, which counts its
    steps and has to be stripped at the end, and the library's callback for it, whose `on_epoch_end`
    makes the pruned weights zero again after a step.
    """
    names = set(pruned_names(graph))
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=sparsity,
        begin_step=0,
        end_step=pruning_end(num_steps),
        frequency=min(PRUNE_EVERY_STEPS, pruning_end(num_steps)),
    )

    def prunable(entry: Entry, layer: Any) -> Any:
        if entry.name not in names:
            return layer
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)

    model = build_copy(graph, wrap=prunable)
    callback = tfmot.sparsity.keras.UpdatePruningStep()
    callback.set_model(model)
    callback.on_train_begin()
    return model, callback


def pruning_end(num_steps: int) -> int:
    """The step at which all zeros are there."""
    return max(1, int(PRUNING_SHARE * num_steps) // PRUNE_EVERY_STEPS * PRUNE_EVERY_STEPS)


def masks_of(graph: NetworkGraph) -> dict[str, Any]:
    """Entry name to ones where a pruned kernel has a weight and zeros where it has none."""
    names = set(pruned_names(graph))
    return {
        entry.name: np.asarray(entry.kernel != 0, np.float32)
        for entry in graph.entries
        if entry.name in names
    }


def sparsity_of(graph: NetworkGraph) -> dict[str, float]:
    """Share of zeros of every pruned layer, and of all of them together as `all`."""
    masks = masks_of(graph)
    shares = {name: float(1 - mask.mean()) for name, mask in masks.items()}
    num_zeros = sum(float((mask == 0).sum()) for mask in masks.values())
    return {**shares, "all": num_zeros / max(1, sum(mask.size for mask in masks.values()))}
