"""From a workdir to the files for a Jetson, as the programs do it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes.artefact import images, random_file, random_onnx_file
from fakes.conditioned import condition
from fakes.programs import run_program
from fakes.workdir import build_workdir

from mtdepth.contract import Contract
from mtdepth.datasets.label_store import LabelStore
from mtdepth.predictor import open_predictor
from mtdepth.runtime.onnx import OnnxBackend
from mtdepth.runtime.tflite import TfliteBackend
from mtdepth.trained import load_training_graph
from mtdepth.workdir import Workdir


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return run_program(program, *arguments)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Workdir:
    path = tmp_path_factory.mktemp("work") / "run"
    made = build_workdir(path, overrides=('student.tasks=["depth"]',))
    graph = load_training_graph(made)
    condition(graph)
    graph.save_weights(made.weights_path("best"))
    return made


def test_an_onnx_file_says_what_a_tflite_file_says() -> None:
    path = random_onnx_file()
    onnx = OnnxBackend(path)
    tflite = TfliteBackend(random_file("float32"))
    for image in images():
        found, expected = onnx.infer(image), tflite.infer(image)
        np.testing.assert_allclose(found.depth_m, expected.depth_m, rtol=1e-5)
        np.testing.assert_array_equal(found.train_id, expected.train_id)

    predictor = open_predictor(path)
    assert predictor.predict(np.zeros((40, 60, 3), np.uint8)).depth_m.shape == (40, 60)
    identity = predictor.backend.identity()
    assert (identity["kind"], identity["decoder"]) == ("onnx", "XS")
    with pytest.raises(ValueError, match=r"python -m export\.onnx --decoder L"):
        open_predictor(path, decoder="L")


@pytest.mark.slow
def test_a_workdir_becomes_an_integer_onnx_file(
    workdir: Workdir, labels: LabelStore, tmp_path: Path
) -> None:
    done = run(
        "export.onnx",
        *("--workdir", workdir.path, "--labels", labels.root, "--decoder", "S"),
        *("--precision", "int8", "--output", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    assert "for TensorRT 8.2 and newer" in done.stderr
    contract = Contract.load(tmp_path / "out" / "model.json")
    assert (contract.decoder, contract.precision) == ("S", "int8")
    assert OnnxBackend(tmp_path / "out" / "model.onnx").input_size == (32, 96)
    # The board's program stands alone there.
    board = tmp_path / "out" / "build_engine.py"
    done = subprocess.run(
        [sys.executable, "-I", str(board), "--trtexec", "nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "trtexec is not in nowhere" in done.stderr


@pytest.mark.slow
def test_a_workdir_becomes_a_saved_model(
    workdir: Workdir, labels: LabelStore, tmp_path: Path
) -> None:
    done = run(
        "export.tftrt",
        *("--workdir", workdir.path, "--labels", labels.root, "--output", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    assert Contract.load(tmp_path / "out" / "saved_model.json").artefact == "saved_model.pb"
    board = tmp_path / "out" / "convert_tftrt.py"
    done = subprocess.run(
        [sys.executable, str(board), "--output", str(tmp_path / "converted")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "has no TensorRT inside" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", ["export.onnx", "export.tftrt"])
def test_a_wrong_line_is_answered_in_words(program: str, tmp_path: Path) -> None:
    done = run(program, "--workdir", "nowhere", "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "nowhere is no workdir" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
