"""Exported files that several tests only read."""

from pathlib import Path

# It looks once, at its import, which Keras stands behind `tf.keras`, and tests of fine-tuning put
# Keras 2 there for the rest of the process.
import keras_cv  # noqa: F401
import pytest
from fakes.artefact import random_file

from mtdepth.contract import Precision


@pytest.fixture(scope="session")
def golden_models() -> dict[str, Path]:
    """An int8 and a float32 file of a random network, with golden pairs; read-only."""
    precisions: tuple[Precision, ...] = ("int8", "float32")
    return {precision: random_file(precision) for precision in precisions}
