"""One writer at work in a thread of its own: when it stops, and when it goes on."""

import abc
import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from export.device.channel import Channel, ClosedError
from export.device.result import Result
from export.device.sources import Source, Unreadable
from mtdepth.files import UserError

_LOG = logging.getLogger(__name__)

# Recording stops before a disk is full, which would stop much else on the machine, and goes on
# only when there is more room than that, so that it does not stop again at once.
MIN_FREE_BYTES = 32 * 2**20
ENOUGH_FREE_BYTES = 2 * MIN_FREE_BYTES
# A recording that stopped is tried again every so often; one that stops again soon, less often.
RETRY_S = 5.0
LONGEST_RETRY_S = 300.0
# After so long it does not stop "again soon"; that a video does not grow is seen after a minute or
# two.
STEADY_S = 300.0
# A reader or a disk that takes nothing for so long is told of.
_SILENT_S = 2.0
# Results that are waited for; more would only be older.
_CAPACITY = 2


# Takes what failed; with `is_news=True` the log says it even if it said the same before.
Report = Callable[..., None]


class BusyError(Exception):
    """Whoever reads takes nothing now: this result is left out."""


class GoneError(OSError):
    """Whoever read will not come back."""


class Writer(abc.ABC):
    """Takes one result after the other."""

    @abc.abstractmethod
    def write(self, result: Result) -> None:
        """Takes one.

        Raises:
          UserError: If this one cannot be stored.
          BusyError: If its reader takes nothing.
          OSError: If nothing can be stored now; GoneError: nor ever again.
        """

    def close(self, *, is_kept: bool = True) -> None:
        """Ends what was begun; `write` begins anew. `is_kept` is False where an error ended it."""
        del is_kept

    def abandon(self) -> None:  # noqa: B027  (few wait for a reader)
        """Lets a `write` that waits for a reader end, from another thread."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a writer is opened for: the run's folder, its source, and what `--video` says."""

    folder: Path
    source: Source
    video_fps: float | None = None


@dataclass(frozen=True)
class Disk:
    """The disk that a folder, which is made where it is missing, is on."""

    folder: Path
    free_bytes: Callable[[Path], int] = field(default=lambda folder: shutil.disk_usage(folder).free)

    def check(self) -> None:
        """Raises OSError where the disk is full, or nearly."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if (free := self.free_bytes(self.folder)) < MIN_FREE_BYTES:
            raise OSError(
                f"{self.folder}: the disk is full but for {free / 2**20:.0f} MiB; free "
                f"{ENOUGH_FREE_BYTES / 2**20:.0f} MiB, or record to another disk"
            )

    def has_enough(self) -> bool:
        """Whether a recording that stopped may go on."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return self.free_bytes(self.folder) >= ENOUGH_FREE_BYTES
        except OSError:
            return False


