"""Exported files that several tests only read."""

from pathlib import Path

import pytest
from fakes.artefact import export_random

from mtdepth.contract import Precision


@pytest.fixture(scope="session")
def golden_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An int8 and a float32 file of a random network, with golden pairs; read-only."""
    precisions: tuple[Precision, ...] = ("int8", "float32")
    return {
        precision: export_random(tmp_path_factory.mktemp(precision), precision=precision)
        for precision in precisions
    }
