"""Every size and precision says what Keras says; what does not is not written."""

import errno
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from fakes.artefact import (
    CODEC,
    assert_says_what_keras_says,
    export_random,
    images,
    inference_network,
    origin,
    random_file,
    random_network,
)

from export.artefact import Part, workplace
from export.graph import ExportError
from export.parity import BOUNDS, keras_output
from export.tflite.delegation import Delegation, delegation_of
from export.tflite.target import check_delegation, export_tflite
from mtdepth.contract import Contract, Precision, contract_path
from mtdepth.files import sha256_of
from mtdepth.runtime.tflite import TfliteBackend
from mtdepth.specs.student import DecoderSize

# The real network as a device runs it, and the tiny one; the others run with the slow ones.
CASES = [
    ("L", "int8"),
    ("XS", "float32"),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in (("L", "float32"), ("L", "float16"), ("M", "int8"), ("S", "float16"))
    ),
]


@pytest.mark.parametrize(("decoder", "precision"), CASES)
def test_the_file_says_what_keras_says(decoder: DecoderSize, precision: Precision) -> None:
    backend = TfliteBackend(random_file(precision, decoder=decoder))
    allowed = {"float32": 1e-5, "float16": 5e-3, "int8": 0.03}[precision]
    network = random_network(decoder)
    assert_says_what_keras_says(backend, network, median=allowed, agreement=0.9)


@pytest.mark.parametrize(("decoder", "precision"), CASES)
def test_xnnpack_runs_the_whole_network(decoder: DecoderSize, precision: Precision) -> None:
    delegation = delegation_of(random_file(precision, decoder=decoder))
    assert delegation.num_partitions == 1
    assert delegation.undelegated == {}


@pytest.mark.parametrize(("decoder", "precision"), CASES)
def test_the_contract_is_of_the_file(decoder: DecoderSize, precision: Precision) -> None:
    path = random_file(precision, decoder=decoder)
    contract = Contract.load(contract_path(path))
    assert contract.sha256 == sha256_of(path)
    assert (contract.decoder, contract.precision) == (decoder, precision)
    assert (contract.near_m, contract.far_m, contract.valid_depth_m) == (2.0, 60.0, (2.0, 60.0))
    assert contract.fit == "crop"
    assert contract.class_names[13] == "car"
    stride = {"L": 2, "M": 4, "S": 8, "XS": 16}[decoder]
    image, depth, classes = contract.input, contract.depth, contract.classes
    assert (image.name, image.shape, image.dtype) == ("image", (1, 64, 96, 3), "uint8")
    assert (image.scale, image.zero_point) == (1.0, 0)  # bytes go in as they are
    assert depth.shape == (1, 64 // stride, 96 // stride, 1)
    assert classes is not None
    assert classes.shape == (1, 64 // stride, 96 // stride, 19)
    is_int8 = precision == "int8"
    assert depth.name == ("depth_code" if is_int8 else "depth_m")
    assert depth.dtype == classes.dtype == ("int8" if is_int8 else "float32")
    assert (depth.scale is not None) == is_int8


def test_what_a_killed_export_left_goes_at_the_next_start(tmp_path: Path) -> None:
    left = tmp_path / ".export.abc"
    left.mkdir()
    (left / "model.tflite").write_bytes(b"half")
    with workplace(tmp_path, prefix=".export.") as first:
        assert not left.exists()
        # That of a program at work stays.
        with workplace(tmp_path, prefix=".export."):
            assert first.is_dir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("53248 requested and 15328 written"),  # numpy's own
        RuntimeError("/x/variables: No space left on device"),  # as TensorFlow says it
    ],
)
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, error: Exception) -> None:
    (tmp_path / "model.tflite").write_bytes(b"of before")

    def export() -> None:
        with workplace(tmp_path, prefix=".export.") as folder:
            (folder / "model.tflite").write_bytes(b"half")
            raise error

    with pytest.raises(OSError, match="No space left") as told:
        export()
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]
    assert (tmp_path / "model.tflite").read_bytes() == b"of before"


@pytest.mark.slow
def test_smaller_numbers_make_smaller_files() -> None:
    precisions: tuple[Precision, ...] = ("float32", "float16", "int8")
    sizes = {each: random_file(each, decoder="L").stat().st_size for each in precisions}
    # Half and a quarter of the weights, and about 0.15 MB of graph and scales.
    assert sizes["float16"] < 0.6 * sizes["float32"]
    assert sizes["int8"] < 0.5 * sizes["float32"]


def test_the_report_says_what_was_measured_and_allowed() -> None:
    path = random_file("int8", decoder="L")
    report = json.loads(path.with_name("parity.json").read_text())
    assert report["num_frames"] == 4
    assert 0 < report["measured"]["median_relative"] < report["allowed"]["median_relative"]
    assert report["allowed"] == BOUNDS["int8"].to_dict()
    assert report["size_bytes"] == path.stat().st_size
    assert report["xnnpack_partitions"] == 1


