"""The evaluation loop on a synthetic tree whose truth is exact."""

import dataclasses
import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.kitti_tree import shrunk_tree
from fakes.label_store import build_label_store

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import LabelStore, train_id_path, write_train_id_png
from mtdepth.evaluation.prediction_store import PredictionStore
from mtdepth.evaluation.predictors import (
    Row,
    Scene,
    baseline_row,
    mean_of_labels,
    named_rows,
    open_model,
    oracle_row,
    saved_row,
)
from mtdepth.evaluation.scoring import Evaluation, Scores, prediction_saver
from mtdepth.evaluation.tables import (
    class_table,
    depth_table,
    group_tables,
    results_dict,
    steadiness_table,
)
from mtdepth.evaluation.truth import TruthReader
from mtdepth.evaluation.verdicts import verdicts
from mtdepth.files import DataError
from mtdepth.metrics.baseline import TrainingMean
from mtdepth.metrics.depth import per_image_mean
from mtdepth.metrics.protocols import protocol_named
from mtdepth.runtime.pipeline import Prediction

EIGEN, LABELS = protocol_named("eigen_garg_80m"), protocol_named("labels_80m")
NEAREST = protocol_named("camera_z_garg_80m")


@dataclasses.dataclass
class Scaled:
    """The labels' depth times a factor, and what it was shown."""

    factor: float
    seen: list[Scene] = dataclasses.field(default_factory=list)

    def __call__(self, scene: Scene) -> Prediction:
        self.seen.append(scene)
        assert scene.label_depth_m is not None
        return Prediction(scene.label_depth_m * np.float32(self.factor), scene.label_train_id)


def evaluation(
    tree: Path,
    labels: LabelStore,
    predict: Callable[[Scene], Prediction],
    **options: object,
) -> Evaluation:
    raw = KittiRaw(tree)
    settings: dict[str, object] = {
        "raw": raw,
        "truth": TruthReader(raw=raw),
        "protocols": [LABELS, EIGEN],
        "rows": named_rows(
            [Row(title="model X", predict=predict)],
            baseline=baseline_row(mean_of_labels(labels)),
            labels=labels,
        ),
        "labels": labels,
    }
    return Evaluation(**{**settings, **options})  # type: ignore[arg-type]


def abs_rel(scores: Scores, row: str, protocol: str) -> float:
    return per_image_mean([each.sums for _, each in scores.rows[row].depth[protocol]]).abs_rel


def test_the_truth_as_a_prediction_has_no_error_and_a_factor_shows(
    tree: Path, labels: LabelStore
) -> None:
    frames = labels.frames[:3]
    protocols = [LABELS, EIGEN, NEAREST]
    perfect, larger = (
        evaluation(tree, labels, Scaled(factor), protocols=protocols).run(frames)
        for factor in (1.0, 1.1)
    )
    assert perfect.frames == frames
    assert abs_rel(perfect, "model", "labels_80m") == 0
    # A tenth too far everywhere, but for what the limit of 80 m clamps.
    assert abs_rel(larger, "model", "labels_80m") == pytest.approx(0.1, abs=0.005)
    # The sweep hits the same surfaces inside the pixels that it is drawn in; at 64 rows a pixel
    # of road spans some per cent of its distance. `round(u) - 1` draws it in the next pixel.
    lidar = abs_rel(perfect, "model", "camera_z_garg_80m")
    assert lidar < 0.05
    assert lidar < abs_rel(perfect, "model", "eigen_garg_80m")
    assert perfect.rows["model"].classes is not None
    assert perfect.rows["model"].classes.pixel_accuracy() == 1


