"""What a worker is told and what it holds: a job, a question, and its own teachers.

Engines (`data_prep.engines`) start workers and deal frames to them; a question says what a worker
does for them, the same under every engine.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.teacher_choice import TeacherChoice
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.lidar import project_to_depth, read_velodyne
from mtdepth.datasets.readers import open_recordings
from mtdepth.files import DISK_ERRORS, DataError, atomic_path
from mtdepth.geometry.bias_table import BiasTable
from teachers.interface import StereoSample, load_sample

Floats = npt.NDArray[np.float32]
TrainIds = npt.NDArray[np.uint8]
Answer = TypeVar("Answer")
Answered = TypeVar("Answered", covariant=True)
Label = TypeVar("Label", bound=npt.NDArray[Any])

# What a frame's files can do wrong. Anything else is a fault of the program and stops the job.
FRAME_ERRORS = (DataError, OSError, ValueError, cv2.error)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelJob:
    """All that a worker needs to know; picklable.

    Attributes:
      kitti_root: The tree that the frames are in.
      teachers: Who labels.
      output: The label store.
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
            raise ValueError(f"--batch_size is at least 1, got {self.batch_size}")


class Question(Protocol[Answered]):
    """What is asked of every frame of a job; picklable, and so small."""

    def answers(
        self, labeller: "Labeller", frames: Iterable[FrameId]
    ) -> Iterator[tuple[FrameId, Answered]]:
        """Answers for frames, each once, in any order."""

    def failed(self, frame: FrameId, why: str) -> Answered:
        """The answer for a frame that workers die over."""


@dataclasses.dataclass(frozen=True)
class FrameByFrame(Generic[Answer]):
    """A question that a plain function answers, one frame after the other, with nothing beside it.

    Attributes:
      function: Of a module, or a partial of one; gives an answer, or a string: why there is none.
    """

    function: Callable[["Labeller", FrameId], Answer | str]

    def answers(
        self, labeller: "Labeller", frames: Iterable[FrameId]
    ) -> Iterator[tuple[FrameId, Answer | str]]:
        """Answers in the order of the frames."""
        return ((frame, self.function(labeller, frame)) for frame in frames)

    def failed(self, frame: FrameId, why: str) -> str:  # noqa: ARG002 (the protocol's)
        """The reason alone."""
        return why


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedFrame:
    """A frame before the teachers see it.

    Attributes:
      sample: Its pictures and rig.
      kept_depth_m: The depth teacher's answer, where the job has asked it before.
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
    """A job's recordings and teachers; every worker has its own.

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
        kept_m = None
        if self.job.raw_dir is not None:
            path = _kept_path(self.job.raw_dir, frame)
            kept_m = np.load(path) if path.is_file() else None
        needs_partner = self.depth_teacher.needs_partner and kept_m is None
        return LoadedFrame(load_sample(self.raw, frame, needs_partner=needs_partner), kept_m)

    def keep(self, frame: FrameId, depth_m: Floats) -> None:
        """Keeps a depth for its second use, where the job keeps any."""
        path = self.job.raw_dir and _kept_path(self.job.raw_dir, frame)
        if path and not path.is_file():
            with atomic_path(path) as temporary:
                np.save(temporary, depth_m)

    def predict(self, batch: Sequence[LoadedFrame], *, wants_train_ids: bool) -> list[Prediction]:
        """Asks the teachers for frames of one size, at most a batch of them.

        Raises:
          OSError, ValueError, DataError: If one of the frames cannot be predicted.
        """
        unseen = [loaded.sample for loaded in batch if loaded.kept_depth_m is None]
        size = self.job.batch_size if self.job.teachers.depth_is_neural else 1
        predicted_m = iter(in_full_batch(self.depth_teacher.predict_batch, unseen, size))
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
        return project_to_depth(
            read_velodyne(self.raw.velodyne_path(sample.frame)),
            self.raw.rig(sample.frame),
            side=sample.frame.side,
            size=sample.size_px,
            pixel_rule="nearest",  # labels are pixels of the picture, not of a protocol
        )


def in_full_batch(
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


def reason_of(error: Exception) -> str:
    """Why a frame failed; raises the error again if every later frame would meet it as well."""
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        raise error
    return str(error)


def _kept_path(raw_dir: Path, frame: FrameId) -> Path:
    return raw_dir / f"{frame.drive}_{frame.name}{frame.side}.npy"
