"""Golden pairs: written beside a file, read back, and refused where they are not its own."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.artefact import images

from export.golden import NUM_PAIRS, golden_path, read_golden, write_golden
from mtdepth.contract import Contract, contract_path
from mtdepth.files import DataError, sha256_of
from mtdepth.runtime.pipeline import NetworkOutput
from mtdepth.runtime.tflite import open_sizes


class Constant:
    """A back end of no format: depth is the mean of the picture."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def run(self, image: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"depth_m": np.full((1, 2, 3, 1), image.mean(), np.float32)}

    def decode(self, raw: Mapping[str, np.ndarray]) -> NetworkOutput:
        return NetworkOutput(raw["depth_m"][0, :, :, 0], None)


@pytest.fixture
def model(golden_models: dict[str, Path]) -> Path:
    return golden_models["int8"]


def test_a_pair_is_the_picture_and_all_that_was_said_of_it(model: Path) -> None:
    golden = read_golden(model)
    (backend,) = open_sizes(model).values()
    assert golden.sha256 == sha256_of(model)
    assert len(golden.images) == NUM_PAIRS
    for image, expected, answer in zip(images(3), golden.images, golden.answers["XS"], strict=True):
        np.testing.assert_array_equal(image, expected)
        raw = backend.run(image)
        assert sorted(raw) == sorted(answer.raw) == ["class_scores", "depth_code"]
        for name, value in raw.items():
            np.testing.assert_array_equal(answer.raw[name], value)
            assert answer.raw[name].dtype == np.int8
        decoded = backend.decode(raw)
        np.testing.assert_array_equal(answer.depth_m, decoded.depth_m)
        np.testing.assert_array_equal(answer.train_id, decoded.train_id)


def test_the_pictures_differ_in_what_is_said_of_them(model: Path) -> None:
    first, second, third = (answer.depth_m for answer in read_golden(model).answers["XS"])
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_any_back_end_can_be_golden(tmp_path: Path, model: Path) -> None:
    artefact = tmp_path / "model.onnx"
    artefact.write_bytes(b"of another format")
    contract = replace(Contract.load(contract_path(model)), artefact="model.onnx")
    write_golden(artefact, {"F": Constant(contract)}, images(2))
    (answer, _) = read_golden(artefact).answers["F"]
    np.testing.assert_array_equal(answer.depth_m, np.float32(images(1)[0].mean()))
    assert answer.train_id is None


def test_no_pictures_are_refused(model: Path) -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        write_golden(model, {}, [])


def test_missing_pairs_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"golden pairs of model\.tflite are missing"):
        read_golden(tmp_path / "model.tflite")


@pytest.mark.parametrize("damage", ["cut", "text", "lacking"])
def test_damaged_pairs_are_named(model: Path, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / model.name
    copy.write_bytes(model.read_bytes())
    content = golden_path(model).read_bytes()
    if damage == "lacking":
        np.savez(golden_path(copy), images=np.zeros((1, 2, 2, 3), np.uint8))
    else:
        golden_path(copy).write_bytes(content[: len(content) // 2] if damage == "cut" else b"hello")
    with pytest.raises(DataError, match=r"golden\.npz: .*copy it again"):
        read_golden(copy)


def test_pairs_of_another_export_are_refused(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / model.name
    copy.write_bytes(model.read_bytes() + b"x")
    golden_path(copy).write_bytes(golden_path(model).read_bytes())
    with pytest.raises(DataError, match=r"is of a file with SHA-256 .* copy both again"):
        read_golden(copy)
