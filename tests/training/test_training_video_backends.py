"""A training from video finds the same numbers on each of Keras's back ends."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import video_training

from mtdepth.training import video_run

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def on_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video_run, "build_networks", None)  # `train` puts its own there
        return video_training.train(tmp_path_factory.mktemp("tensorflow"))


@pytest.mark.parametrize("backend", ["jax", pytest.param("torch", marks=pytest.mark.slow)])
def test_the_same_batches_give_the_same_losses_and_gradients(
    backend: str, on_tensorflow: list[dict], tmp_path: Path
) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; requirements-dev.txt has it")
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]),
    }
    done = subprocess.run(
        [sys.executable, TESTS / "fakes" / "video_training.py", tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found) == len(on_tensorflow) == 2 * 3 + 2
    # The same weights and batch; later ones differ by what Adam makes of the last digits.
    assert found[0] == pytest.approx(on_tensorflow[0], rel=1e-5, abs=1e-7)
    for later, wanted in zip(found[1:], on_tensorflow[1:], strict=True):
        assert later == pytest.approx(wanted, rel=1e-3, abs=1e-5)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["backend"] == backend
