"""The time of a trial as its submission may read it: `task.elapsed_seconds()`."""

import time


class ElapsedSeconds:
    """The referee's clock as of the last evaluation point, and what has passed since by the trainee's own stopwatch.

    It counts in paced seconds, as the budget does. With each command to train the referee says what its clock shows,
    and how many paced seconds a second makes on this machine at present: the trainee's own are multiplied by that. It
    stands still between the hand-over of weights and the next command, and never goes back. What a submission does
    to it changes no clock: the referee never reads it.
    """

    def __init__(self) -> None:
        self.told, self.pace = 0.0, 1.0
        self.since: float | None = time.perf_counter()
        self.latest = 0.0

    def start(self, told: float, pace: float) -> None:
        """Go on from what the referee's clock shows."""
        self.told, self.pace, self.since = told, pace, time.perf_counter()

    def stop(self) -> None:
        self.told, self.since = self(), None

    def __call__(self) -> float:
        own = 0.0 if self.since is None else (time.perf_counter() - self.since) * self.pace
        self.latest = max(self.latest, self.told + own)
        return self.latest
