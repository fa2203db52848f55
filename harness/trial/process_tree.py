"""The processes that a trainee has started, however it tried to lose them: their processor time, and their end.

Their keeper, and above it the forkserver, are the reapers of their descendants (`adopt_orphans`), so whatever a trainee
starts stays below them.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_TICKS = os.sysconf("SC_CLK_TCK")
END_SECONDS = 10.0


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent has gone."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it has gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def parent_of(pid: int) -> int:
    """Give the parent of a process; raises `OSError` where the process has gone."""
    return int(stat_of(pid)[1])


def descendants(root: int) -> list[int]:
    """List all processes below `root`."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(parent_of(int(name)), []).append(int(name))
    found, pending = [], [root]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def processor_seconds(root: int, overseers: Collection[int] = ()) -> float:
    """Sum the processor time of the processes below `root`, of those that have ended and been reaped as well.

    Of `root` and of `overseers`, which are the harness's own, only what they have reaped counts.
    """
    ticks = 0
    for pid in (root, *descendants(root)):
        with contextlib.suppress(OSError):
            ticks += sum(int(value) for value in stat_of(pid)[13 if pid == root or pid in overseers else 11 : 15])
    return ticks / _TICKS


def end_descendants(root: int) -> bool:
    """Kill all processes below `root`; says whether all have gone within `END_SECONDS`."""
    deadline = time.monotonic() + END_SECONDS
    while left := descendants(root):
        if time.monotonic() > deadline:
            return False
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGSTOP)  # so that none starts another before its turn comes
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)
    return True


def stat_of(pid: int) -> list[str]:
    """Give the fields of /proc/PID/stat from the state, the third, on; raises `OSError` where the process has gone.

    The second is the name, which any process may choose, and which may be no text at all.
    """
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].decode().split()
