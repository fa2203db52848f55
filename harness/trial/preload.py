"""What the forkserver imports before any trainee starts, so that a trial does not pay for it.

No tensor is computed here: a thread pool that exists before a fork is of no use after it.
"""

import contextlib
import ctypes
import warnings

import torch
import torch._dynamo  # optimizers import it at their first step otherwise, 1 s
import torch.optim

import timetrial.harness.trial.trainee  # noqa: F401
from timetrial.harness.trial.process_tree import adopt_orphans

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


keep_freed_memory()
torch.set_num_threads(1)
adopt_orphans()
warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")  # they are the adopted
