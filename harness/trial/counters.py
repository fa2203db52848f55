"""Where a trial stands, as the referee counts it."""

from dataclasses import dataclass, field
from typing import Any

from timetrial.harness.trial.clock import Clock


@dataclass
class Counters:
    """The referee's own counters; with the clock, all that a checkpoint holds besides the trainee's bytes."""

    clock: Clock = field(default_factory=Clock)
    checkpoint_seconds: float = 0.0
    """The clock at the last checkpoint."""
    evaluation_seconds: float = 0.0
    warmup_seconds: float | None = None
    peak_memory_bytes: int = 0
    isolation: tuple[str, ...] = ()
    """What the kernel kept the trainee from."""

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "clock": self.clock.to_json()}

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "Counters":
        return cls(**{**given, "clock": Clock.from_json(given["clock"])})
