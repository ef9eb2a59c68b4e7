"""An ONNX file runs with its own contract only, and says what is wrong with another."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from fakes.artefact import (
    CAMERA,
    CODEC,
    SIZE,
    export_random_onnx,
    images,
)

from mtdepth.contract import Contract, contract_path
from mtdepth.files import DataError, sha256_of
from mtdepth.runtime import onnx as runtime
from mtdepth.runtime.onnx import OnnxBackend


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_random_onnx(tmp_path_factory.mktemp("onnx_runtime"))


@pytest.fixture
def model(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    for entry in exported.parent.iterdir():
        (tmp_path / entry.name).write_bytes(entry.read_bytes())
    return tmp_path / exported.name


def test_it_is_a_back_end(exported: Path) -> None:
    backend = OnnxBackend(exported, num_threads=1)
    assert (backend.input_size, backend.fit, backend.codec) == (SIZE, "crop", CODEC)
    assert backend.training_camera == CAMERA
    assert backend.tasks == ("depth", "segmentation")
    raw = backend.run(images(1)[0])
    assert {name: values.shape for name, values in raw.items()} == {
        "depth_code": (1, 4, 6, 1),
        "class_scores": (1, 4, 6, 19),
    }
    output = backend.decode(raw)
    assert output.depth_m.dtype == np.float32
    assert output.train_id is not None
    assert (output.train_id.shape, output.train_id.dtype) == ((4, 6), np.uint8)
    with pytest.raises(ValueError, match=r"takes \(64, 96, 3\) uint8"):
        backend.run(np.zeros((64, 96, 3), np.float32))


def test_missing_files_are_named(model: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no such file; make it by `python -m export\.onnx"
    ):
        OnnxBackend(model.with_name("other.onnx"))
    contract_path(model).unlink()
    with pytest.raises(FileNotFoundError, match=r"the contract of model\.onnx is missing"):
        OnnxBackend(model)


def test_a_file_of_another_export_is_refused(model: Path) -> None:
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(DataError, match=r"SHA-256 .* is not model\.json's"):
        OnnxBackend(model)


def test_a_damaged_file_is_refused(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:1000])
    contract = Contract.load(contract_path(model))
    dataclasses.replace(contract, sha256=sha256_of(model)).save(contract_path(model))
    with pytest.raises(DataError, match="onnxruntime cannot open it"):
        OnnxBackend(model)


def test_tensors_that_the_contract_does_not_describe_are_refused(model: Path) -> None:
    path = contract_path(model)
    contract = Contract.load(path)
    depth, classes = contract.outputs
    wrong = dataclasses.replace(depth, shape=(1, 8, 12, 1))
    dataclasses.replace(contract, outputs=(wrong, classes)).save(path)
    with pytest.raises(DataError, match=r"shape=\(1, 4, 6, 1\).*but its contract says"):
        OnnxBackend(model)
    dataclasses.replace(contract, outputs=(depth,), class_names=()).save(path)
    with pytest.raises(DataError, match="not as many tensors"):
        OnnxBackend(model)


def test_a_missing_package_is_named(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runtime.importlib.sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"needs onnxruntime, .*: pip install onnxruntime=="):
        OnnxBackend(exported)
