"""Deals frames to workers that run elsewhere, whatever they are, and survives their deaths."""

import collections
import concurrent.futures
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from absl import logging
from tqdm import tqdm

from data_prep.label_job import LabelJob, Question
from mtdepth.datasets.frames import FrameId

Answer = TypeVar("Answer")
Answers = list[tuple[FrameId, Any]]

HAND_SECONDS = (
    5.0  # of work that is dealt at once: the bar moves, and dealing costs next to nothing
)
MAX_HAND = 64
MAX_DEATHS_OF_A_FRAME = 2
# Beyond one of each worker, which a machine that goes away takes along together: that many without
# an answer between them are not the frames' fault.
MAX_DEATHS_IN_A_ROW = 10


class WorkersDiedError(ConnectionError):
    """Workers die without answering; the message says what may be the matter."""


class Worker(Protocol):
    """Somebody who answers for frames, elsewhere."""

    def ask(self, frames: Sequence[FrameId]) -> "concurrent.futures.Future[Answers]":
        """Begins to answer for frames; asked again only when that is done."""

    def dismiss(self) -> None:
        """Ends it, at work or not, alive or not."""


class Engine(Protocol):
    """Where workers run."""

    def answers(
        self, question: Question[Answer], frames: Sequence[FrameId], job: LabelJob
    ) -> Iterator[tuple[FrameId, Answer]]:
        """Asks a question of every frame; yields in the order in which they are finished."""


def run_frames(
    question: Question[Answer],
    frames: Sequence[FrameId],
    job: LabelJob,
    *,
    engine: Engine,
    title: str,
) -> Iterator[tuple[FrameId, Answer]]:
    """Asks a question of every frame, with a progress bar.

    Args:
      question: What is asked.
      frames: Of which frames; none starts no worker.
      job: What the workers work on.
      engine: Where they work.
      title: Before the bar.

    Yields:
      Frame and answer, each frame once, in the order in which they are finished.

    Raises:
      OSError: If the disk is full or may not be written.
      WorkersDiedError: If workers die one after the other.
    """
    if not frames:
        return
    # A log file gets a line now and then, a terminal a moving bar.
    seconds = 0.2 if sys.stderr.isatty() else 10.0
    with tqdm(total=len(frames), desc=title, unit="frame", mininterval=seconds) as bar:
        for answer in engine.answers(question, frames, job):
            bar.update()
            yield answer


@dataclasses.dataclass(frozen=True, eq=False)
class _Hand:
    """Frames that one worker has been dealt."""

    worker: Worker
    frames: Sequence[FrameId]
    began_s: float = dataclasses.field(default_factory=time.monotonic)


class Dealer:
    """Deals frames to workers until all are answered.

    A worker that dies (out of memory, a machine that goes away) is replaced and its frames are
    dealt again, one by one. A frame that two workers died over alone is given up with that reason;
    the job ends when workers die one after the other and nobody answers anything.

    Args:
      hire: Starts a worker.
      num_workers: How many at a time.
      batch_size: Hands are multiples of it, so that batches are full.
      deaths: What a worker's future, or asking it, raises when the worker died.
      give_up: The answer for a frame that workers died over.
    """

    def __init__(
        self,
        *,
        hire: Callable[[], Worker],
        num_workers: int,
        batch_size: int,
        deaths: tuple[type[BaseException], ...],
        give_up: Callable[[FrameId, str], Any],
    ) -> None:
        self._hire = hire
        self._num_workers = num_workers
        self._batch_size = batch_size
        self._deaths = deaths
        self._give_up = give_up
        self._new: collections.deque[FrameId] = collections.deque()
        self._suspects: collections.deque[FrameId] = collections.deque()
        self._deaths_of: collections.Counter[FrameId] = collections.Counter()
        self._deaths_in_a_row = 0
        self._hand_size = batch_size
        self._hands: dict[concurrent.futures.Future[Answers], _Hand] = {}

    def answers(self, frames: Sequence[FrameId]) -> Iterator[tuple[FrameId, Any]]:
        """Yields frame and answer, each frame once, in the order in which they are finished."""
        self._new.extend(frames)
        try:
            for _ in range(min(self._num_workers, len(frames))):
                self._deal_to(self._hire())
            while self._hands:
                done, _ = concurrent.futures.wait(
                    self._hands, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    yield from self._take(future)
        finally:
            for hand in self._hands.values():
                hand.worker.dismiss()

    def _take(self, future: "concurrent.futures.Future[Answers]") -> Answers:
        """What a worker answered; deals to it again, or to its successor."""
        hand = self._hands[future]
        try:
            answers = future.result()
        except self._deaths as death:
            del self._hands[future]
            hand.worker.dismiss()
            answers = self._bury(hand, death)
            if self._new or self._suspects:
                self._deal_to(self._hire())
            return answers
        del self._hands[future]
        self._deaths_in_a_row = 0
        self._set_hand_size(hand)
        self._deal_to(hand.worker)
        return answers

    def _bury(self, hand: _Hand, death: BaseException) -> Answers:
        """Sets a dead worker's frames aside; answers for those that are given up."""
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > MAX_DEATHS_IN_A_ROW + self._num_workers:
            raise WorkersDiedError(
                f"{self._deaths_in_a_row} workers died one after the other without an answer, "
                f"last over frame {hand.frames[0]}: {death}. Is there memory for them? Fewer "
                "--num_processes or a smaller --batch_size need less"
            ) from death
        if len(hand.frames) > 1:
            logging.warning("a worker died over %d frames; done again singly", len(hand.frames))
            self._suspects.extend(hand.frames)
            return []
        frame = hand.frames[0]
        self._deaths_of[frame] += 1
        if self._deaths_of[frame] < MAX_DEATHS_OF_A_FRAME:
            logging.warning("a worker died over frame %s; tried once more", frame)
            self._suspects.append(frame)
            return []
        why = f"{MAX_DEATHS_OF_A_FRAME} workers died over it ({death}); out of memory?"
        return [(frame, self._give_up(frame, why))]

    def _deal_to(self, worker: Worker) -> None:
        """Gives a worker its next frames, or lets it go."""
        hand = self._next_frames()
        if not hand:
            worker.dismiss()
            return
        try:
            future = worker.ask(hand)
        except self._deaths as death:  # since its last answer
            future = concurrent.futures.Future()
            future.set_exception(death)
        self._hands[future] = _Hand(worker, hand)

    def _next_frames(self) -> list[FrameId]:
        if self._new:
            # Towards the end less than a worker's share, so that all end at about the same time.
            share = -(-len(self._new) // (2 * self._num_workers))
            size = self._in_batches(min(self._hand_size, share))
            return [self._new.popleft() for _ in range(min(size, len(self._new)))]
        return [self._suspects.popleft()] if self._suspects else []

    def _set_hand_size(self, hand: _Hand) -> None:
        frame_seconds = max(time.monotonic() - hand.began_s, 1e-3) / len(hand.frames)
        self._hand_size = self._in_batches(min(MAX_HAND, int(HAND_SECONDS / frame_seconds)))

    def _in_batches(self, number: int) -> int:
        return self._batch_size * max(1, number // self._batch_size)
