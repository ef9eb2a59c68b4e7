"""Reading, prediction and writing at the same time: three threads, one frame's order of things."""

import collections
import concurrent.futures
import dataclasses
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from data_prep.jobs.run import Frame
from mtdepth.attempts import Failed, Result, attempt

Loaded = TypeVar("Loaded")
Predicted = TypeVar("Predicted")


@dataclasses.dataclass(frozen=True)
class Known(Generic[Result]):
    """A frame's result, known without a prediction."""

    result: Result


def overlapped(
    frames: Iterable[Frame],
    *,
    read: Callable[[Frame], Loaded | Known[Result]],
    batch_key: Callable[[Loaded], Hashable],
    predict: Callable[[Sequence[Loaded]], Sequence[Predicted]],
    finish: Callable[[Loaded, Predicted], Result],
    batch_size: int,
) -> Iterator[tuple[Frame, Result | Failed]]:
    """Takes frames through `read`, `predict` and `finish`, the three at work on different frames.

    `read` runs in one thread, `finish` in another, and `predict` in the caller's, which is where a
    framework wants to be. NumPy, OpenCV and TensorFlow release the interpreter's lock while they
    compute, so the three are at work together where there are processors for them. At most two
    batches wait before `predict` and two behind it, so memory does not grow with the job.

    Args:
      frames: What is worked on.
      read: Loads a frame, or says what is known of it.
      batch_key: Of what was loaded: only equal ones share a batch.
      predict: Answers a batch of at most `batch_size`, in its order. A batch that fails is
        predicted singly, so that only the frame at fault does.
      finish: Turns what was loaded and its prediction into a result.
      batch_size: How many are predicted together; the last batch of a key may be smaller.

    Yields:
      Frame and result, in about the order of the frames; `Failed` where one of the three raised one
      of `FRAME_ERRORS`.

    Raises:
      Exception: What else one of the three raised; then nothing more is begun.
    """
    ahead = 2 * batch_size
    reader = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="read")
    writer = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="write")
    waiting: dict[Hashable, list[tuple[Frame, Loaded]]] = collections.defaultdict(list)
    finishing: collections.deque[concurrent.futures.Future[tuple[Frame, Result | Failed]]]
    finishing = collections.deque()

    def hand_on(batch: Sequence[tuple[Frame, Loaded]]) -> None:
        predictions = _predictions(predict, [loaded for _, loaded in batch])
        for (frame, loaded), predicted in zip(batch, predictions, strict=True):
            finishing.append(writer.submit(_finish, finish, frame, loaded, predicted))

    def finished(*, leave: int) -> Iterator[tuple[Frame, Result | Failed]]:
        while len(finishing) > leave or (finishing and finishing[0].done()):
            yield finishing.popleft().result()

    try:
        for frame, loaded in _read_ahead(frames, read, reader, ahead=ahead):
            if isinstance(loaded, Failed):
                yield frame, loaded
            elif isinstance(loaded, Known):
                yield frame, loaded.result
            else:
                key = batch_key(loaded)
                waiting[key].append((frame, loaded))
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


def _finish(
    finish: Callable[[Loaded, Predicted], Result],
    frame: Frame,
    loaded: Loaded,
    predicted: Predicted | Failed,
) -> tuple[Frame, Result | Failed]:
    if isinstance(predicted, Failed):
        return frame, predicted
    return frame, attempt(finish, loaded, predicted)


def _predictions(
    predict: Callable[[Sequence[Loaded]], Sequence[Predicted]], batch: Sequence[Loaded]
) -> Sequence[Predicted | Failed]:
    predictions = attempt(predict, batch)
    if not isinstance(predictions, Failed):
        return predictions
    if len(batch) == 1:
        return [predictions]
    # One of several is at fault; alone it says so, and the others are predicted.
    return [said for one in batch for said in _predictions(predict, [one])]


def _read_ahead(
    frames: Iterable[Frame],
    read: Callable[[Frame], Loaded],
    reader: concurrent.futures.Executor,
    *,
    ahead: int,
) -> Iterator[tuple[Frame, Loaded | Failed]]:
    """What `read` gives for each frame, in order, begun up to `ahead` before it is taken."""
    reading: collections.deque[tuple[Frame, concurrent.futures.Future[Loaded | Failed]]]
    reading = collections.deque()
    for frame in frames:
        reading.append((frame, reader.submit(attempt, read, frame)))
        if len(reading) > ahead:
            frame_before, future = reading.popleft()
            yield frame_before, future.result()
    for frame, future in reading:
        yield frame, future.result()
