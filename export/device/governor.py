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
    """What is to be held.

    Attributes:
      target_fps: Frames a second that are predicted; None: no matter.
      max_temperature_c: Of the processor; None: no matter.
    """

    target_fps: float | None = None
    max_temperature_c: float | None = None

    @property
    def is_active(self) -> bool:
        """Whether there is anything to hold."""
        return self.target_fps is not None or self.max_temperature_c is not None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was seen since the last decision.

    Attributes:
      now_s: By the monotonic clock.
      frame_ms: Median time of the present size's last frames, input to output; None before any.
      num_frames: So many of them.
      temperature_c: None where the machine does not say.
    """

    now_s: float
    frame_ms: float | None
    num_frames: int
    temperature_c: float | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """What the governor remembers.

    Attributes:
      size: That runs now.
      since_s: When it was chosen.
      known_ms: Time of each size that has run, and when it was measured.
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
    size is kept for a while before the next decision.

    Args:
      state: Of the last decision.
      measurement: Since then.
      sizes: All there are, largest first.
      limits: To be held.

    Returns:
      The state with the size to run; the same size where nothing is to be done.
    """
    known_ms = _updated(state.known_ms, state.size, measurement)
    remembering = dataclasses.replace(state, known_ms=known_ms)
    if measurement.frame_ms is None or measurement.num_frames < MIN_FRAMES:
        return remembering
    position = sizes.index(state.size)
    held_s = measurement.now_s - state.since_s
    is_hot = _is_hot(measurement, limits, spare_c=0)
    if _is_slow(measurement.frame_ms, limits) or is_hot:
        wait_s = COOLING_S if is_hot and not _is_slow(measurement.frame_ms, limits) else PATIENCE_S
        step = 1 if held_s >= wait_s else 0
    else:
        step = -1 if held_s >= COOLING_S and _has_room(measurement, limits) else 0
    position = min(max(position + step, 0), len(sizes) - 1)
    size = sizes[position]
    if size == state.size or (step < 0 and not _may_grow(size, known_ms, limits)):
        return remembering
    return State(size=size, since_s=measurement.now_s, known_ms=known_ms)


def _updated(
    known_ms: dict[str, tuple[float, float]], size: str, measurement: Measurement
) -> dict[str, tuple[float, float]]:
    fresh = {
        name: entry
        for name, entry in known_ms.items()
        if measurement.now_s - entry[1] < REMEMBERED_S
    }
    if measurement.frame_ms is not None and measurement.num_frames >= MIN_FRAMES:
        fresh[size] = (measurement.frame_ms, measurement.now_s)
    return fresh


def _is_slow(frame_ms: float, limits: Limits) -> bool:
    return limits.target_fps is not None and frame_ms > 1e3 / limits.target_fps


def _is_hot(measurement: Measurement, limits: Limits, *, spare_c: float) -> bool:
    if limits.max_temperature_c is None or measurement.temperature_c is None:
        return False
    return measurement.temperature_c > limits.max_temperature_c - spare_c


def _has_room(measurement: Measurement, limits: Limits) -> bool:
    if _is_hot(measurement, limits, spare_c=SPARE_C) or measurement.frame_ms is None:
        return False
    return not _is_slow(measurement.frame_ms / (1 - SPARE_SHARE), limits)


def _may_grow(size: str, known_ms: dict[str, tuple[float, float]], limits: Limits) -> bool:
    """Whether a larger size is not known to be too slow."""
    if size not in known_ms:
        return True
    return not _is_slow(known_ms[size][0] / (1 - SPARE_SHARE), limits)
