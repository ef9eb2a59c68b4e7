"""Where the encoder's first weights come from, and what is refused. Never uses the network."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from mtdepth.files import DataError
from mtdepth.models import encoder_weights
from mtdepth.models.encoder_weights import start_encoder
from mtdepth.models.student import build_training_graph, is_encoder_layer
from mtdepth.specs.student import StudentSpec

SIZE = (64, 96)


def _library(alpha: float = 0.35, classes: int = 0) -> Any:
    """The model whose weights Keras publishes, from `tf_keras`: it still writes legacy files."""
    return tf_keras.applications.MobileNetV2(
        input_shape=(64, 64, 3),
        alpha=alpha,
        weights=None,
        include_top=classes > 0,
        classes=max(classes, 1),
    )


@pytest.fixture(scope="module")
def library(randomise) -> Any:
    model = _library()
    randomise(model, seed=5)
    return model


@pytest.fixture(scope="module")
def _written(tmp_path_factory, library) -> Path:
    path = tmp_path_factory.mktemp("legacy") / "mobilenet.h5"
    library.save_weights(path, save_format="h5")
    return path


@pytest.fixture
def legacy_file(tmp_path, _written) -> Path:
    return Path(shutil.copy(_written, tmp_path))


@pytest.fixture(scope="module")
def _built() -> Any:
    graph = build_training_graph(StudentSpec(), input_size=SIZE)
    return graph, graph.get_weights()


@pytest.fixture
def graph(_built) -> Any:
    graph, first_weights = _built
    graph.set_weights(first_weights)
    return graph


def _weights(graph: Any, *, encoder: bool) -> dict[str, list[np.ndarray]]:
    return {
        layer.name: layer.get_weights()
        for layer in graph.layers
        if layer.weights and is_encoder_layer(layer.name) == encoder
    }


def _assert_equal(left: dict[str, list[np.ndarray]], right: dict[str, list[np.ndarray]]) -> None:
    assert left.keys() == right.keys()
    for name, values in left.items():
        for value, other in zip(values, right[name], strict=True):
            np.testing.assert_array_equal(value, other, err_msg=name)


def _library_encoder(library: Any) -> dict[str, list[np.ndarray]]:
    dropped = ("Conv_1", "Conv_1_bn", "predictions")
    return {
        layer.name: layer.get_weights()
        for layer in library.layers
        if layer.weights and layer.name not in dropped
    }


def test_none_changes_nothing(graph) -> None:
    before = _weights(graph, encoder=True)
    start_encoder(graph, "none")
    _assert_equal(_weights(graph, encoder=True), before)


def test_legacy_file_fills_the_whole_encoder_and_nothing_else(graph, library, legacy_file) -> None:
    decoder = _weights(graph, encoder=False)
    start_encoder(graph, str(legacy_file))
    _assert_equal(_weights(graph, encoder=True), _library_encoder(library))
    _assert_equal(_weights(graph, encoder=False), decoder)


def test_legacy_file_with_top_fits_too(tmp_path, graph, randomise) -> None:
    model = _library(classes=10)
    randomise(model)
    model.save_weights(tmp_path / "top.h5", save_format="h5")
    start_encoder(graph, str(tmp_path / "top.h5"))
    _assert_equal(_weights(graph, encoder=True), _library_encoder(model))


def test_whole_legacy_model_fits_too(tmp_path, graph, library) -> None:
    with pytest.warns(UserWarning, match="HDF5"):
        library.save(tmp_path / "model.h5")
    start_encoder(graph, str(tmp_path / "model.h5"))
    _assert_equal(_weights(graph, encoder=True), _library_encoder(library))


def test_published_files_older_layer_names_fit_by_position(graph, library, legacy_file) -> None:
    # The published files date from when the layers were called `mobl1_conv_1_expand` and so on.
    with h5py.File(legacy_file, "r+") as file:
        names = list(file.attrs["layer_names"])
        renamed = [f"mobl_{position}" for position in range(len(names))]
        for name, new in zip(names, renamed, strict=True):
            file.move(name, new)
        file.attrs["layer_names"] = [new.encode() for new in renamed]
    start_encoder(graph, str(legacy_file))
    _assert_equal(_weights(graph, encoder=True), _library_encoder(library))


def test_weights_of_a_workdir_start_another_networks_encoder(tmp_path, graph, randomise) -> None:
    both = StudentSpec(tasks=("depth", "segmentation"), num_individual=1)
    trained = build_training_graph(both, input_size=SIZE)
    randomise(trained)
    trained.save_weights(tmp_path / "best.weights.h5")
    decoder = _weights(graph, encoder=False)
    start_encoder(graph, str(tmp_path / "best.weights.h5"))
    _assert_equal(_weights(graph, encoder=True), _weights(trained, encoder=True))
    _assert_equal(_weights(graph, encoder=False), decoder)


def test_encoder_of_another_width_is_refused_and_changes_nothing(tmp_path, graph) -> None:
    _library(alpha=0.5).save_weights(tmp_path / "wide.h5", save_format="h5")
    before = _weights(graph, encoder=True)
    # Conv1 has 16 channels at both widths; the first to differ is block 1's projection.
    with pytest.raises(DataError, match=r"wide.h5: tensor 0 of layer 'block_1_project'.* \(1, 1, "):
        start_encoder(graph, str(tmp_path / "wide.h5"))
    _assert_equal(_weights(graph, encoder=True), before)


def test_missing_layer_of_a_legacy_file_is_named(graph, legacy_file) -> None:
    with h5py.File(legacy_file, "r+") as file:
        names = [name for name in file.attrs["layer_names"] if name != "block_4_expand"]
        file.attrs["layer_names"] = names
    with pytest.raises(DataError, match=r"'block_4_expand_BN' where .* 'block_4_expand' belongs"):
        start_encoder(graph, str(legacy_file))


def test_legacy_file_that_ends_early_is_named(graph, legacy_file) -> None:
    with h5py.File(legacy_file, "r+") as file:
        names = list(file.attrs["layer_names"])
        file.attrs["layer_names"] = names[: names.index("block_16_project")]
    with pytest.raises(DataError, match=r"ends after .* before encoder layer 'block_16_project'"):
        start_encoder(graph, str(legacy_file))


def test_missing_tensor_is_named(graph, legacy_file) -> None:
    with h5py.File(legacy_file, "r+") as file:
        group = file["bn_Conv1"]
        group.attrs["weight_names"] = group.attrs["weight_names"][:3]
    with pytest.raises(DataError, match="'bn_Conv1' holds 3 tensors"):
        start_encoder(graph, str(legacy_file))


def test_missing_layer_of_a_keras_3_file_is_named(tmp_path, graph) -> None:
    other = keras.applications.MobileNetV2(
        input_shape=(64, 64, 3), alpha=0.35, weights=None, include_top=False
    )
    cut = keras.Model(other.input, other.get_layer("block_9_add").output)
    cut.save_weights(tmp_path / "cut.weights.h5")
    with pytest.raises(DataError, match="no weights of encoder layer 'block_10_expand'"):
        start_encoder(graph, str(tmp_path / "cut.weights.h5"))


def test_missing_file_names_the_choices(graph) -> None:
    with pytest.raises(FileNotFoundError, match="imagnet; --encoder_weights is none, imagenet or"):
        start_encoder(graph, "imagnet")


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all"])
def test_other_files_are_refused(tmp_path, graph, content: bytes) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"weights\.h5: not a readable HDF5 file"):
        start_encoder(graph, str(path))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(DataError, match="neither a legacy"):
        start_encoder(graph, str(tmp_path / "other.h5"))


def test_cut_legacy_file_is_refused_and_changes_nothing(graph, legacy_file) -> None:
    content = legacy_file.read_bytes()
    legacy_file.write_bytes(content[: len(content) // 2])
    before = _weights(graph, encoder=True)
    with pytest.raises(DataError, match="not a readable HDF5 file"):
        start_encoder(graph, str(legacy_file))
    _assert_equal(_weights(graph, encoder=True), before)


def test_imagenet_is_the_published_file(monkeypatch, graph, library, legacy_file) -> None:
    asked = []

    def get_file(name: str, url: str, **_: Any) -> str:
        asked.append((name, url))
        return str(legacy_file)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    digest = hashlib.sha256(legacy_file.read_bytes()).hexdigest()
    monkeypatch.setattr(encoder_weights, "IMAGENET_SHA256", digest)
    start_encoder(graph, "imagenet")
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
    place = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
    assert asked == [(name, place + name)]
    _assert_equal(_weights(graph, encoder=True), _library_encoder(library))


def test_wrong_checksum_is_refused(monkeypatch, graph, legacy_file) -> None:
    monkeypatch.setattr(keras.utils, "get_file", lambda *_, **__: str(legacy_file))
    before = _weights(graph, encoder=True)
    with pytest.raises(DataError, match=r"SHA-256 .* delete the file .* --encoder_weights PATH"):
        start_encoder(graph, "imagenet")
    _assert_equal(_weights(graph, encoder=True), before)


def test_no_network_names_url_and_ways_around(monkeypatch, graph) -> None:
    def get_file(*_: Any, **__: Any) -> str:
        raise Exception("URL fetch failure: no route to host")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(ConnectionError) as caught:
        start_encoder(graph, "imagenet")
    for part in (
        "https://storage.googleapis.com/",
        "no route to host",
        "--encoder_weights PATH",
        "--encoder_weights none",
    ):
        assert part in str(caught.value)
