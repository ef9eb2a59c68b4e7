"""Steps and evaluations on TensorFlow; see `mtdepth.training.guarded_step`."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

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
        before = [tf.identity(variable.value) for variable in statistics]
        weights = graph.trainable_variables
        with tf.GradientTape() as tape:
            values = losses(*batch)
        gradients = tape.gradient(values["total"], [weight.value for weight in weights])
        norm = tf.linalg.global_norm(gradients)
        is_finite = tf.math.is_finite(norm) & tf.math.is_finite(values["total"])
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm, norm)

        def apply() -> Any:
            optimizer.apply(gradients, weights)
            return tf.constant(True)

        def undo() -> Any:
            for variable, value in zip(statistics, before, strict=True):
                variable.assign(value)
            return tf.constant(False)

        return values, norm, tf.cond(is_finite, apply, undo)

    # XLA makes such graphs several times slower on CPU, so it is not left to a default.
    return tf.function(step, jit_compile=False)


def evaluation(graph: keras.Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, compiled."""
    del graph  # its variables are found by themselves
    return tf.function(function, jit_compile=False)
