"""What a trainee process gives up before it runs a submission's code."""

import contextlib
import ctypes
import os
import resource
import signal

KEPT_VARIABLES = ("PATH", "LANG", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
_PR_SET_PDEATHSIG = 1


def isolate(folder: str) -> None:
    """Leave the referee's session, environment and folder for the empty `folder`, which the referee removes.

    The process leads a group of its own, so that what it starts can be killed with it, and it dies with the
    forkserver, which dies with the referee.
    """
    with contextlib.suppress(OSError):
        os.setsid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in list(os.environ):
        if name not in KEPT_VARIABLES:
            del os.environ[name]
    os.environ |= {"HOME": folder, "TMPDIR": folder}
    os.chdir(folder)
