"""How far repeated trials are apart, from the records of a suite.

The studies of a submission repeat a trial: with the same hyperparameters, and with other initial weights and another
order of batches. A trial and its re-run on other libraries or another processor have even those in common, and only
rounding makes them differ, so they are no further apart. Of all pairs of repeated trials on a workload, whoever
submitted them, the share `WITHIN` says how far that may be; who forges one entry has little say in it.
"""

import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np

from timetrial.harness.entries.committed import CommittedEntry
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.crossing import CLOCKS
from timetrial.harness.records.curve import Curve
from timetrial.harness.records.files import Result

WITHIN = 0.99
"""The share of pairs of repeated trials that are no further apart than is allowed to a re-run."""

Trial = tuple[Result, Curve]
Apart = Callable[[Trial, Trial], float]
"""How far two trials are apart in something."""


class Repeats:
    """The trials on one workload that repeat each other, in all entries of a suite that ran the same version of it."""

    def __init__(self, entries: Iterable[CommittedEntry], spec: TrialSpec) -> None:
        self.spec = spec
        groups: dict[str, list[Trial]] = {}
        for trial in (trial for entry in entries for trial in entry.trials()):
            its = trial.read_spec()
            if (its.suite_version, its.workload) == (spec.suite_version, spec.workload):
                ended = trial.read_curve()
                if ended is not None and len(ended[1]):
                    groups.setdefault(f"{its.source_hash} {sorted(its.hyperparameters.items())}", []).append(ended)
        self.pairs = [pair for group in groups.values() for pair in itertools.combinations(group, 2)]

    def limit(self, apart: Apart) -> float | None:
        """Give how far a trial and its re-run may be apart; None where no trial is repeated."""
        if not self.pairs:
            return None
        return float(np.quantile([apart(*pair) for pair in self.pairs], WITHIN, method="higher"))


def apart_in_steps(one: Trial, other: Trial) -> float:
    """Logarithm of the ratio of steps to target; where one missed it, of the least that its steps would have been."""
    steps = [result.steps_to_target or math.inf for result, _ in (one, other)]
    least = [result.steps_to_target or result.step for result, _ in (one, other)]
    if min(steps) == math.inf:
        return 0.0
    if max(steps) < math.inf:
        return abs(math.log(steps[0] / steps[1]))
    missed = one if steps[0] == math.inf else other
    return math.inf if missed[0].status == "diverged" else max(0.0, math.log(max(least) / min(steps)))


def apart_in_metric(name: str) -> Apart:
    """Difference of a validation metric at the last evaluation point that both trials have."""

    def apart(one: Trial, other: Trial) -> float:
        last = min(len(one[1]), len(other[1])) - 1
        was, now = (
            curve.values[last, curve.metrics.index(name)] if name in curve.metrics else math.nan
            for _, curve in (one, other)
        )
        return 0.0 if math.isnan(was) and math.isnan(now) else math.inf if math.isnan(was - now) else abs(was - now)

    return apart


def log_pace(trial: Trial, points: int | None = None, clock: str = "paced") -> float:
    """Logarithm of the seconds of a step up to the last of `points` evaluations, measured where there was no pacer."""
    clocks = dict(zip(CLOCKS, trial[1].clocks[:points][-1], strict=True))
    seconds = clocks["measured"] if math.isnan(clocks[clock]) else clocks[clock]
    return math.log(seconds / clocks["steps"])


def apart_in_pace(one: Trial, other: Trial) -> float:
    """Logarithm of how many times longer the steps of one take, up to the last evaluation point that both have."""
    points = min(len(one[1]), len(other[1]))
    return abs(log_pace(one, points) - log_pace(other, points))
