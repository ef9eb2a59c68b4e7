"""What tells a user early that a training from video goes wrong, and what to do about it."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from absl import logging

from mtdepth.data.features import FRAME
from mtdepth.data.video_batches import FRAMES
from mtdepth.training.step import StepResult
from mtdepth.training.video_objective import LOG_DEPTH_STD, ROTATION_RAD, TRANSLATION_PER_DEPTH

# ours, all four. A lens cap's noise is about 2 of 255, the dullest fog of KITTI's frames 30.
MIN_IMAGE_STD = 4.0
MIN_LOG_DEPTH_STD = 0.02  # real streets: 0.5 to 0.9
MAX_ROTATION_RAD = 0.35  # 20 degrees between two frames of a video
MAX_TRANSLATION_PER_DEPTH = 1.0  # as far as what is seen

# ours: before, the depth may still be as constant as it starts.
MIN_STEPS_TO_COLLAPSE = 100

_EVERY_PX = 8  # pixels that an image's deviation is taken from
_MAX_NAMED = 5


@dataclasses.dataclass
class _Epoch:
    num_steps: int = 0
    num_wild: int = 0
    largest_std: float = 0.0


class HealthChecks:
    """Looks at what is learned from and what comes of it, and warns of what no loss shows."""

    def __init__(self) -> None:
        self._blank_frames: set[str] = set()
        self._epoch = _Epoch()
        self._num_steps = 0

    def look(self, batch: dict[str, Any], result: StepResult) -> None:
        """Looks at a batch (see `mtdepth.data.video_batches`) and what its step found."""
        self._look_for_blank_images(batch)
        if result.is_finite:
            self._epoch.num_steps += 1
            self._num_steps += 1
            self._epoch.largest_std = max(self._epoch.largest_std, result.losses[LOG_DEPTH_STD])
            self._look_at_motion(batch, result.losses)

    def end_epoch(self) -> None:
        """Says what was wrong throughout the epoch."""
        is_constant = self._epoch.largest_std < MIN_LOG_DEPTH_STD
        if self._epoch.num_steps and is_constant and self._num_steps >= MIN_STEPS_TO_COLLAPSE:
            logging.error(
                "the depth has collapsed to a constant: in all %d steps of this epoch its "
                "logarithm deviated by less than %s (the most was %.4f). The network cannot come "
                "back from this by itself. Train anew in another --workdir with --override "
                "learning_rate=... lower; if the camera often stands still, with --override "
                "auto_mask=true and --override min_flow_px=... higher; and see whether the "
                "intrinsics belong to these frames",
                self._epoch.num_steps,
                MIN_LOG_DEPTH_STD,
                self._epoch.largest_std,
            )
        if self._epoch.num_wild:
            logging.warning(
                "in %d of this epoch's %d steps the motion was beyond all bounds",
                self._epoch.num_wild,
                self._epoch.num_steps,
            )
        self._epoch = _Epoch()

    def _look_for_blank_images(self, batch: dict[str, Any]) -> None:
        blank = _blank(batch) - self._blank_frames
        if blank and len(self._blank_frames) < _MAX_NAMED:
            logging.warning(
                "black or of one colour, so nothing can be learned from them: a frame of the "
                "triplets around %s. Leave them out of the data (cut the video, or take them off "
                "its list); this is said of the first %d only",
                ", ".join(sorted(blank)),
                _MAX_NAMED,
            )
        self._blank_frames |= blank

    def _look_at_motion(self, batch: dict[str, Any], losses: dict[str, float]) -> None:
        angle, length = losses[ROTATION_RAD], losses[TRANSLATION_PER_DEPTH]
        if angle <= MAX_ROTATION_RAD and length <= MAX_TRANSLATION_PER_DEPTH:
            return
        self._epoch.num_wild += 1
        if self._epoch.num_wild > 1:
            return
        logging.warning(
            "the pose network claims that between two frames the camera turned by %.2f rad (sane: "
            "up to %s) or moved by %.2f of the scene's depth (sane: up to %s), in the batch %s. If "
            "this goes on, train anew in another --workdir with --override learning_rate=... lower "
            "or --override clip_norm=1.0, and see whether these frames follow one another and the "
            "intrinsics are theirs",
            angle,
            MAX_ROTATION_RAD,
            length,
            MAX_TRANSLATION_PER_DEPTH,
            ", ".join(name.decode() for name in np.asarray(batch[FRAME])),
        )


def _blank(batch: dict[str, Any]) -> set[str]:
    frames: npt.NDArray[Any] = np.asarray(batch[FRAMES])[:, :, ::_EVERY_PX, ::_EVERY_PX]
    # Of all colours together: a picture of one colour has none.
    deviation = frames.mean(axis=-1).std(axis=(2, 3))
    is_blank = (deviation < MIN_IMAGE_STD).any(axis=1)
    return {name.decode() for name in np.asarray(batch[FRAME])[is_blank]}
