"""The loader: items in order, the same after a restart, with bounded memory and an end."""

import dataclasses
import itertools
import threading
from typing import Any

import cv2
import numpy as np
import pytest

from mtdepth.data.loader import Cache, frame_position, item_rng, load, one_opencv_thread, stream


def squares(item: int) -> dict[str, Any]:
    return {"item": np.array(item), "row": np.full(3, item**2)}


def test_each_pass_shows_every_frame_once_in_an_order_of_its_own() -> None:
    passes = [
        [frame_position(item, num_frames=50, seed=4) for item in range(50 * k, 50 * k + 50)]
        for k in range(2)
    ]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(50))
    assert passes[0] != passes[1]
    # Of an earlier release, whose runs go on.
    assert passes[0][:5] == np.random.default_rng([4, 1, 0]).permutation(50)[:5].tolist()


def test_an_order_is_drawn_once_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    default_rng = np.random.default_rng

    def counted(seed: list[int]) -> np.random.Generator:
        drawn.append(seed)
        return default_rng(seed)

    monkeypatch.setattr(np.random, "default_rng", counted)
    for item in range(60):
        frame_position(item, num_frames=30, seed=12345)
    assert drawn == [[12345, 1, 0], [12345, 1, 1]]


def test_chance_is_the_items_own() -> None:
    assert item_rng(7, seed=1).random() == item_rng(7, seed=1).random()
    assert item_rng(7, seed=1).random() != item_rng(8, seed=1).random()


@pytest.mark.parametrize("num_threads", [1, 3])
def test_a_stream_that_begins_later_goes_on_where_another_would_be(num_threads: int) -> None:
    def taken(first: int) -> list[dict[str, Any]]:
        batches = load(squares, itertools.count(first), batch_size=3, num_threads=num_threads)
        return list(itertools.islice(batches, 4 - first // 3))

    whole, rest = taken(0), taken(6)
    assert [batch["item"].tolist() for batch in rest] == [[6, 7, 8], [9, 10, 11]]
    for batch, expected in zip(rest, whole[2:], strict=True):
        np.testing.assert_array_equal(batch["row"], expected["row"])


def test_a_training_is_the_same_from_any_step_and_with_any_threads() -> None:
    def shown(name: str, rng: np.random.Generator) -> dict[str, Any]:
        return {"name": np.array(name), "chance": np.array(rng.random())}

    def taken(first: int, num_threads: int) -> list[tuple[str, float]]:
        batches = stream("abcde", shown, batch_size=2, seed=4, num_threads=num_threads)(first)
        some = list(itertools.islice(batches, 5 - first))
        names, chances = (np.concatenate([b[key] for b in some]) for key in ("name", "chance"))
        return list(zip(names.tolist(), chances.tolist(), strict=True))

    whole = taken(0, 1)
    assert taken(3, 3) == whole[6:]
    assert sorted(name for name, _ in whole) == sorted(2 * "abcde")
    assert sorted(name for name, _ in whole[:5]) == list("abcde")
    # Of an earlier release, whose runs go on.
    assert whole[0] == (
        "abcde"[np.random.default_rng([4, 1, 0]).permutation(5)[0]],
        np.random.default_rng([4, 2, 0]).random(),
    )


def test_items_that_end_give_a_smaller_last_batch() -> None:
    found = [batch["item"].tolist() for batch in load(squares, range(14), batch_size=4)]
    assert found == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13]]
    assert list(load(squares, [], batch_size=4)) == []


def test_a_fault_is_the_callers_own() -> None:
    def broken(item: int) -> dict[str, Any]:
        if item == 5:
            raise KeyError("item 5")
        return squares(item)

    batches = load(broken, itertools.count(), batch_size=4)
    assert next(batches)["item"].tolist() == [0, 1, 2, 3]
    with pytest.raises(KeyError, match="item 5"):
        next(batches)


def test_threads_and_opencvs_setting_end_with_the_stream() -> None:
    before = cv2.getNumThreads()
    batches = load(squares, itertools.count(), batch_size=2, num_threads=2)
    next(batches)
    mine = [t for t in threading.enumerate() if t.name.startswith("loader")]
    assert mine
    assert cv2.getNumThreads() == 1
    with one_opencv_thread():
        batches.close()
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before
    for thread in mine:
        thread.join(timeout=10)
        assert not thread.is_alive()


@dataclasses.dataclass
class Pair:
    left: np.ndarray
    right: np.ndarray
    name: str


def test_memory_for_what_was_read_has_an_end() -> None:
    read = []

    def pair(key: int) -> Pair:
        read.append(key)
        return Pair(np.zeros(100, np.uint8), np.zeros(10, np.float32), "pair")

    cache = Cache(pair, cache_bytes=2 * 140 + 5)
    kept = [cache(key) for key in (0, 1, 2)]
    assert cache(0) is kept[0]
    assert [cache(key) is kept[key] for key in (0, 1, 2)] == [True, True, False]
    assert read == [0, 1, 2, 2]
