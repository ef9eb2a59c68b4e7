r"""Finds the metres of a network that learned from video, and keeps them in its workdir.

A camera alone tells depth up to one factor. Either of two facts gives it:

    # the height of the camera above flat ground, measured with a tape
    python -m mtdepth.metric_scale --workdir runs/walk --video walk.mp4 --intrinsics camera.json \
        --camera_height_m 1.2

    # how far the vehicle drove between frames: GPS/IMU (oxts) or poses of KITTI recordings
    python -m mtdepth.metric_scale --workdir runs/mininet --video KITTI --speed

The factor, how much it varies from frame to frame, and where it comes from go to `scale.json` in
the workdir. From then on the evaluator, exports and the device say metres; files that were exported
before stay relative. Run it on frames of the camera that the network will be used with.
"""

import dataclasses
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags, logging
from tqdm import tqdm

from mtdepth import defaults, program
from mtdepth.data.video import Shot
from mtdepth.data.video_sources import open_videos
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import DataError, UserError, sha256_of, write_json
from mtdepth.geometry.ground_plane import fit_ground, ground_points
from mtdepth.workdir import Workdir

_WORKDIR = flags.DEFINE_string("workdir", None, "Run that learned from video.")
_VIDEO = flags.DEFINE_multi_string("video", None, "As `mtdepth.train --video`; repeatable.")
_VIDEO_SPLIT = flags.DEFINE_multi_string("video_split", [], "As `mtdepth.train --video_split`.")
_INTRINSICS = flags.DEFINE_string("intrinsics", None, "As `mtdepth.train --intrinsics`.")
_HEIGHT_M = flags.DEFINE_float(
    "camera_height_m", None, "Height of the camera above flat ground.", lower_bound=0.01
)
_SPEED = flags.DEFINE_bool("speed", False, "Take the distance driven between frames.")
_MAX_FRAMES = flags.DEFINE_integer("max_frames", 100, "Frames looked at.", lower_bound=1)
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Weights of the run.")

MIN_FRAMES = 5
MIN_STEP_M = 0.2  # a shorter way between two frames says little about the factor
LARGE_SPREAD = 0.2


def main() -> int | None:
    """Finds the factor and writes it."""
    program.require("workdir", "video")
    if (_HEIGHT_M.value is None) == (not _SPEED.value):
        raise UserError("give --camera_height_m or --speed, and not both")
    workdir = Workdir(Path(_WORKDIR.value))
    workdir.recipe()
    sources = open_videos(
        _VIDEO.value,
        splits=_VIDEO_SPLIT.value,
        intrinsics=Path(_INTRINSICS.value) if _INTRINSICS.value else None,
        # The training's, so that a film is decoded once.
        cache_dir=defaults.default_video_cache(defaults.default_kitti_root(), _VIDEO.value),
    )
    shots = [shot for source in sources for shot in source.shots]
    if _SPEED.value:
        factors, fact = list(_factors_by_speed(workdir, shots)), "speed"
    else:
        factors, fact = list(_factors_by_height(workdir, shots)), "camera_height"
    content = scale_summary(factors, source=fact)
    if _HEIGHT_M.value is not None:
        content["camera_height_m"] = _HEIGHT_M.value
    content |= {
        "videos": list(_VIDEO.value),
        "checkpoint": _CHECKPOINT.value,
        "weights_sha256": sha256_of(workdir.weights(_CHECKPOINT.value)),
    }
    write_json(workdir.scale_path, content)
    sys.stdout.write(
        f"{scale_in_words(content, steps=workdir.steps())}\nwrote {workdir.scale_path}\n"
    )
    return None


def scale_summary(factors: Sequence[float], *, source: str) -> dict[str, Any]:
    """What `scale.json` says of the factors of single frames: their median, and their spread.

    Raises:
      UserError: If there are too few.
    """
    if len(factors) < MIN_FRAMES:
        raise UserError(
            f"only {len(factors)} frames gave a factor, at least {MIN_FRAMES} are needed: "
            "for --camera_height_m the lower middle of the picture must show flat ground; for "
            "--speed the frames need GPS/IMU packets or poses, and the vehicle must move"
        )
    low, median, high = np.quantile(factors, [0.16, 0.5, 0.84])
    return {
        "scale": float(median),
        "source": source,
        # As a standard deviation would be for a normal distribution.
        "spread": float((high - low) / 2 / median),
        "num_frames": len(factors),
    }


def scale_in_words(summary: Mapping[str, Any], *, steps: tuple[int, int] | None) -> str:
    """What a scale is worth, and what to do where it is worth little.

    Args:
      summary: Of `scale_summary`.
      steps: Of the network's training, done and all, where they are known.
    """
    spread, source = summary["spread"], summary["source"].replace("_", " ")
    near_m, far_m = (10 / (1 + spread), 10 * (1 + spread))
    said = (
        f"depth 1 is {summary['scale']:.3f} m, by {source} in {summary['num_frames']} frames; from "
        f"frame to frame that varies by {spread:.0%}, so that two times in three what is 10 m away "
        f"is told as {near_m:.1f} to {far_m:.1f} m, beside the network's own errors"
    )
    if spread <= LARGE_SPREAD:
        return f"{said}."
    is_short = steps is not None and steps[0] < steps[1]
    done = f" ({steps[0]:,} of {steps[1]:,} steps)" if is_short and steps else ""
    return (
        f"{said}. That is too much to rely on: train longer{done}, or give frames of this very "
        f"camera {'on flat ground' if source != 'speed' else 'that moves straight ahead'}."
    )


def _factors_by_height(workdir: Workdir, shots: Sequence[Shot]) -> Iterator[float]:
    from mtdepth.predictor import open_unscaled

    predictor = open_unscaled(workdir, checkpoint=_CHECKPOINT.value)
    rng = np.random.default_rng(0)
    frames = [(shot, number) for shot in shots for number in shot.targets]
    for shot, number in tqdm(evenly_spaced(frames, number=_MAX_FRAMES.value), unit="frame"):
        try:
            image = shot.read(number)
        except (DataError, FileNotFoundError) as error:
            logging.warning("left out: %s", error)
            continue
        height_px, width_px = image.shape[:2]
        camera = shot.camera_at((height_px, width_px))
        depth = predictor.predict(image, camera=camera).depth_m
        plane = fit_ground(ground_points(camera.unproject(depth)), rng=rng)
        if plane is not None:
            yield _HEIGHT_M.value / plane.height


def _factors_by_speed(workdir: Workdir, shots: Sequence[Shot]) -> Iterator[float]:
    from mtdepth.evaluation.ego_motion import PosePredictor, tracks_of
    from mtdepth.metrics.odometry import motions_of

    predictor = PosePredictor(workdir, checkpoint=_CHECKPOINT.value)
    # Some of every shot; a motion is of two frames.
    chosen = evenly_spaced(shots, number=max(1, _MAX_FRAMES.value // 2))
    num_each = max(2, _MAX_FRAMES.value // len(chosen))
    for shot in tqdm(chosen, unit="shot"):
        files = dict(itertools.islice(shot.files.items(), num_each))
        for track in tracks_of(dataclasses.replace(shot, files=files), predictor):
            if track.true_m is None:
                continue
            true_m = np.linalg.norm(motions_of(track.true_m)[:, :3, 3], axis=1)
            predicted = np.linalg.norm(motions_of(track.predicted)[:, :3, 3], axis=1)
            is_moving = (true_m > MIN_STEP_M) & (predicted > 0)
            yield from (true_m[is_moving] / predicted[is_moving]).tolist()


if __name__ == "__main__":
    program.run(main)
