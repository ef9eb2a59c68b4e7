"""The camera's motion through a video as a pose network tells it, and how wrong that is."""

import dataclasses
import math
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from absl import logging
from keras import ops
from matplotlib.figure import Figure

from mtdepth.data.video import Shot
from mtdepth.datasets.camera_poses import consecutive_runs, true_poses, true_times_s
from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.losses.view_synthesis import transform
from mtdepth.metrics.odometry import (
    SNIPPET_FRAMES,
    SnippetConvention,
    least_squares_scale,
    motions_of,
    poses_of,
    snippet_errors,
)
from mtdepth.models.normalisation import MININET_INPUT
from mtdepth.models.pose_net import build_pose_net
from mtdepth.models.weights import load_weights
from mtdepth.recipes.video import VideoRecipe
from mtdepth.reporting import DPI
from mtdepth.runtime.fitting import fit_image, fitted_intrinsics
from mtdepth.workdir import Checkpoint, Workdir

Poses = npt.NDArray[np.float64]

MAX_COLUMNS = 3
MAX_TRACKS = 12
_PANEL_IN = 4.0


@dataclasses.dataclass(frozen=True, eq=False)
class Track:
    """The camera's way through frames without a gap.

    Attributes:
      name: Of the shot and its first frame.
      numbers: The frames.
      predicted: World_from_camera `[frames, 4, 4]`, in metres where the network's scale is known.
      true_m: The same in metres, from its first frame on; None where unknown.
      times_s: When each was taken, by the recording's own stamps; None where it has none.
    """

    name: str
    numbers: tuple[int, ...]
    predicted: Poses
    true_m: Poses | None
    times_s: tuple[float, ...] | None = None

    def errors_m(self, convention: SnippetConvention) -> npt.NDArray[np.float64] | None:
        """Trajectory errors `[snippets]`; None without truth, or for too few frames."""
        if self.true_m is None or len(self.numbers) < SNIPPET_FRAMES:
            return None
        true, predicted = motions_of(self.true_m), motions_of(self.predicted)
        return snippet_errors(true, predicted, convention=convention)

    @property
    def scale_to_truth(self) -> float:
        """Factor on the whole track that brings it nearest to the truth; 1 without truth."""
        if self.true_m is None:
            return 1.0
        return least_squares_scale(self.true_m[:, :3, 3], self.predicted[:, :3, 3])


class PosePredictor:
    """A video run's pose network.

    Args:
      workdir: The run.
      checkpoint: Which weights.
      scale: Metres of the network's unit of length.

    Raises:
      FileNotFoundError: If there is no such run or checkpoint.
      DataError: If the weights are damaged.
      UserError: If the run did not learn from video.
    """

    def __init__(self, workdir: Workdir, *, checkpoint: Checkpoint, scale: float = 1.0) -> None:
        recipe = workdir.recipe()
        if not isinstance(recipe, VideoRecipe):
            raise UserError(f"{workdir.path} holds a student, which learned no motion")
        height_px, width_px = recipe.input_size_px
        self._size, self._fit, self._scale = (height_px, width_px), recipe.fit, scale
        self._training_camera = workdir.training_camera_or_none()
        video = workdir.run().get("video")
        frame_step = video.get("frame_step", 1) if isinstance(video, dict) else 1
        if frame_step != 1:
            logging.warning(
                "%s learned from frames %d apart, but is asked about neighbours: their motion may "
                "come out wrong, and with it a scale by speed",
                workdir.path,
                frame_step,
            )
        self._network = _loaded(workdir, recipe, checkpoint)

    def motions(
        self, images: Iterable[npt.NDArray[np.uint8]], *, camera: Intrinsics | None = None
    ) -> Poses:
        """`next_from_this` `[frames - 1, 4, 4]` of neighbours among RGB pictures of any size.

        Args:
          images: In the order of time.
          camera: That took them, at their size; None for one like the training one.
        """
        motions, before = [], None
        focal_ratio = self._focal_ratio(camera)
        for image in images:
            fitted = fit_image(image, size=self._size, fit=self._fit).astype(np.float32)
            fed = MININET_INPUT(fitted)
            if before is not None:
                motions.append(self._motion(before, fed, focal_ratio))
            before = fed
        return np.stack(motions) if motions else np.zeros((0, 4, 4))

    def _focal_ratio(self, camera: Intrinsics | None) -> float:
        if camera is None or self._training_camera is None:
            return 1.0
        fitted = fitted_intrinsics(camera, size=self._size, fit=self._fit)
        return fitted.focal_px / self._training_camera.focal_px

    def _motion(
        self, this: npt.NDArray[Any], following: npt.NDArray[Any], focal_ratio: float
    ) -> Poses:
        pair = np.concatenate([this, following], axis=-1)[None]
        six = ops.convert_to_numpy(self._network(pair, training=False))
        # A focal length k times as long shows a world k times as deep as the training camera's
        # (`depth_for_focal`): ways ahead are k times as long, and turns of the view 1/k as far.
        k = focal_ratio
        six = six * np.array([1 / k, 1 / k, 1, 1, 1, k], np.float32)
        motion = ops.convert_to_numpy(transform(six[:, :3], six[:, 3:]))[0].astype(np.float64)
        motion[:3, 3] *= self._scale
        return np.asarray(motion)


