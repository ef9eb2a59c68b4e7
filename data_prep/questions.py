"""What is asked of frames: their labels, written; or their depth where LiDAR hit.

Pictures are read and answers made beside the inference. Both questions see the same uncorrected
prediction; where one frame is asked both, the first keeps the prediction in a folder of the store
that is removed at the end.
"""

import abc
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from data_prep.label_job import (
    FRAME_ERRORS,
    LabelJob,
    Labeller,
    LoadedFrame,
    Prediction,
    reason_of,
)
from data_prep.pipeline import overlapped
from data_prep.resume import finished, record_of_files
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import (
    FrameRecord,
    depth_path,
    train_id_path,
    write_depth_png,
    write_train_id_png,
)
from mtdepth.files import DataError
from teachers.interface import StereoSample

Floats = npt.NDArray[np.float32]
Answer = TypeVar("Answer")


class Overlapped(abc.ABC, Generic[Answer]):
    """A question of which reading, inference and answering run side by side."""

    wants_train_ids: bool

    @abc.abstractmethod
    def known(self, job: LabelJob, frame: FrameId) -> Answer | None:
        """The answer where it needs no teacher; in the reading thread."""

    @abc.abstractmethod
    def answer(self, labeller: Labeller, sample: StereoSample, prediction: Prediction) -> Answer:
        """The answer; in the writing thread.

        Raises:
          OSError, DataError, ValueError: If a file of the frame is at fault.
        """

    @abc.abstractmethod
    def failed(self, frame: FrameId, why: str) -> Answer:
        """The answer for a frame that could not be read, predicted or answered."""

    def answers(
        self, labeller: Labeller, frames: Iterable[FrameId]
    ) -> Iterator[tuple[FrameId, Answer]]:
        """Answers for frames, in about their order.

        A frame's answer does not depend on which frames share its batch: pictures of two sizes
        never do, and a network that is short of pictures has its batch filled up.

        Raises:
          OSError: If the disk is full or may not be written.
        """

        def read(frame: FrameId) -> tuple[FrameId, LoadedFrame | Answer]:
            try:
                known = self.known(labeller.job, frame)
                return frame, labeller.load(frame) if known is None else known
            except FRAME_ERRORS as error:
                return frame, self.failed(frame, reason_of(error))

        def predict(
            batch: Sequence[tuple[FrameId, LoadedFrame | Answer]],
        ) -> Sequence[Prediction | str]:
            return self._predictions(
                labeller, [loaded for _, loaded in batch if isinstance(loaded, LoadedFrame)]
            )

        def finish(
            of: tuple[FrameId, LoadedFrame | Answer], prediction: Prediction | str | None
        ) -> tuple[FrameId, Answer]:
            frame, loaded = of
            if not isinstance(loaded, LoadedFrame):
                return frame, loaded
            if not isinstance(prediction, Prediction):
                return frame, self.failed(frame, str(prediction))
            try:
                return frame, self.answer(labeller, loaded.sample, prediction)
            except FRAME_ERRORS as error:
                return frame, self.failed(frame, reason_of(error))

        return overlapped(
            frames,
            read=read,
            batch_key=lambda of: of[1].sample.size_px if isinstance(of[1], LoadedFrame) else None,
            predict=predict,
            finish=finish,
            batch_size=labeller.job.batch_size,
        )

    def _predictions(
        self, labeller: Labeller, batch: Sequence[LoadedFrame]
    ) -> Sequence[Prediction | str]:
        """What the teachers say of each frame, or why they cannot."""
        try:
            return labeller.predict(batch, wants_train_ids=self.wants_train_ids)
        except FRAME_ERRORS as error:
            why = reason_of(error)
        if len(batch) == 1:
            return [why]
        # One of several is at fault; alone it says so, and the others are answered.
        return [said for one in batch for said in self._predictions(labeller, [one])]


class WriteLabels(Overlapped[FrameRecord]):
    """Writes a frame's labels, unless a run before this one did; the answer is its record."""

    wants_train_ids = True

    def known(self, job: LabelJob, frame: FrameId) -> FrameRecord | None:
        """What an earlier run left, None where something is missing or cannot be read."""
        return record_of_files(_output_of(job), frame, has_train_ids=job.teachers.has_train_ids)

    def answer(
        self, labeller: Labeller, sample: StereoSample, prediction: Prediction
    ) -> FrameRecord:
        """Corrects, checks and writes."""
        frame, job = sample.frame, labeller.job
        output, depth_m = _output_of(job), prediction.depth_m
        if job.bias is not None:
            depth_m = job.bias.apply(depth_m)
        if not (depth_m > 0).any():
            raise DataError(
                labeller.raw.image_path(frame),
                "the depth teacher found no depth anywhere; are the two views of one moment?",
            )
        # Depth last: a frame that has it is complete.
        if prediction.train_id is not None:
            write_train_id_png(train_id_path(output, frame), prediction.train_id)
        write_depth_png(depth_path(output, frame), depth_m)
        return finished(frame, depth_m)

    def failed(self, frame: FrameId, why: str) -> FrameRecord:
        """A record with the reason."""
        return FrameRecord(frame=frame, status="failed", why=why)


@dataclasses.dataclass(frozen=True, eq=False)
class LidarPairs:
    """A frame's depth where LiDAR hit.

    Attributes:
      predicted_m: `[n]` uncorrected teacher's depth, > 0.
      lidar_m: `[n]` LiDAR depth at the same pixels, > 0.
    """

    predicted_m: Floats
    lidar_m: Floats


class CompareWithLidar(Overlapped[LidarPairs | str]):
    """Teacher and LiDAR where both have depth, or why there is none."""

    wants_train_ids = False

    def known(self, job: LabelJob, frame: FrameId) -> None:
        """Nothing is known without the teacher."""

    def answer(
        self, labeller: Labeller, sample: StereoSample, prediction: Prediction
    ) -> LidarPairs:
        """Keeps the prediction for the frame's labels, and looks at it where LiDAR hit."""
        labeller.keep(sample.frame, prediction.depth_m)
        lidar_m = labeller.lidar_depth(sample)
        both = (lidar_m > 0) & (prediction.depth_m > 0)
        return LidarPairs(prediction.depth_m[both], lidar_m[both])

    def failed(self, frame: FrameId, why: str) -> str:  # noqa: ARG002 (the base's)
        """The reason alone."""
        return why


def _output_of(job: LabelJob) -> Path:
    if job.output is None:
        raise ValueError("a job that labels needs an output")
    return job.output
