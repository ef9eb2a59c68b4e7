"""The program `python -m mtdepth.evaluate`, as a user runs it."""

import html
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes.programs import run_program
from fakes.workdir import build_workdir

from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import LabelStore, read_depth_png
from mtdepth.evaluation.prediction_store import PredictionStore
from mtdepth.pictures import read_rgb
from mtdepth.predictor import open_predictor

ROOT = Path(__file__).parents[1]


def evaluate(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_program("mtdepth.evaluate", *arguments, cwd=cwd, env={"MTDEPTH_KITTI_ROOT": ""})


def test_a_workdir_and_its_saved_predictions_score_the_same(
    tree: Path, labels: LabelStore, tmp_path: Path
) -> None:
    workdir = build_workdir(tmp_path / "run")
    common = ("--kitti_root", tree, "--split", "splits/val.txt", "--labels", labels.root)
    live = evaluate(
        *("--model", workdir.path, "--save_predictions", "saved", "--pictures", "pictures"),
        *("--protocol", "camera_z_garg_80m", "--protocol", "labels_80m", "--num_pictures", 2),
        *("--train_labels", labels.root, *common),
        cwd=tmp_path,
    )
    assert live.returncode == 0, live.stderr
    assert "Depth, protocol camera_z_garg_80m" in live.stdout
    assert "Depth, protocol labels_80m" in live.stdout
    assert "per-pixel training mean" in live.stdout
    assert "labels of exact (oracle)" in live.stdout
    assert "mIoU" in live.stdout
    results = json.loads(next(workdir.results_path.glob("val_L_best_*.json")).read_text())
    assert results["model"]["kind"] == "keras"
    assert results["model"]["decoder"] == "L"
    assert results["labels"]["seg_teacher"] == "exact"

    again = evaluate("--model", "saved", "--output", "again.json", *common, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    row, saved_row = (
        each["depth"]["camera_z_garg_80m"]["rows"]["model"]
        for each in (results, json.loads((tmp_path / "again.json").read_text()))
    )
    for name, error in row["per_image_mean"].items():
        # PNGs round to 1/512 m.
        assert saved_row["per_image_mean"][name] == pytest.approx(error, rel=2e-3, abs=1e-4)

    # The prediction on disk is the predictor's, at the picture's size, in KITTI's units.
    raw = KittiRaw(tree)
    frame = raw.frames_of(raw.drives()[-1])[0]
    expected = open_predictor(workdir.path).predict(
        raw.read_image(frame), camera=raw.calibration(frame.date).intrinsics("l")
    )
    store = PredictionStore(tmp_path / "saved")
    np.testing.assert_allclose(
        read_depth_png(store.depth_path(frame)), expected.depth_m, atol=1 / 500
    )
    np.testing.assert_array_equal(store.read(frame).train_id, expected.train_id)
    for name in ("comparison", "error_by_distance_labels_80m", "class_iou"):
        assert read_rgb(tmp_path / "pictures" / f"{name}.png").std() > 5
    page = (tmp_path / "pictures" / "index.html").read_text()
    assert f"{row['per_image_mean']['abs_rel']:.3f}" in page
    assert results["verdict"][0] in html.unescape(page)
    assert json.loads((tmp_path / "pictures" / "results.json").read_text()) == results


def test_frames_that_fail_are_named_and_end_the_program_with_1(
    tree: Path, labels: LabelStore, tmp_path: Path
) -> None:
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy)
    raw = KittiRaw(copy)
    frames = raw.frames_of(raw.drives()[-1])
    raw.velodyne_path(frames[1]).unlink()
    store = PredictionStore(tmp_path / "saved")
    for frame in frames:
        store.write(frame, labels_as_prediction(labels, frame))
    run = evaluate(
        *("--model", "saved", "--kitti_root", copy, "--split", "splits/val.txt"),
        *("--output", "results.json"),
        cwd=tmp_path,
    )
    assert run.returncode == 1
    assert f"NOT scored, 1 of {len(frames)} frames" in run.stdout
    assert f"{frames[1].name}.bin" in run.stdout
    assert "give --train_labels" in run.stderr  # there is no baseline, and that is said
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results["frames"]) == len(frames) - 1
    assert results["failures"][0]["frame"] == str(frames[1])


def labels_as_prediction(labels: LabelStore, frame: object) -> object:
    from mtdepth.runtime.pipeline import Prediction

    return Prediction(labels.read_depth(frame), labels.read_train_id(frame))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "nowhere"), "nowhere: no such model"),
        (("--model", "empty"), "neither a workdir (no recipe.json) nor a folder of predictions"),
        (("--model", "empty", "--protocol", "eigen"), "no protocol is called 'eigen'"),
        (("--model", "empty", "--split", "splits/none.txt"), "neither one of"),
        (("--model", "empty", "--labels", "empty"), "not a label store"),
        (("--model", "empty", "--kitti_root", "nowhere"), "nowhere"),
    ],
)
def test_a_wrong_input_ends_in_one_clear_line(
    tree: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    given = ("--kitti_root", tree, "--split", "splits/val.txt", *arguments)
    run = evaluate(*given, cwd=tmp_path)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_help_shows_a_full_example_and_the_protocols(tmp_path: Path) -> None:
    text = evaluate("--help", cwd=tmp_path).stdout
    assert "python -m mtdepth.evaluate --model runs/multitask_kitti --decoder L" in text
    assert "eigen_garg_80m" in text


def test_scoring_saved_predictions_loads_no_tensorflow() -> None:
    code = "import sys, mtdepth.evaluate; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.dataset
def test_the_teacher_and_the_lidar_baseline_of_the_real_frames_have_their_known_scores(
    kitti_mini: Path,
) -> None:
    """Known from an independent evaluation: 0.226 and 7.95 m for the baseline."""
    from mtdepth.datasets.splits import resolve_split
    from mtdepth.evaluation.predictors import baseline_row
    from mtdepth.evaluation.scoring import Evaluation
    from mtdepth.evaluation.truth import TruthReader
    from mtdepth.metrics.baseline import training_mean
    from mtdepth.metrics.depth import per_image_mean
    from mtdepth.metrics.protocols import protocol_named

    raw = KittiRaw(kitti_mini / "raw")
    truth = TruthReader(raw=raw)
    frames = resolve_split(raw, str(kitti_mini / "splits" / "mini_train.txt"))
    depths = (
        truth.read("lidar_camera_z", frame, size=(375, 1242), label_depth_m=None)
        for frame in frames
    )
    baseline = baseline_row(training_mean(depths, None, size=(375, 1242)))
    scores = Evaluation(
        raw=raw,
        truth=truth,
        protocols=[protocol_named("camera_z_garg_80m")],
        rows={"baseline": baseline},
    ).run(resolve_split(raw, str(kitti_mini / "splits" / "mini_val.txt")))
    assert not scores.failures
    found = scores.rows["baseline"].depth["camera_z_garg_80m"]
    errors = per_image_mean([score.sums for _, score in found])
    # The other evaluation's points lie a pixel up and left, and its smoothing differs a little.
    assert errors.abs_rel == pytest.approx(0.226, abs=0.002)
    assert errors.sq_rel == pytest.approx(3.05, abs=0.03)
    assert errors.rmse == pytest.approx(7.95, abs=0.08)
    assert errors.rmse_log == pytest.approx(0.306, abs=0.002)
    assert errors.d1 == pytest.approx(0.717, abs=0.005)
