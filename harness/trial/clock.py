"""The referee's clock: it runs only while the trainee trains."""

from dataclasses import asdict, dataclass, field
from typing import Any

from timetrial.harness.records.files import Stretch
from timetrial.harness.records.pace import charged_seconds, is_unsteady, pacer_seconds


@dataclass
class Clock:
    """Measured and paced seconds of a trial, in a form that a checkpoint holds."""

    pace_seconds: float | None = None
    """Seconds of one step of the pacer on the suite's reference machine; None: paced seconds are the measured ones."""
    seconds: float = 0.0
    paced_seconds: float = 0.0
    step: float = 0
    stretches: list[Stretch] = field(default_factory=list)

    def advance(self, seconds: float, step: float, stretch: Stretch | None = None) -> None:
        """Add the `seconds` until evaluation point `step`, with all that was measured where there is a pacer."""
        self.seconds += seconds
        self.step = step
        if stretch is None:
            self.paced_seconds += seconds
        else:
            self.stretches.append(stretch)
            self.paced_seconds += charged_seconds(stretch) * self.pace_seconds / pacer_seconds(self.stretches)

    @property
    def pace(self) -> float:
        """How many paced seconds a second makes on this machine, as far as is known."""
        return self.pace_seconds / pacer_seconds(self.stretches) if self.stretches else 1.0

    def add(self, seconds: float) -> None:
        """Add time that the trainee took for itself outside of a stretch, to both as it was measured."""
        self.seconds += seconds
        self.paced_seconds += seconds

    @property
    def is_unsteady(self) -> bool:
        return is_unsteady(self.seconds, self.paced_seconds, self.stretches, self.pace_seconds)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "Clock":
        return cls(**{**given, "stretches": [Stretch(**stretch) for stretch in given["stretches"]]})
