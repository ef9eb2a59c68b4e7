"""The pictures of an evaluation: chosen frames, a comparison sheet, error by distance, IoU."""

import dataclasses
from pathlib import Path

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.evaluation.frame_pictures import write_frames
from mtdepth.evaluation.scoring import Evaluation, Scores
from mtdepth.evaluation.tables import by_distance
from mtdepth.metrics.protocols import ImageScore, Protocol, Truth
from mtdepth.reporting import (
    Comparison,
    class_iou_figure,
    comparison_sheet,
    error_by_distance_figure,
    save_figure,
)

TRUTH_NAMES: dict[Truth, str] = {
    "lidar_eigen": "LiDAR (points enlarged)",
    "lidar_camera_z": "LiDAR (points enlarged)",
    "annotated": "annotated depth",
    "labels": "label depth",
}


def chosen_frames(scores: Scores, protocol: Protocol, *, number: int) -> list[FrameId]:
    """Frames worth looking at, from worst to best.

    The worst and the best are always among them; the others are spread evenly over the split, so
    that two evaluations of one split show the same ones.

    Args:
      scores: Of at least one frame.
      protocol: That decides which is worse.
      number: At most so many, but never less than two.
    """
    errors = {
        frame: score.sums.errors().abs_rel
        for frame, score in scores.rows["model"].depth[protocol.name]
    }
    ranked = sorted(errors, key=lambda frame: -errors[frame])
    if len(ranked) <= number:
        return ranked
    shown = {ranked[0], ranked[-1], *evenly_spaced(scores.frames, number=max(number - 2, 0))}
    return [frame for frame in ranked if frame in shown]


def write_pictures(folder: Path, scores: Scores, evaluation: Evaluation, *, number: int) -> None:
    """Draws chosen frames, as layers and on a sheet, and the figures.

    Args:
      folder: Where they go.
      scores: Of at least one frame.
      evaluation: That found them; it is asked for the chosen frames once more.
      number: See `chosen_frames`.
    """
    protocol = evaluation.protocols[0]
    scored = dict(scores.rows["model"].depth[protocol.name])
    rows = [
        (frame, scored[frame].sums.errors().abs_rel, _comparison(evaluation, frame, scored[frame]))
        for frame in chosen_frames(scores, protocol, number=number)
    ]
    truth_name = TRUTH_NAMES[protocol.truth]
    named = [(str(frame), error, row) for frame, error, row in rows]
    write_frames(folder, named, truth_name=truth_name)
    titled = [
        dataclasses.replace(row, title=f"{frame}: Abs Rel {error:.3f} ({protocol.name})")
        for frame, error, row in rows
    ]
    save_figure(folder / "comparison.png", comparison_sheet(titled, truth_name=truth_name))
    for each in evaluation.protocols:
        by_title = {
            row.title: by_distance([score for _, score in row.depth[each.name]]).rows()
            for row in scores.rows.values()
            if row.depth.get(each.name)
        }
        figure = error_by_distance_figure(
            by_title, title=f"Error by distance, protocol {each.name}"
        )
        save_figure(folder / f"error_by_distance_{each.name}.png", figure)
    ious = {row.title: row.classes.class_iou() for row in scores.rows.values() if row.classes}
    if ious:
        title = "IoU by class: agreement with the segmentation teacher"
        save_figure(folder / "class_iou.png", class_iou_figure(ious, title=title))


def _comparison(evaluation: Evaluation, frame: FrameId, score: ImageScore) -> Comparison:
    scene = evaluation.scene(frame)
    truth_m = evaluation.truth.read(
        evaluation.protocols[0].truth,
        frame,
        size=scene.image.shape[:2],
        label_depth_m=scene.label_depth_m,
    )
    predicted = evaluation.rows["model"].predict(scene)
    return Comparison(
        title=str(frame),
        image=scene.image,
        truth_m=truth_m,
        # As it was scored: a relative depth is drawn at the truth's scale.
        predicted_m=predicted.depth_m * score.scale,
        truth_train_id=scene.label_train_id,
        predicted_train_id=predicted.train_id,
    )
