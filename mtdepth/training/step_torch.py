"""Steps and evaluations on torch; see `mtdepth.training.guarded_step`."""

from collections.abc import Callable
from typing import Any

import keras
import torch

Step = Callable[..., tuple[dict[str, Any], Any, Any]]


def training_step(
    graph: keras.Model,
    losses: Callable[..., dict[str, Any]],
    optimizer: keras.optimizers.Optimizer,
    *,
    clip_norm: float,
) -> Step:
    """From a batch to losses, gradient norm and whether the step was taken."""

    def step(*batch: Any) -> tuple[dict[str, Any], Any, Any]:
        statistics = graph.non_trainable_variables
        before = [variable.value.detach().clone() for variable in statistics]
        weights = graph.trainable_variables
        values = losses(*_tensors(batch))
        gradients = list(torch.autograd.grad(values["total"], [each.value for each in weights]))
        norm = torch.sqrt(sum(torch.sum(torch.square(each)) for each in gradients))
        is_finite = bool(torch.isfinite(norm) & torch.isfinite(values["total"]))
        with torch.no_grad():
            if not is_finite:
                for variable, value in zip(statistics, before, strict=True):
                    variable.assign(value)
            else:
                if clip_norm:
                    scale = torch.clamp(clip_norm / norm, max=1.0)
                    gradients = [each * scale for each in gradients]
                optimizer.apply(gradients, weights)
        return {name: value.detach() for name, value in values.items()}, norm, is_finite

    return step


def evaluation(graph: keras.Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, without what a gradient would need."""
    del graph

    def run(*batch: Any) -> Any:
        with torch.no_grad():
            return function(*_tensors(batch))

    return run


def _tensors(batch: tuple[Any, ...]) -> Any:
    return keras.tree.map_structure(keras.ops.convert_to_tensor, batch)
