"""Readers of networks: weights of every origin, checkpoints, what is kept about networks."""

import functools
import json
import types
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import keras
import numpy as np
import torch
from fuzz import mutate
from fuzz.case import Case, Reader

import mtdepth.data.motion
from data_prep.jobs.labels import Labeller
from export.board import convert_tftrt, run_engine
from export.origin import keras_scores
from mtdepth.files import DataError, sha256_of
from mtdepth.models import resnet18
from mtdepth.models.encoder_weights import start_encoder
from mtdepth.models.student import is_encoder_layer
from mtdepth.models.weights import load_weights
from mtdepth.training.checkpoints import TrainingState
from mtdepth.workdir import Workdir
from teachers.deeplab_v3.checkpoint import RECORD_NAME
from teachers.psmnet.checkpoint import PsmnetCheckpoint, read_checkpoint, save

PSMNET_SHAPES = {"firstconv.0.0.weight": (4, 3, 3, 3), "classif3.2.weight": (1, 4, 3, 3, 3)}


@functools.cache
def _graph() -> Any:
    """Two layers of an encoder; all are read alike."""
    image = keras.Input((8, 8, 3))
    conv = keras.layers.Conv2D(4, 3, use_bias=False, name="Conv1")(image)
    return keras.Model(image, keras.layers.BatchNormalization(name="bn_Conv1")(conv))


def _weights(folder: Path) -> Case:
    graph, path = _graph(), folder / "best.weights.h5"
    graph.save_weights(path)
    return Case(path, lambda: (load_weights(graph, path), _values(graph))[1])


def _values(network: Any) -> list[np.ndarray]:
    return [np.array(each) for each in network.variables]


def _encoder(folder: Path) -> Case:
    path = folder / "encoder.weights.h5"
    _graph().save_weights(path)
    return Case(path, lambda: _started(path))


def _published_encoder(folder: Path) -> Case:
    """As keras.applications publishes it."""
    path = folder / "encoder.h5"
    layers = [each for each in _graph().layers if is_encoder_layer(each.name) and each.weights]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{number}:0" for number in range(len(layer.weights))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.get_weights(), strict=True):
                group[name] = weight
    return Case(path, lambda: _started(path))


def _started(path: Path) -> list[np.ndarray]:
    graph = _graph()
    start_encoder(graph, str(path))
    return _values(graph)


def _pose_encoder(folder: Path) -> Case:
    """The first two layers of a ResNet-18; all are read alike."""
    image = keras.Input((8, 8, 3))
    conv = keras.layers.Conv2D(4, 7, use_bias=False, name=resnet18.FIRST_CONV)(image)
    network = keras.Model(image, keras.layers.BatchNormalization(name=resnet18.FIRST_NORM)(conv))
    parts = ("weight", "bias", "running_mean", "running_var")
    norm = {f"bn1.{part}": torch.ones(4) for part in parts}
    path = folder / "resnet18.pth"
    torch.save({"conv1.weight": torch.zeros(4, 3, 7, 7), **norm}, path)
    names = {resnet18.FIRST_CONV: "conv1", resnet18.FIRST_NORM: "bn1"}

    def read() -> Any:
        with mock.patch.object(resnet18, "published_names", return_value=names):
            resnet18.load_weights(network, str(path))
        return _values(network)

    return Case(path, read)


def _psmnet(suffix: str) -> Any:
    """A checkpoint of two layers, as the authors save theirs, or as converted."""

    def prepare(folder: Path) -> Case:
        path = folder / f"psmnet{suffix}"
        state = {f"module.{name}": torch.ones(shape) for name, shape in PSMNET_SHAPES.items()}
        if suffix == ".npz":
            tensors = {name: np.ones(shape, np.float32) for name, shape in PSMNET_SHAPES.items()}
            settings: Any = {"align_corners": True, "max_disparity_px": 192, "origin": "x"}
            save(PsmnetCheckpoint(tensors=tensors, **settings), path)
        else:
            # The release of 2018 is older than PyTorch's archives.
            torch.save(
                {"epoch": 1, "state_dict": state},
                path,
                _use_new_zipfile_serialization=suffix != ".tar",
            )

        def read() -> Any:
            way = "teachers.psmnet.weights.parameter_shapes"
            with mock.patch(way, return_value=PSMNET_SHAPES):
                found = read_checkpoint(path)
            return found.tensors, found.align_corners, found.max_disparity_px

        return Case(path, read)

    return prepare


def _psmnet_is_sane(found: Any) -> None:
    tensors, align_corners, max_disparity_px = found
    assert {name: tensor.shape for name, tensor in tensors.items()} == PSMNET_SHAPES
    assert all(tensor.dtype == np.float32 for tensor in tensors.values())
    assert isinstance(align_corners, bool)
    assert isinstance(max_disparity_px, int)


