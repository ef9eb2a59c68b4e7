"""Which frames belong to shard i of n, so that machines can share a job without talking."""

from collections.abc import Sequence

from mtdepth.datasets.frames import FrameId


def frames_of_shard(frames: Sequence[FrameId], *, index: int, num_shards: int) -> list[FrameId]:
    """Every `num_shards`-th frame, from the `index`-th on.

    The shards of one list are disjoint and together complete. Neighbouring frames fall into
    different shards, so all shards have work of the same kind.

    Raises:
      ValueError: If there is no such shard.
    """
    if not 0 <= index < num_shards:
        raise ValueError(
            f"shard_index counts from 0 and is below num_shards, got {index} of {num_shards}"
        )
    return list(frames[index::num_shards])
