"""Questions under which workers fare badly; of a module that worker processes can import."""

import errno
import os
from pathlib import Path

from data_prep.label_job import Labeller, Prediction
from data_prep.questions import WriteLabels
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import FrameRecord
from teachers.interface import StereoSample


class DeadlyFrame(WriteLabels):
    """Labels of which one frame kills its worker: always, or the first time only.

    Args:
      frame: That one.
      marker: File that gets a letter a death.
      once: Whether it kills one worker only.
    """

    def __init__(self, frame: FrameId, marker: Path, *, once: bool) -> None:
        self._frame, self._marker, self._once = frame, marker, once

    def answer(
        self, labeller: Labeller, sample: StereoSample, prediction: Prediction
    ) -> FrameRecord:
        if sample.frame == self._frame and not (self._once and self._marker.exists()):
            with self._marker.open("a") as marker:
                marker.write("x")
            os._exit(9)
        return super().answer(labeller, sample, prediction)


class FullDisk(WriteLabels):
    """Labels for which there is room up to a number of frames.

    Args:
      num_frames: That fit.
    """

    def __init__(self, num_frames: int = 0) -> None:
        self._num_left = num_frames

    def answer(
        self, labeller: Labeller, sample: StereoSample, prediction: Prediction
    ) -> FrameRecord:
        self._num_left -= 1
        if self._num_left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(sample.frame))
        return super().answer(labeller, sample, prediction)
