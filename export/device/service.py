"""The program's threads: capture, inference, recordings; whoever shows results comes on top.

Between capture and inference, and between inference and each recording, stands a short channel.
With a live source the newest frame wins there: an old one is dropped and counted, and nothing
behind ever makes something before it wait. With files every frame is waited for. Viewers read the
latest result when they like.
"""

import contextlib
import logging
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from export.device.channel import Channel, ClosedError, Latest
from export.device.controls import AUTO, Controls
from export.device.engine import Engine
from export.device.governor import Limits, Measurement, State, next_state
from export.device.recording import Recording
from export.device.result import Result
from export.device.sources import Picture, Source, Unreadable
from mtdepth.files import UserError

_LOG = logging.getLogger(__name__)

# Frames that are waited for; more would only be older.
_CAPACITY = 2
_RATE_WINDOW = 30
_MAX_FAILURES = 1000
# A camera's driver may hang, and so may a reader of lines. After that there is only work to be
# ended, which with files may take an encoder minutes, or a disk that does not answer.
_JOIN_S = 2.0
_LAST_JOIN_S = 30.0


class Service:
    """A source, a model and recordings at work until the source ends, `max_frames`, or `stop`.

    `controls` are what a viewer may change, `limits` the governor's, who changes sizes.
    """

    def __init__(
        self,
        source: Source,
        engine: Engine,
        controls: Controls,
        *,
        recordings: Sequence[Recording] = (),
        limits: Limits | None = None,
        max_frames: int | None = None,
    ) -> None:
        self.source, self.engine, self.controls = source, engine, controls
        self.latest: Latest[Result] = Latest()
        self.is_done = threading.Event()
        self.failures: list[Unreadable] = []
        self._told: set[str] = set()
        self.recordings = tuple(recordings)
        self.temperature_c: float | None = None
        self.fault: BaseException | None = None
        self._limits = limits or Limits()
        self._max_frames = max_frames
        self._pictures: Channel[Picture] = Channel(
            1 if source.is_live else _CAPACITY, newest_wins=source.is_live
        )
        self._times_s: deque[float] = deque(maxlen=_RATE_WINDOW)
        self._size_ms: deque[float] = deque(maxlen=_RATE_WINDOW)
        self._governor = State(size=engine.models.size, since_s=time.monotonic())
        self._start_s = time.monotonic()
        self._wall_s: float | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts the threads."""
        self._start_s = time.monotonic()
        for recording in self.recordings:
            recording.start(report=self._fail, on_fault=self._broken)
        for name, work, after in (
            ("capture", self._capture, self._pictures.close),
            ("infer", self._infer, self._finish),
        ):
            # Daemons: one that hangs in a camera's driver must not keep the program alive.
            thread = threading.Thread(
                target=self._guarded, args=(work, after), name=name, daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Ends it soon: what was predicted is still written."""
        self.source.close()
        self._pictures.close(is_emptied=True)
        self.controls.stop()

    def join(self) -> None:
        """Waits for the threads, but for no camera or reader that hangs; lets viewers go.

        With a live source it waits for no disk either.
        """
        for thread in self._threads:
            thread.join(_JOIN_S)
        for recording in self.recordings:
            recording.abandon()
        for thread in self._threads[1:]:
            thread.join(_LAST_JOIN_S if self.source.is_live else None)
            if thread.is_alive():
                _LOG.error("what is recorded may be incomplete: its disk does not answer")
        self.latest.close()

    @property
    def frames_per_second(self) -> float:
        """Of the last results."""
        times_s = list(self._times_s)
        if len(times_s) < 2 or times_s[-1] <= times_s[0]:
            return 0.0
        return (len(times_s) - 1) / (times_s[-1] - times_s[0])

    @property
    def num_dropped(self) -> int:
        """Frames that came while an older one was being predicted."""
        return self._pictures.num_dropped

    @property
    def num_unrecorded(self) -> int:
        """Results of a live source that came while an older one was being written."""
        return max((recording.num_left_out for recording in self.recordings), default=0)

    @property
    def recording(self) -> str:
        """In words: `off`, `on`, or what is not."""
        found = {recording.name: recording.status for recording in self.recordings}
        troubled = {name: status for name, status in found.items() if status != "on"}
        if not troubled:
            return "on" if found else "off"
        if len(set(found.values())) == 1:
            return troubled.popitem()[1]
        return "; ".join(f"{name} {status}" for name, status in found.items())

    @property
    def is_for_nobody(self) -> bool:
        """Whether all that was recorded went to readers who are gone."""
        return bool(self.recordings) and all(recording.is_gone for recording in self.recordings)

    def repaint(self) -> None:
        """Shows the latest result in the look that was chosen since."""
        result = self.latest.peek()
        if result is not None and result.look != self.controls.settings.look:
            self.latest.publish(result.painted(self.controls.settings.look))

    def report(self) -> dict[str, Any]:
        """What `latency.json` holds."""
        wall_s = self._wall_s or time.monotonic() - self._start_s
        return self.engine.report(
            wall_s=wall_s, num_failures=len(self.failures), num_dropped=self.num_dropped
        )

    def _guarded(self, work: Callable[[], None], after: Callable[[], None]) -> None:
        try:
            work()
        # Whatever it is: the main thread raises it.
        except Exception as error:  # noqa: BLE001
            self._broken(error)
        finally:
            after()

    def _broken(self, error: Exception) -> None:
        self.fault = self.fault or error
        self.stop()
        self.is_done.set()

    def _capture(self) -> None:
        for item in self.source.frames():
            if isinstance(item, Unreadable):
                self._fail(item)
            elif not self._pictures.put(item):
                break

    def _infer(self) -> None:
        with contextlib.suppress(ClosedError):
            while self._max_frames is None or self.engine.num_frames < self._max_frames:
                picture = self._pictures.get()
                if self.controls.wait_while_paused() and self.source.is_live:
                    continue  # it is as old as the pause
                self._select_size()
                self._predict(picture)
        self._pictures.close(is_emptied=True)
        self.source.close()

    def _finish(self) -> None:
        self._wall_s = time.monotonic() - self._start_s
        for recording in self.recordings:
            recording.close(is_kept=self.fault is None)
        for recording in self.recordings:
            recording.join()
        self.is_done.set()

    def _predict(self, picture: Picture) -> None:
        try:
            result = self.engine.predict(picture, self.controls.settings.look)
        except UserError as error:
            self._fail(Unreadable(picture.name, str(error)))
            return
        self._times_s.append(result.time_s)
        times = self.engine.last_times
        if times is not None:
            self._size_ms.append(times.total_ms)
        self.latest.publish(result)
        for recording in self.recordings:
            recording.put(result)

    def _select_size(self) -> None:
        wished = self.controls.settings.size
        if wished == AUTO or (wished is None and self._limits.is_active):
            self._governor = next_state(
                self._governor,
                Measurement(
                    now_s=time.monotonic(),
                    frame_ms=statistics.median_high(self._size_ms) if self._size_ms else None,
                    num_frames=len(self._size_ms),
                    temperature_c=self.temperature_c,
                ),
                sizes=self.engine.models.sizes,
                limits=self._limits,
            )
            wished = self._governor.size
        if wished is None or wished == self.engine.models.size:
            return
        _LOG.info("size %s instead of %s", wished, self.engine.models.size)
        self.engine.models.select(wished)
        self._governor = State(
            size=wished, since_s=time.monotonic(), known_ms=self._governor.known_ms
        )
        self._size_ms.clear()

    def _fail(self, failure: Unreadable, *, is_news: bool = False) -> None:
        # A camera of another size than before would say the same of every frame, for months.
        is_repeated = failure.why in self._told and not is_news
        level = logging.DEBUG if self.source.is_live and is_repeated else logging.ERROR
        _LOG.log(level, "%s: %s", failure.name, failure.why)
        if len(self.failures) < _MAX_FAILURES:
            self.failures.append(failure)
        if len(self._told) < _MAX_FAILURES:
            self._told.add(failure.why)
