"""What the main thread does while a service runs: it waits, shows a window, or serves a page.

A further display is a subclass of `Display` and one entry of `DISPLAYS`.
"""

import argparse
import dataclasses
import glob
import logging
import os
import sys
import threading
import time
from pathlib import Path

import cv2

from export.device import telemetry
from export.device.outputs import FileWriter
from export.device.result import Result
from export.device.service import Service
from mtdepth.files import visible_files

_LOG = logging.getLogger(__name__)

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
_TITLE = "mtdepth (q: quit)"
_TICK_S = 0.1
# Every two seconds: vcgencmd takes milliseconds of the same processor.
_TELEMETRY_TICKS = 20
_SNAPSHOT_KINDS = ("overlay", "depth", "npz")


class Display:
    """Shows nothing; a window and a page differ in what they do ten times a second.

    `stopped` is set when the user wants the end. OSError tells of no screen, or a port in use.
    """

    def __init__(
        self, service: Service, options: argparse.Namespace, stopped: threading.Event
    ) -> None:
        self.service, self.options, self.stopped = service, options, stopped
        self.throttling: telemetry.Throttling | None = None
        self.open()

    def open(self) -> None:
        """Makes what is shown."""

    def tick(self) -> bool:
        """Waits a moment; returns whether to go on."""
        if self.service.is_for_nobody:
            _LOG.error("nobody is left who takes the results")
            return False
        return not self.service.is_done.wait(_TICK_S)

    def close(self) -> None:
        """Shows no more."""


class Window(Display):
    """The newest picture in a window; `q` or Escape asks to stop."""

    def open(self) -> None:
        """Opens the window."""
        self._number = 0
        # Qt ends the whole program where it finds no screen.
        if sys.platform == "linux" and not any(name in os.environ for name in _SCREENS):
            raise OSError(
                "no window can be opened: there is no screen (neither $DISPLAY nor "
                "$WAYLAND_DISPLAY is set); use --display none, or web"
            )
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL)
        except cv2.error as error:
            raise OSError(
                f"no window can be opened ({error.err or error}); use --display none, or web"
            ) from error

    def tick(self) -> bool:
        """Shows a new picture, or lets the last one stand."""
        if self.service.is_done.is_set():
            return False
        found = self.service.latest.newer_than(self._number, timeout_s=_TICK_S)
        if found is not None:
            self._number, result = found
            cv2.imshow(_TITLE, cv2.cvtColor(result.overlay, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF not in (ord("q"), 27)

    def close(self) -> None:
        """Closes the window."""
        cv2.destroyWindow(_TITLE)


class Page(Display):
    """A web page; that of files stays when they have ended."""

    def open(self) -> None:
        """Serves it."""
        # Here: other displays need no server, nor the TLS library that comes with it.
        from export.device.web import WebServer
        from export.device.web_handler import Site, state_of

        folder: Path | None = self.options.output
        site = Site(
            service=self.service,
            state=lambda: state_of(self.service, self.throttling),
            save=None if folder is None else lambda result: snapshot(folder, result),
        )
        self._server = WebServer(site, host=self.options.host, port=self.options.port)
        self._is_over = False
        _LOG.info("watch at %s", self._server.address)

    def tick(self) -> bool:
        """Says once that the files have ended."""
        service = self.service
        if service.is_done.is_set() and not self._is_over:
            self._is_over = True
            if service.fault is not None or service.source.is_live or self.options.max_frames:
                return False
            _LOG.info("%s has ended; the page stays until Ctrl-C", service.source.name)
        return not self.stopped.wait(_TICK_S)

    def close(self) -> None:
        """Lets every viewer go."""
        self._server.close()


DISPLAYS: dict[str, type[Display]] = {"none": Display, "window": Window, "web": Page}


def show(service: Service, options: argparse.Namespace, *, stopped: threading.Event) -> None:
    """Starts the service and returns when it has ended, or is to end; as `Display` is made."""
    display = DISPLAYS[options.display](service, options, stopped)
    try:
        service.start()
        num_ticks = 0
        while not stopped.is_set():
            if num_ticks % _TELEMETRY_TICKS == 0:
                service.temperature_c = telemetry.temperature_c()
                display.throttling = telemetry.throttling()
            num_ticks += 1
            if not display.tick():
                return
    finally:
        display.close()


def snapshot(folder: Path, result: Result) -> list[str]:
    """Stores a result as `--write` would, in `snapshots` below the output; returns the names.

    They begin with the time: frames are counted anew at every start of the program, and a snapshot
    must not replace an earlier one; a number follows where the clock was put back.
    """
    target = folder / "snapshots"
    name = start = f"{time.strftime('%Y%m%d-%H%M%S')}_{result.name}"
    number = 2
    while visible_files(target, f"{glob.escape(name)}[._]*"):
        name = f"{start}-{number}"
        number += 1
    FileWriter(target, _SNAPSHOT_KINDS).write(dataclasses.replace(result, name=name))
    return [path.name for path in visible_files(target, f"{glob.escape(name)}[._]*")]
