"""Which messages belong together by the times that stand in them, and what frames are called."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]

# ours: half a step more than usual is a message that was lost.
_GAP = 1.5


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pairing:
    """What of one list of moments goes with what of another.

    Attributes:
      first: `[n]` places in the first list, ascending.
      second: `[n]` places in the second.
      offset_ns: `[n]` the second's moment minus the first's.
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    offset_ns: Times

    @property
    def typical_offset_s(self) -> float:
        """Median distance in time."""
        return float(np.median(np.abs(self.offset_ns))) / 1e9 if len(self.offset_ns) else 0.0


def pair_up(first_ns: Times, second_ns: Times, *, max_offset_ns: float) -> Pairing:
    """Pairs moments that are each other's nearest and no further apart than a bound.

    Args:
      first_ns: `[n]` ascending.
      second_ns: `[m]` ascending.
      max_offset_ns: The bound.
    """
    if not len(first_ns) or not len(second_ns):
        none = np.zeros(0, np.int64)
        return Pairing(first=none, second=none, offset_ns=none)
    there = nearest(first_ns, second_ns)
    back = nearest(second_ns, first_ns)
    places = np.arange(len(first_ns))
    offset_ns = second_ns[there] - first_ns
    is_pair = (back[there] == places) & (np.abs(offset_ns) <= max_offset_ns)
    return Pairing(first=places[is_pair], second=there[is_pair], offset_ns=offset_ns[is_pair])


def nearest(of_ns: Times, among_ns: Times) -> npt.NDArray[np.int64]:
    """For each moment the place of the nearest in an ascending list, the earlier of two."""
    after = np.searchsorted(among_ns, of_ns).clip(0, len(among_ns) - 1)
    before = (after - 1).clip(0)
    is_before = np.abs(among_ns[before] - of_ns) <= np.abs(among_ns[after] - of_ns)
    return np.where(is_before, before, after)


def period_ns(times_ns: Times) -> float:
    """The usual step between moments, the median; 0 of fewer than two."""
    return float(np.median(np.diff(times_ns))) if len(times_ns) > 1 else 0.0


def frame_numbers(times_ns: Times) -> npt.NDArray[np.int64]:
    """Numbers from 0 of ascending moments: neighbours differ by 1, and a gap leaves numbers out.

    So whoever takes consecutive numbers for neighbours in time, as training on video, is right.
    """
    usual_ns = period_ns(times_ns)
    if not usual_ns:
        return np.arange(len(times_ns))
    steps = np.maximum(1, np.rint(np.diff(times_ns) / usual_ns)).astype(np.int64)
    return np.concatenate([[0], np.cumsum(steps)])


def gaps_in_words(times_ns: Times) -> str:
    """How often moments are further apart than usual; "" where never."""
    usual_ns = period_ns(times_ns)
    steps_ns = np.diff(times_ns)
    is_gap = steps_ns > _GAP * usual_ns
    if not is_gap.any():
        return ""
    longest = int(np.argmax(steps_ns))
    at_s = (times_ns[longest] - times_ns[0]) / 1e9
    return (
        f"{np.count_nonzero(is_gap)} gaps, the longest of {steps_ns[longest] / 1e9:.2f} s after "
        f"{at_s:.1f} s; their frame numbers are left out"
    )


def time_stamps(times_ns: Times, numbers: Sequence[int]) -> str:
    """A `timestamps.txt` as KITTI's: one line a number from 0, blank where there is none."""
    known = dict(zip(numbers, times_ns, strict=True))
    lines = []
    for number in range(max(numbers, default=-1) + 1):
        moment = known.get(number)
        text = "" if moment is None else str(np.datetime64(int(moment), "ns")).replace("T", " ")
        lines.append(text)
    return "\n".join(lines) + "\n"
