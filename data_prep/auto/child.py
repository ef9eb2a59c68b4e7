"""A program as a process of its own, which whatever stops this one stops in its own way."""

import signal
import subprocess
import types
from collections.abc import Sequence

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_alone(command: Sequence[str]) -> int:
    """Runs a command in a process group of its own, and passes signals on to it.

    So Ctrl-C reaches it once, and it may end in its own time: a training finishes its step.

    Returns:
      The exit status, as a shell would say it; 128 and the signal's number after a signal.
    """
    child: subprocess.Popen[bytes] | None = None
    told: list[int] = []

    def pass_on(number: int, frame: types.FrameType | None) -> None:
        del frame
        told.append(number)
        if child:
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    try:
        child = subprocess.Popen(command, process_group=0)
        if told:  # before there was a child to pass it on to
            child.send_signal(told[0])
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        return 128 + told[0]
    return 128 - status if status < 0 else status
