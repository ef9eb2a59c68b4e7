"""The figures of an evaluation: a comparison sheet, error by distance, IoU by class."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from mtdepth.datasets.frames import FrameId
from mtdepth.evaluation.predictors import Scene
from mtdepth.evaluation.scoring import Scores
from mtdepth.evaluation.tables import by_distance
from mtdepth.metrics.protocols import Protocol, Truth
from mtdepth.reporting import (
    Comparison,
    class_iou_figure,
    comparison_sheet,
    error_by_distance_figure,
    save_figure,
)
from mtdepth.runtime.pipeline import Prediction

TRUTH_NAMES: dict[Truth, str] = {
    "lidar_eigen": "LiDAR (points enlarged)",
    "lidar_camera_z": "LiDAR (points enlarged)",
    "annotated": "annotated depth",
    "labels": "label depth",
}


class PictureTaker:
    """Keeps chosen frames while they are scored and draws them afterwards.

    Args:
      frames: To draw.
      protocol: Whose truth is drawn.
    """

    def __init__(self, frames: Sequence[FrameId], protocol: Protocol) -> None:
        self._wanted = set(frames)
        self._protocol = protocol
        self._kept: dict[FrameId, Comparison] = {}

    def observe(
        self,
        scene: Scene,
        truths: dict[str, npt.NDArray[Any]],
        predictions: dict[str, Prediction],
    ) -> None:
        """Keeps the frame if it was chosen; see `mtdepth.evaluation.scoring.Observer`."""
        if scene.frame not in self._wanted:
            return
        self._kept[scene.frame] = Comparison(
            title=str(scene.frame),
            image=scene.image,
            truth_m=truths[self._protocol.name],
            predicted_m=predictions["model"].depth_m,
            truth_train_id=scene.label_train_id,
            predicted_train_id=predictions["model"].train_id,
        )

    def write(self, folder: Path, scores: Scores, protocols: Sequence[Protocol]) -> list[Path]:
        """Draws everything; returns the files."""
        paths = []
        if self._kept:
            sheet = comparison_sheet(
                self._titled(scores), truth_name=TRUTH_NAMES[self._protocol.truth]
            )
            paths.append(folder / "comparison.png")
            save_figure(paths[-1], sheet)
        for protocol in protocols:
            by_title = {
                row.title: by_distance([score for _, score in row.depth[protocol.name]]).rows()
                for row in scores.rows.values()
                if row.depth.get(protocol.name)
            }
            paths.append(folder / f"error_by_distance_{protocol.name}.png")
            title = f"Error by distance, protocol {protocol.name}"
            save_figure(paths[-1], error_by_distance_figure(by_title, title=title))
        ious = {row.title: row.classes.class_iou() for row in scores.rows.values() if row.classes}
        if ious:
            paths.append(folder / "class_iou.png")
            title = "IoU by class: agreement with the segmentation teacher"
            save_figure(paths[-1], class_iou_figure(ious, title=title))
        return paths

    def _titled(self, scores: Scores) -> list[Comparison]:
        name = self._protocol.name
        by_frame = dict(scores.rows["model"].depth[name])
        return [
            dataclasses.replace(
                kept,
                title=f"{frame}: Abs Rel {score.sums.errors().abs_rel:.3f} ({name})",
                # As it was scored: a relative depth is drawn at the truth's scale.
                predicted_m=kept.predicted_m * score.scale,
            )
            for frame, kept in self._kept.items()
            for score in [by_frame[frame]]
        ]
