"""How long each stage takes: collected per frame, reported as median and 90th percentile."""

from collections import deque
from dataclasses import astuple, dataclass

import numpy as np

# A service runs for months.
_NUM_KEPT = 10_000


@dataclass(frozen=True, kw_only=True)
class FrameTimes:
    """Milliseconds of one frame's stages."""

    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float

    @property
    def total_ms(self) -> float:
        """All of them."""
        return self.preprocess_ms + self.inference_ms + self.postprocess_ms


class Latency:
    """The times of the last ten thousand frames."""

    def __init__(self) -> None:
        self._frames: deque[FrameTimes] = deque(maxlen=_NUM_KEPT)

    def add(self, times: FrameTimes) -> None:
        """Counts a frame."""
        self._frames.append(times)

    @property
    def last(self) -> FrameTimes | None:
        """Of the last frame."""
        return self._frames[-1] if self._frames else None

    def summary(self) -> dict[str, dict[str, float]]:
        """Median and 90th percentile of each stage and of their sum, `{}` without a frame."""
        # A copy: another thread may add to it meanwhile.
        rows = [(*astuple(times), times.total_ms) for times in list(self._frames)]
        if not rows:
            return {}
        columns = np.array(rows).T
        names = ("preprocess_ms", "inference_ms", "postprocess_ms", "total_ms")
        return {
            name: {
                "median": round(float(np.median(column)), 3),
                "p90": round(float(np.quantile(column, 0.9)), 3),
            }
            for name, column in zip(names, columns, strict=True)
        }
