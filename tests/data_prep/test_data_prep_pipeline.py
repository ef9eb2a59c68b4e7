"""Reading, inference and writing side by side: complete, in batches of one kind, and in step."""

import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.pipeline import overlapped


@given(
    kinds=st.lists(st.sampled_from(["small", "large", None]), max_size=30),
    batch_size=st.integers(1, 5),
)
@settings(deadline=None)  # threads wait for a processor on a busy machine
def test_every_item_is_answered_once_and_batches_are_of_one_kind(
    kinds: list[str | None], batch_size: int
) -> None:
    batches: list[list[tuple[int, str | None]]] = []

    def predict(batch: Sequence[tuple[int, str | None]]) -> list[int]:
        batches.append(list(batch))
        return [number * 10 for number, _ in batch]

    answers = list(
        overlapped(
            list(enumerate(kinds)),
            read=lambda item: item,
            batch_key=lambda loaded: loaded[1],
            predict=predict,
            finish=lambda loaded, predicted: (loaded[0], predicted),
            batch_size=batch_size,
        )
    )
    expected = [(n, None if kind is None else n * 10) for n, kind in enumerate(kinds)]
    assert sorted(answers) == expected
    for batch in batches:
        assert len({kind for _, kind in batch}) == 1
        assert len(batch) <= batch_size
    # Only the last batch of a kind may be short.
    assert sum(len(batch) < batch_size for batch in batches) <= 2


def test_the_three_work_at_the_same_time_and_predict_in_the_callers_thread() -> None:
    seconds, number = 0.02, 15
    threads = set()

    def predict(batch: Sequence[int]) -> Sequence[int]:
        threads.add(threading.current_thread())
        time.sleep(seconds)
        return batch

    def read(item: int) -> int:
        time.sleep(seconds)
        return item

    def finish(loaded: int, _: int | None) -> int:
        time.sleep(seconds)
        return loaded

    began_s = time.monotonic()
    answers = list(
        overlapped(
            range(number),
            read=read,
            batch_key=lambda _: "one",
            predict=predict,
            finish=finish,
            batch_size=1,
        )
    )
    assert answers == list(range(number))
    assert threads == {threading.current_thread()}
    # One after the other would take three times `number * seconds`; side by side it is once.
    assert time.monotonic() - began_s < 2 * number * seconds


@pytest.mark.parametrize("stage", ["read", "predict", "finish"])
def test_what_a_stage_raises_is_raised_and_nothing_more_is_begun(stage: str) -> None:
    begun: list[int] = []

    def fail_at_five(name: str, item: int) -> int:
        if name == "read":
            begun.append(item)
        if name == stage and item == 5:
            raise RuntimeError(name)
        return item

    with pytest.raises(RuntimeError, match=stage):
        list(
            overlapped(
                range(1000),
                read=lambda item: fail_at_five("read", item),
                batch_key=lambda _: "one",
                predict=lambda batch: [fail_at_five("predict", item) for item in batch],
                finish=lambda loaded, _: fail_at_five("finish", loaded),
                batch_size=2,
            )
        )
    assert len(begun) < 30
