"""What a step frees stays with the process; a signal is heard whatever the step is at."""

import platform
import resource
import signal
import subprocess
import sys
import threading

import pytest

from mtdepth.training.process import (
    LEAST_ADDRESSES_BYTES,
    STOPPED_STATUS,
    stopped_by_signals,
    warn_of_little_memory,
)

SCRIPT = """
import ctypes, resource, sys
from mtdepth.training.process import keep_freed_memory

if sys.argv[1:]:
    keep_freed_memory()
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p

def touch():
    pages = c.malloc(ctypes.c_size_t(64 << 20))
    c.memset(ctypes.c_void_p(pages), 1, ctypes.c_size_t(64 << 20))
    c.free(ctypes.c_void_p(pages))

touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library can be told")
def test_freed_pages_are_not_asked_of_the_kernel_again() -> None:
    def faults(*arguments: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert faults("keep") < faults() / 10


HANGING = """
import ctypes, sys, threading
from mtdepth.training.process import stopped_by_signals

mutex = ctypes.create_string_buffer(256)
c = ctypes.CDLL(None)
with stopped_by_signals(lambda: print("asked", flush=True)):
    print("ready", flush=True)
    c.pthread_mutex_lock(mutex)
    c.pthread_mutex_lock(mutex)  # returns never, whatever the signal
"""


def test_the_second_signal_ends_even_what_hangs() -> None:
    process = subprocess.Popen([sys.executable, "-c", HANGING], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == STOPPED_STATUS
    process.stdout.close()


def test_a_signal_is_left_alone_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    asked = threading.Event()
    with stopped_by_signals(asked.set):
        signal.raise_signal(signal.SIGINT)
        assert asked.wait(timeout=60)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("limit", [resource.RLIM_INFINITY, LEAST_ADDRESSES_BYTES, 2 * 10**9])
def test_a_limit_of_addresses_that_is_too_low_is_warned_of(
    limit: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    warn_of_little_memory()
    assert ("allows 2.0 GB" in caplog.text) == (limit == 2 * 10**9)
