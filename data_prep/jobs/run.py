"""`run_frames`: one worker over many frames, whatever happens to the processes it runs in.

A worker is a picklable callable. It takes frames and gives `(frame, result)` for each, in any
order; a result that is a `Failed` says why the frame has none. `EachFrame` makes a worker of a
function of one frame. Where workers run is a pool's business: `data_prep.jobs.pools`.
"""

import collections
import concurrent.futures
import dataclasses
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import cv2
from absl import logging
from tqdm import tqdm

from mtdepth.files import DISK_ERRORS, DataError

Frame = TypeVar("Frame", bound=Hashable)
Result = TypeVar("Result")

# What a frame's files can do wrong. Anything else is a fault of the program and stops the job.
FRAME_ERRORS = (DataError, OSError, ValueError, cv2.error)
FILE_ERRORS = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
MAX_CHUNK_BATCHES = 8  # per chunk: the progress bar moves, and handing out costs next to nothing
MAX_DEATHS_OF_A_FRAME = 2
# Beyond one of each worker, which a machine that goes away takes along together: that many without
# a result between them are not the frames' fault.
MAX_DEATHS_IN_A_ROW = 10


@dataclasses.dataclass(frozen=True)
class Failed:
    """Why a frame has no result.

    Attributes:
      why: The reason, for people.
      may_pass: Whether the frame may be all right: a process died, or a disk or network failed.
    """

    why: str
    may_pass: bool = False


Worker = Callable[[Iterable[Frame]], Iterable[tuple[Frame, Result | Failed]]]


class WorkersDiedError(ConnectionError):
    """Workers die without a result; the message says what may be the matter."""


class Pool(Protocol):
    """Where a worker runs."""

    def run(
        self, worker: Worker[Frame, Result], frames: Sequence[Frame], *, batch_size: int
    ) -> Iterable[tuple[Frame, Result | Failed]]:
        """`run_frames` without its progress bar."""


def run_frames(
    worker: Worker[Frame, Result],
    frames: Sequence[Frame],
    *,
    pool: Pool,
    title: str,
    batch_size: int = 1,
) -> Iterator[tuple[Frame, Result | Failed]]:
    """Runs a worker over frames, with a progress bar.

    Args:
      worker: Runs in every process of the pool.
      frames: What it is given, in chunks of neighbours; none starts no process.
      pool: Where.
      title: Before the bar.
      batch_size: Chunks are multiples of it, so that a worker's batches are full.

    Yields:
      Frame and result, each frame once, in the order in which they are finished. A frame that kills
      its process twice, the second time alone in its chunk, is a `Failed`.

    Raises:
      OSError: If the disk is full or may not be written.
      WorkersDiedError: If processes die one after the other.
      Exception: What a worker raised, as it raised it.
    """
    if not frames:
        return
    # A log file gets a line now and then, a terminal a moving bar.
    seconds = 0.2 if sys.stderr.isatty() else 10.0
    with tqdm(total=len(frames), desc=title, unit="frame", mininterval=seconds) as bar:
        for frame_and_result in pool.run(worker, frames, batch_size=batch_size):
            bar.update()
            yield frame_and_result


def attempt(function: Callable[..., Result], *arguments: Any) -> Result | Failed:
    """A frame's result, or why it has none.

    Raises:
      OSError: If the disk takes no more, which every later frame would meet as well.
    """
    try:
        return function(*arguments)
    except FRAME_ERRORS as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        may_pass = isinstance(error, OSError) and not isinstance(error, FILE_ERRORS)
        return Failed(str(error), may_pass=may_pass)


@dataclasses.dataclass(frozen=True)
class EachFrame(Generic[Frame, Result]):
    """A worker that takes one frame after the other.

    Attributes:
      function: Result of one frame; of a module, so that it can be pickled, or a partial of one.
    """

    function: Callable[[Frame], Result]

    def __call__(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Result | Failed]]:
        """Frame and result in the order of the frames."""
        return ((frame, attempt(self.function, frame)) for frame in frames)


class Process(Protocol[Frame, Result]):
    """A process of a pool, with its worker."""

    def submit(
        self, frames: Sequence[Frame]
    ) -> "concurrent.futures.Future[list[tuple[Frame, Result | Failed]]]":
        """Begins a chunk; called again only when that is done."""

    def stop(self) -> None:
        """Ends it, at work or not, alive or not."""


