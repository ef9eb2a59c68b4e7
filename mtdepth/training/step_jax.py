"""Steps and evaluations on JAX; see `mtdepth.training.guarded_step`."""

from collections.abc import Callable
from typing import Any

import jax
import keras
from jax import numpy as jnp

Step = Callable[..., tuple[dict[str, Any], Any, Any]]


def training_step(
    graph: keras.Model,
    losses: Callable[..., dict[str, Any]],
    optimizer: keras.optimizers.Optimizer,
    *,
    clip_norm: float,
) -> Step:
    """From a batch to losses, gradient norm and whether the step was taken."""
    weights, statistics = graph.trainable_variables, graph.non_trainable_variables

    def total(weight_values: Any, statistic_values: Any, batch: Any) -> Any:
        pairs = zip([*weights, *statistics], [*weight_values, *statistic_values], strict=True)
        with keras.StatelessScope(state_mapping=list(pairs)) as scope:
            values = losses(*batch)
        updated = [scope.get_current_value(variable) for variable in statistics]
        return values["total"], (values, updated)

    @jax.jit
    def step(old: Any, batch: Any) -> Any:
        gradient = jax.value_and_grad(total, has_aux=True)
        (loss, (values, updated)), gradients = gradient(old[0], old[1], batch)
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(each)) for each in gradients))
        is_finite = jnp.isfinite(norm) & jnp.isfinite(loss)
        if clip_norm:
            gradients = [each * jnp.minimum(1.0, clip_norm / norm) for each in gradients]
        learned, slots = optimizer.stateless_apply(old[2], gradients, old[0])
        new = (learned, updated, slots)
        kept = jax.tree.map(lambda after, before: jnp.where(is_finite, after, before), new, old)
        return kept, values, norm, is_finite

    def take(*batch: Any) -> tuple[dict[str, Any], Any, Any]:
        variables = (weights, statistics, optimizer.variables)
        old = tuple([variable.value for variable in group] for group in variables)
        new, values, norm, is_finite = step(old, batch)
        for group, arrays in zip(variables, new, strict=True):
            for variable, array in zip(group, arrays, strict=True):
                variable.assign(array)
        return values, norm, is_finite

    return take


def evaluation(graph: keras.Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, compiled."""
    variables = graph.variables

    @jax.jit
    def stateless(values: Any, batch: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(*batch)

    return lambda *batch: stateless([variable.value for variable in variables], batch)
