"""The program's threads: capture, inference, recording; whoever shows results comes on top.

Between capture and inference, and between inference and recording, stands a short channel. With a
live source the newest frame wins there: an old one is dropped and counted, and nothing behind ever
makes something before it wait. With files every frame is waited for. Viewers read the latest
result when they like.
"""

import errno
import logging
import threading
import time
from collections import deque
from typing import Any

from export.device.channel import Channel, ClosedError, Latest
from export.device.controls import AUTO, Controls
from export.device.engine import Engine
from export.device.governor import Limits, Measurement, State, next_state
from export.device.result import Result
from export.device.sources import Picture, Source, Unreadable
from export.device.writers import Writer
from mtdepth.files import DISK_ERRORS

_LOG = logging.getLogger(__name__)

# A reader of the standard output that went away is no more of a reason to stop than a full disk.
_RECORDING_ERRORS = DISK_ERRORS | {errno.EPIPE, None}
# Frames that are waited for; more would only be older.
_CAPACITY = 2
_RATE_WINDOW = 30
_MAX_FAILURES = 1000
_JOIN_S = 2.0


class Service:
    """A source, a model and a writer at work until the source ends or `stop`.

    Args:
      source: Of pictures.
      engine: That predicts them.
      controls: That a viewer may change.
      writer: Of results; None: nothing is recorded.
      limits: Of the governor that changes sizes.
      max_frames: Results after which it ends.
    """

    def __init__(
        self,
        source: Source,
        engine: Engine,
        controls: Controls,
        *,
        writer: Writer | None = None,
        limits: Limits | None = None,
        max_frames: int | None = None,
    ) -> None:
        self.source = source
        self.engine = engine
        self.controls = controls
        self.latest: Latest[Result] = Latest()
        self.is_done = threading.Event()
        self.failures: list[Unreadable] = []
        self.recording = "off" if writer is None else "on"
        self.temperature_c: float | None = None
        self.fault: BaseException | None = None
        self._writer = writer
        self._limits = limits or Limits()
        self._max_frames = max_frames
        self._pictures: Channel[Picture] = Channel(
            1 if source.is_live else _CAPACITY, newest_wins=source.is_live
        )
        self._results: Channel[Result] = Channel(_CAPACITY, newest_wins=source.is_live)
        self._times_s: deque[float] = deque(maxlen=_RATE_WINDOW)
        self._size_ms: deque[float] = deque(maxlen=_RATE_WINDOW)
        self._governor = State(size=engine.models.size, since_s=time.monotonic())
        self._start_s = time.monotonic()
        self._wall_s: float | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts the threads."""
        self._start_s = time.monotonic()
        for name in ("capture", "infer", "record"):
            work = getattr(self, f"_{name}")
            # Daemons: one that hangs in a camera's driver must not keep the program alive.
            thread = threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Ends it soon: what was predicted is still written."""
        self.source.close()
        self._pictures.close(is_emptied=True)
        self.controls.stop()

    def join(self) -> None:
        """Waits for the threads, but not long for a camera that hangs; viewers are let go."""
        for thread in self._threads:
            thread.join(_JOIN_S if thread.name == "capture" else None)
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
        return self._results.num_dropped

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

    def _guarded(self, work: Any) -> None:
        try:
            work()
        # Whatever it is: the main thread raises it.
        except Exception as error:  # noqa: BLE001
            self.fault = self.fault or error
            self.stop()
            self._results.close()
            self.is_done.set()

    def _capture(self) -> None:
        try:
            for item in self.source.frames():
                if isinstance(item, Unreadable):
                    self._fail(item)
                elif not self._pictures.put(item):
                    break
        finally:
            self._pictures.close()

    def _infer(self) -> None:
        try:
            while self._max_frames is None or self.engine.num_frames < self._max_frames:
                try:
                    picture = self._pictures.get()
                except ClosedError:
                    break
                if self.controls.wait_while_paused() and self.source.is_live:
                    continue  # it is as old as the pause
                self._select_size()
                self._predict(picture)
            self._pictures.close(is_emptied=True)
            self.source.close()
        finally:
            self._wall_s = time.monotonic() - self._start_s
            self._results.close()

    def _predict(self, picture: Picture) -> None:
        try:
            result = self.engine.predict(picture, self.controls.settings.look)
        except ValueError as error:
            self._fail(Unreadable(picture.name, str(error)))
            return
        self._times_s.append(result.time_s)
        times = self.engine.last_times
        if times is not None:
            self._size_ms.append(times.total_ms)
        self.latest.publish(result)
        if self._writer is not None and self.recording == "on":
            self._results.put(result)

    def _select_size(self) -> None:
        wished = self.controls.settings.size
        if wished == AUTO or (wished is None and self._limits.is_active):
            self._governor = next_state(
                self._governor,
                Measurement(
                    now_s=time.monotonic(),
                    frame_ms=_median(self._size_ms),
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

    def _record(self) -> None:
        is_kept = False
        try:
            while True:
                try:
                    self._write(self._results.get())
                except ClosedError:
                    break
            # A fault elsewhere ended the run.
            is_kept = self.fault is None
        finally:
            if self._writer is not None:
                self._writer.close(is_kept=is_kept)
            self.is_done.set()

    def _write(self, result: Result) -> None:
        if self._writer is None or self.recording != "on":
            return
        try:
            self._writer.write(result)
        except ValueError as error:
            self._fail(Unreadable(result.name, str(error)))
        except OSError as error:
            if not self.source.is_live or error.errno not in _RECORDING_ERRORS:
                raise
            # Somebody may be watching, or a robot listening: the rest goes on.
            self.recording = f"stopped: {error}"
            self._writer.close()
            self._fail(Unreadable(result.name, f"recording stopped: {error}"))

    def _fail(self, failure: Unreadable) -> None:
        # A camera of another size than before would say the same of every frame, for months.
        is_repeated = bool(self.failures) and self.failures[-1].why == failure.why
        level = logging.DEBUG if self.source.is_live and is_repeated else logging.ERROR
        _LOG.log(level, "%s: %s", failure.name, failure.why)
        if len(self.failures) < _MAX_FAILURES:
            self.failures.append(failure)


def _median(values: deque[float]) -> float | None:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else None
