"""The loader of every training: examples by their number, a few batches ahead, restartable.

Numpy and OpenCV alone. A source of examples is a function from an item's number to its arrays;
nothing but that number and the recipe's seed decides what it returns, so a run that goes on sees
what it would have seen.
"""

import collections
import contextlib
import dataclasses
import functools
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

Batch = dict[str, npt.NDArray[Any]]
Stream = Callable[[int], Iterator[Batch]]  # the batches of a training from a step on
Item = TypeVar("Item")
Key = TypeVar("Key")
Value = TypeVar("Value")

_BATCHES_AHEAD = 2  # made before they are asked for


def frame_position(item: int, *, num_frames: int, seed: int) -> int:
    """Which frame the training's item number `item` shows.

    Every pass over the data is a permutation of its own; nothing but the two numbers decides it.

    Args:
      item: Counted from the start of the training, >= 0.
      num_frames: Size of the data.
      seed: The recipe's.
    """
    pass_number, place = divmod(item, num_frames)
    return int(_order(num_frames, seed, pass_number)[place])


def item_rng(item: int, *, seed: int) -> np.random.Generator:
    """The source of chance of the training's item number `item`."""
    return np.random.default_rng([seed, 2, item])


# A pass of 100,000 frames takes milliseconds to draw; threads are at the end of one pass and at the
# beginning of the next, and the judge of an epoch goes back some steps.
@functools.lru_cache(maxsize=4)
def _order(num_frames: int, seed: int, pass_number: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, 1, pass_number]).permutation(num_frames)


class Cache(Generic[Key, Value]):
    """Keeps what was read, as much as fits in memory.

    Args:
      read: Reads one; what it returns is an array, or a dataclass that holds some.
      cache_bytes: Memory that the kept ones may take.
    """

    def __init__(self, read: Callable[[Key], Value], *, cache_bytes: int) -> None:
        self._read, self._free_bytes = read, cache_bytes
        self._kept: dict[Key, Value] = {}
        self._lock = threading.Lock()

    def __call__(self, key: Key) -> Value:
        """Returns what `read` returns, which is not to be written to."""
        if (kept := self._kept.get(key)) is not None:
            return kept
        value = self._read(key)
        size_bytes = _size_bytes(value)
        with self._lock:
            if key not in self._kept and size_bytes <= self._free_bytes:
                self._free_bytes -= size_bytes
                self._kept[key] = value
        return value


def load(
    example: Callable[[Item], Batch],
    items: Iterable[Item],
    *,
    batch_size: int,
    num_threads: int | None = None,
) -> Iterator[Batch]:
    """Yields the batches of items, in their order.

    Threads work a few batches ahead; they end with the generator.

    Args:
      example: Makes one item: arrays without the batch axis, of the same shapes for all. Called
        from several threads.
      items: What `example` takes, one after the other; may be endless.
      batch_size: Items in a batch; the last one may have fewer.
      num_threads: None takes one per processor.

    Raises:
      Exception: Whatever `example` raises.
    """
    rest = iter(items)
    ahead: collections.deque[Future[Batch]] = collections.deque()
    pool = ThreadPoolExecutor(num_threads or num_processors(), thread_name_prefix="loader")
    with one_opencv_thread():
        try:
            while True:
                while len(ahead) <= _BATCHES_AHEAD:
                    examples = [
                        pool.submit(example, item) for item in itertools.islice(rest, batch_size)
                    ]
                    if not examples:
                        break
                    # Behind its examples in the queue, so it waits for none that is not begun.
                    ahead.append(pool.submit(_stacked, examples))
                if not ahead:
                    return
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def stream(
    items: Sequence[Item],
    example: Callable[[Item, np.random.Generator], Batch],
    *,
    batch_size: int,
    seed: int,
    num_threads: int | None = None,
) -> Stream:
    """The batches of a training: every pass shows each item once, in an order of its own.

    Args:
      items: What there is to learn from.
      example: Makes a variation of one by a source of chance; see `load`.
      batch_size: Items in a batch.
      seed: The recipe's.
      num_threads: None takes one per processor.

    Returns:
      From a step on, its batch and all that follow, without end; raises what `example` raises.
    """

    def numbered(number: int) -> Batch:
        position = frame_position(number, num_frames=len(items), seed=seed)
        return example(items[position], item_rng(number, seed=seed))

    return lambda first_step: load(
        numbered,
        itertools.count(first_step * batch_size),
        batch_size=batch_size,
        num_threads=num_threads,
    )


def _stacked(examples: list[Future[Batch]]) -> Batch:
    done = [example.result() for example in examples]
    return {key: np.stack([each[key] for each in done]) for key in done[0]}


def num_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _OpenCvThreads:
    """How many ask for one thread, and how many threads there were before."""

    lock = threading.Lock()
    num_users = 0
    num_before = 1


@contextlib.contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Keeps OpenCV to one thread, as long as anybody is in here: ours fight over the same cores."""
    threads = _OpenCvThreads
    with threads.lock:
        if not threads.num_users:
            threads.num_before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        threads.num_users += 1
    try:
        yield
    finally:
        with threads.lock:
            threads.num_users -= 1
            if not threads.num_users:
                cv2.setNumThreads(threads.num_before)


def _size_bytes(value: Any) -> int:
    arrays = [value]
    if dataclasses.is_dataclass(value):
        arrays = [getattr(value, field.name) for field in dataclasses.fields(value)]
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
