"""What a training asks of the process that it runs in: memory, and how it is stopped."""

import contextlib
import ctypes
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator

from absl import logging

STOPPED_STATUS = 130  # as a shell says of a program that Ctrl-C ended

LEAST_ADDRESSES_BYTES = 3 * 10**9  # ours: a small training ends well with that, not with 2.2

# malloc.h of glibc. Other C libraries have no `mallopt`, or one that refuses these.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# Bytes; larger than any tensor of a step. glibc before 2.35 takes no more than the second one.
_THRESHOLDS = (2**30, 2**25)


def keep_freed_memory() -> None:
    """Keeps what a step frees for the next step, instead of giving it back to the kernel.

    A step frees the same tensors as the one before, each too large for malloc's defaults: the
    kernel takes their pages back and gives them again, zeroed, one by one. On machines without huge
    pages that was a quarter of a step's time. The peak of memory stays what it is; what is free
    below it stays with the process.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for name in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            any(mallopt(name, size) for size in _THRESHOLDS)


def warn_of_little_memory() -> None:
    """Warns where the process may not have the addresses that TensorFlow takes.

    What gets none ends deep in its threads, with no sentence of ours.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if 0 <= limit < LEAST_ADDRESSES_BYTES:
        logging.warning(
            "`ulimit -v` allows %.1f GB; TensorFlow takes about %.0f GB of addresses and may be "
            "ended without a word: lift the limit",
            *(limit / 1e9, LEAST_ADDRESSES_BYTES / 1e9),
        )


@contextlib.contextmanager
def stopped_by_signals(ask_to_stop: Callable[[], None]) -> Iterator[None]:
    """Asks to stop at the first Ctrl-C (or SIGTERM), and ends the process at the second.

    Python's own handlers wait until the main thread is back from a step or a read, which may hang.
    So a thread of its own hears of signals, through the pipe that Python writes to at once.

    Args:
      ask_to_stop: Called from that thread.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    numbers = (signal.SIGINT, signal.SIGTERM)

    def listen() -> None:
        if os.read(heard, 1):
            logging.warning("stopping after this step; once more (Ctrl-C) ends at once")
            ask_to_stop()
            if os.read(heard, 1):
                os._exit(STOPPED_STATUS)

    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    pipe_before = signal.set_wakeup_fd(told)
    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(pipe_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(told)
        listener.join()
        os.close(heard)
