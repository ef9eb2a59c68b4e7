"""Opening models, and the Keras back end against the graph that it wraps."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from fakes.workdir import CAMERA, build_workdir

from mtdepth.files import DataError
from mtdepth.models.student import build_training_graph
from mtdepth.predictor import open_predictor
from mtdepth.runtime.pipeline import Pipeline
from mtdepth.trained import load_trained
from mtdepth.workdir import Workdir


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Workdir:
    return build_workdir(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def predictor(workdir: Workdir) -> Pipeline:
    return open_predictor(workdir.path)


@pytest.fixture(scope="module")
def image() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (32, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def outputs(workdir: Workdir, image: npt.NDArray[np.uint8]) -> Any:
    """Of the training graph."""
    recipe = workdir.student_recipe()
    graph = build_training_graph(recipe.spec, input_size=recipe.input_size_px)
    graph.load_weights(workdir.path / "best.weights.h5")
    return graph(image[None] / 127.5 - 1, training=False)


@pytest.mark.parametrize(
    ("decoder", "block"),
    [
        ("L", 4),
        pytest.param("M", 3, marks=pytest.mark.slow),
        pytest.param("S", 2, marks=pytest.mark.slow),
        ("XS", 1),
    ],
)
def test_every_decoder_size_gives_the_depth_and_classes_of_its_block(
    workdir: Workdir, image: npt.NDArray[np.uint8], outputs: Any, decoder: str, block: int
) -> None:
    code = np.asarray(outputs[f"depth_code_{block}"])[0, :, :, 0].astype(np.float64)
    # The inverse of the code by the equation, near 1 m and far 80 m: d = near (far/near)^(code/far)
    expected_m = np.maximum(1.0 * 80.0 ** (np.minimum(code, 80) / 80), 0.1)
    found = load_trained(workdir, size=decoder).infer(image)
    assert found.depth_m.shape == (2**block, 3 * 2**block)
    assert found.depth_m.dtype == np.float32
    np.testing.assert_allclose(found.depth_m, expected_m, rtol=1e-4)  # float32 through 60 layers
    assert found.train_id is not None
    scores = np.asarray(outputs[f"class_scores_{block}"])[0]
    np.testing.assert_array_equal(found.train_id, scores.argmax(-1))
    assert found.train_id.dtype == np.uint8


def test_a_picture_of_any_size_comes_back_at_its_size(predictor: Pipeline) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (75, 201, 3), np.uint8)
    camera = CAMERA.resized(width_px=201, height_px=75)
    prediction = predictor.predict(picture, camera=camera)
    assert prediction.depth_m.shape == (75, 201)
    assert prediction.train_id is not None
    assert prediction.train_id.shape == (75, 201)
    assert (prediction.depth_m > 0).all()


def test_a_longer_lens_means_farther(predictor: Pipeline, image: npt.NDArray[np.uint8]) -> None:
    twice = dataclasses.replace(CAMERA, fx_px=2 * CAMERA.fx_px, fy_px=2 * CAMERA.fy_px)
    near, far = (predictor.predict(image, camera=each).depth_m for each in (CAMERA, twice))
    np.testing.assert_allclose(far, 2 * near, rtol=1e-6)


def test_best_and_last_are_different_weights(
    workdir: Workdir, predictor: Pipeline, image: npt.NDArray[np.uint8]
) -> None:
    best, last = predictor, open_predictor(workdir.path, checkpoint="last")
    identities = [each.backend.identity() for each in (best, last)]
    assert identities[0]["sha256"] != identities[1]["sha256"]
    assert [each["checkpoint"] for each in identities] == ["best", "last"]
    assert not np.allclose(
        best.predict(image, camera=CAMERA).depth_m, last.predict(image, camera=CAMERA).depth_m
    )


def test_a_depth_only_network_predicts_no_classes(
    tmp_path: Path, image: npt.NDArray[np.uint8]
) -> None:
    workdir = build_workdir(tmp_path / "run", overrides=('student.tasks=["depth"]',))
    predictor = open_predictor(workdir.path)
    assert predictor.backend.tasks == ("depth",)
    assert predictor.predict(image, camera=CAMERA).train_id is None


def test_a_larger_decoder_than_was_trained_is_refused(tmp_path: Path) -> None:
    workdir = build_workdir(tmp_path / "run", overrides=("decoder=S",))
    assert open_predictor(workdir.path).backend.identity()["decoder"] == "S"
    with pytest.raises(ValueError, match="trained with decoder S, which does not contain"):
        open_predictor(workdir.path, decoder="L")


def test_another_back_end_of_keras_is_refused_in_words(
    workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"Keras runs on jax \(KERAS_BACKEND\).*unset it"):
        open_predictor(workdir.path)


def test_a_path_without_a_model_names_what_a_model_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m mtdepth\.train"):
        open_predictor(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no workdir.*recipe\.json"):
        open_predictor(tmp_path)
    (tmp_path / "model.h5").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"workdir or a \.tflite or \.onnx file"):
        open_predictor(tmp_path / "model.h5")


def test_a_tflite_file_without_its_contract_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match=r"model\.json: the contract"):
        open_predictor(tmp_path / "model.tflite")


# Keras's hint at a file of an older version; the shapes fail right after it.
@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")
def test_weights_of_another_recipe_are_refused(tmp_path: Path) -> None:
    both = build_workdir(tmp_path / "both")
    depth = build_workdir(tmp_path / "depth", overrides=('student.tasks=["depth"]',))
    both.weights_path("best").write_bytes(depth.weights_path("best").read_bytes())
    with pytest.raises(DataError, match="not the weights of this recipe"):
        open_predictor(both.path)
