"""Chooses the network's size while it runs, to hold a frame rate or a temperature.

A pure function of measurements: `next_state` decides, the caller measures and switches.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

# ours: shorter than that, one slow frame would switch; longer, a robot would be late for it.
PATIENCE_S = 2.0
# ours: a processor cools down over tens of seconds, so a hot one is given time after each step.
COOLING_S = 15.0
# ours: what was slow may be fast again when something else on the machine has ended.
REMEMBERED_S = 60.0
# A larger size is taken only where it would leave this much of the frame's time unused, and where
# it is this much cooler than allowed: else it would go to and fro.
SPARE_SHARE = 0.15
SPARE_C = 5.0
# Frames of one size before its time is believed: the first ones lay out memory.
MIN_FRAMES = 5


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is to be held: predicted frames a second, the processor's heat; None is no matter."""

    target_fps: float | None = None
    max_temperature_c: float | None = None

    @property
    def is_active(self) -> bool:
        """Whether there is anything to hold."""
        return self.target_fps is not None or self.max_temperature_c is not None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was seen since the last decision.

    `frame_ms` is the median time of the present size's last `num_frames` frames, input to output.
    """

    now_s: float
    frame_ms: float | None
    num_frames: int
    temperature_c: float | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """What the governor remembers: the size that runs now, and since when.

    `known_ms` holds the time of each size that has run, and when it was measured.
    """

    size: str
    since_s: float
    known_ms: dict[str, tuple[float, float]] = field(default_factory=dict)


def next_state(
    state: State, measurement: Measurement, *, sizes: Sequence[str], limits: Limits
) -> State:
    """Decides which size runs next.

    Slower than the target, or hotter than allowed: one size smaller. Faster by a margin, where the
    next larger size is not known to be too slow, and cooler by a margin: one size larger. Every
    size is kept for a while before the next decision. `sizes` are all there are, largest first.
    """
    now_s, frame_ms = measurement.now_s, measurement.frame_ms
    known_ms = {
        name: entry for name, entry in state.known_ms.items() if now_s - entry[1] < REMEMBERED_S
    }
    if frame_ms is None or measurement.num_frames < MIN_FRAMES:
        return dataclasses.replace(state, known_ms=known_ms)
    known_ms[state.size] = (frame_ms, now_s)
    is_slow, is_hot = _is_slow(frame_ms, limits), _is_hot(measurement, limits)
    held_s = now_s - state.since_s
    step = 0
    if is_slow or is_hot:
        step = 1 if held_s >= (PATIENCE_S if is_slow else COOLING_S) else 0
    elif held_s >= COOLING_S and not _is_hot(measurement, limits, spare_c=SPARE_C):
        step = 0 if _is_slow(frame_ms, limits, spare=SPARE_SHARE) else -1
    size = sizes[min(max(sizes.index(state.size) + step, 0), len(sizes) - 1)]
    # Not to a larger one that is known to be too slow.
    is_known = step < 0 and size in known_ms
    if size == state.size or (is_known and _is_slow(known_ms[size][0], limits, spare=SPARE_SHARE)):
        return dataclasses.replace(state, known_ms=known_ms)
    return State(size=size, since_s=now_s, known_ms=known_ms)


def _is_slow(frame_ms: float, limits: Limits, *, spare: float = 0.0) -> bool:
    return limits.target_fps is not None and frame_ms / (1 - spare) > 1e3 / limits.target_fps


def _is_hot(measurement: Measurement, limits: Limits, *, spare_c: float = 0.0) -> bool:
    if limits.max_temperature_c is None or measurement.temperature_c is None:
        return False
    return measurement.temperature_c > limits.max_temperature_c - spare_c
