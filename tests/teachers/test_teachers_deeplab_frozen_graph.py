"""The published graphs' loader, on graphs that are built like them."""

import io
import tarfile
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from fakes.frozen_graph import Generation, palette_logits, write_frozen_graph

from mtdepth.datasets.label_map import PALETTE
from mtdepth.files import DataError
from teachers.deeplab_v3 import frozen_graph
from teachers.deeplab_v3.frozen_graph import FrozenGraph
from teachers.deeplab_v3.teacher import DeepLabTeacher

GENERATIONS: tuple[Generation, ...] = get_args(Generation)
HEIGHT, WIDTH = 20, 47

Ids = npt.NDArray[np.uint8]


@pytest.fixture
def ids() -> Ids:
    return np.random.default_rng(3).integers(0, 19, (HEIGHT, WIDTH)).astype(np.uint8)


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_painted_picture_has_its_own_classes(
    generation: Generation, tmp_path: Path, ids: Ids
) -> None:
    graph = FrozenGraph(write_frozen_graph(tmp_path / "g.pb", generation=generation))
    np.testing.assert_array_equal(graph.train_ids(PALETTE[ids]), ids)


@pytest.mark.parametrize("generation", ["2018", "2020", "averaged"])
def test_the_probabilities_are_those_before_the_argmax(
    generation: Generation, tmp_path: Path
) -> None:
    image = np.random.default_rng(4).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    graph = FrozenGraph(write_frozen_graph(tmp_path / "g.pb", generation=generation))
    assert graph.has_scores
    exponents = np.exp(palette_logits(image) - palette_logits(image).max(-1, keepdims=True))
    expected = exponents / exponents.sum(-1, keepdims=True)
    # Logits reach 300: float32 leaves 2e-5 of them.
    np.testing.assert_allclose(graph.probabilities(image), expected, atol=2e-4)
    np.testing.assert_array_equal(graph.probabilities(image).argmax(-1), graph.train_ids(image))


def test_a_graph_that_enlarges_classes_gives_classes_alone(tmp_path: Path, ids: Ids) -> None:
    path = write_frozen_graph(tmp_path / "g.pb", generation="classes_only")
    np.testing.assert_array_equal(DeepLabTeacher(path).train_ids(PALETTE[ids]), ids)
    for option in ({"flip": True}, {"scales": (0.5, 1.0)}, {"confidence_floor": 0.5}):
        with pytest.raises(ValueError, match=r"g\.pb: this graph gives classes alone.*--flip"):
            DeepLabTeacher(path, **option)  # type: ignore[arg-type]


@pytest.mark.parametrize("generation", ["2018", "2020"])
def test_a_graph_that_shrinks_its_picture_answers_at_the_pictures_size(
    generation: Generation, tmp_path: Path
) -> None:
    # Left half car, right half road, through a network that sees 10 x 24 pixels of it.
    ids = np.full((HEIGHT, 48), 13, np.uint8)
    ids[:, 24:] = 0
    path = write_frozen_graph(tmp_path / "g.pb", generation=generation, shrink_to=(10, 24))
    probabilities = FrozenGraph(path).probabilities(PALETTE[ids])
    assert probabilities.shape == (HEIGHT, 48, 19)
    np.testing.assert_array_equal(probabilities.argmax(-1)[:, :22], 13)
    np.testing.assert_array_equal(probabilities.argmax(-1)[:, 26:], 0)


def test_an_archive_is_the_graph_in_it(tmp_path: Path, ids: Ids) -> None:
    plain = write_frozen_graph(tmp_path / "g.pb")
    content = plain.read_bytes()
    members = {
        "deeplab/model.ckpt.index": b"x",
        "deeplab/frozen_inference_graph.pb": content,
        "deeplab/other.pb": b"",
    }
    packed = FrozenGraph(archive(tmp_path / "deeplab.tar.gz", members))
    np.testing.assert_array_equal(packed.train_ids(PALETTE[ids]), ids)
    assert packed.version == FrozenGraph(plain).version


