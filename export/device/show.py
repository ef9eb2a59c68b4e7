"""What happens in the main thread while a service runs: nothing, a window, or a web page."""

import argparse
import dataclasses
import glob
import logging
import threading
import time
from pathlib import Path

from export.device import telemetry
from export.device.result import Result
from export.device.service import Service
from mtdepth.files import visible_files

_LOG = logging.getLogger(__name__)

_TICK_S = 0.1
# Every two seconds: vcgencmd takes milliseconds of the same processor.
_TELEMETRY_TICKS = 20
_SNAPSHOT_KINDS = ("overlay", "depth", "npz")


class Machine:
    """The machine's own state, looked at now and then."""

    def __init__(self) -> None:
        self._ticks = 0
        self.temperature_c: float | None = None
        self.throttling: telemetry.Throttling | None = None

    def tick(self) -> None:
        """Looks, where it is time to."""
        if self._ticks % _TELEMETRY_TICKS == 0:
            self.temperature_c = telemetry.temperature_c()
            self.throttling = telemetry.throttling()
        self._ticks += 1


def show(service: Service, options: argparse.Namespace, *, stopped: threading.Event) -> None:
    """Starts the service and returns when it has ended, or is to end.

    Args:
      service: Not started yet.
      options: Of the command line.
      stopped: Set when the user wants the end.

    Raises:
      OSError: If there is no screen, or the port is in use.
    """
    if options.display == "window":
        _show_window(service, stopped)
    elif options.display == "web":
        _show_page(service, options, stopped)
    else:
        service.start()
        machine = Machine()
        while not stopped.is_set() and not service.is_done.wait(_TICK_S):
            machine.tick()
            service.temperature_c = machine.temperature_c
            if service.is_for_nobody:
                _LOG.error("nobody is left who takes the results")
                return


def _show_window(service: Service, stopped: threading.Event) -> None:
    from export.device.display import Window

    window = Window()
    machine = Machine()
    number = 0
    try:
        service.start()
        while not stopped.is_set() and not service.is_done.is_set():
            machine.tick()
            service.temperature_c = machine.temperature_c
            found = service.latest.newer_than(number, timeout_s=_TICK_S)
            number = number if found is None else found[0]
            if not window.show(None if found is None else found[1].overlay):
                return
    finally:
        window.close()


def _show_page(service: Service, options: argparse.Namespace, stopped: threading.Event) -> None:
    # Here: the other displays need no server.
    from export.device.state import state_of
    from export.device.web import WebServer
    from export.device.web_handler import Site

    machine = Machine()
    folder: Path | None = options.output
    site = Site(
        service=service,
        state=lambda: state_of(service, machine.throttling),
        save=None if folder is None else lambda result: snapshot(folder, result),
    )
    server = WebServer(site, host=options.host, port=options.port)
    is_over = False
    try:
        _LOG.info("watch at %s", server.address)
        service.start()
        while not stopped.wait(_TICK_S):
            machine.tick()
            service.temperature_c = machine.temperature_c
            if service.is_done.is_set() and not is_over:
                is_over = True
                if service.fault is not None or service.source.is_live or options.max_frames:
                    return
                _LOG.info("%s has ended; the page stays until Ctrl-C", service.source.name)
    finally:
        server.close()


def snapshot(folder: Path, result: Result) -> list[str]:
    """Stores a result as `--write` would, in `snapshots` below the output; returns the names.

    They begin with the time: frames are counted anew at every start of the program, and a snapshot
    must not replace an earlier one; a number follows where the clock was put back.
    """
    from export.device.writers import FileWriter

    target = folder / "snapshots"
    name = start = f"{time.strftime('%Y%m%d-%H%M%S')}_{result.name}"
    number = 2
    while visible_files(target, f"{glob.escape(name)}[._]*"):
        name = f"{start}-{number}"
        number += 1
    FileWriter(target, _SNAPSHOT_KINDS).write(dataclasses.replace(result, name=name))
    return [path.name for path in visible_files(target, f"{glob.escape(name)}[._]*")]
