"""Steadiness of every row over the neighbouring frames of a split whose true motion is known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from absl import logging

from mtdepth.datasets.camera_poses import true_poses
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.recordings import Recordings
from mtdepth.evaluation.predictors import Scene
from mtdepth.files import DataError
from mtdepth.metrics.protocols import Protocol
from mtdepth.metrics.steadiness import Flicker, flicker
from mtdepth.runtime.pipeline import Prediction

Arrays = Mapping[str, npt.NDArray[Any]]


class SteadinessMeter:
    """Looks at frame after frame, and compares those that are neighbours in time.

    Args:
      raw: The recordings; the motion is from their oxts or poses.
      protocols: That are scored; the truth of the first whose truth is camera z says what a
        point's depth is. Where none's is, nothing is found.

    Attributes:
      by_row: What was found, by the row's short name.
    """

    def __init__(self, raw: Recordings, protocols: Sequence[Protocol]) -> None:
        self._raw = raw
        of_camera_z = (each.name for each in protocols if each.truth != "lidar_eigen")
        self._protocol = next(of_camera_z, None)
        self._last: tuple[Scene, npt.NDArray[Any], Mapping[str, Prediction]] | None = None
        self.by_row: dict[str, Flicker] = {}

    def observe(self, scene: Scene, truths: Arrays, predictions: Mapping[str, Prediction]) -> None:
        """Compares a frame with the one before it, where that was its neighbour."""
        if self._protocol is None:
            return
        truth = truths[self._protocol]
        last, self._last = self._last, (scene, truth, predictions)
        if last is None:
            return
        before, true_before, told_before = last
        if scene.camera != before.camera:
            return
        T_next_from_this = self._motion(before.frame, scene.frame)
        if T_next_from_this is None:
            return
        for name, told in predictions.items():
            self.by_row[name] = self.by_row.get(name, Flicker()) + flicker(
                (true_before, truth),
                (told_before[name].depth_m, told.depth_m),
                camera=scene.camera,
                T_next_from_this=T_next_from_this,
            )

    def _motion(self, this: FrameId, then: FrameId) -> npt.NDArray[np.float64] | None:
        """`[4, 4]`, None where the frames are no neighbours or the motion is not known."""
        if (this.drive, this.side, this.index + 1) != (then.drive, then.side, then.index):
            return None
        files = {frame.index: self._raw.image_path(frame) for frame in (this, then)}
        try:
            poses = true_poses(files)
        except (OSError, DataError) as error:
            logging.warning("no steadiness from %s to %s: %s", this, then, error)
            return None
        if len(poses) < len(files):
            return None
        return np.linalg.inv(poses[then.index]) @ poses[this.index]
