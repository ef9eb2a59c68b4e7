"""The C library's memory during a training."""

import contextlib
import ctypes

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
