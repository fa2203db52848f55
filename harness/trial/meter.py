"""What a trainee has had of the processor: the time of all its processes, and how long they had to wait for a core.

The clock charges processor time and sleep, and not the time in which another program had the core. None of it can be
hidden: sleeping is charged as it is measured; threads, also those that have ended, are in the clock of their process;
processes below the trainee are counted one by one, and what they spend while the clock stands is charged to the next
stretch. One kind of work leaves no trace in these counters: that of a process which ended and that nobody waited for
(its parent ignored SIGCHLD). While it ran, the trainee could have waited for the same core and be forgiven the time. So
the meter looks, at moments nobody can foresee, whether the trainee has any other process, and from then on forgives no
waiting: every second that passes is charged, which is what a stopwatch would do.
"""

import contextlib
import os
import random
import threading
import time
from collections.abc import Collection

from timetrial.harness.trial.process_tree import descendants, stat_of

LOOK_SECONDS = 0.1
"""Between two looks for new processes, on average."""
_TICKS = os.sysconf("SC_CLK_TCK")
_SCHEDULED = 2
"""Which clock `(~pid << 3) | ...` asks of a process: the time on a core (Linux, posix-timers.h)."""


class Meter:
    """Reads the kernel's counters of `root` and all processes below it, those that have ended included."""

    def __init__(self, root: int, trainee: int, overseers: Collection[int] = ()) -> None:
        """Of `overseers`, the harness's own processes among them, only what they have waited for counts."""
        self.root, self.overseers = root, overseers
        self.known = {root, trainee, *overseers}
        self.is_alone = True
        """Whether the trainee has started no process."""
        self.last = self._read()
        threading.Thread(target=self._look, daemon=True).start()

    def lap(self) -> tuple[float, float]:
        """Give processor seconds, and seconds of waiting for a core that are forgiven, since the last call."""
        now = self._read()
        spent, waited = (max(0.0, after - before) for before, after in zip(self.last, now, strict=True))
        self.last = now
        return spent, waited if self.is_alone else 0.0

    def _look(self) -> None:
        """Look until there is nothing more to see: the trainee has ended, or has started a process."""
        unforeseen, before, below = random.SystemRandom(), [], {self.root}
        while self.is_alone and below:
            time.sleep(unforeseen.uniform(0.0, 2 * LOOK_SECONDS))
            if (now := os.listdir("/proc")) != before:
                before, below = now, self._list() - {self.root}

    def _list(self) -> set[int]:
        """List the processes that there are, and notice new ones."""
        pids = {self.root, *descendants(self.root)}
        if not pids <= self.known:
            self.is_alone = False
        return pids

    def _read(self) -> tuple[float, float]:
        spent = waited = 0.0
        for pid in self._list():
            with contextlib.suppress(OSError):
                spent += _of_the_waited_for(pid)
                if pid in self.overseers:
                    continue
                spent += time.clock_gettime((~pid << 3) | _SCHEDULED)
                with open(f"/proc/{pid}/schedstat") as file:
                    waited += int(file.read().split()[1]) / 1e9
        return spent, waited


def _of_the_waited_for(pid: int) -> float:
    return sum(int(value) for value in stat_of(pid)[13:15]) / _TICKS
