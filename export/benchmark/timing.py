"""Times calls in turn, so that their ratios hold on a machine that others use too."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm


@dataclass(frozen=True)
class Schedule:
    """How often what is run.

    Attributes:
      warm_up: Calls of each that are not counted, at the start.
      rounds: Turns; each begins with one more call that is not counted, since another model's
        tensors are in the caches.
      runs_per_round: Counted calls of each turn.
    """

    warm_up: int = 5
    rounds: int = 10
    runs_per_round: int = 5

    def __post_init__(self) -> None:
        """Rejects a schedule that measures nothing."""
        if self.warm_up < 0 or self.rounds < 1 or self.runs_per_round < 1:
            raise ValueError(
                f"a benchmark needs at least one round of one run and no negative warm-up, "
                f"got {self}"
            )

    def to_dict(self) -> dict[str, int]:
        """For a report."""
        return {
            "warm_up_runs": self.warm_up,
            "rounds": self.rounds,
            "runs_per_round": self.runs_per_round,
        }


@dataclass(frozen=True)
class Times:
    """Milliseconds of one call over and over, `[rounds, runs_per_round]`.

    Attributes:
      wall_ms: What a user waits.
      cpu_ms: What every thread of the process worked. On a machine that others use the wall holds
        their time too; this holds it not, but for the caches that they empty.
    """

    wall_ms: npt.NDArray[np.float64]
    cpu_ms: npt.NDArray[np.float64]

    def to_dict(self) -> dict[str, float]:
        """Median, 90th percentile and smallest of the wall, median and smallest of the CPU."""
        return {
            "median_ms": _rounded(np.median(self.wall_ms)),
            "p90_ms": _rounded(np.quantile(self.wall_ms, 0.9)),
            "min_ms": _rounded(self.wall_ms.min()),
            "cpu_median_ms": _rounded(np.median(self.cpu_ms)),
            "cpu_min_ms": _rounded(self.cpu_ms.min()),
        }

    def ratio_to(self, other: "Times") -> dict[str, float]:
        """This over the other: the median over the rounds of the ratio of their medians.

        Both were measured in the same turn, so that a machine that is slow for a while is slow for
        both.
        """
        return {
            "wall": _rounded(np.median(_medians(self.wall_ms) / _medians(other.wall_ms))),
            "cpu": _rounded(np.median(_medians(self.cpu_ms) / _medians(other.cpu_ms))),
        }


def time_in_turn(
    calls: Sequence[Callable[[], Any]], schedule: Schedule, *, title: str = "rounds"
) -> list[Times]:
    """Times each of the calls, in turn; `title` is the progress bar's."""
    shape = (len(calls), schedule.rounds, schedule.runs_per_round)
    wall_s, cpu_s = np.empty(shape), np.empty(shape)
    for call in calls:
        for _ in range(schedule.warm_up):
            call()
    for turn in tqdm(range(schedule.rounds), title, leave=False, disable=None):
        for index, call in enumerate(calls):
            call()
            for run in range(schedule.runs_per_round):
                start_cpu_s, start_s = time.process_time(), time.perf_counter()
                call()
                wall_s[index, turn, run] = time.perf_counter() - start_s
                cpu_s[index, turn, run] = time.process_time() - start_cpu_s
    return [Times(wall * 1e3, cpu * 1e3) for wall, cpu in zip(wall_s, cpu_s, strict=True)]


def _medians(times_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # A clock that did not advance would divide by zero.
    return np.maximum(np.median(times_ms, axis=1), 1e-6)


def _rounded(value: Any) -> float:
    return round(float(value), 4)
