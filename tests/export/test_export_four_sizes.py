"""One file with several sizes: its contracts, reports and golden pairs, and how it is opened."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.artefact import images, inference_network, origin
from fakes.four_sizes import networks, parts, random_sizes_file

from export.artefact import Part
from export.golden import read_golden
from export.parity import keras_output
from export.tflite.target import export_tflite
from mtdepth.contract import Contract
from mtdepth.files import DataError
from mtdepth.predictor import open_predictor
from mtdepth.runtime.tflite import TfliteBackend, contract_files, open_sizes

SIZES = ("S", "XS")


@pytest.fixture(scope="module")
def model() -> Path:
    return random_sizes_file()


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    return shutil.copytree(model.parent, tmp_path / "copy") / model.name


def test_every_size_has_a_contract_and_the_largest_has_the_usual_name(model: Path) -> None:
    assert sorted(path.name for path in model.parent.iterdir()) == [
        *("golden.npz", "model.XS.json", "model.json", "model.tflite", "parity.json"),
    ]
    files = contract_files(model)
    assert {size: path.name for size, path in files.items()} == {
        "S": "model.json",
        "XS": "model.XS.json",
    }
    for size, path in files.items():
        contract = Contract.load(path)
        assert (contract.decoder, contract.signature, contract.artefact) == (size, size, model.name)


def test_every_size_says_what_its_network_says(model: Path) -> None:
    references = networks(SIZES)
    for size, backend in open_sizes(model, num_threads=1).items():
        found = backend.infer(images(1)[0])
        expected = keras_output(references[size], images(1)[0])
        np.testing.assert_allclose(found.depth_m, expected.depth_m, rtol=1e-5)
        np.testing.assert_array_equal(found.train_id, expected.train_id)


def test_the_evaluator_opens_the_size_that_it_is_asked_for(model: Path) -> None:
    image = images(1)[0]
    backends = open_sizes(model, num_threads=1)
    for size, wanted in (("S", "S"), ("XS", "XS"), (None, "S")):
        predictor = open_predictor(model, decoder=size, num_threads=1)
        assert predictor.backend.identity()["decoder"] == wanted
        np.testing.assert_array_equal(
            predictor.backend.infer(image).depth_m, backends[wanted].infer(image).depth_m
        )
    with pytest.raises(ValueError, match="holds decoder S, XS, not L: an exported network"):
        open_predictor(model, decoder="L")


def test_all_sizes_run_in_one_interpreter_of_one_file(model: Path) -> None:
    backends = open_sizes(model)
    assert list(backends) == list(SIZES)
    assert len({id(backend.interpreter) for backend in backends.values()}) == 1


def test_a_reader_that_knows_no_sizes_opens_the_largest(model: Path) -> None:
    backend = TfliteBackend(model)
    assert backend.contract.decoder == "S"
    expected = open_sizes(model)["S"].infer(images(1)[0]).depth_m
    np.testing.assert_array_equal(backend.infer(images(1)[0]).depth_m, expected)


def test_an_ordinary_file_is_one_of_one_size(golden_models: dict[str, Path]) -> None:
    assert list(open_sizes(golden_models["int8"])) == ["XS"]
    assert list(contract_files(golden_models["int8"])) == ["XS"]


def test_the_report_is_of_each_size(model: Path) -> None:
    report = json.loads((model.parent / "parity.json").read_text())
    assert list(report["sizes"]) == list(SIZES)
    assert report["size_bytes"] == model.stat().st_size
    # The shape of a second graph, of a tiny network: for the real one it is 2 %.
    assert report["size_bytes"] < 1.06 * report["largest_alone_bytes"]
    assert all(part["xnnpack_partitions"] == 1 for part in report["sizes"].values())


def test_the_golden_pairs_are_of_each_size(model: Path) -> None:
    golden = read_golden(model)
    heights = {size: answers[0].depth_m.shape[0] for size, answers in golden.answers.items()}
    assert heights == {"S": 8, "XS": 4}  # of 64 rows


def test_a_contract_of_another_export_is_refused(copy: Path) -> None:
    path = copy.with_name("model.XS.json")
    replace(Contract.load(path), sha256="0" * 64).save(path)
    with pytest.raises(DataError, match=r"model\.XS\.json: is the contract of size XS .* copy all"):
        open_sizes(copy)


def test_a_contract_under_another_sizes_name_is_refused(copy: Path) -> None:
    shutil.copy(copy.with_name("model.XS.json"), copy.with_name("model.M.json"))
    with pytest.raises(DataError, match=r"of size XS of a file .* not of size M"):
        contract_files(copy)


def test_an_ordinary_export_takes_the_place_of_all_sizes(
    copy: Path, golden_models: dict[str, Path]
) -> None:
    export_tflite(
        {"XS": Part(inference_network(), origin())},
        copy.parent,
        precision="float32",
        class_output="scores",
        calibration=[],
        parity_images=images(),
    )
    assert not copy.with_name("model.XS.json").exists()
    assert list(open_sizes(copy)) == ["XS"]
    assert copy.read_bytes() == golden_models["float32"].read_bytes()


def test_a_size_that_cannot_be_exported_leaves_what_was_there(copy: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.parent.iterdir()}
    with pytest.raises(ValueError, match="representative pictures"):
        export_tflite(
            parts(SIZES),
            copy.parent,
            precision="int8",
            class_output="scores",
            calibration=[],
            parity_images=images(1),
        )
    assert {path.name: path.read_bytes() for path in copy.parent.iterdir()} == before
