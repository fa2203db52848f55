"""The processor time of a trainee's processes: none while the clock stands, and no more than its threads can spend."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from timetrial.harness.trial.failures import TrialFailure
from timetrial.harness.trial.process_tree import processor_seconds

IDLE_SECONDS, IDLE_SHARE, IDLE_CEILING = 0.05, 0.10, 0.5
"""Processor seconds that may pass while the clock stands, in all: an honest trainee on one thread spends none.

At least the first, the share of the time that the clock stands, and never more than the last, however long that is.
"""
SPIN_SECONDS = 0.01
"""How long each thread but the first may spin, at each evaluation, before it sleeps."""
SPARE_SECONDS, SPARE_SHARE = 0.5, 0.5
"""Processor seconds beyond threads times seconds that may pass while the clock runs, in all."""


class Watch:
    """Sums over a trial, so that a little at every evaluation counts as much as a lot at one."""

    def __init__(self, root: int, threads: int | None, overseers: Collection[int] = ()) -> None:
        """Watch all processes below `root` but `overseers`; `threads` of them may be busy at once, None: any number."""
        self.root, self.threads, self.overseers = root, threads, overseers
        self.idle_spent = self.idle_seconds = self.busy_spent = self.busy_seconds = 0.0
        self.evaluations = 0
        self.spent, self.at = processor_seconds(root, overseers), time.perf_counter()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Expect an idle trainee inside; raises `TrialFailure` where it worked, or had trained with more threads."""
        spent, seconds = self._lap()
        self.busy_spent, self.busy_seconds = self.busy_spent + spent, self.busy_seconds + seconds
        yield
        self.evaluations += 1
        spent, seconds = self._lap()
        self.idle_spent, self.idle_seconds = self.idle_spent + spent, self.idle_seconds + seconds
        self._judge()

    def _lap(self) -> tuple[float, float]:
        """Give processor seconds and seconds since the last call."""
        spent, at = processor_seconds(self.root, self.overseers), time.perf_counter()
        lap = spent - self.spent, at - self.at
        self.spent, self.at = spent, at
        return lap

    def _judge(self) -> None:
        spinning = SPIN_SECONDS * self.evaluations * ((self.threads or 1) - 1)
        allowed = min(IDLE_CEILING, max(IDLE_SECONDS, IDLE_SHARE * self.idle_seconds))
        if self.idle_spent > allowed + spinning:
            raise TrialFailure(
                "disqualified",
                f"its processes computed for {self.idle_spent:.2f} s of the {self.idle_seconds:.2f} s off the clock",
            )
        if self.threads is None:
            return
        allowed = self.threads * (1 + SPARE_SHARE) * self.busy_seconds + SPARE_SECONDS
        if self.busy_spent > allowed:
            raise TrialFailure(
                "disqualified",
                f"its processes computed for {self.busy_spent:.2f} s in {self.busy_seconds:.2f} s of training, "
                f"which is more than {self.threads} thread(s) can",
            )
