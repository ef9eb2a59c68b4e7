"""The whole way as a user types it: recordings, labels, training, scores, int8, device."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes.conditioned import condition
from fakes.kitti_tree import build_kitti_tree
from fakes.programs import run_process, run_program
from fakes.recipes import TINY_STUDENT

from mtdepth.models.student import build_training_graph


def succeed(*arguments: Any) -> str:
    done = run_program(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_start(path: Path) -> None:
    """Writes weights that three steps leave fit for int8, which no exporter can make of noise."""
    graph = build_training_graph(TINY_STUDENT.for_decoder("S"), input_size=(32, 96))
    condition(graph)
    # Scores differ by 3 (standard deviation), classes by more: where all are near to a tie, which
    # one int8 picks depends on the order of the training's sums, and so on processor and load.
    rng = np.random.default_rng(0)
    for layer in graph.layers:
        if layer.name.startswith("class_scores"):
            layer.bias.assign(rng.normal(0, 6.0, layer.bias.shape))
    graph.save_weights(path)


def training_line(root: Path) -> tuple[Any, ...]:
    as_json = dataclasses.asdict(TINY_STUDENT)
    return (
        *("mtdepth.train", "--recipe", "demo", "--decoder", "S", "--data", root / "labels_train"),
        *("--val_data", root / "labels_val", "--workdir", root / "run"),
        # A network that is traced in a second.
        *("--override", f"student.stages={json.dumps(as_json['stages'])}"),
        *("--override", f"student.blocks={json.dumps(as_json['blocks'])}"),
        *("--override", "input_size_px=[32,96]", "--override", "batch_size=2"),
        *("--override", "num_epochs=1", "--override", "steps_per_epoch=3"),
        *("--override", "statistics_batches=2"),
        # Three steps that change little: the start was made fit for int8.
        *("--override", "learning_rate=1e-4"),
        *("--override", f"start_from={root / 'start.weights.h5'}"),
    )


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every stage has run."""
    root = tmp_path_factory.mktemp("way")
    tree = build_kitti_tree(root / "kitti", size=(64, 192))
    for part, bias in (("train", "fit"), ("val", root / "labels_train" / "bias_table.json")):
        succeed(
            *("data_prep.generate_teachers", "--kitti_root", tree, "--depth_teacher", "sgm"),
            *("--split", tree / "splits" / f"{part}.txt", "--bias", bias),
            *("--seg_teacher", "precomputed", "--train_id_dir", tree / "truth" / "train_id"),
            *("--output", root / f"labels_{part}", "--num_processes", 1),
        )
    write_start(root / "start.weights.h5")
    succeed(*training_line(root))
    succeed(
        *("export.tflite", "--workdir", root / "run", "--precision", "int8"),
        *("--output", root / "int8", "--num_calibration", 4),
    )
    return root


def test_the_exported_file_is_scored_by_the_same_program(way: Path) -> None:
    table = succeed(
        *("mtdepth.evaluate", "--model", way / "int8" / "model.tflite"),
        *("--kitti_root", way / "kitti", "--split", way / "kitti" / "splits" / "val.txt"),
        *("--labels", way / "labels_val", "--train_labels", way / "labels_train"),
        *("--output", way / "results.json", "--save_predictions", way / "predictions"),
        *("--pictures", way / "pictures", "--num_pictures", 2),
    )
    assert "camera_z_garg_80m" in table
    assert "Abs Rel" in table
    results = json.loads((way / "results.json").read_text())
    assert "camera_z_garg_80m" in json.dumps(results)
    assert list((way / "pictures").glob("*.png"))
    depth = next(path for path in (way / "predictions").rglob("*.png") if "train" not in path.name)
    stored = cv2.imread(str(depth), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    assert stored.shape == (64, 192)


def test_the_device_program_runs_the_file_on_a_folder(way: Path) -> None:
    source = next((way / "kitti").glob("*/*/image_02/data"))
    succeed(
        *("export.device", "--model", way / "int8" / "model.tflite"),
        *("--source", source, "--output", way / "device"),
    )
    latency = json.loads((way / "device" / "latency.json").read_text())
    assert latency["num_frames"] == len(list(source.iterdir()))
    overlays = list((way / "device").glob("*_overlay.png"))
    assert len(overlays) == latency["num_frames"]


def test_the_same_training_line_again_finds_nothing_to_do(way: Path) -> None:
    done = run_program(*training_line(way))
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mtdepth.train", "--recipe", "papers"), "no recipe 'papers'"),
        (("mtdepth.train", "--override", "learning_rate=0.5"), "another recipe"),
        (("mtdepth.train", "--override", "batch=2"), "no recipe field 'batch'"),
        (("mtdepth.train", "positional"), "unexpected argument 'positional'"),
    ],
)
def test_a_wrong_training_line_is_answered_in_words(
    way: Path, arguments: tuple[str, ...], message: str
) -> None:
    common = ("--data", way / "labels_train", "--workdir", way / "run", "--recipe", "demo")
    done = run_program(arguments[0], *common, *arguments[1:])
    assert done.returncode != 0
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_missing_label_store_is_answered_with_the_command_that_makes_it(way: Path) -> None:
    done = run_program("mtdepth.train", "--data", way / "nowhere", "--workdir", way / "other")
    assert done.returncode == 1
    assert "data_prep.generate_teachers" in done.stderr
    assert not (way / "other").exists()


PROGRAMS = (
    "data_prep.make_demo_world",
    "data_prep.generate_teachers",
    "data_prep.fit_bias_table",
    "mtdepth.train",
    "mtdepth.evaluate",
    "mtdepth.describe",
    "export.tflite",
    "export.device",
)


@pytest.mark.parametrize("run", [run_program, pytest.param(run_process, marks=pytest.mark.slow)])
@pytest.mark.parametrize("program", PROGRAMS)
def test_help_shows_a_full_example(program: str, run: Any) -> None:
    done = run(program, "--help")
    assert f"python -m {program} --" in done.stdout + done.stderr