class Scheduler(Generic[Frame, Result]):
    """Shares frames among processes until all have a result.

    Each process has a chunk of its own, so a death says which frames may have caused it. Those are
    tried again alone; a process that died is replaced.

    Args:
      start: Starts a process.
      num_processes: How many at a time.
      batch_size: Chunks are multiples of it.
      deaths: What a process's future, or submitting to it, raises when it died.
    """

    def __init__(
        self,
        *,
        start: Callable[[], Process[Frame, Result]],
        num_processes: int,
        batch_size: int,
        deaths: tuple[type[BaseException], ...],
    ) -> None:
        self._start = start
        self._num_processes = num_processes
        self._batch_size = batch_size
        self._deaths = deaths
        self._untried: collections.deque[Frame] = collections.deque()
        self._suspects: collections.deque[Frame] = collections.deque()
        self._deaths_of: collections.Counter[Frame] = collections.Counter()
        self._deaths_in_a_row = 0
        self._running: dict[
            concurrent.futures.Future[list[tuple[Frame, Result | Failed]]],
            tuple[Process[Frame, Result], list[Frame]],
        ] = {}

    def run(self, frames: Sequence[Frame]) -> Iterator[tuple[Frame, Result | Failed]]:
        """Yields frame and result, each frame once, in the order in which they are finished."""
        self._untried.extend(frames)
        try:
            for _ in range(min(self._num_processes, len(frames))):
                self._go_on(self._start())
            while self._running:
                done, _ = concurrent.futures.wait(
                    self._running, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    yield from self._take(future)
        finally:
            for process, _ in self._running.values():
                process.stop()

    def _take(
        self, future: "concurrent.futures.Future[list[tuple[Frame, Result | Failed]]]"
    ) -> list[tuple[Frame, Result | Failed]]:
        """The results of a chunk; the process, or its successor, goes on."""
        process, chunk = self._running[future]
        try:
            results = future.result()
        except self._deaths as death:
            process.stop()
            results = self._after_death(chunk, death)
            del self._running[future]
            if self._untried or self._suspects:
                self._go_on(self._start())
            return results
        self._deaths_in_a_row = 0
        del self._running[future]
        self._go_on(process)
        return results

    def _go_on(self, process: Process[Frame, Result]) -> None:
        """Gives a process its next chunk, or stops it."""
        chunk = self._next_chunk()
        if not chunk:
            process.stop()
            return
        try:
            future = process.submit(chunk)
        except self._deaths as death:  # since its last chunk
            future = concurrent.futures.Future()
            future.set_exception(death)
        self._running[future] = (process, chunk)

    def _next_chunk(self) -> list[Frame]:
        if not self._untried:
            return [self._suspects.popleft()] if self._suspects else []
        # Towards the end less than a process's share, so that all end at about the same time.
        share = -(-len(self._untried) // (2 * self._num_processes))
        num_batches = min(MAX_CHUNK_BATCHES, max(1, share // self._batch_size))
        size = min(num_batches * self._batch_size, len(self._untried))
        return [self._untried.popleft() for _ in range(size)]

    def _after_death(
        self, chunk: list[Frame], death: BaseException
    ) -> list[tuple[Frame, Result | Failed]]:
        """Sets a dead process's frames aside, or fails the one that it died over again."""
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > MAX_DEATHS_IN_A_ROW + self._num_processes:
            raise WorkersDiedError(
                f"{self._deaths_in_a_row} workers died one after the other without a result, last "
                f"over frame {chunk[0]}: {death}. Is there memory for them? Fewer --num_processes "
                "or a smaller --batch_size need less"
            ) from death
        if len(chunk) == 1:
            self._deaths_of[chunk[0]] += 1
            if self._deaths_of[chunk[0]] == MAX_DEATHS_OF_A_FRAME:
                why = f"{MAX_DEATHS_OF_A_FRAME} workers died over it ({death}); out of memory?"
                return [(chunk[0], Failed(why, may_pass=True))]
        logging.warning("a worker died; tried again alone: %s", ", ".join(map(str, chunk)))
        self._suspects.extend(chunk)
        return []
