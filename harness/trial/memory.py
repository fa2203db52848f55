"""How malloc treats what is freed, in trainees and in their referees."""

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h


def keep_freed_memory() -> None:
    """Have malloc keep what is freed, here and in all that forks from here, for the next step to use again.

    By itself glibc returns large blocks to the kernel at moments that depend on what lies above them, and the next step
    pays for their pages: up to a quarter of a step of `cifar_resnet`, and not the same in two trials.
    """
    with contextlib.suppress(AttributeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        libc.mallopt(_M_MMAP_MAX, 0)
