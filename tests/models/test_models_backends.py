"""The networks are plain Keras 3: weights of TensorFlow load and run under JAX and torch."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fakes.recipes import TINY_STUDENT

from mtdepth.models import mininet, student
from mtdepth.specs.mininet import MiniNetSpec

ROOT = Path(__file__).resolve().parents[2]
SIZE = (32, 64)


def networks() -> dict[str, Any]:
    """A student with every kind of layer, and the smallest MiniNet: JAX compiles for long."""
    return {
        "student": student.build_training_graph(TINY_STUDENT, input_size=SIZE),
        "mininet": mininet.build_training_graph(MiniNetSpec(variant="small"), input_size=SIZE),
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> tuple[Path, dict[str, dict[str, np.ndarray]]]:
    """A folder of weights and a picture, and what the networks make of it under TensorFlow."""
    folder = tmp_path_factory.mktemp("backends")
    rng = np.random.default_rng(3)
    keras.utils.set_random_seed(3)
    image = rng.uniform(-1, 1, (2, *SIZE, 3)).astype(np.float32)
    np.save(folder / "image.npy", image)
    found = {}
    for name, network in networks().items():
        for layer in network.layers:
            if type(layer).__name__ == "BatchNormalization":
                values = layer.get_weights()
                layer.set_weights([v + rng.uniform(0, 0.1, v.shape) for v in values])
        network.save_weights(folder / f"{name}.weights.h5")
        found[name] = {output: np.asarray(values) for output, values in network(image).items()}
    return folder, found


@pytest.mark.parametrize("backend", [pytest.param("jax", marks=pytest.mark.slow), "torch"])
def test_networks_compute_the_same_on_another_back_end(backend, expected) -> None:
    folder, of_tensorflow = expected
    done = subprocess.run(
        [sys.executable, __file__, str(folder)],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == backend
    for name, outputs_of_one in of_tensorflow.items():
        with np.load(folder / f"{backend}_{name}.npz") as found:
            assert set(found) == set(outputs_of_one)
            for output, values in outputs_of_one.items():
                # float32 sums in another order, through a hundred layers; 1.4e-5 were seen
                atol = 3e-5 * np.abs(values).max()
                np.testing.assert_allclose(found[output], values, atol=atol, err_msg=output)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    for name, network in networks().items():
        network.load_weights(where / f"{name}.weights.h5")
        found = network.predict_on_batch(np.load(where / "image.npy"))
        np.savez(where / f"{keras.backend.backend()}_{name}.npz", **found)
    sys.stdout.write(keras.backend.backend())
