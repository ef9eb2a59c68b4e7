"""Workers on this machine: this process, or processes of their own."""

import concurrent.futures
import concurrent.futures.process
import dataclasses
import functools
import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import cv2

from data_prep.engines.dealing import Answers, Dealer
from data_prep.label_job import LabelJob, Labeller, Question
from mtdepth.datasets.frames import FrameId

Answer = TypeVar("Answer")


@dataclasses.dataclass(frozen=True)
class LocalEngine:
    """Worker processes on this machine.

    Attributes:
      num_processes: How many; 1 works in this process.
    """

    num_processes: int = 1

    def __post_init__(self) -> None:
        """Rejects a job without workers."""
        if self.num_processes < 1:
            raise ValueError(f"--num_processes is at least 1, got {self.num_processes}")

    def answers(
        self, question: Question[Answer], frames: Sequence[FrameId], job: LabelJob
    ) -> Iterator[tuple[FrameId, Answer]]:
        """Asks a question of every frame; yields in the order in which they are finished."""
        if self.num_processes == 1 or len(frames) < 2:
            return question.answers(Labeller(job), frames)
        return Dealer(
            hire=lambda: _Process(question, job),
            num_workers=self.num_processes,
            batch_size=job.batch_size,
            deaths=(concurrent.futures.process.BrokenProcessPool,),
            give_up=question.failed,
        ).answers(frames)


class _Process:
    """A worker process. A pool of one: where one of several dies, a pool takes the others along."""

    def __init__(self, question: Question[Any], job: LabelJob) -> None:
        self._pool = concurrent.futures.ProcessPoolExecutor(
            1,
            # A forked copy of a process with threads can hang; a spawned one starts clean.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(question, job),
        )

    def ask(self, frames: Sequence[FrameId]) -> "concurrent.futures.Future[Answers]":
        return self._pool.submit(_answer, frames)

    def dismiss(self) -> None:
        self._pool.shutdown(cancel_futures=True)


_TOLD: list[tuple[Question[Any], LabelJob]] = []  # to this worker process


def _start(question: Question[Any], job: LabelJob) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)  # one frame a process is what keeps the processors busy
    _TOLD[:] = [(question, job)]


def _end_with_parent() -> None:
    """Ends this worker when its parent was killed; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@functools.cache
def _labeller() -> Labeller:
    """Made when the first frames come: what it raises then reaches the job as it is."""
    _, job = _TOLD[0]
    return Labeller(job)


def _answer(frames: Sequence[FrameId]) -> Answers:
    question, _ = _TOLD[0]
    return list(question.answers(_labeller(), frames))
