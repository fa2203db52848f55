"""The referee's clock: it runs only while the trainee trains."""

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from timetrial.harness.records.files import UNSTEADY


@dataclass
class Clock:
    """Measured and steady seconds of a trial, from the times at which the referee lets go and the trainee arrives.

    Between two evaluations the trainee trains until it reaches the evaluation point, and then prepares its weights
    until they have arrived; both are on the clock.
    """

    seconds: float = 0.0
    preparation_seconds: float = 0.0
    step: float = 0
    seconds_per_batch: list[float] = field(default_factory=list)

    def advance(self, started: float, reached: float, arrived: float, step: float) -> None:
        """Add a stretch: `started` by the referee, point `reached`, weights `arrived` (all in seconds), at `step`."""
        self.seconds += arrived - started
        self.preparation_seconds += arrived - reached
        self.seconds_per_batch.append((reached - started) / (step - self.step))
        self.step = step

    def add(self, seconds: float) -> None:
        """Add time that the trainee took for itself outside of a stretch."""
        self.seconds += seconds
        self.preparation_seconds += seconds

    @property
    def steady_seconds(self) -> float:
        """Batches times the median seconds per batch, plus the time spent preparing evaluations."""
        if not self.seconds_per_batch:
            return 0.0
        return self.step * statistics.median(self.seconds_per_batch) + self.preparation_seconds

    @property
    def is_unsteady(self) -> bool:
        """Whether the two clocks differ by more than `UNSTEADY` of the measured seconds."""
        return abs(self.seconds - self.steady_seconds) > UNSTEADY * self.seconds

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
