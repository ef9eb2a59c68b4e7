"""How long each stage takes: collected per frame, reported as median and 90th percentile."""

import contextlib
import time
from collections.abc import Iterator

import numpy as np

STAGES = ("preprocess", "inference", "postprocess")


class Latency:
    """Milliseconds of every stage of every frame."""

    def __init__(self) -> None:
        self._of_stage: dict[str, list[float]] = {stage: [] for stage in STAGES}

    @contextlib.contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Times the block as one frame's `stage`; a block that raises is not counted."""
        start = time.perf_counter()
        yield
        self._of_stage[stage].append((time.perf_counter() - start) * 1e3)

    @property
    def last_total_ms(self) -> float:
        """All stages of the last frame."""
        return sum(values[-1] for values in self._of_stage.values())

    def summary(self) -> dict[str, dict[str, float]]:
        """Median and 90th percentile of each stage and of their sum, `{}` without a frame."""
        values = np.array(list(self._of_stage.values()))
        if values.size == 0:
            return {}
        rows = dict(zip((*STAGES, "total"), (*values, values.sum(axis=0)), strict=True))
        return {
            f"{stage}_ms": {
                "median": round(float(np.median(row)), 3),
                "p90": round(float(np.quantile(row, 0.9)), 3),
            }
            for stage, row in rows.items()
        }
