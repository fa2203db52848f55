"""What the scores of one measure, seconds or steps, are for one leaderboard: who stands where, and how surely."""

from dataclasses import dataclass

import numpy as np

from timetrial.harness.scoring.bootstrap import Estimate
from timetrial.harness.scoring.fragility import Fragility
from timetrial.harness.scoring.profile import Profile


@dataclass(frozen=True)
class WorkloadResult:
    """What a submission did on one workload."""

    value: Estimate
    """Time (or steps) to target, the median over studies; inf for a miss."""
    ratio: float
    """Its value over the fastest, as it entered the score; inf for a miss."""
    studies: int
    studies_reached: int
    speedup: Estimate | None
    """Over the reference; None without a reference or where a miss has no known budget."""
    counted_as_budget: bool
    """Whether the submission or the reference missed, so that the budget stands in for it in the speed-up."""


@dataclass(frozen=True)
class Standing:
    """One submission's place, with everything that leads to it."""

    submission: str
    rank: int
    score: Estimate
    profile: Profile
    workloads: dict[str, WorkloadResult]
    speedup: Estimate | None
    """Geometric mean over workloads of the speed-up over the reference."""
    fragility: Fragility

    @property
    def reached(self) -> int:
        """The number of workloads whose target was reached."""
        return sum(np.isfinite(result.value.value) for result in self.workloads.values())


@dataclass(frozen=True)
class Comparison:
    """Two neighbours on the leaderboard and the paired difference of their scores."""

    better: str
    worse: str
    difference: Estimate

    @property
    def distinguishable(self) -> bool:
        """Whether zero lies outside the interval; without an interval nothing can be told apart."""
        return self.difference.low is not None and self.difference.low > 0


@dataclass(frozen=True)
class Standings:
    """Everybody's place by one measure, best first."""

    unit: str
    standings: tuple[Standing, ...]
    neighbours: tuple[Comparison, ...]

    def of(self, submission: str) -> Standing:
        """Find the standing of a submission; raises `KeyError` for one that is not in it."""
        for standing in self.standings:
            if standing.submission == submission:
                return standing
        raise KeyError(submission)