def test_depth_without_a_unit_is_scored_by_shape_and_nothing_is_near_by_it(
    tree: Path, labels: LabelStore
) -> None:
    scaled = protocol_named("labels_80m_median")
    found = {
        is_metric: evaluation(
            tree,
            labels,
            Scaled(0.01),
            protocols=[scaled],
            rows={"model": Row(title="model X", predict=Scaled(0.01), is_metric=is_metric)},
        ).run(labels.frames[:2])
        for is_metric in (True, False)
    }
    for scores in found.values():
        assert abs_rel(scores, "model", scaled.name) == pytest.approx(0, abs=1e-3)
    assert found[True].rows["model"].near_obstacles.num_road
    assert not found[False].rows["model"].near_obstacles.num_road


def test_what_changes_from_frame_to_frame_shows_where_the_motion_is_known(
    tree: Path, labels: LabelStore
) -> None:
    def predict(scene: Scene) -> Prediction:
        assert scene.label_depth_m is not None
        return Prediction(scene.label_depth_m * np.float32(1 + 0.1 * (scene.frame.index % 2)), None)

    drive = [frame for frame in labels.frames if frame.drive == labels.frames[0].drive]
    scores = evaluation(tree, labels, predict).run(drive)
    model, oracle = scores.rows["model"].flicker, scores.rows["oracle"].flicker
    assert model.num_pairs == oracle.num_pairs == len(drive) - 1
    assert oracle.mean == 0
    assert model.mean == pytest.approx(np.log(1.1), rel=1e-4)
    # Most of a street stands still and is seen again: its motion is taken out rightly.
    assert model.num_points > 0.5 * model.num_pairs * labels.read_sample(drive[0])[0][..., 0].size
    assert "9.5 %" in steadiness_table(scores)
    assert results_dict(scores, [LABELS], settings={})["steadiness"]["rows"]["oracle"]["mean"] == 0
    # Frames that are no neighbours, and a truth that is no camera z.
    assert not evaluation(tree, labels, predict).run(drive[::2]).rows["model"].flicker.num_pairs
    by_x = evaluation(tree, labels, predict, protocols=[EIGEN]).run(drive[:2])
    assert steadiness_table(by_x) == ""


def test_a_model_sees_the_picture_and_its_camera(tree: Path, labels: LabelStore) -> None:
    model = Scaled(1.0)
    evaluation(tree, labels, model).run(labels.frames[:1])
    raw, frame = KittiRaw(tree), labels.frames[0]
    scene = model.seen[0]
    np.testing.assert_array_equal(scene.image, raw.read_image(frame))
    assert scene.camera == raw.calibration(frame.date).intrinsics("l")


def test_a_shrunk_picture_has_its_own_camera_and_sweep(tree: Path, tmp_path: Path) -> None:
    small = shrunk_tree(tree, tmp_path / "small")
    labels = build_label_store(tmp_path / "labels", small)
    model = Scaled(1.0)
    scores = evaluation(small, labels, model, protocols=[NEAREST]).run(labels.frames[:2])
    assert not scores.failures
    camera = KittiRaw(tree).calibration(labels.frames[0].date).intrinsics("l")
    assert model.seen[0].camera == camera.resized(width_px=96, height_px=32)
    # Measured 0.024; 0.79 with the sweep drawn as for the full size.
    assert abs_rel(scores, "model", "camera_z_garg_80m") < 0.05


def test_labels_are_not_scored_against_themselves(tree: Path, labels: LabelStore) -> None:
    scores = evaluation(tree, labels, Scaled(1.0)).run(labels.frames[:1])
    assert set(scores.rows["oracle"].depth) == {"eigen_garg_80m"}
    assert scores.rows["oracle"].classes is None
    assert "labels of exact" not in depth_table(scores, LABELS)
    assert "labels of exact (oracle)" in depth_table(scores, EIGEN)


