"""Running teachers over many frames: in worker processes, resumable, one bad frame at a time.

Two questions are asked of a frame: its depth at LiDAR points, from which a bias table is fitted,
and its labels, which are written. Both see the same uncorrected prediction; where one frame is
asked both, the first keeps the prediction in a folder of the store that is removed at the end.
"""

import concurrent.futures
import dataclasses
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from data_prep.teacher_choice import TeacherChoice
from mtdepth.files import DataError, atomic_path
from mtdepth.geometry.bias_table import BiasTable
from mtdepth.kitti.frames import FrameId, KittiRaw
from mtdepth.kitti.label_store import (
    FrameRecord,
    depth_path,
    read_depth_png,
    read_train_id_png,
    train_id_path,
    write_depth_png,
    write_train_id_png,
)
from mtdepth.kitti.lidar import project_to_depth, read_velodyne
from teachers.interface import StereoSample, load_sample

Floats = npt.NDArray[np.float32]
Answer = TypeVar("Answer")

# What a frame's files can do wrong. Anything else is a fault of the program and stops the job.
FRAME_ERRORS = (DataError, OSError, ValueError, cv2.error)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelJob:
    """All that a worker needs to know.

    Attributes:
      kitti_root: The tree that the frames are in.
      teachers: Who labels.
      output: The label store.
      bias: Correction of the depth that is written.
      raw_dir: Where uncorrected depth waits for its second use; None keeps none.
    """

    kitti_root: Path
    teachers: TeacherChoice
    output: Path | None = None
    bias: BiasTable | None = None
    raw_dir: Path | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class LidarPairs:
    """A frame's depth where LiDAR hit.

    Attributes:
      predicted_m: `[n]` uncorrected teacher's depth, > 0.
      lidar_m: `[n]` LiDAR depth at the same pixels, > 0.
    """

    predicted_m: Floats
    lidar_m: Floats


class Labeller:
    """Answers for single frames; every process has its own."""

    def __init__(self, job: LabelJob) -> None:
        self._job = job
        self._raw = KittiRaw(job.kitti_root)
        self._depth_teacher = job.teachers.make_depth_teacher()
        self._seg_teacher = job.teachers.make_seg_teacher()

    def lidar_pairs(self, frame: FrameId) -> LidarPairs | str:
        """Teacher and LiDAR where both have depth, or why there is none."""
        try:
            sample = self._load(frame)
            lidar_m = project_to_depth(
                read_velodyne(self._raw.velodyne_path(frame)),
                self._raw.calibration(frame.date),
                side=frame.side,
                size=sample.size_px,
                pixel_rule="nearest",  # labels are pixels of the picture, not of a protocol
            )
            depth_m = self._raw_depth(sample, keep=True)
        except FRAME_ERRORS as error:
            return str(error)
        both = (lidar_m > 0) & (depth_m > 0)
        return LidarPairs(depth_m[both], lidar_m[both])

    def label(self, frame: FrameId) -> FrameRecord:
        """Writes a frame's labels, unless a run before this one did."""
        if self._job.output is None:
            raise ValueError("a job that labels needs an output")
        try:
            return self._present(frame, self._job.output) or self._write(frame, self._job.output)
        except FRAME_ERRORS as error:
            return FrameRecord(frame=frame, status="failed", why=str(error))

    def _present(self, frame: FrameId, output: Path) -> FrameRecord | None:
        """What an earlier run left, None where something is missing or cannot be read."""
        try:
            depth_m = read_depth_png(depth_path(output, frame))
            if self._seg_teacher is not None:
                read_train_id_png(train_id_path(output, frame))
        except (FileNotFoundError, DataError):
            return None
        return _finished(frame, depth_m)

    def _write(self, frame: FrameId, output: Path) -> FrameRecord:
        sample = self._load(frame)
        depth_m = self._raw_depth(sample, keep=False)
        if self._job.bias is not None:
            depth_m = self._job.bias.apply(depth_m)
        if not (depth_m > 0).any():
            raise DataError(
                self._raw.image_path(frame),
                "the depth teacher found no depth anywhere; are the two views of one moment?",
            )
        train_id = self._seg_teacher.predict(sample) if self._seg_teacher else None
        # Depth last: a frame that has it is complete.
        if train_id is not None:
            write_train_id_png(train_id_path(output, frame), train_id)
        write_depth_png(depth_path(output, frame), depth_m)
        return _finished(frame, depth_m)

    def _load(self, frame: FrameId) -> StereoSample:
        return load_sample(self._raw, frame, needs_partner=self._depth_teacher.needs_partner)

    def _raw_depth(self, sample: StereoSample, *, keep: bool) -> Floats:
        frame = sample.frame
        kept = (
            self._job.raw_dir and self._job.raw_dir / f"{frame.drive}_{frame.name}{frame.side}.npy"
        )
        if kept and kept.is_file():
            return np.load(kept)
        depth_m = self._depth_teacher.predict(sample)
        if kept and keep:
            with atomic_path(kept) as temporary:
                np.save(temporary, depth_m)
        return depth_m


def _finished(frame: FrameId, depth_m: Floats) -> FrameRecord:
    return FrameRecord(
        frame=frame,
        status="finished",
        size_px=(depth_m.shape[0], depth_m.shape[1]),
        labelled_fraction=round(float(np.mean(depth_m > 0)), 4),
    )


def run_frames(
    question: Callable[[Labeller, FrameId], Answer],
    frames: Sequence[FrameId],
    job: LabelJob,
    *,
    num_processes: int,
    title: str,
) -> Iterator[tuple[FrameId, Answer]]:
    """Asks a question of every frame, in worker processes, with a progress bar.

    Args:
      question: `Labeller.label` or `Labeller.lidar_pairs`.
      frames: Of which frames.
      job: What the workers work on.
      num_processes: How many; 1 works in this process.
      title: Before the bar.

    Yields:
      Frame and answer, in the order in which they are finished.

    Raises:
      ValueError: If `num_processes` is below 1.
    """
    if num_processes < 1:
        raise ValueError(f"--num_processes is at least 1, got {num_processes}")
    # A log file gets a line now and then, a terminal a moving bar.
    seconds = 0.2 if sys.stderr.isatty() else 10.0
    with tqdm(total=len(frames), desc=title, unit="frame", mininterval=seconds) as bar:
        for answer in _answers(question, frames, job, num_processes=num_processes):
            bar.update()
            yield answer


def _answers(
    question: Callable[[Labeller, FrameId], Answer],
    frames: Sequence[FrameId],
    job: LabelJob,
    *,
    num_processes: int,
) -> Iterator[tuple[FrameId, Answer]]:
    if num_processes == 1 or len(frames) < 2:
        labeller = Labeller(job)
        yield from ((frame, question(labeller, frame)) for frame in frames)
        return
    executor = concurrent.futures.ProcessPoolExecutor(
        min(num_processes, len(frames)),
        # A forked copy of a process with threads can hang; a spawned one starts clean.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(job,),
    )
    try:
        futures = [executor.submit(_ask, question, frame) for frame in frames]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()
    finally:
        executor.shutdown(cancel_futures=True)


_LABELLER: list[Labeller] = []  # of this worker process


def _start_worker(job: LabelJob) -> None:
    cv2.setNumThreads(1)  # one frame a process is what keeps the processors busy
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _LABELLER[:] = [Labeller(job)]


def _end_with_parent() -> None:
    """Ends this worker when its parent was killed; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _ask(question: Callable[[Labeller, FrameId], Any], frame: FrameId) -> tuple[FrameId, Any]:
    return frame, question(_LABELLER[0], frame)
