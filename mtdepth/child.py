"""Programs as processes of their own, which whatever stops this one stops in their own way."""

import signal
import subprocess
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Self

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Children:
    """Commands in process groups of their own, to which signals are passed on.

    So Ctrl-C reaches each once, and it may end in its own time: a training finishes its step. As a
    context it is entered by the main thread; `run` may be called by any.
    """

    def __init__(self) -> None:
        self._told: list[int] = []
        self._alive: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._pass_on) for number in _PASSED_ON}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def stopped(self) -> int:
        """Status of this program where it was told to stop, 128 and the signal's number; else 0."""
        return 128 + self._told[0] if self._told else 0

    def run(self, command: Sequence[str], *, log: Path | None = None) -> int:
        """Runs a command to its end; starts none after a signal.

        Args:
          command: Program and arguments.
          log: File that what it says is added to; None leaves it on the terminal.

        Returns:
          The exit status, as a shell would say it; 128 and the signal's number after a signal.
        """
        if self._told:
            return self.stopped
        if log is None:
            child = subprocess.Popen(command, process_group=0)
        else:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as file:
                child = subprocess.Popen(command, process_group=0, stdout=file, stderr=file)
        self._alive.append(child)
        if self._told:  # before there was a child to pass it on to
            child.send_signal(self._told[0])
        status = child.wait()
        self._alive.remove(child)
        if self._told:
            return self.stopped
        return 128 - status if status < 0 else status

    def _pass_on(self, number: int, frame: types.FrameType | None) -> None:
        del frame
        self._told.append(number)
        for child in list(self._alive):
            child.send_signal(number)


def run_alone(command: Sequence[str]) -> int:
    """Runs one command to its end; see `Children`.

    Returns:
      The exit status, as a shell would say it; 128 and the signal's number after a signal.
    """
    with Children() as children:
        return children.run(command)