def test_a_frame_without_its_sweep_is_named_and_left_out_of_every_row(
    tree: Path, labels: LabelStore, tmp_path: Path
) -> None:
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy)
    frames = labels.frames[:3]
    KittiRaw(copy).velodyne_path(frames[1]).unlink()
    store = LabelStore.open(labels.root, kitti_root=copy)
    scores = evaluation(copy, store, Scaled(1.0)).run(frames)
    assert scores.frames == [frames[0], frames[2]]
    ((failed, why),) = scores.failures
    assert failed == frames[1]
    assert f"{frames[1].name}.bin" in why
    for row in scores.rows.values():
        for scored in row.depth.values():
            assert [frame for frame, _ in scored] == scores.frames


def test_a_frame_without_a_predicted_pixel_is_a_failure_with_its_reason(
    tree: Path, labels: LabelStore
) -> None:
    nothing = np.zeros((64, 192), np.float32)
    scores = evaluation(tree, labels, lambda _: Prediction(nothing, None)).run(labels.frames[:1])
    assert not scores.frames
    assert not scores.rows["baseline"].depth
    assert "none has a prediction of 'model X'" in scores.failures[0][1]


def test_a_fault_of_the_program_is_no_frames_failure(tree: Path, labels: LabelStore) -> None:
    small = np.ones((32, 96), np.float32)
    with pytest.raises(ValueError, match="resize the prediction"):
        evaluation(tree, labels, lambda _: Prediction(small, None)).run(labels.frames[:1])


def test_saved_predictions_score_as_they_did_but_for_the_rounding(
    tree: Path, labels: LabelStore, tmp_path: Path
) -> None:
    store = PredictionStore(tmp_path / "saved")
    frames = labels.frames[:2]
    # A factor that leaves no value on the 1/256 m grid of the labels.
    live = evaluation(tree, labels, Scaled(1.0317), observers=[prediction_saver(store)]).run(frames)
    again = evaluation(tree, labels, saved_row("saved", store).predict).run(frames)
    for protocol in ("labels_80m", "eigen_garg_80m"):
        # Rounding moves a depth by at most 1/512 m, of depths from 4 m on.
        assert abs_rel(again, "model", protocol) == pytest.approx(
            abs_rel(live, "model", protocol), abs=1 / 512 / 4
        )
    assert again.rows["model"].classes is not None
    assert live.rows["model"].classes is not None
    np.testing.assert_array_equal(
        again.rows["model"].classes.counts, live.rows["model"].classes.counts
    )


def test_saved_predictions_of_another_size_or_missing_are_named(
    tree: Path, labels: LabelStore, tmp_path: Path
) -> None:
    store = PredictionStore(tmp_path)
    frames = labels.frames[:2]
    store.write(frames[0], Prediction(np.ones((10, 20), np.float32), None))
    scores = evaluation(tree, labels, saved_row("saved", store).predict).run(frames)
    reasons = [why for _, why in scores.failures]
    assert "saved at the picture's size" in reasons[0]
    assert "no prediction for frame" in reasons[1]


