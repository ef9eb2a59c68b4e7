"""An endless, restartable stream of batches, made in threads a little ahead of the training."""

import collections
import concurrent.futures
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

Batch = dict[str, npt.NDArray[Any]]

_BATCHES_AHEAD = 2


class Measurable(Protocol):
    """What knows its size in memory."""

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""


Key = TypeVar("Key")
Value = TypeVar("Value", bound=Measurable)


class CachedReader(Generic[Key, Value]):
    """Keeps what was read, as much as fits.

    Args:
      read: Reads one.
      cache_bytes: Memory that the kept ones may take.
    """

    def __init__(self, read: Callable[[Key], Value], *, cache_bytes: int) -> None:
        self._read = read
        self._free_bytes = cache_bytes
        self._kept: dict[Key, Value] = {}
        self._lock = threading.Lock()

    def __call__(self, key: Key) -> Value:
        """Returns what `read` returns."""
        if (kept := self._kept.get(key)) is not None:
            return kept
        value = self._read(key)
        with self._lock:
            if key not in self._kept and value.num_bytes <= self._free_bytes:
                self._free_bytes -= value.num_bytes
                self._kept[key] = value
        return value


def stream_batches(
    load: Callable[[int], Batch], *, first_step: int, batch_size: int
) -> Iterator[Batch]:
    """Yields the batches of steps `first_step`, `first_step + 1`, ... without end.

    Step `s` holds the items `s * batch_size` and following, so a stream that begins later goes on
    exactly where another one would be.

    Args:
      load: Makes one item by its number; pure, called from several threads.
      first_step: Counted from 0.
      batch_size: Items in a batch.

    Raises:
      Exception: Whatever `load` raises.
    """
    # The threads here are one an item; OpenCV's own would fight over the same cores.
    cv2.setNumThreads(1)
    items = itertools.count(first_step * batch_size)
    waiting: collections.deque[concurrent.futures.Future[Batch]] = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads:
        try:
            while True:
                while len(waiting) < (1 + _BATCHES_AHEAD) * batch_size:
                    waiting.append(threads.submit(load, next(items)))
                done = [waiting.popleft().result() for _ in range(batch_size)]
                yield {key: np.stack([item[key] for item in done]) for key in done[0]}
        finally:
            for future in waiting:
                future.cancel()
