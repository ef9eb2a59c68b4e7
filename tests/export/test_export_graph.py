"""A network taken apart and built again for fine-tuning says the same, layer sharing and all."""

import keras
import numpy as np
import pytest
from fakes.conditioned import as_input, pictures
from fakes.tuning import mininet_workdir, student_workdir

from export.fine_tune.pictures import HeldOut, loading_recipe, picture_batches
from export.fine_tune.tf_keras_copy import build_copy, trained_graph
from export.frames import open_pictures
from export.graph import ExportError, NetworkGraph, read_graph
from mtdepth.datasets.label_store import LabelStore
from mtdepth.trained import TrainedNetwork, load_trained

SIZE = (64, 96)


@pytest.fixture(scope="module")
def student(labels: LabelStore, tmp_path_factory: pytest.TempPathFactory) -> TrainedNetwork:
    return load_trained(student_workdir(tmp_path_factory.mktemp("student") / "run", labels))


@pytest.fixture(scope="module")
def mininet(labels: LabelStore, tmp_path_factory: pytest.TempPathFactory) -> TrainedNetwork:
    return load_trained(mininet_workdir(tmp_path_factory.mktemp("mininet") / "run", labels))


def deviation(trained: TrainedNetwork, graph: NetworkGraph) -> float:
    image = as_input(pictures(2, size=SIZE, seed=3))
    expected, found = trained.network(image, training=False), build_copy(graph)(image)
    assert set(found) == set(expected)
    return max(
        float(np.max(np.abs(np.asarray(found[name]) - np.asarray(value))) / np.std(value))
        for name, value in expected.items()
    )


def test_the_copy_without_batch_norm_says_what_the_student_says(student: TrainedNetwork) -> None:
    graph = read_graph(student.network)
    assert not any("BN" in entry.kind or "Batch" in entry.kind for entry in graph.entries)
    assert deviation(student, graph) < 1e-4
    # It has weights of its own to differ by.
    name = next(entry.name for entry in graph.entries if entry.is_pointwise)
    entry = next(entry for entry in graph.entries if entry.name == name)
    assert entry.kernel is not None
    changed = graph.with_weights({name: (entry.kernel * 2, entry.bias)})
    assert deviation(student, changed) > 1e-2


def test_a_module_called_four_times_becomes_four_tied_copies(mininet: TrainedNetwork) -> None:
    graph = read_graph(mininet.network)
    assert deviation(mininet, graph) < 1e-4
    groups = graph.tied()
    assert groups
    assert {len(group) for group in groups} == {4}
    assert all(name.startswith("module") for group in groups for name in group)
    (first,) = graph.first_convolutions()
    assert first.name == "stem"


def test_the_weights_come_back_out_of_a_copy(student: TrainedNetwork) -> None:
    graph = read_graph(student.network)
    copy = build_copy(graph)
    for variable in copy.trainable_variables:
        variable.assign(variable * 0.5)
    for before, after in zip(graph.entries, trained_graph(copy, graph).entries, strict=True):
        assert (before.kernel is None) == (after.kernel is None)
        if before.kernel is not None:
            np.testing.assert_allclose(after.kernel, before.kernel * np.float32(0.5))


def test_what_is_not_known_is_named() -> None:
    image = keras.Input((32, 32, 3), name="image")
    pooled = keras.layers.MaxPooling2D(name="pool")(image)
    network = keras.Model(image, {"depth_code": keras.layers.Conv2D(1, 1)(pooled)})
    with pytest.raises(ExportError, match="'pool' is a MaxPooling2D"):
        read_graph(network)
    normed = keras.layers.BatchNormalization(name="norm")(image)
    network = keras.Model(image, {"depth_code": keras.layers.Conv2D(1, 1)(normed)})
    with pytest.raises(ExportError, match="'norm' does not follow"):
        read_graph(network)


def test_a_stream_of_pictures_goes_on_as_it_would_have(
    student: TrainedNetwork, labels: LabelStore
) -> None:
    source = open_pictures(student.workdir, labels=str(labels.root), folder=None)
    recipe = loading_recipe(student, batch_size=2, seed=1)
    stream = picture_batches(source, student, recipe)
    whole = stream(0)
    batches = [next(whole)["image"] for _ in range(3)]
    assert batches[0].shape == (2, *SIZE, 3)
    assert batches[0].dtype == np.uint8
    later = stream(2)
    np.testing.assert_array_equal(next(later)["image"], batches[2])
    assert not np.array_equal(batches[0], batches[1])


def test_held_out_depth_is_scored_where_there_is_truth() -> None:
    truth_m = np.array([[[10.0, 0.0], [20.0, 90.0]]], np.float32)
    held_out = HeldOut(np.zeros((1, 2, 2, 3), np.uint8), truth_m, far_m=80.0, is_metric=True)
    found_m = np.array([[[11.0, 5.0], [10.0, 1.0]]], np.float32)
    assert held_out.abs_rel(found_m) == pytest.approx((0.1 + 0.5) / 2)
    relative = HeldOut(np.zeros((1, 2, 2, 3), np.uint8), truth_m, far_m=80.0, is_metric=False)
    assert relative.abs_rel(truth_m / 7) == pytest.approx(0.0, abs=1e-6)