def test_what_a_killed_writer_left_is_no_folder_of_predictions(tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    (tmp_path / "drive" / ".0000000005-x1.png").touch()
    with pytest.raises(FileNotFoundError, match="nor a folder of predictions"):
        open_model(tmp_path, decoder=None, checkpoint="best", num_threads=1)


def test_labels_of_another_resolution_are_a_failure_that_says_so(
    tree: Path, labels: LabelStore, tmp_path: Path
) -> None:
    shutil.copytree(labels.root, tmp_path / "store")
    frame = labels.frames[0]
    write_train_id_png(train_id_path(tmp_path / "store", frame), np.zeros((30, 90), np.uint8))
    store = LabelStore.open(tmp_path / "store", kitti_root=tree)
    scores = evaluation(tree, store, Scaled(1.0)).run([frame])
    assert "another resolution" in scores.failures[0][1]


def test_a_store_that_ignores_every_pixel_has_no_class_score(
    tree: Path, labels: LabelStore, tmp_path: Path
) -> None:
    shutil.copytree(labels.root, tmp_path / "store")
    frame = labels.frames[0]
    nothing = np.full((64, 192), 255, np.uint8)
    write_train_id_png(train_id_path(tmp_path / "store", frame), nothing)
    store = LabelStore.open(tmp_path / "store", kitti_root=tree)
    scores = evaluation(tree, store, Scaled(1.0)).run([frame])
    assert scores.frames == [frame]
    assert scores.rows["model"].classes is None
    assert class_table(scores, truth_name="exact") == ""


def test_the_baseline_is_the_same_for_every_picture_and_is_beaten_by_the_truth(
    tree: Path, labels: LabelStore
) -> None:
    baseline = baseline_row(mean_of_labels(labels))
    scores = evaluation(tree, labels, Scaled(1.0)).run(labels.frames)
    assert abs_rel(scores, "baseline", "labels_80m") > 0.02
    scene = evaluation(tree, labels, Scaled(1.0)).scene(labels.frames[0])
    prediction = baseline.predict(scene)
    assert prediction.depth_m.shape == scene.image.shape[:2]
    assert prediction.train_id is not None
    assert scores.rows["baseline"].classes is not None
    assert 0 < scores.rows["baseline"].classes.mean_iou() < 1


def test_a_baseline_without_classes_predicts_none(tree: Path, labels: LabelStore) -> None:
    mean = TrainingMean(np.full((4, 8), 9.0, np.float32), np.full((4, 8), 255, np.uint8))
    scene = evaluation(tree, labels, Scaled(1.0)).scene(labels.frames[0])
    assert baseline_row(mean).predict(scene).train_id is None


def test_the_label_row_needs_a_label_store(tree: Path, labels: LabelStore) -> None:
    unlabelled = dataclasses.replace(evaluation(tree, labels, Scaled(1.0)), labels=None)
    scene = unlabelled.scene(labels.frames[0])
    assert scene.label_depth_m is None
    with pytest.raises(ValueError, match="no label store"):
        oracle_row("exact").predict(scene)


def test_results_hold_every_number_with_its_protocol(tree: Path, labels: LabelStore) -> None:
    frames = labels.frames[:2]
    scores = evaluation(tree, labels, Scaled(1.1)).run(
        [*frames, FrameId(drive="2011_09_26_drive_0001_sync", index=999)]
    )
    results = results_dict(scores, [LABELS, EIGEN], settings={"split": "x"})
    assert results["frames"] == [str(frame) for frame in frames]
    assert len(results["failures"]) == 1
    found = results["depth"]["eigen_garg_80m"]
    assert found["protocol"]["crop"] == "garg"
    assert "LiDAR" in found["protocol"]["description"]
    row = found["rows"]["model"]
    assert row["per_image_mean"]["abs_rel"] == pytest.approx(
        np.mean([each["abs_rel"] for each in row["per_image"]])
    )
    assert [each["frame"] for each in row["per_image"]] == results["frames"]
    # The labels leave the sky's pixels out, and some sweep points land in one.
    assert 0.99 < row["coverage"] <= 1
    pixels = sum(each["num_pixels"] for each in row["by_distance"])
    assert pixels == sum(each["num_pixels"] for each in row["per_image"])
    assert results["segmentation"]["rows"]["model"]["mean_iou"] == 1
    assert "agreement" in results["segmentation"]["truth"]
    assert {"python", "numpy"} <= set(results["versions"])


def sentence(tree: Path, labels: LabelStore, predict: Callable[[Scene], Prediction]) -> str:
    row = Row(title="model X", predict=predict, steps=(20, 750))
    baseline = baseline_row(mean_of_labels(labels))
    rows = named_rows([row], baseline=baseline, labels=labels)
    (said,) = verdicts(evaluation(tree, labels, predict, rows=rows).run(labels.frames), LABELS)
    return said


def test_a_verdict_says_whether_a_model_is_any_good_and_where_it_is_wrong(
    tree: Path, labels: LabelStore
) -> None:
    def near_far_off(scene: Scene) -> Prediction:
        assert scene.label_depth_m is not None
        depth_m = scene.label_depth_m
        return Prediction(np.where(depth_m < 20, depth_m, 0.7 * depth_m), scene.label_train_id)

    good = sentence(tree, labels, Scaled(1.01))
    assert good.startswith("model X: depth is off by 1 % on average (Abs Rel); that is 9")
    assert "% less than guessing the average of the training labels" in good
    assert "tells everything" not in good
    assert "0 % of what obstacles within 15 m show of themselves is told farther" in good
    bad = sentence(tree, labels, Scaled(2.0))
    assert "worse than guessing the average of the training labels" in bad
    assert "train longer (20 of 750 steps)" in bad
    assert "it tells everything too far" in bad
    assert "100 % of what obstacles within 15 m" in bad
    assert "beyond 20 m it tells everything too near" in sentence(tree, labels, near_far_off)


def test_tables_carry_the_protocol_and_stand_in_columns(tree: Path, labels: LabelStore) -> None:
    scores = evaluation(tree, labels, Scaled(1.1)).run(labels.frames[:2])
    lines = depth_table(scores, EIGEN).splitlines()
    assert "eigen_garg_80m" in lines[0]
    assert lines[1] == EIGEN.description
    assert {len(line) for line in lines[2:]} == {len(lines[2])}
    assert lines[3].split()[:3] == ["model", "X", "2"]
    tables = group_tables(scores, EIGEN, row="model")
    for name in ("10-20 m", "50-60 %", "road"):
        assert name in tables
    classes = class_table(scores, truth_name="exact")
    assert "agreement with the teacher exact" in classes
    assert "IoU road" in classes


def test_a_damaged_picture_is_a_failure(tree: Path, labels: LabelStore, tmp_path: Path) -> None:
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy)
    path = KittiRaw(copy).image_path(labels.frames[0])
    path.write_bytes(path.read_bytes()[:-100])
    store = LabelStore.open(labels.root, kitti_root=copy)
    with pytest.raises(DataError, match="cut short"):
        evaluation(copy, store, Scaled(1.0)).scene(labels.frames[0])
    scores = evaluation(copy, store, Scaled(1.0)).run(labels.frames[:2])
    assert scores.frames == labels.frames[1:2]


