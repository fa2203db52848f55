"""What a trainee has had of the processor: the time of all its processes, and how long they had to wait for a core."""

import contextlib
import os
import time

from timetrial.harness.trial.process_tree import descendants

_TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """Reads the kernel's counters of all processes below `root`, in nanoseconds where they live.

    What a process has spent is in its own processor clock, all its threads included, those that have ended as well; a
    process that has ended and was waited for is in the counters of its parent, in ticks of a hundredth of a second.
    """

    def __init__(self, root: int) -> None:
        self.root = root
        self.last = self._read()

    def lap(self) -> tuple[float, float]:
        """Give processor seconds and seconds of waiting for a core since the last call."""
        now = self._read()
        spent, waited = (max(0.0, b - a) for a, b in zip(self.last, now, strict=True))
        self.last = now
        return spent, waited

    def _read(self) -> tuple[float, float]:
        spent, waited = _of_the_waited_for(self.root), 0.0
        for pid in descendants(self.root):
            with contextlib.suppress(OSError):
                spent += time.clock_gettime((~pid << 3) | _SCHEDULED) + _of_the_waited_for(pid)
                with open(f"/proc/{pid}/schedstat") as file:
                    waited += int(file.read().split()[1]) / 1e9
        return spent, waited


_SCHEDULED = 2
"""Which of its clocks `(~pid << 3) | ...` asks of a process: the time on a core (Linux, posix-timers.h)."""


def _of_the_waited_for(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        return sum(int(value) for value in file.read().rpartition(")")[2].split()[13:15]) / _TICKS