def _deeplab_record(folder: Path) -> Case:
    from teachers.deeplab_v3.checkpoint import read_info

    path = folder / "network.keras"
    record = {"backbone": "resnet18", "head": "v3", "origin": "nowhere", "num_classes": 19}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", bytes(64))
        archive.writestr(RECORD_NAME, json.dumps(record))
    return Case(path, lambda: read_info(path))


def _training_state(folder: Path) -> Case:
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    optimizer = keras.optimizers.Adam()
    optimizer.build(network.trainable_variables)
    state = TrainingState(folder / "resume.npz", network, optimizer)
    state.save()

    def read() -> Any:
        state.restore()
        return state.progress, _values(network)

    return Case(state.path, read)


def _kept_depth(folder: Path) -> Case:
    """One that cannot be used is predicted again, which is a refusal here."""
    path = folder / "kept.npy"
    right = np.full((4, 6), 5, np.float32)
    np.save(path, right)
    labeller: Any = types.SimpleNamespace(_kept_path=lambda _: path)
    frame: Any = None

    def read() -> Any:
        if (kept := Labeller._kept(labeller, frame)) is None:
            raise DataError(path, "predicted again")
        return kept

    return Case(path, read)


def _results(folder: Path) -> Case:
    """What an export takes over of an evaluation."""
    workdir = Workdir(folder)
    weights = folder / "best.weights.h5"
    weights.write_bytes(b"x")
    results = {
        "model": {"kind": "keras", "decoder": "L", "sha256": sha256_of(weights)},
        "depth": {"labels": {"rows": {"model": {"per_image_mean": {"abs_rel": 0.1}}}}},
        "segmentation": {"rows": {"model": {"mean_iou": 0.5}}},
        "split": "val",
        "frames": ["a"],
    }
    workdir.results_path.mkdir()
    path = workdir.results_path / "val.json"
    path.write_text(json.dumps(results))
    trained: Any = types.SimpleNamespace(file=weights, size="L", workdir=workdir)
    return Case(path, lambda: keras_scores(trained))


def _motion(folder: Path) -> Case:
    """One that cannot be used is measured again, which is a refusal here."""
    path = folder / "motion.json"
    path.write_text(
        json.dumps({"shot": "a", "pairs": [[0, 1, 2.5, 0.9]], "unreadable": {"7": "x"}})
    )

    def read() -> Any:
        if (found := mtdepth.data.motion._read(path, [(0, 1)])) is None:
            raise DataError(path, "measured again")
        return found

    return Case(path, read)


def _board_golden(folder: Path) -> Case:
    contract = {"decoder": "L", "input": {"shape": [1, 4, 6, 3]}}
    arrays = {"images": np.zeros((2, 4, 6, 3), np.uint8), "L/depth_m": np.ones((2, 4, 6))}
    np.savez(folder / "golden.npz", **arrays)
    path = folder / "golden.npz"
    return Case(path, lambda: run_engine.read_golden(path, contract))


def _saved_model(folder: Path) -> Case:
    (folder / "saved_model.pb").write_bytes(b"x")
    path = folder / convert_tftrt.CONTRACT
    digest = sha256_of(folder / "saved_model.pb")
    path.write_text(json.dumps({"artefact": "saved_model.pb", "sha256": digest}))
    return Case(path, lambda: len(convert_tftrt.read_contract(folder)))


NETWORKS = (
    Reader("weights.h5", _weights, mutate.by_hdf5, 0.06),
    Reader("encoder of Keras 3 .weights.h5", _encoder, mutate.by_hdf5, 0.08),
    Reader("encoder of keras.applications .h5", _published_encoder, mutate.by_hdf5, 0.08),
    Reader("pose encoder .pth", _pose_encoder, mutate.by_tensors, 0.2),
    Reader("PSMNet .tar", _psmnet(".tar"), mutate.by_tensors, 0.2, _psmnet_is_sane),
    Reader("PSMNet .pth", _psmnet(".pth"), mutate.by_tensors, 0.2, _psmnet_is_sane),
    Reader("PSMNet .npz", _psmnet(".npz"), mutate.by_arrays, 0.2, _psmnet_is_sane),
    Reader(
        "DeepLab .keras",
        _deeplab_record,
        mutate.by_zip(RECORD_NAME, mutate.by_json),
        0.3,
    ),
    Reader("resume.npz", _training_state, mutate.by_arrays, 0.1),
    Reader("kept depth .npy", _kept_depth, mutate.by_array, 1.0),
    Reader("results.json", _results, mutate.by_json, 1.0),
    Reader("motion.json", _motion, mutate.by_json, 1.0),
    Reader("board: golden.npz", _board_golden, mutate.by_arrays, 0.3),
    Reader("board: TF-TRT contract", _saved_model, mutate.by_json, 1.0),
)
