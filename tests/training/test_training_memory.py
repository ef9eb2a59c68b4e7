"""What a step frees stays with the process."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, resource, sys
from mtdepth.training.memory import keep_freed_memory

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
