"""A file runs only with the contract that belongs to it, and by its names."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.artefact import CAMERA, CODEC, images, random_file
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.contract import Contract, TensorContract, contract_path
from mtdepth.files import DataError, read_json, sha256_of, write_json
from mtdepth.geometry.depth_codec import LogDepthCodec
from mtdepth.runtime.pipeline import Pipeline
from mtdepth.runtime.tflite import TfliteBackend, depth_table


@pytest.fixture(scope="module")
def int8() -> Path:
    return random_file("int8")


@pytest.fixture
def copied(int8: Path, tmp_path: Path) -> Path:
    """A pair that a test may spoil."""
    for path in (int8, contract_path(int8)):
        shutil.copy(path, tmp_path)
    return tmp_path / int8.name


def spoil(path: Path, **changes: Any) -> None:
    contract = Contract.load(contract_path(path))
    dataclasses.replace(contract, **changes).save(contract_path(path))


def code_tensor(scale: float, zero_point: int, *, dtype: str = "int8") -> TensorContract:
    return TensorContract(
        name="depth_code",
        kind="depth_code",
        shape=(1, 4, 6, 1),
        dtype=dtype,
        scale=scale,
        zero_point=zero_point,
    )


def test_the_back_end_is_what_its_contract_says(int8: Path) -> None:
    backend = TfliteBackend(int8, num_threads=1)
    assert backend.input_size == (64, 96)
    assert backend.fit == "crop"
    assert backend.codec == CODEC
    assert backend.training_camera == CAMERA
    assert backend.tasks == ("depth", "segmentation")


def test_integers_become_metres_by_the_codec(int8: Path) -> None:
    backend = TfliteBackend(int8)
    raw = backend.run(images()[0])
    depth = backend.contract.depth
    assert depth.scale is not None
    assert depth.zero_point is not None
    code = (raw["depth_code"][0, ..., 0].astype(np.float64) - depth.zero_point) * depth.scale
    found = backend.decode(raw)
    np.testing.assert_allclose(found.depth_m, CODEC.decode(code), rtol=1e-6)
    assert found.depth_m.dtype == np.float32
    np.testing.assert_array_equal(found.train_id, raw["class_scores"][0].argmax(-1))


def test_a_picture_of_any_size_goes_through(int8: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 300, 3)).astype(np.uint8)
    prediction = Pipeline(TfliteBackend(int8)).predict(image)
    assert prediction.depth_m.shape == (120, 300)
    assert not prediction.depth_m[:, :60].any()  # cropped to 180 columns
    assert (prediction.depth_m[:, 60:240] > 0).all()


def test_calls_do_not_share_their_results(int8: Path) -> None:
    backend = TfliteBackend(int8)
    first, second = images()[:2]
    kept = backend.infer(first)
    before = kept.depth_m.copy()
    backend.infer(second)
    np.testing.assert_array_equal(kept.depth_m, before)
    np.testing.assert_array_equal(backend.infer(first).depth_m, before)


def test_outputs_are_found_by_name(copied: Path) -> None:
    expected = TfliteBackend(copied).infer(images()[0])
    spoil(copied, outputs=Contract.load(contract_path(copied)).outputs[::-1])
    found = TfliteBackend(copied).infer(images()[0])
    np.testing.assert_array_equal(found.depth_m, expected.depth_m)
    np.testing.assert_array_equal(found.train_id, expected.train_id)


@given(
    scale=st.floats(0.05, 1.0),
    zero_point=st.integers(-128, 127),
    near_m=st.floats(0.5, 5.0),
)
def test_the_table_is_the_law_of_every_byte(scale: float, zero_point: int, near_m: float) -> None:
    codec = LogDepthCodec(near_m=near_m, far_m=80.0)
    table_m = depth_table(code_tensor(scale, zero_point), codec)
    assert table_m is not None
    assert table_m.dtype == np.float32
    values = np.arange(-128, 128)
    expected_m = codec.decode((values - zero_point) * scale)
    by_value_m = table_m[values.astype(np.int8).view(np.uint8)]
    np.testing.assert_allclose(by_value_m, expected_m, rtol=1e-6)
    assert (np.diff(by_value_m) >= 0).all()  # larger codes are farther
    assert by_value_m.max() <= 80.0
    assert by_value_m.min() >= np.float32(0.1)


def test_the_table_keeps_what_is_nearer_than_near() -> None:
    table_m = depth_table(code_tensor(0.5, 0), LogDepthCodec(near_m=4.0, far_m=80.0))
    assert table_m is not None
    # code -10: 4 m * 20^(-10/80)
    np.testing.assert_allclose(table_m[np.int8(-20).view(np.uint8)], 4 * 20 ** (-0.125), rtol=1e-6)


def test_unsigned_bytes_have_their_own_order() -> None:
    table_m = depth_table(
        code_tensor(0.5, 20, dtype="uint8"), LogDepthCodec(near_m=4.0, far_m=80.0)
    )
    assert table_m is not None
    np.testing.assert_allclose(table_m[20], 4.0, rtol=1e-6)
    np.testing.assert_allclose(table_m[180], 80.0, rtol=1e-6)


def test_floats_need_no_table() -> None:
    tensor = TensorContract(name="depth_m", kind="depth_m", shape=(1, 4, 6, 1), dtype="float32")
    assert depth_table(tensor, LogDepthCodec(near_m=4.0, far_m=80.0)) is None
    with pytest.raises(ValueError, match="unusable type int16"):
        depth_table(code_tensor(0.1, 0, dtype="int16"), LogDepthCodec(near_m=4.0, far_m=80.0))


def test_a_missing_file_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"model\.tflite: no such file; .*export\.tflite"):
        TfliteBackend(tmp_path / "model.tflite")


def test_a_missing_contract_is_named_with_the_command_that_makes_it(copied: Path) -> None:
    contract_path(copied).unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.json: the contract .*export\.tflite"):
        TfliteBackend(copied)


def test_a_changed_file_is_refused(copied: Path) -> None:
    content = bytearray(copied.read_bytes())
    content[len(content) // 2] ^= 1
    copied.write_bytes(content)
    with pytest.raises(DataError, match=r"model\.tflite: its SHA-256 .* damaged, or from another"):
        TfliteBackend(copied)


def test_a_contract_of_another_file_name_is_refused(copied: Path) -> None:
    spoil(copied, artefact="other.tflite")
    with pytest.raises(DataError, match=r"model\.json: is the contract of 'other\.tflite'"):
        TfliteBackend(copied)


@pytest.mark.parametrize(
    ("index", "changes"),
    [
        (0, {"shape": (1, 4, 7, 1)}),
        (0, {"dtype": "uint8"}),
        (0, {"scale": 0.001}),
        (0, {"zero_point": 3}),
        (1, {"shape": (1, 4, 6, 20)}),
    ],
)
def test_tensors_that_are_not_as_promised_are_refused(
    copied: Path, index: int, changes: dict[str, Any]
) -> None:
    outputs = list(Contract.load(contract_path(copied)).outputs)
    outputs[index] = dataclasses.replace(outputs[index], **changes)
    spoil(copied, outputs=tuple(outputs))
    with pytest.raises(DataError, match=rf"tensor '{outputs[index].name}' is .* contract says"):
        TfliteBackend(copied)


def test_names_that_are_not_in_the_file_are_refused(copied: Path) -> None:
    contract = Contract.load(contract_path(copied))
    spoil(copied, input=dataclasses.replace(contract.input, name="picture"))
    with pytest.raises(DataError, match=r"has tensors .*'image'.* not those of its contract"):
        TfliteBackend(copied)
    contract.save(contract_path(copied))
    spoil(copied, signature="L")
    with pytest.raises(DataError, match=r"has signatures \['serving_default'\]"):
        TfliteBackend(copied)


def test_a_training_camera_that_is_none_is_refused(copied: Path) -> None:
    content = read_json(contract_path(copied))
    write_json(contract_path(copied), {**content, "training_camera": {"fx_px": 3.0}})
    with pytest.raises(DataError, match=r"model\.json: field 'training_camera'"):
        TfliteBackend(copied)


def test_a_file_that_is_no_network_is_refused(copied: Path) -> None:
    copied.write_bytes(b"not a network")
    spoil(copied, sha256=sha256_of(copied))
    with pytest.raises(DataError, match="LiteRT cannot open it"):
        TfliteBackend(copied)


def test_a_picture_of_another_size_is_refused(int8: Path) -> None:
    backend = TfliteBackend(int8)
    with pytest.raises(ValueError, match=r"takes \(64, 96, 3\) uint8, got \(64, 97, 3\)"):
        backend.infer(np.zeros((64, 97, 3), np.uint8))
    with pytest.raises(ValueError, match=r"got .* of float32"):
        backend.infer(np.zeros((64, 96, 3), np.float32))  # type: ignore[arg-type]