@pytest.mark.parametrize(
    ("found", "gives_ids"),
    [
        (Delegation(1, {}), False),
        (Delegation(1, {"ARG_MAX": 1}), True),
    ],
)
def test_one_part_of_xnnpack_is_accepted(found: Delegation, gives_ids: bool) -> None:
    check_delegation(found, gives_ids=gives_ids)


@pytest.mark.parametrize(
    ("found", "gives_ids", "named"),
    [
        (Delegation(1, {"ARG_MAX": 1}), False, "1 ARG_MAX"),
        (Delegation(1, {"MIRROR_PAD": 8, "ELU": 2}), True, "8 MIRROR_PAD, 2 ELU"),
        (Delegation(2, {}), True, r"2 part\(s\)"),
        (Delegation(0, {"CONV_2D": 40}), False, "40 CONV_2D"),
    ],
)
def test_what_xnnpack_does_not_run_is_named(found: Delegation, gives_ids: bool, named: str) -> None:
    with pytest.raises(ExportError, match=named):
        check_delegation(found, gives_ids=gives_ids)


def test_a_network_with_an_operator_outside_xnnpack_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Delegation(2, {"MIRROR_PAD": 1})
    monkeypatch.setattr("export.tflite.target.delegation_of", lambda _: outside)
    with pytest.raises(ExportError, match=r"size XS: .*1 MIRROR_PAD"):
        export_random(tmp_path, precision="float32")
    assert list(tmp_path.iterdir()) == []


def test_class_ids_can_be_found_in_the_graph(tmp_path: Path) -> None:
    scores = TfliteBackend(random_file("float32"))
    ids = TfliteBackend(export_random(tmp_path, precision="float32", class_output="ids"))
    assert ids.contract.classes is not None
    assert (ids.contract.classes.name, ids.contract.classes.dtype) == ("train_id", "int32")
    for image in images():
        expected, found = scores.infer(image), ids.infer(image)
        np.testing.assert_array_equal(found.train_id, expected.train_id)
        np.testing.assert_array_equal(found.depth_m, expected.depth_m)


def test_a_depth_network_has_one_output(tmp_path: Path) -> None:
    path = export_random(tmp_path, precision="float32", tasks=("depth",))
    backend = TfliteBackend(path)
    assert backend.tasks == ("depth",)
    assert backend.contract.class_names == ()
    assert [output.name for output in backend.contract.outputs] == ["depth_m"]
    assert backend.infer(images()[0]).train_id is None


def test_depth_never_leaves_its_limits(tmp_path: Path) -> None:
    # Codes of +-1000 are far beyond both; the exponential of the farther one overflows.
    image = keras.Input((32, 32, 3), name="image")
    code = keras.layers.Conv2D(1, 1, strides=2, kernel_initializer="ones")(image)
    network = keras.Model(image, {"depth_code": keras.layers.Rescaling(1e4)(code)})
    export_tflite(
        {"XS": Part(inference_network(network), replace(origin(), training_camera=None))},
        tmp_path,
        precision="float32",
        class_output="scores",
        calibration=[],
        parity_images=[np.full((32, 32, 3), value, np.uint8) for value in (0, 255)],
    )
    backend = TfliteBackend(tmp_path / "model.tflite")
    near = backend.infer(np.zeros((32, 32, 3), np.uint8)).depth_m
    far = backend.infer(np.full((32, 32, 3), 255, np.uint8)).depth_m
    np.testing.assert_array_equal(near, np.float32(0.1))
    np.testing.assert_array_equal(far, np.float32(60.0))


def test_a_failed_export_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(random_file("float32").parent, tmp_path, dirs_exist_ok=True)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    assert sorted(before) == ["golden.npz", "model.json", "model.tflite", "parity.json"]
    # Weights that change between conversion and comparison.
    network = random_network()
    weights = network.get_weights()
    rng = np.random.default_rng(0)

    def broken(*arguments: object, **options: object) -> object:
        network.set_weights([weight * rng.uniform(0.8, 1.2, weight.shape) for weight in weights])
        try:
            return keras_output(*arguments, **options)  # type: ignore[arg-type]
        finally:
            network.set_weights(weights)

    monkeypatch.setattr("export.parity.keras_output", broken)
    with pytest.raises(ExportError, match=r"the int8 file .* median_relative"):
        export_random(tmp_path, precision="int8")
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before


def test_a_new_precision_replaces_the_old_file_and_nothing_is_written_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(random_file("float32").parent, tmp_path / "out")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    backend = TfliteBackend(export_random(tmp_path / "out", precision="float16"))
    assert backend.contract.precision == "float16"
    assert backend.codec == CODEC
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
