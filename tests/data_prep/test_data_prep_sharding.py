"""Shards divide a job."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.sharding import frames_of_shard
from mtdepth.datasets.frames import FrameId


def frames(count: int) -> list[FrameId]:
    return [FrameId("2011_09_26_drive_0001_sync", index) for index in range(count)]


@given(count=st.integers(0, 60), num_shards=st.integers(1, 12))
def test_shards_are_disjoint_and_complete_and_of_nearly_equal_size(
    count: int, num_shards: int
) -> None:
    shards = [
        frames_of_shard(frames(count), index=index, num_shards=num_shards)
        for index in range(num_shards)
    ]
    assert sorted(frame for shard in shards for frame in shard) == frames(count)
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("index", "num_shards"), [(3, 3), (-1, 3), (0, 0)])
def test_a_shard_that_does_not_exist_is_an_error(index: int, num_shards: int) -> None:
    with pytest.raises(ValueError, match="counts from 0"):
        frames_of_shard(frames(5), index=index, num_shards=num_shards)
