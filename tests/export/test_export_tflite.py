"""From a workdir to a file, as the program does it."""

import dataclasses
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from fakes.conditioned import condition
from fakes.programs import run_program
from fakes.workdir import CAMERA, build_workdir

from export.frames import Pictures, open_pictures
from export.origin import camera_at, keras_scores, origin_of
from mtdepth.contract import Contract
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import LabelStore
from mtdepth.files import DataError, sha256_of, write_json
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import write_png
from mtdepth.runtime.fitting import fit_image
from mtdepth.runtime.tflite import TfliteBackend
from mtdepth.trained import load_trained, load_training_graph
from mtdepth.workdir import Workdir


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Workdir:
    made = build_workdir(tmp_path_factory.mktemp("work") / "run")
    graph = load_training_graph(made)
    condition(graph)
    graph.save_weights(made.weights_path("best"))
    return made


def pictures_of(number: int) -> Pictures:
    frames = [FrameId("2011_09_26_drive_0001_sync", index) for index in range(number)]
    return Pictures(Path("somewhere"), tuple(frames), lambda _: np.zeros((2, 2, 3), np.uint8))


def export(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run_program("export.tflite", *arguments)


def test_the_file_is_compared_on_frames_that_calibration_did_not_see() -> None:
    calibration, shown = pictures_of(100).chosen(num_calibration=64)
    assert len(calibration) == len(set(calibration)) == 64
    assert len(shown) == 8
    assert not set(calibration) & set(shown)
    # All are needed: then on those.
    calibration, shown = pictures_of(10).chosen(num_calibration=64)
    assert (len(calibration), len(shown)) == (10, 8)
    assert pictures_of(10).chosen(num_calibration=0)[0] == []


def test_pictures_are_fitted_by_the_law_of_the_runtime(
    workdir: Workdir, labels: LabelStore
) -> None:
    pictures = open_pictures(workdir, labels=str(labels.root), folder=None)
    assert pictures.names == tuple(labels.frames)
    image, _, _ = labels.read_sample(labels.frames[2])
    (found,) = pictures.fitted(labels.frames[2:3], size=(32, 64), fit="crop")
    np.testing.assert_array_equal(found, fit_image(image, size=(32, 64), fit="crop"))
    missing = [dataclasses.replace(labels.frames[0], index=999)]
    assert len(pictures.fitted(missing + labels.frames[:1], size=(32, 64), fit="crop")) == 1
    with pytest.raises(DataError, match="none of 1 pictures"):
        pictures.fitted(missing, size=(32, 64), fit="crop")


def test_pictures_come_from_a_folder_or_from_the_samples_of_a_run(tmp_path: Path) -> None:
    made = build_workdir(tmp_path / "run")
    with pytest.raises(ValueError, match="not both"):
        open_pictures(made, labels="somewhere", folder="elsewhere")
    with pytest.raises(ValueError, match="holds no picture"):
        open_pictures(made, labels=None, folder=str(tmp_path))
    write_png(tmp_path / "some" / "a.png", np.full((4, 6, 3), 7, np.uint8))
    (name,) = open_pictures(made, labels=None, folder=str(tmp_path / "some")).names
    assert name == tmp_path / "some" / "a.png"
    write_png(made.samples_path / "b.png", np.full((4, 6, 3), 9, np.uint8))
    own = open_pictures(made, labels=None, folder=None)
    assert own.root == made.samples_path
    (image,) = own.fitted(own.names, size=(2, 3), fit="stretch")
    np.testing.assert_array_equal(image, np.full((2, 3, 3), 9, np.uint8))


def test_another_size_keeps_the_focal_length_in_pixels() -> None:
    camera = Intrinsics(fx_px=60, fy_px=58, cx_px=46.5, cy_px=15, width_px=96, height_px=32)
    found = camera_at(camera, input_size=(64, 192))
    # cx' = (46.5 + 0.5) * 2 - 0.5
    assert found == Intrinsics(
        fx_px=60, fy_px=58, cx_px=93.5, cy_px=30.5, width_px=192, height_px=64
    )
    assert camera_at(camera, input_size=(32, 96)) == camera


def results(decoder: str, sha256: str) -> dict[str, object]:
    """As `mtdepth.evaluate` writes them, without what is not looked at."""
    return {
        "model": {"kind": "keras", "decoder": decoder, "sha256": sha256},
        "split": "eigen_test",
        "frames": ["a", "b"],
        "depth": {
            "eigen_garg_80m": {
                "rows": {"model": {"per_image_mean": {"abs_rel": 0.1}}, "baseline": {}}
            }
        },
        "segmentation": {"rows": {"model": {"mean_iou": 0.4, "class_iou": {}}}},
    }


def test_the_scores_of_exactly_these_weights_travel(tmp_path: Path) -> None:
    made = build_workdir(tmp_path / "run")
    trained = load_trained(made, size="M")
    assert keras_scores(trained) is None
    sha256 = sha256_of(made.weights("best"))
    write_json(made.results_path / "good.json", results("M", sha256))
    write_json(made.results_path / "size.json", results("L", sha256))
    write_json(made.results_path / "old.json", results("M", "0" * 64))
    (made.results_path / ".half-x1.json").write_text("{")  # of a killed evaluation
    assert keras_scores(trained) == {
        "good": {
            "split": "eigen_test",
            "num_frames": 2,
            "depth": {"eigen_garg_80m": {"abs_rel": 0.1}},
            "segmentation": {"mean_iou": 0.4},
        }
    }
    assert keras_scores(load_trained(made, size="M", checkpoint="last")) is None
    small = origin_of(trained)
    assert small.keras_scores is not None
    assert small.training_camera == CAMERA
    large = origin_of(load_trained(made, size="M", input_size=(64, 96)))
    assert large.keras_scores is None  # they are of another input size


def test_a_camera_whose_pictures_were_stretched_is_one_and_millimetres_are_none(
    tmp_path: Path,
) -> None:
    made = build_workdir(tmp_path / "run")
    stretched = dataclasses.replace(
        CAMERA, fy_px=CAMERA.fx_px / 2
    )  # 4:3 pictures in an input twice as wide
    write_json(made.run_path, made.run() | {"training_camera": stretched.to_dict()})
    assert origin_of(load_trained(made, size="M")).training_camera == stretched
    wrong = dataclasses.replace(CAMERA, fx_px=4.0, fy_px=4.0)
    write_json(made.run_path, made.run() | {"training_camera": wrong.to_dict()})
    with pytest.raises(DataError, match=r"run\.json: its training_camera has .* no lens's"):
        load_trained(made, size="M")


def test_damaged_results_are_named(tmp_path: Path) -> None:
    made = build_workdir(tmp_path / "run")
    trained, right = load_trained(made, size="M"), results("M", sha256_of(made.weights("best")))
    for content in ([], {**right, "model": 3}, {**right, "depth": [1]}, {**right, "frames": None}):
        write_json(made.results_path / "bad.json", content)
        with pytest.raises(DataError, match=r"bad\.json: "):
            keras_scores(trained)


def test_a_workdir_becomes_a_file_of_the_size_that_was_asked_for(
    workdir: Workdir, labels: LabelStore, tmp_path: Path
) -> None:
    done = export(
        *("--workdir", workdir.path, "--labels", labels.root, "--decoder", "S"),
        *("--precision", "int8", "--height", 64, "--width", 128, "--output", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "golden.npz",
        "model.json",
        "model.tflite",
        "parity.json",
    ]
    assert "at another size" in done.stderr
    backend = TfliteBackend(tmp_path / "out" / "model.tflite")
    assert backend.input_size == (64, 128)
    contract = Contract.load(tmp_path / "out" / "model.json")
    assert contract.decoder == "S"
    assert contract.depth.shape == (1, 8, 16, 1)
    assert contract.recipe == json.loads((workdir.path / "recipe.json").read_text())
    assert contract.scale_source == "none: not trained"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--height", "50"), "height 50 (nearest: 32 or 64)"),
        (("--labels", "nowhere"), "nowhere"),
        (("--workdir", "nowhere"), "nowhere is no workdir"),
        (("extra",), "unexpected argument 'extra'"),
    ],
)
def test_a_wrong_line_is_answered_in_words(
    workdir: Workdir, labels: LabelStore, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = export(
        *("--workdir", workdir.path, "--labels", labels.root, "--output", tmp_path / "out"),
        *arguments,
    )
    assert done.returncode != 0
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
