"""Reading, inference and writing side by side: complete, in batches of one kind, and in step."""

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.jobs.overlap import Known, overlapped
from mtdepth.attempts import Failed
from mtdepth.files import DataError

PATIENCE_S = 30.0  # until a stage is taken for one that waits for another


@given(
    kinds=st.lists(st.sampled_from(["small", "large", None]), max_size=30),
    batch_size=st.integers(1, 5),
)
@settings(deadline=None)  # threads wait for a processor on a busy machine
def test_every_frame_has_a_result_once_and_batches_are_of_one_kind(
    kinds: list[str | None], batch_size: int
) -> None:
    batches: list[list[int]] = []

    def predict(batch: Sequence[int]) -> list[int]:
        batches.append(list(batch))
        return [number * 10 for number in batch]

    results = list(
        overlapped(
            range(len(kinds)),
            read=lambda frame: Known((frame, None)) if kinds[frame] is None else frame,
            batch_key=lambda loaded: kinds[loaded],
            predict=predict,
            finish=lambda loaded, predicted: (loaded, predicted),
            batch_size=batch_size,
        )
    )
    expected = [(n, (n, None if kind is None else n * 10)) for n, kind in enumerate(kinds)]
    assert sorted(results) == expected
    for batch in batches:
        assert len({kinds[frame] for frame in batch}) == 1
        assert len(batch) <= batch_size
    # Only the last batch of a kind may be short.
    assert sum(len(batch) < batch_size for batch in batches) <= 2


def test_the_three_work_at_the_same_time_and_predict_in_the_callers_thread() -> None:
    reading_4, predicting_2, finishing_1 = (threading.Event() for _ in range(3))
    threads = set()

    def read(frame: int) -> int:
        if frame == 4:
            reading_4.set()
        return frame

    def predict(batch: Sequence[int]) -> Sequence[int]:
        threads.add(threading.current_thread())
        if batch == [2]:
            predicting_2.set()
            assert reading_4.wait(PATIENCE_S)
            assert finishing_1.wait(PATIENCE_S)
        return batch

    def finish(loaded: int, _: int) -> int:
        if loaded == 1:
            finishing_1.set()
            assert predicting_2.wait(PATIENCE_S)
        return loaded

    results = overlapped(
        range(6),
        read=read,
        batch_key=lambda _: "one",
        predict=predict,
        finish=finish,
        batch_size=1,
    )
    assert list(results) == [(frame, frame) for frame in range(6)]
    assert threads == {threading.current_thread()}


def fail_at_five(here: bool, frame: int, error: type[Exception]) -> int:
    if here and frame == 5:
        raise error("five.png", "is damaged")
    return frame


@pytest.mark.parametrize("stage", ["read", "predict", "finish"])
@pytest.mark.parametrize("error", [ValueError, DataError])
def test_a_frames_own_fault_fails_it_alone_and_any_other_ends_the_job(
    stage: str, error: type[Exception]
) -> None:
    begun: list[int] = []

    def read(frame: int) -> int:
        begun.append(frame)
        return fail_at_five(stage == "read", frame, error)

    results = overlapped(
        range(200),
        read=read,
        batch_key=lambda _: "one",
        predict=lambda batch: [fail_at_five(stage == "predict", one, error) for one in batch],
        finish=lambda loaded, _: fail_at_five(stage == "finish", loaded, error),
        batch_size=2,
    )
    if error is DataError:
        failed = {5: Failed("five.png: is damaged")}
        assert dict(results) == {frame: frame for frame in range(200)} | failed
    else:
        with pytest.raises(ValueError, match="is damaged"):
            list(results)
        assert len(begun) < 30
