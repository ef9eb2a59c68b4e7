"""Labels under which worker processes fare badly; of a module that those can import."""

import errno
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from data_prep.audit.findings import ExamineFrame, FrameFindings
from data_prep.doctor.frame_pass import FrameAnswer, FrameReader
from data_prep.jobs.labels import LabelJob, Prediction, WriteLabels
from mtdepth.attempts import Failed
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import FrameRecord
from teachers.interface import StereoSample


class DeadlyFrame(WriteLabels):
    """Labels of which one frame kills its process: always, or the first time only.

    Args:
      job: As for `WriteLabels`.
      frame: That one.
      marker: File that gets a letter a death.
      once: Whether it kills one process only.
    """

    def __init__(self, job: LabelJob, frame: FrameId, marker: Path, *, once: bool) -> None:
        super().__init__(job)
        self._frame, self._marker, self._once = frame, marker, once

    def result(self, sample: StereoSample, prediction: Prediction) -> FrameRecord:
        if sample.frame == self._frame and not (self._once and self._marker.exists()):
            with self._marker.open("a") as marker:
                marker.write("x")
            os._exit(9)
        return super().result(sample, prediction)


class FullDisk(WriteLabels):
    """Labels for which there is room up to a number of frames.

    Args:
      job: As for `WriteLabels`.
      num_frames: That fit.
    """

    def __init__(self, job: LabelJob, num_frames: int = 0) -> None:
        super().__init__(job)
        self._num_left = num_frames

    def result(self, sample: StereoSample, prediction: Prediction) -> FrameRecord:
        self._num_left -= 1
        if self._num_left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(sample.frame))
        return super().result(sample, prediction)


class DeadlyReader(FrameReader):
    """The doctor's reader, whose process dies over every frame of number 1."""

    def look(self, frame: FrameId) -> FrameAnswer:
        if frame.index == 1:
            os._exit(9)
        return super().look(frame)


class DeadlyExamination(ExamineFrame):
    """The audit's worker, whose process dies over every frame of number 1."""

    def __call__(
        self, frames: Iterable[FrameId]
    ) -> Iterator[tuple[FrameId, FrameFindings | Failed]]:
        for frame in frames:
            if frame.index == 1:
                os._exit(9)
            yield from super().__call__([frame])


def never_done(frame: int) -> None:  # noqa: ARG001 (a worker's function has one)
    """Says on standard output that it is at work, and stays so."""
    os.write(1, b"at work\n")
    time.sleep(3600)
