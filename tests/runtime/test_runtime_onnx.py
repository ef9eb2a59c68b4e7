"""An ONNX file runs with its own contract only, and says what is wrong with another."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from fakes.artefact import (
    CAMERA,
    CODEC,
    SIZE,
    images,
    random_onnx_file,
)

from mtdepth.contract import Contract, contract_path
from mtdepth.files import DataError, sha256_of
from mtdepth.runtime import onnx as runtime
from mtdepth.runtime.onnx import OnnxBackend, open_session


@pytest.fixture(scope="module")
def exported() -> Path:
    return random_onnx_file()


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


def qdq_product(weights: npt.NDArray[np.int8]) -> bytes:
    """`y = x @ weights`, every tensor through a quantise/dequantise pair of scale 1."""
    num_in, num_out = weights.shape
    one, zero = np.float32(1), np.uint8(0)
    step = np.float32(2.0**15)  # of the result, which has 8 bits, too
    helper = onnx.helper
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "one", "zero"], ["x/q"]),
        helper.make_node("DequantizeLinear", ["x/q", "one", "zero"], ["x/dq"]),
        helper.make_node("DequantizeLinear", ["w", "one", "zero_w"], ["w/dq"]),
        helper.make_node("MatMul", ["x/dq", "w/dq"], ["product"]),
        helper.make_node("QuantizeLinear", ["product", "step", "zero"], ["y/q"]),
        helper.make_node("DequantizeLinear", ["y/q", "step", "zero"], ["y"]),
    ]
    constants = {"one": one, "zero": zero, "zero_w": np.int8(0), "w": weights, "step": step}
    graph = helper.make_graph(
        nodes,
        "qdq",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, num_in))],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (1, num_out))],
        [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_integers_are_computed_as_written_on_every_processor() -> None:
    # 255 * 127 * 2 = 64,770, but before VNNI the instruction that adds two products of bytes ends
    # at 32,767: fused into integer kernels the result there is 1,048,576 in place of 2,064,384.
    weights = np.full((64, 16), 127, np.int8)
    pixels = np.full((1, 64), 255, np.float32)
    session = open_session(qdq_product(weights), num_threads=1)
    (found,) = session.run(None, {"x": pixels})
    exact = pixels.astype(np.int64) @ weights.astype(np.int64)
    np.testing.assert_array_equal(found, np.rint(exact / 2**15) * 2**15)
    # Where the processor has VNNI both ways give the same numbers; this says which way it was.
    entry = session.get_session_options().get_session_config_entry("session.disable_quant_qdq")
    assert entry == "1"
