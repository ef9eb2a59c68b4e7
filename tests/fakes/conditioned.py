"""Random networks that behave like trained ones, and pictures to show them.

With batch normalisation and random weights every layer lets a small deviation grow (about 1.2 times
each: Yang et al. 2019, "A mean field theory of batch normalization"), so that after fifty layers
the rounding of one weight moves the output as far as another picture would. No exporter can be
tested on that. Here the normalised values are lifted to the middle of ReLU6, where it is straight,
which trained networks need not have but which keeps deviations at their size.
"""

from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def condition(graph: Any, *, seed: int = 0) -> None:
    """Gives a training graph random batch-norm weights and statistics; changes it in place."""
    rng = np.random.default_rng(seed)
    names = {layer.name for layer in graph.layers}
    norms = [layer for layer in graph.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        lift = 3.0
        if "project" in layer.name:  # not followed by an activation
            lift = 0.0
        elif f"{layer.name.removesuffix('_BN')}_hard_swish" in names:
            lift = 2.0  # nearly straight, and small
        layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
        layer.beta.assign(lift + rng.normal(0, 0.3, layer.beta.shape))
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    graph(as_input(pictures(8, size=graph.input_shape[1:3], seed=seed)), training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
        # Off the batch's own, so that statistics of the wrong mode would show.
        spread = np.sqrt(layer.moving_variance.numpy())
        layer.moving_mean.assign_add(rng.normal(0, 0.1, spread.shape) * spread)
        layer.moving_variance.assign(
            layer.moving_variance * rng.uniform(0.8, 1.25, spread.shape).astype(np.float32)
        )
    for layer in graph.layers:
        if layer.name.startswith("depth_code"):
            layer.kernel.assign(layer.kernel * 2.0)  # depths that differ from pixel to pixel


def pictures(number: int, *, size: tuple[int, int], seed: int = 0) -> list[Image]:
    """Coloured blobs with noise, `[height, width, 3]`."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        blobs = cv2.resize(
            rng.uniform(0, 255, (6, 9, 3)), (size[1], size[0]), interpolation=cv2.INTER_CUBIC
        )
        made.append(np.clip(blobs + rng.normal(0, 8, blobs.shape), 0, 255).astype(np.uint8))
    return made


def as_input(images: list[Image]) -> npt.NDArray[np.float32]:
    """A batch as the Keras network takes it."""
    return np.stack(images).astype(np.float32) / np.float32(127.5) - 1