def test_depths_that_are_no_numbers_are_refused_by_name(tree: Path, tmp_path: Path) -> None:
    labels = build_label_store(tmp_path / "labels", tree)

    def broken(scene: Scene) -> Prediction:
        assert scene.label_depth_m is not None
        return Prediction(np.full_like(scene.label_depth_m, np.nan), None)

    scores = evaluation(tree, labels, broken, protocols=[LABELS]).run(labels.frames[:1])
    ((frame, why),) = scores.failures
    assert frame == labels.frames[0]
    assert why.startswith("model X: ")
    assert "NaN, infinite or negative" in why


def test_what_opencv_cannot_do_with_a_frame_ends_no_evaluation(
    tree: Path, labels: LabelStore
) -> None:
    frames = labels.frames[:2]

    def picky(scene: Scene) -> Prediction:
        if scene.frame == frames[0]:
            cv2.resize(scene.image, (0, 0))
        return Scaled(1.0)(scene)

    scores = evaluation(tree, labels, picky, protocols=[LABELS]).run(frames)
    ((frame, why),) = scores.failures
    assert (frame, scores.frames) == (frames[0], [frames[1]])
    assert "resize" in why


def test_a_full_disk_is_no_fault_of_a_frame(tree: Path, tmp_path: Path) -> None:
    labels = build_label_store(tmp_path / "labels", tree)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    scoring = evaluation(tree, labels, Scaled(1.0), protocols=[LABELS], observers=[full])
    with pytest.raises(OSError, match="No space"):
        scoring.run(labels.frames[:1])
