"""A leaderboard: one suite, one ruleset, one clock, and everything that its trials say about everybody."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from timetrial.harness.scoring.certificate import Certificate
from timetrial.harness.scoring.jackknife import Estimate
from timetrial.harness.scoring.profile import Profile
from timetrial.harness.scoring.rules import Rules


@dataclass(frozen=True)
class WorkloadResult:
    """What a submission did on one workload."""

    value: Estimate
    """Expected time to target of a study, a miss counting as the budget; AlgoPerf's: the median, inf: missed."""
    ratio: float
    """Its value over the smallest of the field; inf under AlgoPerf's rules for a miss."""
    reach: float
    """The probability that a study reaches the target."""
    trials: int
    trials_reached: int
    speedup: Estimate | None = None
    """Over the reference; None without one."""
    curve: tuple[float, ...] = ()
    """Expected time of the best of 1, 2, ... trials, in the clock's unit."""


@dataclass(frozen=True)
class Standing:
    """One submission's place, with everything that leads to it."""

    submission: str
    rank: int
    """The place of its estimate, of the speed-up or under AlgoPerf's rules of the score; equal ones share it."""
    score: Estimate
    profile: Profile
    workloads: dict[str, WorkloadResult]
    speedup: Estimate | None = None
    """How many times sooner than the reference: a geometric mean over workloads. The headline."""
    on_the_way: Estimate | None = None
    """The same for the seven levels below each target."""
    may_be_best: bool | None = None
    """Whether it is one of those among which the best is with 95 %; None where that cannot be known."""
    faster_than: tuple[str, ...] = ()
    """From whom it is separated at simultaneous 95 %, being faster."""
    slower_than: tuple[str, ...] = ()
    certificate: Certificate | None = None

    @property
    def reach(self) -> float:
        """The probability that a study reaches a target, the mean over workloads."""
        return sum(result.reach for result in self.workloads.values()) / len(self.workloads)


@dataclass(frozen=True)
class Leaderboard:
    """The standings of the complete submissions, and what was found about the others."""

    suite: str
    ruleset: str
    rules: Rules
    clock: str
    """paced, measured or steps: what times are counted in."""
    unit: str
    trials_of_study: int
    reference: str
    standings: tuple[Standing, ...]
    """Best first."""
    budgets: dict[str, float]
    """By workload, what a miss counts as on this clock."""
    incomplete: dict[str, tuple[str, ...]]
    """Per submission, its trials that are neither reached nor missed, each as "trial: status"."""
    counted_as_misses: bool
    """Whether the incomplete submissions are in the standings, those trials as misses; if not, they have no score."""
    unsteady: dict[str, tuple[str, ...]]
    """Per submission, its trials whose clock was unsteady."""
    notes: tuple[str, ...]
    """What a reader of the scores must know, one sentence each."""

    def of(self, submission: str) -> Standing:
        """Find the standing of a submission; raises `KeyError` for one that is not in it."""
        for standing in self.standings:
            if standing.submission == submission:
                return standing
        raise KeyError(submission)

    @property
    def study(self) -> str:
        """What one study is, for a sentence such as "reaches the target in 80 % of studies of 5 trials"."""
        return "trials" if self.trials_of_study == 1 else f"studies of {self.trials_of_study} trials"

    def to_json(self) -> dict[str, Any]:
        """Give everything as JSON values: best first, incomplete submissions last; inf and unknown are null."""
        entries = [{**_standing(standing), **self._findings(standing.submission)} for standing in self.standings]
        if not self.counted_as_misses:
            unscored = {"rank": None, "speedup": _estimate(None), "score": None, "low": None, "high": None}
            entries += [{"submission": name, **unscored, **self._findings(name)} for name in self.incomplete]
        return {
            "suite": self.suite,
            "ruleset": self.ruleset,
            "rules": self.rules.name,
            "clock": self.clock,
            "unit": self.unit,
            "trials_of_study": self.trials_of_study,
            "reference": self.reference,
            "budgets": self.budgets,
            "scores": [{"suite": self.suite, "ruleset": self.ruleset, **entry} for entry in entries],
            "incomplete_counted_as_misses": self.counted_as_misses,
            "notes": list(self.notes),
        }

    def _findings(self, submission: str) -> dict[str, Any]:
        return {
            "incomplete": list(self.incomplete.get(submission, ())),
            "unsteady_clock": list(self.unsteady.get(submission, ())),
        }


def ranks_of(standings: Sequence[Standing], values: Sequence[float]) -> tuple[Standing, ...]:
    """Give standings in order their ranks from 1; who has the same value as the one before shares its rank."""
    ranks: list[int] = []
    for place, value in enumerate(values, start=1):
        tied = place > 1 and math.isclose(value, values[place - 2], rel_tol=1e-12, abs_tol=1e-12)
        ranks.append(ranks[-1] if tied else place)
    return tuple(replace(standing, rank=rank) for standing, rank in zip(standings, ranks, strict=True))


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _estimate(estimate: Estimate | None, name: str = "value") -> dict[str, float | None]:
    if estimate is None:
        return {name: None, "low": None, "high": None}
    return {name: _number(estimate.value), "low": _number(estimate.low), "high": _number(estimate.high)}


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "submission": standing.submission,
        "rank": standing.rank,
        "speedup": _estimate(standing.speedup),
        **_estimate(standing.score, "score"),
        "on_the_way": _estimate(standing.on_the_way),
        "reach": standing.reach,
        "may_be_best": standing.may_be_best,
        "faster_than": list(standing.faster_than),
        "slower_than": list(standing.slower_than),
        "certificate": _certificate(standing.certificate),
        "workloads": {
            name: {
                **_estimate(result.value),
                "ratio": _number(result.ratio),
                "reach": result.reach,
                "trials": result.trials,
                "trials_reached": result.trials_reached,
                "speedup": _estimate(result.speedup),
                "best_of_k": list(result.curve),
            }
            for name, result in standing.workloads.items()
        },
        "profile": {"tau": standing.profile.taus.tolist(), "rho": standing.profile.rhos.tolist()},
    }


def _certificate(certificate: Certificate | None) -> dict[str, Any] | None:
    if certificate is None:
        return None
    return {
        "holds": certificate.holds,
        "seldom_reached": certificate.seldom,
        "still_falling": {name: _estimate(gain) for name, gain in certificate.falling.items()},
        "at_an_edge": list(certificate.edges),
    }