@pytest.mark.parametrize("generation", ["2018", "2020", "averaged"])
def test_a_picture_that_is_too_large_is_refused(generation: Generation, tmp_path: Path) -> None:
    path = write_frozen_graph(tmp_path / "g.pb", generation=generation)
    image = np.zeros((34, 40, 3), np.uint8)
    with pytest.raises(ValueError, match=r"g\.pb.* 34x40"):
        DeepLabTeacher(path).train_ids(image)


def test_other_classes_than_cityscapes_are_refused(tmp_path: Path) -> None:
    path = write_frozen_graph(tmp_path / "voc.pb", num_classes=21)
    with pytest.raises(DataError, match=r"voc\.pb: has 21 classes; the 19 of Cityscapes"):
        FrozenGraph(path)


def test_a_class_beyond_the_nineteen_is_refused_where_classes_are_all_there_is(
    tmp_path: Path,
) -> None:
    path = write_frozen_graph(tmp_path / "voc.pb", generation="classes_only", num_classes=21)
    graph = FrozenGraph(path)
    graph._classes_of = lambda image: np.full((1, *image.shape[1:3]), 20)  # type: ignore[method-assign,assignment]
    with pytest.raises(DataError, match="answers class 20"):
        graph.train_ids(np.zeros((4, 4, 3), np.uint8))


def test_a_graph_without_the_nodes_is_refused(tmp_path: Path) -> None:
    path = write_frozen_graph(tmp_path / "g.pb", output_name="Predictions")
    with pytest.raises(DataError, match=r"no node SemanticPredictions.*ImageTensor"):
        FrozenGraph(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "not a TensorFlow graph"),
        (b"", "no node in it"),
    ],
)
def test_what_is_no_graph_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "g.pb").write_bytes(content)
    with pytest.raises(DataError, match=why):
        FrozenGraph(tmp_path / "g.pb")


def test_a_cut_graph_is_refused(tmp_path: Path) -> None:
    path = write_frozen_graph(tmp_path / "g.pb")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="cut short"):
        FrozenGraph(path)


@pytest.mark.parametrize(
    ("members", "found"),
    [({"a/model.ckpt": b"x"}, "found none"), ({"a.pb": b"x", "b.pb": b"y"}, r"found a\.pb, b\.pb")],
)
def test_an_archive_without_its_graph_is_refused(
    members: dict[str, bytes], found: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"must hold one frozen_inference_graph\.pb.*" + found):
        FrozenGraph(archive(tmp_path / "deeplab.tar.gz", members))


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    members = {"a/frozen_inference_graph.pb": write_frozen_graph(tmp_path / "g.pb").read_bytes()}
    path = archive(tmp_path / "deeplab.tar.gz", members)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match="not a readable archive"):
        FrozenGraph(path)


@pytest.mark.parametrize("where", ["node", "function"])
def test_a_graph_that_would_do_more_than_compute_is_not_run(where: str, tmp_path: Path) -> None:
    import tensorflow as tf

    path = write_frozen_graph(tmp_path / "g.pb")
    definition = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    if where == "node":
        definition.node.add(name="log", op="WriteFile")
    else:
        definition.library.function.add().node_def.add(name="log", op="WriteFile")
    path.write_bytes(definition.SerializeToString())
    with pytest.raises(DataError, match="WriteFile: not run"):
        FrozenGraph(path)


def test_an_archive_is_not_unpacked_beyond_a_graphs_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_graph, "MAX_GRAPH_BYTES", 20_000)
    path = archive(tmp_path / "deeplab.tar.gz", {"zeros": bytes(10**6), "a.pb": b"x"})
    assert path.stat().st_size < 20_000
    with pytest.raises(DataError, match="unpacks to more than 20000 bytes"):
        FrozenGraph(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pb"):
        FrozenGraph(tmp_path / "nowhere.pb")
