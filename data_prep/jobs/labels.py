"""What a worker process of a labelling job holds and does: recordings, teachers, labels.

Pictures are read and results made beside the inference (`overlapped`). A frame's labels and its
comparison with LiDAR see the same uncorrected prediction; where one frame needs both, the first
keeps the prediction in a folder of the store that is removed at the end.
"""

import abc
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from absl import logging

from data_prep.bias_table import BiasTable
from data_prep.jobs.overlap import Known, overlapped
from data_prep.jobs.store import finished, record_of_files
from data_prep.teacher_choice import TeacherChoice
from mtdepth.attempts import Failed, Result
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import (
    CEILING,
    FrameRecord,
    below_ceiling,
    depth_path,
    train_id_path,
    write_depth_png,
    write_train_id_png,
)
from mtdepth.datasets.readers import open_recordings
from mtdepth.files import DataError, UserError, atomic_path, read_npy
from teachers.interface import StereoSample, load_sample
from teachers.lidar import LidarTeacher

Floats = npt.NDArray[np.float32]
TrainIds = npt.NDArray[np.uint8]
Label = TypeVar("Label", bound=npt.NDArray[Any])


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelJob:
    """All that a worker needs to know; picklable.

    Attributes:
      kitti_root: The tree that the frames are in.
      teachers: Who labels.
      output: The label store; None where nothing is written.
      bias: Correction of the depth that is written.
      raw_dir: Where uncorrected depth waits for its second use; None keeps none.
      batch_size: Frames that a teacher is asked for together.
    """

    kitti_root: Path
    teachers: TeacherChoice
    output: Path | None = None
    bias: BiasTable | None = None
    raw_dir: Path | None = None
    batch_size: int = 1

    def __post_init__(self) -> None:
        """Rejects a batch of nothing."""
        if self.batch_size < 1:
            raise UserError(f"--batch_size is at least 1, got {self.batch_size}")


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedFrame:
    """A frame before the teachers see it.

    Attributes:
      sample: Its pictures and rig.
      kept_depth_m: `[height, width]` metres that the depth teacher said before in this job, or
        None.
    """

    sample: StereoSample
    kept_depth_m: Floats | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What the teachers say of a frame.

    Attributes:
      depth_m: `[height, width]` uncorrected metres, 0 = none.
      train_id: `[height, width]`, 255 = ignore; None where it was not asked for or no teacher
        makes any.
    """

    depth_m: Floats
    train_id: TrainIds | None


class Labeller:
    """A job's recordings and teachers; every worker process has its own.

    Attributes:
      job: What it works on.
      raw: The recordings.
      depth_teacher: The job's.
      seg_teacher: The job's, or None.
    """

    def __init__(self, job: LabelJob) -> None:
        self.job = job
        self.raw = open_recordings(job.kitti_root)
        self.depth_teacher = job.teachers.make_depth_teacher()
        self.seg_teacher = job.teachers.make_seg_teacher()

    def load(self, frame: FrameId) -> LoadedFrame:
        """Reads what the teachers need; the partner view only where one of them looks at it.

        Raises:
          FileNotFoundError: If a file is missing.
          DataError: If one is damaged.
        """
        kept_m = self._kept(frame)
        needs_partner = self.depth_teacher.needs_partner and kept_m is None
        return LoadedFrame(load_sample(self.raw, frame, needs_partner=needs_partner), kept_m)

    def keep(self, frame: FrameId, depth_m: Floats) -> None:
        """Keeps a depth for its second use, where the job keeps any."""
        path = self._kept_path(frame)
        if path and not path.is_file():
            with atomic_path(path) as temporary:
                np.save(temporary, depth_m)

    def _kept(self, frame: FrameId) -> Floats | None:
        path = self._kept_path(frame)
        if not path or not path.is_file():
            return None
        try:
            depth_m = read_npy(path)
            if depth_m.ndim != 2 or depth_m.dtype != np.float32 or (depth_m < 0).any():
                raise DataError(path, f"no depth: {depth_m.shape} of {depth_m.dtype}")
        except DataError as error:
            logging.warning("%s: it is predicted again", error)
            path.unlink()
            return None
        return depth_m

    def _kept_path(self, frame: FrameId) -> Path | None:
        folder = self.job.raw_dir
        return folder and folder / f"{frame.drive}_{frame.name}{frame.side}.npy"

    def predict(
        self, batch: Sequence[LoadedFrame], *, wants_train_ids: bool = True
    ) -> list[Prediction]:
        """Asks the teachers for frames of one size, at most a batch of them.

        Raises:
          OSError, UserError, DataError: If one of the frames cannot be predicted.
        """
        unseen = [loaded.sample for loaded in batch if loaded.kept_depth_m is None]
        size = self.job.batch_size if self.job.teachers.depth_is_neural else 1
        predicted_m = iter(_in_full_batch(self.depth_teacher.predict_batch, unseen, size))
        depths_m = [
            next(predicted_m) if loaded.kept_depth_m is None else loaded.kept_depth_m
            for loaded in batch
        ]
        train_ids: Sequence[TrainIds | None] = [None] * len(batch)
        if self.seg_teacher is not None and wants_train_ids:
            train_ids = self.seg_teacher.predict_batch([loaded.sample for loaded in batch])
        return [Prediction(*labels) for labels in zip(depths_m, train_ids, strict=True)]

    def lidar_depth(self, sample: StereoSample) -> Floats:
        """The sweep of a frame in its picture, `[height, width]` metres, 0 = not measured.

        Raises:
          FileNotFoundError: If there is no sweep.
          DataError: If it is damaged.
        """
        return LidarTeacher().predict(sample)


def _in_full_batch(
    predict_batch: Callable[[Sequence[StereoSample]], list[Label]],
    samples: Sequence[StereoSample],
    batch_size: int,
) -> list[Label]:
    """Asks for samples as part of a batch of at least `batch_size`, the last of them repeated.

    A network's arithmetic may be ordered by the size of its batch, so the same frame could differ
    in its last bits between a full batch and the short one that a resumed job ends with.
    """
    if not samples:
        return []
    filler = [samples[-1]] * (batch_size - len(samples))
    return predict_batch([*samples, *filler])[: len(samples)]


class TeacherWorker:
    """A worker that has teachers.

    Args:
      job: What it works on.
    """

    def __init__(self, job: LabelJob) -> None:
        self.job = job

    @functools.cached_property
    def labeller(self) -> Labeller:
        """Made when the first frames come, in the process that works on them."""
        return Labeller(self.job)


class LabelWorker(TeacherWorker, abc.ABC, Generic[Result]):
    """A worker that shows frames to the teachers; a subclass says what becomes of the prediction.

    A frame's result does not depend on which frames share its batch: pictures of two sizes never
    do, and a network that is short of pictures has its batch filled up.
    """

    wants_train_ids = True

    def __call__(self, frames: Iterable[FrameId]) -> Iterator[tuple[FrameId, Result | Failed]]:
        """Frame and result, in about the order of the frames."""
        labeller = self.labeller  # a fault of the teachers is not a frame's
        return overlapped(
            frames,
            read=self.read,
            batch_key=lambda loaded: loaded.sample.size_px,
            predict=functools.partial(labeller.predict, wants_train_ids=self.wants_train_ids),
            finish=lambda loaded, prediction: self.result(loaded.sample, prediction),
            batch_size=self.job.batch_size,
        )

    def read(self, frame: FrameId) -> LoadedFrame | Known[Result]:
        """What the teachers need, or the result where it is known; in the reading thread."""
        return self.labeller.load(frame)

    @abc.abstractmethod
    def result(self, sample: StereoSample, prediction: Prediction) -> Result:
        """The result; in the writing thread.

        Raises:
          OSError, DataError, UserError: If a file of the frame is at fault.
        """


class WriteLabels(LabelWorker[FrameRecord]):
    """Writes a frame's labels, unless a run before this one did; the result is its record."""

    def read(self, frame: FrameId) -> LoadedFrame | Known[FrameRecord]:
        """What an earlier run left; a frame of which it is missing or cannot be read is loaded."""
        left = record_of_files(self._output, frame, has_train_ids=self.job.teachers.has_train_ids)
        return super().read(frame) if left is None else Known(left)

    def result(self, sample: StereoSample, prediction: Prediction) -> FrameRecord:
        """Corrects, checks and writes."""
        frame, depth_m = sample.frame, prediction.depth_m
        if self.job.bias is not None:
            depth_m = self.job.bias.apply(depth_m)
        if not np.isfinite(depth_m).all():
            raise DataError(
                self.labeller.raw.image_path(frame), "the depth teacher's depth is not finite"
            )
        depth_m = below_ceiling(depth_m)
        if not (depth_m > 0).any():
            raise DataError(
                self.labeller.raw.image_path(frame),
                f"the depth teacher found no depth below {CEILING:.0f} m anywhere; are the two "
                "views of one moment, and its numbers in the units that were said?",
            )
        # Depth last: a frame that has it is complete.
        if prediction.train_id is not None:
            write_train_id_png(train_id_path(self._output, frame), prediction.train_id)
        write_depth_png(depth_path(self._output, frame), depth_m)
        return finished(frame, depth_m)

    @property
    def _output(self) -> Path:
        if self.job.output is None:
            raise TypeError("a job that labels needs an output")
        return self.job.output
