"""Shards divide a job, and each is one run's at a time."""

import fcntl
import threading
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.jobs.lock import Shard, one_run_at_a_time


@given(count=st.integers(0, 60), num_shards=st.integers(1, 12))
def test_shards_are_disjoint_and_complete_and_of_nearly_equal_size(
    count: int, num_shards: int
) -> None:
    shards = [Shard(index, num_shards).of(range(count)) for index in range(num_shards)]
    assert sorted(frame for shard in shards for frame in shard) == list(range(count))
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("index", "num_shards"), [(3, 3), (-1, 3), (0, 0)])
def test_a_shard_that_does_not_exist_is_an_error(index: int, num_shards: int) -> None:
    with pytest.raises(ValueError, match="counts from 0"):
        Shard(index, num_shards)


def test_two_runs_of_one_shard_do_not_make_a_store_together(tmp_path: Path) -> None:
    with one_run_at_a_time(tmp_path, Shard(0, 2)):
        with one_run_at_a_time(tmp_path, Shard(1, 2)):
            pass
        with (
            pytest.raises(ValueError, match=r"part 0-of-2 .* overlaps part 1-of-3.*--num_shards 2"),
            one_run_at_a_time(tmp_path, Shard(1, 3)),
        ):
            pass
        with (
            pytest.raises(ValueError, match=r"another run is making these labels.*--num_shards"),
            one_run_at_a_time(tmp_path, Shard(0, 2)),
        ):
            pass
    with one_run_at_a_time(tmp_path, Shard(0, 2)):
        pass


def test_shards_that_start_together_do_not_refuse_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One run asks who is at work, which holds the others' locks for an instant; just then shard 1
    # starts. It waits for the answer, and is not taken for a second run.
    asking, started = threading.Event(), threading.Event()
    refused: list[Exception] = []

    def start_shard_1() -> None:
        asking.wait(30)
        try:
            with one_run_at_a_time(tmp_path, Shard(1, 2)):
                pass
        except ValueError as error:
            refused.append(error)
        started.set()

    flock = fcntl.flock

    def slow(lock: IO[str], operation: int) -> None:
        flock(lock, operation)
        if operation & fcntl.LOCK_SH:
            asking.set()
            started.wait(0.5)  # long enough to be refused in

    with one_run_at_a_time(tmp_path, Shard(1, 2)):
        pass  # its file is there
    monkeypatch.setattr(fcntl, "flock", slow)
    thread = threading.Thread(target=start_shard_1)
    thread.start()
    with one_run_at_a_time(tmp_path, Shard(0, 2)):
        thread.join(30)
    assert asking.is_set()
    assert started.is_set()
    assert refused == []
