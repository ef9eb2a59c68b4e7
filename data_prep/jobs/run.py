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

from mtdepth.attempts import Failed, Result, attempt

Frame = TypeVar("Frame", bound=Hashable)

# Of a chunk: the progress bar moves, and handing out costs next to nothing.
MAX_CHUNK_BATCHES, MAX_CHUNK_FRAMES = 8, 32
MAX_DEATHS_OF_A_FRAME = 2
# Beyond one of each worker, which a machine that goes away takes along together: that many without
# a result between them are not the frames' fault.
MAX_DEATHS_IN_A_ROW = 10
WATCH_SECONDS = 2.0
MEMORY_REMEDY = (
    "is there memory for them? Fewer --num_processes or a smaller --batch_size need less, and "
    "`ulimit -v` may allow more"
)

Results = Iterable[tuple[Frame, Result | Failed]]
Worker = Callable[[Iterable[Frame]], Results[Frame, Result]]


class WorkersDiedError(ConnectionError):
    """Workers die without a result; the message says what may be the matter."""


class Pool(Protocol):
    """Where a worker runs."""

    def run(
        self, worker: Worker[Frame, Result], frames: Sequence[Frame], *, batch_size: int
    ) -> Results[Frame, Result]:
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


_WORKER: list[Worker[Any, Any]] = []  # of a process of a pool


def begin_process(worker: Worker[Any, Any]) -> None:
    """What a process of a pool does first."""
    cv2.setNumThreads(1)  # one frame a process is what keeps the processors busy
    _WORKER[:] = [worker]


def _run_chunk(frames: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(_WORKER[0](frames))


class Scheduler(Generic[Frame]):
    """Shares frames among processes until all have a result.

    Each process has a chunk of neighbours, so a death says which frames may have caused it. Those
    are tried again, each alone; a process that died is replaced.

    Args:
      start: Starts a process, as an executor of one: where one of several dies, it takes the others
        along. It has begun with `begin_process`.
      num_processes: How many at a time.
      batch_size: Chunks are multiples of it, so that a worker's batches are full.
      deaths: What a future, or submitting, raises when the process died.
      failures: What ended threads of this process, which may be those that processes are fed by:
        their futures would never be done.
    """

    def __init__(
        self,
        *,
        start: Callable[[], concurrent.futures.Executor],
        num_processes: int,
        batch_size: int,
        deaths: tuple[type[BaseException], ...],
        failures: Sequence[BaseException] = (),
    ) -> None:
        self._start = start
        self._num_processes = num_processes
        self._batch_size = batch_size
        self._deaths = deaths
        self._failures = failures
        self._untried: collections.deque[Frame] = collections.deque()
        self._suspects: collections.deque[Frame] = collections.deque()
        self._num_deaths: collections.Counter[Frame] = collections.Counter()
        self._deaths_in_a_row = 0
        self._running: dict[
            concurrent.futures.Future[Any], tuple[concurrent.futures.Executor, list[Frame]]
        ] = {}

    def run(self, frames: Sequence[Frame]) -> Iterator[tuple[Frame, Any]]:
        """Yields frame and result, each frame once, in the order in which they are finished.

        Raises:
          WorkersDiedError: If processes die one after the other.
        """
        self._untried.extend(frames)
        try:
            for _ in range(min(self._num_processes, len(frames))):
                self._go_on(None)
            while self._running:
                done, _ = concurrent.futures.wait(
                    self._running,
                    timeout=WATCH_SECONDS,
                    return_when=concurrent.futures.FIRST_COMPLETED,
                )
                if self._failures:
                    raise WorkersDiedError(
                        f"workers cannot be handed frames ({self._failures[0]}); {MEMORY_REMEDY}"
                    ) from self._failures[0]
                for future in done:
                    yield from self._take(future)
        finally:
            for process, _ in self._running.values():
                process.shutdown(cancel_futures=True)

    def _take(self, future: "concurrent.futures.Future[Any]") -> list[tuple[Frame, Any]]:
        """The results of a chunk; its process, or another one, goes on."""
        process: concurrent.futures.Executor | None
        process, chunk = self._running[future]
        try:
            results = future.result()
            self._deaths_in_a_row = 0
        except self._deaths as death:
            process.shutdown(cancel_futures=True)
            process, results = None, self._after_death(chunk, death)
        del self._running[future]
        self._go_on(process)
        return results

    def _go_on(self, process: concurrent.futures.Executor | None) -> None:
        """Gives a process, or a new one, its next chunk; stops it where there is none."""
        chunk = self._next_chunk()
        if not chunk:
            if process is not None:
                process.shutdown()
            return
        process = process or self._start()
        try:
            future: concurrent.futures.Future[Any] = process.submit(_run_chunk, chunk)
        except self._deaths as death:  # since its last chunk
            future = concurrent.futures.Future()
            future.set_exception(death)
        self._running[future] = (process, chunk)

    def _next_chunk(self) -> list[Frame]:
        if not self._untried:
            return [self._suspects.popleft()] if self._suspects else []
        # Towards the end less than a process's share, so that all end at about the same time.
        share = -(-len(self._untried) // (2 * self._num_processes))
        num_frames = min(share, MAX_CHUNK_BATCHES * self._batch_size, MAX_CHUNK_FRAMES)
        size = max(1, num_frames // self._batch_size) * self._batch_size
        return [self._untried.popleft() for _ in range(min(size, len(self._untried)))]

    def _after_death(self, chunk: list[Frame], death: BaseException) -> list[tuple[Frame, Any]]:
        """Sets a dead process's frames aside, or fails the one that it died over again."""
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > MAX_DEATHS_IN_A_ROW + self._num_processes:
            raise WorkersDiedError(
                f"{self._deaths_in_a_row} workers died one after the other without a result, last "
                f"over frame {chunk[0]}: {death}; {MEMORY_REMEDY}"
            ) from death
        if len(chunk) == 1:
            self._num_deaths[chunk[0]] += 1
            if self._num_deaths[chunk[0]] == MAX_DEATHS_OF_A_FRAME:
                why = f"{MAX_DEATHS_OF_A_FRAME} workers died over it ({death}); out of memory?"
                return [(chunk[0], Failed(why, may_pass=True))]
        logging.warning("a worker died; tried again alone: %s", ", ".join(map(str, chunk)))
        self._suspects.extend(chunk)
        return []
