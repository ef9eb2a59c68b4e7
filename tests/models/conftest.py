"""Weights that hide nothing: batch-norm statistics far from their neutral start."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def randomise() -> Callable[[Any], None]:
    """Gives every weight of a model a random value; variances and gammas stay positive."""

    def fill(model: Any, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        for layer in model.layers:
            values = []
            for index, weight in enumerate(layer.get_weights()):
                if type(layer).__name__ == "BatchNormalization":
                    low, high = [(0.5, 1.5), (-0.5, 0.5), (-0.5, 0.5), (0.5, 1.5)][index]
                    values.append(rng.uniform(low, high, weight.shape).astype(np.float32))
                else:
                    fan_in = max(1, int(np.prod(weight.shape[:-1])))
                    if type(layer).__name__ == "DepthwiseConv2D":
                        fan_in = 9
                    scale = np.sqrt(2 / fan_in)
                    values.append((scale * rng.normal(size=weight.shape)).astype(np.float32))
            layer.set_weights(values)

    return fill