def tracks_of(shot: Shot, predictor: PosePredictor) -> Iterable[Track]:
    """Predicts the camera's way through a shot, one track for each stretch without a gap.

    Raises:
      DataError: If a picture is damaged.
    """
    truth, taken_s = true_poses(shot.files), true_times_s(shot.files)
    camera = shot.camera_at(shot.size)
    for numbers in consecutive_runs(shot.files):
        if len(numbers) < 2:
            continue
        images = (shot.read(number) for number in numbers)
        poses = poses_of(predictor.motions(images, camera=camera))
        true_m = None
        if all(number in truth for number in numbers):
            world = np.stack([truth[number] for number in numbers])
            true_m = np.linalg.inv(world[0]) @ world
        times_s = None
        if all(number in taken_s for number in numbers):
            times_s = tuple(taken_s[number] for number in numbers)
        yield Track(f"{shot.name} {numbers[0]}", tuple(numbers), poses, true_m, times_s)


def free_stem(name: str, taken: Container[str]) -> str:
    """A file name for a track; `a/frames` and `b/frames` are both called `frames`."""
    plain = name.replace(" ", "_").replace("/", "_")
    stem, number = plain, 2
    while stem in taken:
        stem, number = f"{plain}_{number}", number + 1
    return stem


def trajectories_figure(tracks: Sequence[Track]) -> Figure:
    """Draws the longest tracks, each in a panel of its own: x to the right, z ahead.

    Args:
      tracks: At least one; a prediction is scaled to the truth where there is one.
    """
    shown = sorted(tracks, key=lambda track: -len(track.numbers))[:MAX_TRACKS]
    num_columns = min(MAX_COLUMNS, len(shown))
    num_rows = math.ceil(len(shown) / num_columns)
    size = (_PANEL_IN * num_columns, _PANEL_IN * num_rows)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    for index, track in enumerate(shown):
        axes = figure.add_subplot(num_rows, num_columns, index + 1)
        unit = "relative" if track.true_m is None else "m"
        if track.true_m is not None:
            axes.plot(track.true_m[:, 0, 3], track.true_m[:, 2, 3], "k-", label="true")
        way = track.predicted[:, :3, 3] * track.scale_to_truth
        axes.plot(way[:, 0], way[:, 2], "C1-", label="predicted")
        axes.plot([0], [0], "k.")
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_title(track.name, fontsize=8, loc="left")
        axes.set_xlabel(f"x ({unit})")
        axes.set_ylabel(f"z ({unit})")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    return figure


def _loaded(workdir: Workdir, recipe: VideoRecipe, checkpoint: Checkpoint) -> keras.Model:
    network = build_pose_net(input_size=recipe.input_size_px, encoder=recipe.pose_encoder)
    path: Path = workdir.pose_weights_path(checkpoint)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there yet: the first is written at the end of the first epoch"
        )
    load_weights(network, path, what="this run's pose network")
    return network
