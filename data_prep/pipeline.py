"""Reading, inference and writing at the same time: three threads, one frame's order of things."""

import collections
import concurrent.futures
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
Predicted = TypeVar("Predicted")
Answer = TypeVar("Answer")


def overlapped(
    items: Iterable[Item],
    *,
    read: Callable[[Item], Loaded],
    batch_key: Callable[[Loaded], Hashable | None],
    predict: Callable[[Sequence[Loaded]], Sequence[Predicted]],
    finish: Callable[[Loaded, Predicted | None], Answer],
    batch_size: int,
) -> Iterator[Answer]:
    """Takes items through `read`, `predict` and `finish`, the three at work on different items.

    `read` runs in one thread, `finish` in another, and `predict` in the caller's, which is where a
    framework wants to be. NumPy, OpenCV and TensorFlow release the interpreter's lock while they
    compute, so the three are at work together where there are processors for them. At most two
    batches wait before `predict` and two behind it, so memory does not grow with the job.

    Args:
      items: What is worked on.
      read: Loads an item.
      batch_key: Of what was loaded: only equal ones share a batch; None needs no prediction.
      predict: Answers a batch of at most `batch_size`, in its order.
      finish: Turns what was loaded and its prediction (None where none was needed) into an answer.
      batch_size: How many are predicted together; the last batch of a key may be smaller.

    Yields:
      The answers, in about the order of the items.

    Raises:
      Exception: What one of the three raised; then nothing more is begun.
    """
    ahead = 2 * batch_size
    reader = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="read")
    writer = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="write")
    finishing: collections.deque[concurrent.futures.Future[Answer]] = collections.deque()

    def hand_on(batch: Sequence[Loaded]) -> None:
        for loaded, predicted in zip(batch, predict(batch), strict=True):
            finishing.append(writer.submit(finish, loaded, predicted))

    def finished(*, leave: int) -> Iterator[Answer]:
        while len(finishing) > leave or (finishing and finishing[0].done()):
            yield finishing.popleft().result()

    try:
        waiting: collections.defaultdict[Hashable, list[Loaded]] = collections.defaultdict(list)
        for loaded in _read_ahead(items, read, reader, ahead=ahead):
            key = batch_key(loaded)
            if key is None:
                finishing.append(writer.submit(finish, loaded, None))
            else:
                waiting[key].append(loaded)
                if len(waiting[key]) == batch_size:
                    hand_on(waiting.pop(key))
            yield from finished(leave=ahead)
        for batch in waiting.values():
            hand_on(batch)
            yield from finished(leave=ahead)
        yield from finished(leave=0)
    finally:
        # Reached early when the caller stops, or when one of the three raised.
        reader.shutdown(cancel_futures=True)
        writer.shutdown(cancel_futures=True)


def _read_ahead(
    items: Iterable[Item],
    read: Callable[[Item], Loaded],
    reader: concurrent.futures.Executor,
    *,
    ahead: int,
) -> Iterator[Loaded]:
    """What `read` gives for each item, in order, begun up to `ahead` items before it is taken."""
    reading: collections.deque[concurrent.futures.Future[Loaded]] = collections.deque()
    for item in items:
        reading.append(reader.submit(read, item))
        if len(reading) > ahead:
            yield reading.popleft().result()
    while reading:
        yield reading.popleft().result()