class Recording:
    """A writer and what becomes of it.

    With a live source the newest results win, and a writer that fails stops alone: somebody may be
    watching, or a robot listening. It is tried again now and then until it goes on. With files
    every result is waited for, and an error ends the run.

    Args:
      name: What is recorded.
      writer: That does it; used by this thread alone, but for `abandon`.
      is_live: Whether results come from a live source.
      disk: That must have room; None: no disk.
      clock: Seconds.
    """

    def __init__(
        self,
        name: str,
        writer: Writer,
        *,
        is_live: bool,
        disk: Disk | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.is_gone = name, False
        self._writer, self._is_live, self._disk, self._clock = writer, is_live, disk, clock
        self._results: Channel[Result] = Channel(_CAPACITY, newest_wins=is_live)
        self._thread: threading.Thread | None = None
        self._is_kept = True
        self._num_left_out = 0
        self._waits_since_s: float | None = None
        self._began_s: float | None = None
        self._why = ""
        self._stopped_at_s = self._retry_at_s = 0.0
        self._went_on_at_s = -STEADY_S
        self._num_relapses = 0

    @property
    def status(self) -> str:
        """`on`, or why nothing is recorded."""
        if self._why:
            return f"stopped: {self._why}"
        since_s = self._waits_since_s or self._began_s
        if since_s is not None and (waited_s := self._clock() - since_s) >= _SILENT_S:
            return f"waits {waited_s:.0f} s for its {'disk' if self._disk else 'reader'}"
        return "on"

    @property
    def num_left_out(self) -> int:
        """Results of a live source that came while an older one was being written."""
        return self._results.num_dropped + self._num_left_out

    def start(self, *, report: Report, on_fault: Callable[[Exception], None]) -> None:
        """Begins; `report` takes what failed, `on_fault` an error that is to end the run."""
        self._thread = threading.Thread(
            target=self._work, args=(report, on_fault), name=f"record {self.name}", daemon=True
        )
        self._thread.start()

    def put(self, result: Result) -> None:
        """Hands a result over; waits for room unless the source is live."""
        if not self.is_gone:
            self._results.put(result)

    def close(self, *, is_kept: bool) -> None:
        """Takes no more; what was handed over is still written. Kept unless an error ended it."""
        self._is_kept = self._is_kept and is_kept
        self._results.close()

    def abandon(self) -> None:
        """Waits no longer for a reader who takes nothing."""
        self._writer.abandon()

    def join(self) -> None:
        """Waits until all is written."""
        if self._thread is not None:
            self._thread.join()

    def _work(self, report: Report, on_fault: Callable[[Exception], None]) -> None:
        try:
            with contextlib.suppress(ClosedError):
                while True:
                    self._take(self._results.get(), report)
        # Whatever it is: the main thread raises it.
        except Exception as error:  # noqa: BLE001
            self._is_kept = False
            on_fault(error)
        finally:
            self._results.close(is_emptied=True)
            self._finish(report)

    def _take(self, result: Result, report: Report) -> None:
        if self.is_gone or (self._why and not self._may_go_on()):
            return
        self._began_s = self._clock()
        try:
            if self._disk is not None:
                self._disk.check()
            self._writer.write(result)
        except BusyError:
            self._num_left_out += 1
            self._waits_since_s = self._waits_since_s or self._clock()
        except UserError as error:
            report(Unreadable(result.name, str(error)), is_news=False)
        except OSError as error:
            if not self._is_live:
                raise
            self._stop(error, report)
        else:
            self._went_well()
        finally:
            self._began_s = None

    def _may_go_on(self) -> bool:
        now_s = self._clock()
        if now_s < self._retry_at_s:
            return False
        self._retry_at_s = now_s + RETRY_S
        return self._disk is None or self._disk.has_enough()

    def _stop(self, error: OSError, report: Report) -> None:
        is_news = not self._why
        if is_news:
            now_s = self._clock()
            is_soon = now_s - self._went_on_at_s < STEADY_S
            self._num_relapses = self._num_relapses + 1 if is_soon else 0
            self._stopped_at_s = now_s
            wait_s = RETRY_S * 2.0 ** min(self._num_relapses, 10)
            self._retry_at_s = now_s + min(LONGEST_RETRY_S, wait_s)
        self.is_gone = isinstance(error, GoneError)
        self._why = str(error)
        self._waits_since_s = None
        self._finish(report)
        if is_news:
            report(Unreadable(self.name, f"recording stopped: {error}"), is_news=True)
        else:
            _LOG.debug("%s: still stopped: %s", self.name, error)

    def _went_well(self) -> None:
        self._waits_since_s = None
        if self._why:
            now_s = self._clock()
            gone_s = now_s - self._stopped_at_s
            _LOG.warning("%s: recording goes on after %.0f s", self.name, gone_s)
            self._why = ""
            self._went_on_at_s = now_s

    def _finish(self, report: Report) -> None:
        try:
            self._writer.close(is_kept=self._is_kept)
        except OSError as error:
            report(Unreadable(self.name, f"cannot be finished: {error}"), is_news=True)
